"""Continuations of hypotheses, among which a beam chooses."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Candidates:
    """Continuations of the hypotheses of b sentences, n each; all (b, n).

    Args:
        parents: int64, the incoming hypothesis that each one continues.
        tokens: int64, the token it adds.
        token_log_probs: that token's log-probability.
        log_probs: log-probability of the whole hypothesis; -inf marks an empty slot.
        ends: bool, whether it ends in eos.
    """

    parents: Tensor
    tokens: Tensor
    token_log_probs: Tensor
    log_probs: Tensor
    ends: Tensor

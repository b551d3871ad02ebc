"""Hypotheses: the results of search."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One translation of one sentence.

    Args:
        tokens: target pieces, without bos and eos.
        score: ranking score: ``log_prob`` divided by the length penalty, plus the coverage penalty
            (``nmt.search.scorer``).
        log_prob: sum of ``token_log_probs``, in nats.
        token_log_probs: log-probability of each token under the model, in nats; eos comes last if ``finished``.
        finished: whether it ends in eos; ``False`` only if eos has probability zero at the maximum length.
        cut: whether the length limit forced its end: at the maximum length only eos is allowed, although another piece
            was more probable.
        weights: (T, S) float32 attention weights on the CPU: one row per scored token (eos included), one column per
            true source piece (eos included); ``None`` without attention, or if not requested.
    """

    tokens: list[int]
    score: float
    log_prob: float
    token_log_probs: list[float]
    finished: bool
    cut: bool = False
    weights: Tensor | None = field(default=None, compare=False)

    @property
    def confidence(self) -> float:
        """Geometric mean of the token probabilities, in (0, 1]; 1 if no token was scored."""
        if not self.token_log_probs:
            return 1.0
        return min(1.0, math.exp(self.log_prob / len(self.token_log_probs)))

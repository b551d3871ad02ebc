"""What search returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One translation of one sentence.

    Args:
        tokens: target pieces, without bos and eos.
        score: what hypotheses are ranked by: ``log_prob`` over the length penalty, plus the coverage penalty
            (``nmt.search.scorer``).
        log_prob: sum of ``token_log_probs``, in nats.
        token_log_probs: log-probability of each token under the model, in nats; that of eos is the last one if
            ``finished``.
        finished: whether it ends in eos; ``False`` only where the model holds that impossible at the longest length.
        cut: whether the length limit ended it, not the model: at the longest length only eos may follow, though another
            piece was more probable.
        weights: (T, S) float32 attention weights on the CPU: a row for each scored token (eos included), a column for
            each true source piece (eos included); ``None`` for a stepper without attention, or if not asked for.
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
        """Geometric mean of the token probabilities, in (0, 1]; 1 where no token was scored."""
        if not self.token_log_probs:
            return 1.0
        return min(1.0, math.exp(self.log_prob / len(self.token_log_probs)))

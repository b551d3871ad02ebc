"""The score for ranking finished hypotheses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.core.errors import ConfigError, Problem
from nmt.search.hypothesis import Hypothesis
from nmt.search.search_config import SearchConfig

COVERAGE_FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class Scorer:
    r"""Length and coverage penalty of GNMT.

    .. math::
        s(Y, X) = \frac{\log P(Y | X)}{lp(Y)} + cp(X; Y), \qquad lp(Y) = \left(\frac{5 + |Y|}{6}\right)^\alpha, \qquad
        cp(X; Y) = \beta \sum_i \log \min\Bigl(\sum_j p_{ij}, 1\Bigr)

    Wu et al. (2016), eq. 14. Choices where the paper is silent: \|Y\| counts every scored token, eos included; i runs
    over the true source pieces, eos included; j runs over all rows of attention, that of eos included. One deviation:
    coverage is at least ``COVERAGE_FLOOR``, so that a piece which local or hard attention never attends to has a large
    but finite cost.

    Args:
        length_penalty: alpha, 0 or more.
        coverage_penalty: beta, 0 or more.
    """

    length_penalty: float
    coverage_penalty: float

    @classmethod
    def of(cls, config: SearchConfig) -> Scorer:
        """Take the two penalties from a configuration."""
        return cls(config.length_penalty, config.coverage_penalty)

    def divisor(self, length: int) -> float:
        """Return lp for a number of scored tokens."""
        return float(((5 + length) / 6) ** self.length_penalty)

    def rescored(self, hypothesis: Hypothesis, before: Scorer) -> float:
        """Return the score of a hypothesis from a search with another length penalty; its coverage penalty stays."""
        length, log_prob = len(hypothesis.token_log_probs), hypothesis.log_prob
        return log_prob / self.divisor(length) + (hypothesis.score - log_prob / before.divisor(length))

    def divisors(self, longest: int, device: torch.device) -> Tensor:
        """Return lp for every number of scored tokens up to ``longest``: (longest + 1,) float32, non-decreasing."""
        # With Python's power: the last digit of a vectorised one may depend on the position in the table.
        table = [self.divisor(length) for length in range(longest + 1)]
        return torch.tensor(table, dtype=torch.float32, device=device)

    def coverage(self, total: Tensor | None, mask: Tensor) -> Tensor | None:
        """Return the coverage penalty, zero or negative, or ``None`` without one.

        Args:
            total: (b, k, S) sum of the attention weights over the target; ``None`` if not tracked.
            mask: (b, S) bool, ``True`` = real source piece.

        Returns:
            (b, k) float32.
        """
        if total is None or not self.coverage_penalty:
            return None
        logs = total.clamp(COVERAGE_FLOOR, 1.0).log().masked_fill(~mask.unsqueeze(1), 0.0)
        return self.coverage_penalty * logs.sum(-1)

    def add_coverage(self, total: Tensor | None, weights: Tensor | None) -> Tensor | None:
        """Add one step's weights to the running total, or return ``None`` without a coverage penalty.

        Args:
            total: (b, k, S) total before the step, or ``None`` at the first step.
            weights: (b, k, S) weights of the step, or ``None`` if the stepper has none.

        Raises:
            ConfigError: there is a coverage penalty, but the model has no attention.
        """
        if not self.coverage_penalty:
            return None
        if weights is None:
            message = f"must be 0 for a model without attention, but is {self.coverage_penalty}"
            raise ConfigError([Problem("coverage_penalty", message)])
        return weights if total is None else total + weights

    def bound(self, log_prob: Tensor, divisor: Tensor) -> Tensor:
        """Return an upper bound on the score of any continuation of a hypothesis.

        Further tokens only lower the log-probability (each adds zero or less). A negative number divided by lp is
        highest for the largest lp, that of the maximum length (alpha >= 0); and cp <= 0. So ``log_prob / lp(longest)``
        is a bound, in floating point too, as sum and quotient round monotonically.

        Args:
            log_prob: (b,) log-probability of the best live hypothesis, zero or less.
            divisor: (b,) lp of the maximum target length, eos included.
        """
        return log_prob / divisor

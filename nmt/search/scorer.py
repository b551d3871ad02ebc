"""The score by which finished hypotheses are ranked."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.core.errors import ConfigError, Problem
from nmt.search.search_config import SearchConfig

COVERAGE_FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class Scorer:
    r"""Length and coverage penalty of GNMT.

    .. math::
        s(Y, X) = \frac{\log P(Y | X)}{lp(Y)} + cp(X; Y), \qquad lp(Y) = \left(\frac{5 + |Y|}{6}\right)^\alpha, \qquad
        cp(X; Y) = \beta \sum_i \log \min\Bigl(\sum_j p_{ij}, 1\Bigr)

    Wu et al. (2016), eq. 14. What the paper leaves open: \|Y\| counts every token that has a log-probability, eos thus
    included; i runs over the true source pieces, eos included; j over every row of attention, that of eos included. A
    deviation: a coverage below ``COVERAGE_FLOOR`` counts as that much, so that a piece which local or hard attention
    never looked at costs much, but not everything.

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

    def divisors(self, longest: int, device: torch.device) -> Tensor:
        """Return lp for every number of scored tokens up to ``longest``: (longest + 1,) float32, never decreasing."""
        # By Python's own power: a vectorised one may differ in the last digit with the place in the table.
        table = [((5 + length) / 6) ** self.length_penalty for length in range(longest + 1)]
        return torch.tensor(table, dtype=torch.float32, device=device)

    def coverage(self, total: Tensor | None, mask: Tensor) -> Tensor | None:
        """Return the coverage penalty, zero or negative, or ``None`` without one.

        Args:
            total: (b, k, S) sum of the attention weights over the target; ``None`` if not followed.
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
            total: (b, k, S) total before the step, or ``None`` at the first.
            weights: (b, k, S) weights of the step, or ``None`` where the stepper has none.

        Raises:
            ConfigError: a coverage penalty is asked of a model without attention.
        """
        if not self.coverage_penalty:
            return None
        if weights is None:
            message = f"must be 0 for a model without attention, but is {self.coverage_penalty}"
            raise ConfigError([Problem("coverage_penalty", message)])
        return weights if total is None else total + weights

    def bound(self, log_prob: Tensor, divisor: Tensor) -> Tensor:
        """Return the highest score any continuation of a hypothesis can reach.

        Further tokens only lower the log-probability (each adds zero or less); a negative number divided by lp is
        highest under the largest lp, that of the longest target allowed (alpha >= 0); and cp <= 0. So
        ``log_prob / lp(longest)`` is never exceeded, also in floating point, as sum and quotient round monotonically.

        Args:
            log_prob: (b,) log-probability of the best live hypothesis, zero or less.
            divisor: (b,) lp of the longest target allowed, eos counted.
        """
        return log_prob / divisor

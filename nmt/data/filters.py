"""Filters of training pairs, with counts of dropped pairs by reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy
from numpy.typing import NDArray

from nmt.core.config.ranges import PositiveInt, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterConfig:
    """Limits on the lengths of a pair, in pieces without the end-of-sentence piece.

    Args:
        min_length: shortest side kept; a pair with an empty or invisible side is always dropped.
        max_length: longest side kept; ``null`` keeps all.
        max_ratio: largest ratio of the longer to the shorter side; ``null`` keeps all.
    """

    min_length: PositiveInt = 1
    max_length: int | None = 256
    max_ratio: Annotated[float, Range("at least 1", lambda ratio: ratio >= 1)] | None = 9.0

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield limits that no pair can meet."""
        if self.max_length is not None and self.max_length < self.min_length:
            yield "max_length", f"must be at least min_length ({self.min_length}), but is {self.max_length}"

    def apply(
        self, source_lengths: NDArray[Any], target_lengths: NDArray[Any]
    ) -> tuple[NDArray[numpy.bool_], dict[str, int]]:
        """Decide which pairs to keep; each dropped pair counts for the first reason that applies.

        Args:
            source_lengths: (N,) pieces of each source, without the end-of-sentence piece.
            target_lengths: (N,) the same for the targets.

        Returns:
            (N,) ``True`` = kept, and the number of dropped pairs by reason.
        """
        shorter = numpy.minimum(source_lengths, target_lengths)
        longer = numpy.maximum(source_lengths, target_lengths)
        everywhere = numpy.zeros(len(shorter), dtype=bool)
        reasons = {
            "empty": shorter == 0,
            "too_short": shorter < self.min_length,
            "too_long": everywhere if self.max_length is None else longer > self.max_length,
            "ratio": everywhere if self.max_ratio is None else longer > self.max_ratio * shorter,
        }
        kept = numpy.ones(len(shorter), dtype=bool)
        dropped: dict[str, int] = {}
        for reason, holds in reasons.items():
            dropped[reason] = int((kept & holds).sum())
            kept &= ~holds
        return kept, dropped

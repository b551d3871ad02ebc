"""Minimum and maximum target lengths."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.data.batch import Source
from nmt.search.search_config import SearchConfig


@dataclass(frozen=True, slots=True)
class LengthLimits:
    """Minimum and maximum target length of every sentence, which depend on the units of its source.

    Args:
        minimum: (B,) int64, pieces without eos; at most ``maximum``.
        maximum: (B,) int64, pieces without eos.
        soonest: the smallest maximum.
    """

    minimum: Tensor
    maximum: Tensor
    soonest: int

    @classmethod
    def of(cls, source: Source, config: SearchConfig) -> LengthLimits:
        """Compute the limits of each source."""
        # In Python: float32 would round 10 * 1.1, and some devices have no float64.
        units = source.units.tolist()
        longest = [longest_target(count, config) for count in units]
        shortest = [max(config.min_length, math.floor(count * config.min_length_ratio)) for count in units]
        maximum, minimum = (torch.tensor(each, dtype=torch.int64, device=source.device) for each in (longest, shortest))
        return cls(torch.minimum(minimum, maximum), maximum, min(longest, default=0))

    def reached(self, sentences: Tensor, length: int) -> Tensor | None:
        """Whether targets of some sentences (b,) have reached their maximum: (b,) bool, or ``None`` if none has."""
        if length < self.soonest:
            return None
        full = self.maximum[sentences] <= length
        return full if bool(full.any()) else None


def longest_target(units: int, config: SearchConfig) -> int:
    """The maximum target length, without eos, for a source of so many pieces without eos, or other units."""
    return math.floor(units * config.max_length_ratio) + config.max_length_offset

"""How long a target may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.data.batch import Tokens
from nmt.search.search_config import SearchConfig


@dataclass(frozen=True, slots=True)
class LengthLimits:
    """Shortest and longest target of every sentence, from its own true source length.

    Args:
        minimum: (B,) int64, pieces without eos; at most ``maximum``.
        maximum: (B,) int64, pieces without eos.
        soonest: the least maximum.
    """

    minimum: Tensor
    maximum: Tensor
    soonest: int

    @classmethod
    def of(cls, source: Tokens, config: SearchConfig) -> LengthLimits:
        """Compute the limits of each source sentence."""
        # By Python's numbers: float32 would round 10 * 1.1, and some devices have no float64.
        pieces = [max(0, length - 1) for length in source.lengths.tolist()]
        longest = [math.floor(count * config.max_length_ratio) + config.max_length_offset for count in pieces]
        shortest = [max(config.min_length, math.floor(count * config.min_length_ratio)) for count in pieces]
        maximum, minimum = (
            torch.tensor(each, dtype=torch.int64, device=source.lengths.device) for each in (longest, shortest)
        )
        return cls(torch.minimum(minimum, maximum), maximum, min(longest, default=0))

    def reached(self, sentences: Tensor, length: int) -> Tensor | None:
        """Say of some sentences (b,) whether targets of this length are the longest: (b,) bool, or ``None`` if none."""
        if length < self.soonest:
            return None
        full = self.maximum[sentences] <= length
        return full if bool(full.any()) else None

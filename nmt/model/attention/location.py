"""The location score: alignments are predicted from the decoder state alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nmt.core.config.ranges import PositiveInt
from nmt.model.attention.base import Score, ScoreConfig


@ScoreConfig.registry.register("location")
@dataclass(frozen=True, slots=True, kw_only=True)
class LocationConfig(ScoreConfig):
    """Location score of Luong et al. (2015), section 3.1.

    Args:
        max_length: number of source positions with a score, in pieces, eos included.
    """

    needs_order: ClassVar[bool] = True

    max_length: PositiveInt = 256

    def build(self, query_size: int, memory_size: int) -> Score:  # noqa: ARG002
        """Build the score."""
        return LocationScore(query_size=query_size, max_length=self.max_length)


class LocationScore(Score):
    """``e_s = (W_a q)_s``, independent of the annotation at s: Luong et al. (2015), equation 8.

    W_a has one row per position, so its number of rows bounds the source length. As in the paper, a shorter source uses
    the first rows, and the end of a longer one is ignored: positions from ``max_length`` on get the lowest finite
    score, and so zero weight.
    """

    def __init__(self, *, query_size: int, max_length: int) -> None:
        super().__init__()
        self.W_a = nn.Linear(query_size, max_length, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        """Empty keys (B, S, 0), which hold only the number of annotations."""
        return values[:, :, :0]

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Energies (B, Q, S)."""
        size = keys.shape[1]
        energies = functional.linear(query, self.W_a.weight[:size])
        beyond = size - energies.shape[2]
        if beyond <= 0:
            return energies
        lowest = energies.new_full((*energies.shape[:2], beyond), torch.finfo(energies.dtype).min)
        return torch.cat([energies, lowest], dim=2)

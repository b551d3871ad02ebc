"""Scores of a query against a key: additive (concat), dot, scaled dot, general."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import Positive, PositiveInt
from nmt.model.attention.base import Score, ScoreConfig


@ScoreConfig.registry.register("additive")
@dataclass(frozen=True, slots=True, kw_only=True)
class AdditiveConfig(ScoreConfig):
    """Additive score of Bahdanau et al. (2015).

    Args:
        size: size A of the hidden layer, where query and key are added; by default the query size.
    """

    accepts_coverage: ClassVar[bool] = True

    size: PositiveInt | None = None

    def build(self, query_size: int, memory_size: int) -> Score:
        """Build the score."""
        return AdditiveScore(query_size=query_size, memory_size=memory_size, size=self.size or query_size)


@ScoreConfig.registry.register("concat")
@dataclass(frozen=True, slots=True, kw_only=True)
class ConcatConfig(AdditiveConfig):
    """Concat score of Luong et al. (2015), section 3.1: the same function as the additive score.

    ``v_a^T tanh(W_a [q; h])`` is ``v_a^T tanh(W_a q + U_a h)`` with W_a split in two; only the name differs.
    """


class AdditiveScore(Score):
    """``e = v_a^T tanh(W_a q + U_a h)``: Bahdanau et al. (2015), appendix A.1.2.

    ``U_a h`` does not depend on the query, so it is computed once per source and serves as the key.
    """

    def __init__(self, *, query_size: int, memory_size: int, size: int) -> None:
        super().__init__()
        self.size = self.elements_per_pair = size
        self.W_a = nn.Linear(query_size, size, bias=False)
        self.U_a = nn.Linear(memory_size, size, bias=False)
        self.v_a = nn.Linear(size, 1, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        """``U_a h``: (B, S, A)."""
        keys: Tensor = self.U_a(values)
        return keys

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Energies (B, Q, S) for keys (B, S, A), or for keys per query (B, Q, S, A)."""
        keys = keys if keys.dim() == 4 else keys.unsqueeze(1)
        energies: Tensor = self.v_a(torch.tanh(self.W_a(query).unsqueeze(2) + keys))
        return energies.squeeze(-1)


@ScoreConfig.registry.register("dot")
@dataclass(frozen=True, slots=True, kw_only=True)
class DotConfig(ScoreConfig):
    """Dot score of Luong et al. (2015); query and annotation must have the same size."""

    def check(self, query_size: int, memory_size: int) -> str | None:
        """Check sizes; a dot product needs vectors of the same size."""
        if query_size == memory_size:
            return None
        return (
            f"needs queries and annotations of the same size, but they have {query_size} and {memory_size}; make "
            "the decoder's size twice the encoder's, or choose score: general"
        )

    def build(self, query_size: int, memory_size: int) -> Score:  # noqa: ARG002
        """Build the score."""
        return DotScore(scale=1.0)


@ScoreConfig.registry.register("scaled-dot")
@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledDotConfig(DotConfig):
    """Dot score divided by the square root of the size: Vaswani et al. (2017), equation 1."""

    def build(self, query_size: int, memory_size: int) -> Score:  # noqa: ARG002
        """Build the score."""
        return DotScore(scale=1.0 / math.sqrt(query_size))


class DotScore(Score):
    """``e = scale * q^T h``: Luong et al. (2015), section 3.1."""

    def __init__(self, *, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def keys(self, values: Tensor) -> Tensor:
        """The annotations themselves."""
        return values

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Energies (B, Q, S)."""
        return torch.bmm(query * self.scale, keys.transpose(1, 2))


@ScoreConfig.registry.register("general")
@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralConfig(ScoreConfig):
    """Bilinear score of Luong et al. (2015).

    Args:
        scale: factor of the energies; by default 1 / sqrt(D_q), with D_q the query size. The paper has 1.
    """

    scale: Positive | None = None

    def build(self, query_size: int, memory_size: int) -> Score:
        """Build the score."""
        scale = 1.0 / math.sqrt(query_size) if self.scale is None else self.scale
        return GeneralScore(query_size=query_size, memory_size=memory_size, scale=scale)


class GeneralScore(Score):
    """``e = scale * q^T W_a h``: Luong et al. (2015), section 3.1; ``W_a h`` is the key.

    W_a could absorb the scale, but the scale sets how fast the energies change under Adam: an update moves every
    element of W_a by the learning rate, and so the energies by up to ``scale * D_q * D`` times that. The default,
    1 / sqrt(D_q), keeps attention from becoming one-hot before it has learnt to align. If alignments are supervised,
    the paper's 1 learns faster.
    """

    def __init__(self, *, query_size: int, memory_size: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.W_a = nn.Linear(memory_size, query_size, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        """Projected annotations: (B, S, D_q)."""
        keys: Tensor = self.W_a(values)
        return keys

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Energies (B, Q, S)."""
        return torch.bmm(query * self.scale, keys.transpose(1, 2))

"""Multi-head scores: each head compares query and annotation in its own space."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import PositiveInt
from nmt.model.attention.base import Score, ScoreConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiHeadConfig(ScoreConfig):
    """Multi-head score.

    Args:
        heads: number of heads.
        size: units per head; by default the query size divided by the number of heads, rounded up.
    """

    heads: PositiveInt = 4
    size: PositiveInt | None = None

    @property
    def head_count(self) -> int:
        """Number of heads."""
        return self.heads

    def build(self, query_size: int, memory_size: int) -> Score:
        """Build the score."""
        size = self.size or math.ceil(query_size / self.heads)
        return self.build_heads(query_size, memory_size, size)

    @abstractmethod
    def build_heads(self, query_size: int, memory_size: int, size: int) -> Score:
        """Build the score with heads of ``size`` units."""


@ScoreConfig.registry.register("multi-head-additive")
@dataclass(frozen=True, slots=True, kw_only=True)
class MultiHeadAdditiveConfig(MultiHeadConfig):
    """Multi-head additive score, as in RNMT+ (Chen et al., 2018, section 4.1)."""

    def build_heads(self, query_size: int, memory_size: int, size: int) -> Score:
        """Build the score."""
        return MultiHeadAdditiveScore(query_size=query_size, memory_size=memory_size, heads=self.heads, size=size)


class MultiHeadAdditiveScore(Score):
    """``e_k = v_k^T tanh(W_k q + U_k h)`` in head k: Chen et al. (2018), each head as in Bahdanau et al. (2015).

    ``W_a`` and ``U_a`` stack the matrices of all heads; row k of ``v_a`` is ``v_k``.
    """

    def __init__(self, *, query_size: int, memory_size: int, heads: int, size: int) -> None:
        super().__init__()
        self.elements_per_pair = heads * size
        self.W_a = nn.Linear(query_size, heads * size, bias=False)
        self.U_a = nn.Linear(memory_size, heads * size, bias=False)
        self.v_a = nn.Linear(size, heads, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        """``U_k h`` of all heads, side by side: (B, S, heads * A)."""
        keys: Tensor = self.U_a(values)
        return keys

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Energies (B, Q, heads, S)."""
        hidden = torch.tanh(self.W_a(query).unsqueeze(2) + keys.unsqueeze(1))
        # One product with a block-diagonal matrix of the v_k: (heads * A, heads).
        blocks = torch.diag_embed(self.v_a.weight.t()).transpose(0, 1).flatten(0, 1)
        return torch.matmul(hidden, blocks).transpose(2, 3)


@ScoreConfig.registry.register("multi-head-dot")
@dataclass(frozen=True, slots=True, kw_only=True)
class MultiHeadDotConfig(MultiHeadConfig):
    """Multi-head scaled dot score: Vaswani et al. (2017), section 3.2.2."""

    def build_heads(self, query_size: int, memory_size: int, size: int) -> Score:
        """Build the score."""
        return MultiHeadDotScore(query_size=query_size, memory_size=memory_size, heads=self.heads, size=size)


class MultiHeadDotScore(Score):
    """``e_k = (W_q q)_k^T (W_k h)_k / sqrt(A)`` in head k with A units: Vaswani et al. (2017), equation 1."""

    def __init__(self, *, query_size: int, memory_size: int, heads: int, size: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = 1.0 / math.sqrt(size)
        self.W_q = nn.Linear(query_size, heads * size, bias=False)
        self.W_k = nn.Linear(memory_size, heads * size, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        """``W_k h`` of all heads, side by side: (B, S, heads * A)."""
        keys: Tensor = self.W_k(values)
        return keys

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Energies (B, Q, heads, S)."""
        queries = (self.W_q(query) * self.scale).view(*query.shape[:2], self.heads, -1)
        return torch.einsum("bqha,bsha->bqhs", queries, keys.view(*keys.shape[:2], self.heads, -1))

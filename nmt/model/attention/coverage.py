"""Coverage models: track the past attention of each source position and inform the score of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import Positive, PositiveInt
from nmt.core.registry import Registry
from nmt.core.tensors import masked_softmax
from nmt.model.attention.base import AttentionOutput, AttentionState, Prepared, Score
from nmt.model.attention.scored import Normalise, SoftAttention
from nmt.model.cells import GATES, ContextCell
from nmt.model.memory import CellState, SourceMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageConfig(ABC):
    """Family of coverage models (Tu et al., 2016)."""

    registry: ClassVar[Registry[CoverageConfig]] = Registry("coverage model")
    needs_order: ClassVar[bool] = False
    """Whether a position's coverage depends on its neighbours, so that the source must be ordered."""

    @abstractmethod
    def build(self, query_size: int, memory_size: int) -> Coverage:
        """Build the coverage model for queries (…, D_q) and annotations (…, D)."""


class Coverage(nn.Module, ABC):
    """A coverage model.

    Args:
        size: size C of a position's coverage.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    @abstractmethod
    def keys(self, values: Tensor) -> Tensor:
        """Compute what is constant over the steps, (B, S, ...), from annotations (B, S, D)."""

    @abstractmethod
    def forward(self, coverage: Tensor, weights: Tensor, keys: Tensor, query: Tensor) -> Tensor:
        """Advance coverage (B, Q, S, C) by one step, with its weights (B, Q, S) and query (B, Q, D_q).

        The result has the dtype of the old coverage; ``keys`` (B, S, ...) are from ``keys``.
        """


@CoverageConfig.registry.register("linguistic")
@dataclass(frozen=True, slots=True, kw_only=True)
class LinguisticCoverageConfig(CoverageConfig):
    """Linguistic coverage of Tu et al. (2016), section 3.1.1.

    Args:
        fertility: divide by the expected number of target words per source word.
        max_fertility: N, the largest fertility; 2 in the paper.
    """

    fertility: bool = True
    max_fertility: Positive = 2.0

    def idle(self) -> Iterator[tuple[str, str]]:
        """Options that only fertility uses."""
        if not self.fertility:
            yield "max_fertility", "has no effect where fertility is false"

    def build(self, query_size: int, memory_size: int) -> Coverage:  # noqa: ARG002
        """Build the model."""
        return LinguisticCoverage(memory_size=memory_size, max_fertility=self.max_fertility if self.fertility else None)


LEAST_FERTILITY = 1e-6


class LinguisticCoverage(Coverage):
    """``C_ij = C_{i-1,j} + a_ij / Phi_j``, ``Phi_j = N sigmoid(U_f h_j)``: Tu et al. (2016), section 3.1.1.

    Without fertility, Phi is 1 and coverage is the sum of a position's past weights.
    """

    def __init__(self, *, memory_size: int, max_fertility: float | None) -> None:
        super().__init__(size=1)
        self.max_fertility = max_fertility
        self.U_f = None if max_fertility is None else nn.Linear(memory_size, 1, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        """``1 / Phi_j``: (B, S, 1)."""
        if self.U_f is None or self.max_fertility is None:
            return torch.ones_like(values[:, :, :1])
        fertility = self.max_fertility * torch.sigmoid(self.U_f(values).to(values.dtype))
        return 1.0 / fertility.clamp_min(LEAST_FERTILITY)  # the sigmoid may vanish, and 0 * inf is no number

    def forward(self, coverage: Tensor, weights: Tensor, keys: Tensor, query: Tensor) -> Tensor:  # noqa: ARG002
        """Add the weights."""
        return coverage + weights.unsqueeze(-1) * keys.unsqueeze(1)


@CoverageConfig.registry.register("neural")
@dataclass(frozen=True, slots=True, kw_only=True)
class NeuralCoverageConfig(CoverageConfig):
    """Neural coverage of Tu et al. (2016), section 3.1.2.

    Args:
        size: units of a position's coverage; 10 in the paper.
    """

    size: PositiveInt = 10

    def build(self, query_size: int, memory_size: int) -> Coverage:
        """Build the model."""
        return NeuralCoverage(query_size=query_size, memory_size=memory_size, size=self.size)


class NeuralCoverage(Coverage):
    """``C_ij = f(C_{i-1,j}, a_ij, h_j, t_{i-1})`` with f a GRU: Tu et al. (2016), section 3.1.2.

    The annotation is the cell's input, projected once per source. The query t is projected once per step for all
    positions. The initial coverage is zero.
    """

    def __init__(self, *, query_size: int, memory_size: int, size: int) -> None:
        super().__init__(size=size)
        self.recurrent = ContextCell("gru", input_size=memory_size, context_size=1, size=size)
        self.W_t = nn.Linear(query_size, GATES["gru"] * size, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        """The annotations' part of the gates: (B, S, 3 C)."""
        return self.recurrent.project(values)

    def forward(self, coverage: Tensor, weights: Tensor, keys: Tensor, query: Tensor) -> Tensor:
        """Run the cell once at every position."""
        driven = keys.unsqueeze(1) + self.W_t(query).unsqueeze(2)
        new: CellState = self.recurrent(driven.flatten(0, 2), weights.reshape(-1, 1), CellState(coverage.flatten(0, 2)))
        return new.hidden.view_as(coverage)


@CoverageConfig.registry.register("location-aware")
@dataclass(frozen=True, slots=True, kw_only=True)
class LocationAwareConfig(CoverageConfig):
    """Location-aware attention of Chorowski et al. (2015), section 2.2, which follows the last weights along a source.

    Args:
        filters: k, number of filters; 10 in the paper.
        width: r, positions that a filter sees, an odd number; 201 in the paper, over frames that no layer has joined.
    """

    needs_order: ClassVar[bool] = True

    filters: PositiveInt = 10
    width: PositiveInt = 31

    def problems(self) -> Iterator[tuple[str, str]]:
        """A width without a middle."""
        if self.width % 2 == 0:
            yield "width", f"must be an odd number, but is {self.width}"

    def build(self, query_size: int, memory_size: int) -> Coverage:  # noqa: ARG002
        """Build the model."""
        return LocationAwareCoverage(filters=self.filters, width=self.width)


class LocationAwareCoverage(Coverage):
    """``f_i = F * a_{i-1}``: Chorowski et al. (2015), equation 8; the last weights alone, and none before the first.

    The score is that of their equation 9, ``w^T tanh(W s_{i-1} + V h_j + U f_ij)``.
    """

    def __init__(self, *, filters: int, width: int) -> None:
        super().__init__(size=filters)
        self.F = nn.Conv1d(1, filters, width, padding=width // 2, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        """Nothing."""
        return values[:, :, :0]

    def forward(self, coverage: Tensor, weights: Tensor, keys: Tensor, query: Tensor) -> Tensor:  # noqa: ARG002
        """Filter the weights."""
        filtered: Tensor = self.F(weights.flatten(0, 1).unsqueeze(1))
        return filtered.transpose(1, 2).to(coverage.dtype).reshape(coverage.shape)


@dataclass(frozen=True, slots=True)
class CoverageState(AttentionState):
    """Coverage of each source position.

    Args:
        coverage: (N, S, C).
    """

    coverage: Tensor


class CoveredAttention(SoftAttention):
    """``e_ij = v_a^T tanh(W_a t_{i-1} + U_a h_j + V_a C_{i-1,j})``: Tu et al. (2016), section 3.2.

    Args:
        score: a score that accepts coverage, such as the additive one.
        coverage: the coverage model.
        context_size: size D of annotations and contexts.
        normalise: from energies to weights.
    """

    recurrent = True

    def __init__(
        self,
        score: Score,
        coverage: Coverage,
        *,
        context_size: int,
        normalise: Normalise = masked_softmax,
    ) -> None:
        super().__init__(score, context_size=context_size, normalise=normalise)
        self.coverage = coverage
        key_size = score.keys(torch.zeros(1, 1, context_size)).shape[2]
        self.V_a = nn.Linear(coverage.size, key_size, bias=False)

    def initial_state(self, memory: SourceMemory) -> AttentionState:
        """Nothing is covered yet."""
        return CoverageState(memory.values.new_zeros(*memory.mask.shape, self.coverage.size))

    def prepare(self, memory: SourceMemory) -> Prepared:
        """Project the keys and the annotations' part of the coverage model."""
        return replace(super().prepare(memory), coverage=self.coverage.keys(memory.values))

    def forward(self, query: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:
        """Weigh all positions given their coverage, then update it."""
        if not isinstance(state, CoverageState) or prepared.coverage is None:
            raise TypeError("attention with coverage needs the state that it began with")
        sentences, queries, _ = query.shape
        coverage = state.coverage.view(sentences, queries, -1, self.coverage.size)
        energies = self.energies(query, prepared, prepared.keys.unsqueeze(1) + self.V_a(coverage))
        weights = self.normalise(energies, prepared.mask[:, None, None])
        covered = self.coverage(coverage, weights.squeeze(2), prepared.coverage, query)
        return AttentionOutput(self.blend(weights, prepared), weights, CoverageState(covered.flatten(0, 1)))

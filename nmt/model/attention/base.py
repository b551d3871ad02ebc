"""The contract of every attention: prepare the memory once, then attend as often as needed.

An attention has two independent choices: the *score* (how well a query and a key match) and the *alignment function*
(how scores become weights). A third, the order of attention and recurrence, belongs to the decoder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from nmt.core.errors import wrong_result
from nmt.core.registry import Registry
from nmt.model.memory import SourceMemory

RowSum = Literal["one", "at most one", "no weights"]
"""What the weights of one query and head sum to."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A source memory with projected keys, one row per sentence.

    Args:
        keys: (B, S, A) projected keys; (B, 0, 0) for an attention without keys.
        values: (B, S, D) annotations; with several heads, projected annotations.
        mask: (B, S) bool, ``True`` = real.
        lengths: (B,) int64 true lengths.
        coverage: (B, S, C) projection of the annotations for the coverage model; ``None`` without one.
        summary: (B, D) the source as one vector if there is no attention; else ``None``.
        grid: (height, width) of a picture, for an attention that places a window over it; else ``None``.
        embedded: (B, S, E) embeddings of the source words, for a lexical model; else ``None``.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor
    lengths: Tensor
    coverage: Tensor | None = None
    summary: Tensor | None = None
    grid: tuple[int, int] | None = None
    embedded: Tensor | None = None


@dataclass(frozen=True, slots=True)
class AttentionState:
    """State of an attention between steps. Variants subclass it; tensors are batch-first, and a beam reorders them."""


@dataclass(frozen=True, slots=True)
class AttentionOutput:
    """Result of attention.

    Args:
        context: (B, Q, D).
        weights: (B, Q, heads, S); zero heads if there is no attention.
        state: the new attention state.
        log_prob: (B, Q) log-probability of the sampled position, for attentions that sample.
    """

    context: Tensor
    weights: Tensor
    state: AttentionState
    log_prob: Tensor | None = None

    @classmethod
    def joined(cls, steps: Sequence[AttentionOutput]) -> AttentionOutput:
        """Join the outputs (N, ...) of T successive queries to one output (N, T, ...)."""
        return cls(
            torch.stack([step.context for step in steps], 1),
            torch.stack([step.weights for step in steps], 1),
            steps[-1].state,
            stacked([step.log_prob for step in steps]),
        )


def stacked(columns: Sequence[Tensor | None]) -> Tensor | None:
    """Stack (N, ...) columns to (N, T, ...); ``None`` if there are none."""
    present = [column for column in columns if column is not None]
    return torch.stack(present, 1) if present else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConfig(ABC):
    """Family of attention scores (energies)."""

    registry: ClassVar[Registry[ScoreConfig]] = Registry("attention score")
    needs_order: ClassVar[bool] = False
    """Whether the score depends on positions, so that the source must be ordered."""
    accepts_coverage: ClassVar[bool] = False
    """Whether the score accepts keys per query, (B, Q, S, A), as coverage requires, besides keys (B, S, A)."""

    @property
    def head_count(self) -> int:
        """Number of heads, each with scores of its own."""
        return 1

    def check(self, query_size: int, memory_size: int) -> str | None:  # noqa: ARG002
        """Say why these sizes do not fit ("must be ..., but ..."), or ``None`` if they do."""
        return None

    @abstractmethod
    def build(self, query_size: int, memory_size: int) -> Score:
        """Build the score for queries (…, D_q) and annotations (…, D)."""


class Score(nn.Module, ABC):
    """Score of queries against keys."""

    elements_per_pair: int = 1
    """Intermediate values per pair of query and position, from which an energy is summed."""

    @abstractmethod
    def keys(self, values: Tensor) -> Tensor:
        """Project annotations (B, S, D) to keys (B, S, A), once per source."""

    @abstractmethod
    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Score queries (B, Q, D_q) against keys (B, S, A): (B, Q, S), or (B, Q, heads, S) with several heads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionConfig(ABC):
    """Family of attentions, named by their alignment function."""

    registry: ClassVar[Registry[AttentionConfig]] = Registry("attention", default="soft")
    needs_order: ClassVar[bool] = False
    """Whether the attention depends on positions, so that the source must be ordered."""
    needs_grid: ClassVar[bool] = False
    """Whether the attention depends on rows and columns, so that the source must be a grid."""
    samples: ClassVar[bool] = False
    """See ``Attention``."""
    latent: ClassVar[bool] = False
    """See ``Attention``."""

    @property
    def reads_sentinel(self) -> bool:
        """Whether the decoder must provide a sentinel."""
        return False

    @property
    def row_sum(self) -> RowSum:
        """What the weights of one query and head sum to."""
        return "one"

    def check(self, query_size: int, memory_size: int) -> str | None:  # noqa: ARG002
        """Say why these sizes do not fit ("score must ..., but ..."), or ``None`` if they do."""
        return None

    def conflicts(self, *, ordered: bool, grid: bool) -> Iterator[tuple[str, str]]:
        """Yield conflicts with a source whose positions are ordered or not, a grid or not, as field and message.

        ``DecoderConfig.conflicts`` covers conflicts with decoders.
        """
        if self.needs_order and not ordered:
            name = self.registry.called(type(self))
            yield "type", f"must not be {name} where the source has no order, as it counts positions; choose soft"
        if self.needs_grid and not grid:
            name = self.registry.called(type(self))
            yield "type", f"must not be {name} where the source is no grid, over which it places a window; choose soft"

    @abstractmethod
    def build(self, query_size: int, memory_size: int) -> Attention:
        """Build the attention for queries (…, D_q) and annotations (…, D)."""


class Attention(nn.Module, ABC):
    """Attention over a prepared memory.

    Args:
        context_size: size D of the context.
        heads: number of weight rows per query; 0 if there are no weights.
    """

    samples: bool = False
    """Whether positions are sampled in training, so that the weights need another gradient estimator."""
    latent: ClassVar[bool] = False
    """Whether the weights are the distribution of a latent alignment, over which the readout mixes."""

    @property
    def mixes(self) -> bool:
        """Whether the readout mixes over positions in search as well as in training."""
        return self.latent

    recurrent: bool = False
    """Whether a query depends on the state left by the previous one, so that queries must come one by one."""

    reads_sentinel: bool = False
    """Whether ``attend`` requires a sentinel."""

    elements_per_pair: int = 1
    """Intermediate values per pair of query and position."""

    def __init__(self, *, context_size: int, heads: int = 1) -> None:
        super().__init__()
        self.context_size = context_size
        self.heads = heads

    @abstractmethod
    def prepare(self, memory: SourceMemory) -> Prepared:
        """Project the keys once; nothing is stored on the module."""

    def initial_state(self, memory: SourceMemory) -> AttentionState:  # noqa: ARG002
        """State before the first step, one row per sentence."""
        return AttentionState()

    @abstractmethod
    def forward(self, query: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:
        """Attend with queries (B, Q, D_q). Several hypotheses of a sentence lie along Q and share its row.

        With a recurrent attention Q indexes hypotheses only: its state has B * Q rows.
        """

    def attend(
        self,
        query: Tensor,
        prepared: Prepared,
        state: AttentionState,
        sentinel: Tensor | None = None,  # noqa: ARG002
    ) -> AttentionOutput:
        """Attend with one query per hypothesis.

        Args:
            query: (N, D_q), N a multiple of B; the hypotheses of a sentence are contiguous.
            prepared: B rows.
            state: N rows.
            sentinel: (N, D) alternative to the source, for an attention that reads one.

        Returns:
            context (N, D), weights (N, heads, S), state of N rows, log-probability (N,) if there is one.
        """
        sentences = prepared.mask.shape[0]
        queries = query.view(sentences, -1, query.shape[1])
        output = self(queries, prepared, state)
        shape = (*queries.shape[:2], self.context_size)
        if not isinstance(output, AttentionOutput) or output.context.shape != shape:
            wanted = f"an AttentionOutput with contexts (B, Q, D) = {shape}"
            raise wrong_result(self.forward, wanted, getattr(output, "context", output))
        log_prob = None if output.log_prob is None else output.log_prob.flatten()
        return AttentionOutput(output.context.flatten(0, 1), output.weights.flatten(0, 1), output.state, log_prob)

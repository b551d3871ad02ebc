"""The contract of every decoder: one step for training and search, and an unrolled form equal to its loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt.core.registry import Registry
from nmt.model.attention.base import Attention, AttentionConfig, AttentionState, Prepared
from nmt.model.cells import CellKind, ContextGate
from nmt.model.dropout import DropoutConfig
from nmt.model.initialisation import Scheme
from nmt.model.memory import CellState, SourceMemory


@dataclass(frozen=True, slots=True)
class DecoderState:
    """All that a decoder carries from step to step, every tensor batch-first.

    Args:
        layers: state of every recurrent layer, lowest first.
        feed: (N, F) attentional vector that is fed back, ``None`` without input feeding.
        attention: what the attention carries.
    """

    layers: tuple[CellState, ...]
    feed: Tensor | None
    attention: AttentionState


@dataclass(frozen=True, slots=True)
class StepOutput:
    """One step of N hypotheses.

    Args:
        features: (N, F) before the vocabulary.
        weights: (N, heads, S).
        state: the new state.
        log_prob: (N,) log-probability of the position, where the attention samples.
        query: (N, H) what the readout of a latent alignment combines with each annotation.
    """

    features: Tensor
    weights: Tensor
    state: DecoderState
    log_prob: Tensor | None = None
    query: Tensor | None = None


@dataclass(frozen=True, slots=True)
class DecoderOutput:
    """A whole target.

    Args:
        features: (B, T, F) before the vocabulary.
        weights: (B, T, heads, S).
        state: the last state.
        log_prob: (B, T) log-probability of the positions, where the attention samples.
        queries: (B, T, H) what the readout of a latent alignment combines with each annotation.
        memory: the memory that it read, where the readout has to read it again.
        source: what the encoder left, for objectives and terms; ``None`` in what a decoder alone gives.
    """

    features: Tensor
    weights: Tensor
    state: DecoderState
    log_prob: Tensor | None = None
    queries: Tensor | None = None
    memory: Prepared | None = None
    source: SourceMemory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig(ABC):
    """Family of decoders, named by their order of attending and recurring.

    Args:
        cell: ``gru`` or ``lstm``.
        size: units of every layer.
        layers: number of layers.
        context_gate: weigh what source and target contribute to the state (Tu et al., 2017): gate the ``source``
            context, the ``target`` side, or ``both``; ``none`` leaves them as they are.
    """

    registry: ClassVar[Registry[DecoderConfig]] = Registry("decoder", default="bahdanau")
    paper_scheme: ClassVar[Scheme | None] = None
    """How parameters begin in the paper that it is from, where there is one that says so."""
    splits: ClassVar[bool] = False
    """Whether its decoder has features of a single source position (``Decoder.split``), as a latent alignment needs."""
    gives_sentinel: ClassVar[bool] = False
    """Whether its decoder gives a sentinel to an attention that reads one."""

    cell: CellKind = "gru"
    size: int = 512
    layers: int = 1
    context_gate: ContextGate = "none"

    def problems(self) -> Iterator[tuple[str, str]]:
        """Sizes that are not positive."""
        for name in ("size", "layers"):
            if getattr(self, name) < 1:
                yield name, f"must be at least 1, but is {getattr(self, name)}"

    @property
    def drops_layers(self) -> bool:
        """Whether ``dropout.layers`` drops anything in it."""
        return self.layers > 1

    def conflicts(self, attention: AttentionConfig) -> Iterator[tuple[str, str]]:
        """Yield what an attention needs that this decoder does not have, as a field of the attention and a message."""
        decoder = self.registry.called(type(self))
        if attention.latent and not self.splits:
            choice = self._registered_where("splits")
            yield (
                "type",
                f"must not be {attention.registry.called(type(attention))} in the {decoder} decoder, whose state takes "
                f"the context in: after t words there would be S^t of them to sum over; choose decoder: {choice}",
            )
        if attention.reads_sentinel and not self.gives_sentinel:
            choice = self._registered_where("gives_sentinel")
            yield (
                "sentinel",
                f"must be false in the {decoder} decoder, which has no state that has read the last word before it "
                f"attends; choose decoder: {choice}",
            )

    def _registered_where(self, flag: str) -> str:
        return " or ".join(sorted(name for name in self.registry.names() if getattr(self.registry.find(name), flag)))

    @abstractmethod
    def build(
        self, embedding_size: int, memory_size: int, attention: AttentionConfig, dropout: DropoutConfig
    ) -> Decoder:
        """Build the decoder with its attention."""


class Decoder(nn.Module, ABC):
    """A decoder over a prepared memory.

    Args:
        attention: its attention.
        cell: kind of its cells.
        size: size H of its layers.
        layers: number of layers.
        feature_size: size F of its features.
    """

    attention_shift: ClassVar[int] = 1
    """Steps after the one that says a word until the query has read it: 1 where the new state attends, which has read
    the step's input; 2 where the state before it does."""

    def __init__(self, attention: Attention, *, cell: CellKind, size: int, layers: int, feature_size: int) -> None:
        super().__init__()
        self.attention = attention
        self.cell_kind: CellKind = cell
        self.size = size
        self.depth = layers
        self.feature_size = feature_size
        # Whether ``unroll`` may take a path of its own where one exists; it gives what the loop gives.
        self.fast = True

    def start(self, memory: SourceMemory, initial: tuple[CellState, ...]) -> tuple[Prepared, DecoderState]:
        """Prepare the memory and give the state before the first step."""
        prepared = self.attention.prepare(memory)
        return prepared, DecoderState(initial, None, self.attention.initial_state(memory))

    @abstractmethod
    def step(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> StepOutput:
        """Consume embeddings (N, E) of the previous target words; B rows of memory serve N = B * K hypotheses."""

    def split(self, queries: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Give the two parts that make features by ``tanh(query + annotation)``, for any pair of the two.

        Args:
            queries: (..., H).
            values: (..., D) annotations, each a context by itself.

        Returns:
            (..., F) of the queries and (..., F) of the annotations.

        Raises:
            TypeError: the state of this decoder takes the context in, so that no pair stands by itself.
        """
        raise TypeError(f"{type(self).__name__} has no features of a single source position")

    def loop(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Run a whole target (B, T, E) by steps: the plain form that every faster ``unroll`` must equal."""
        steps = []
        for column in embedded.unbind(1):
            steps.append(self.step(column, prepared, state))
            state = steps[-1].state
        return joined(steps)

    def unroll(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Run a whole target (B, T, E), looping only over what is recurrent."""
        return self.loop(embedded, prepared, state)


def joined(steps: Sequence[StepOutput]) -> DecoderOutput:
    """Put the steps of one target side by side."""
    return DecoderOutput(
        torch.stack([step.features for step in steps], 1),
        torch.stack([step.weights for step in steps], 1),
        steps[-1].state,
        stacked([step.log_prob for step in steps]),
        stacked([step.query for step in steps]),
    )


def stacked(columns: Sequence[Tensor | None]) -> Tensor | None:
    """Stack (N, ...) columns to (N, T, ...); ``None`` where there are none."""
    present = [column for column in columns if column is not None]
    return torch.stack(present, 1) if present else None


def shifted(initial: Tensor, sequence: Tensor) -> Tensor:
    """Previous states of a sequence (B, T, H) that began from ``initial`` (B, H)."""
    return torch.cat([initial.unsqueeze(1), sequence[:, :-1]], dim=1)

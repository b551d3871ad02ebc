"""The contract of every decoder: one step for training and search, and an unrolled form equal to a loop of steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import NonNegativeInt, PositiveInt
from nmt.core.errors import wrong_result
from nmt.core.registry import Registry
from nmt.model.attention.base import Attention, AttentionConfig, Prepared
from nmt.model.cells import CellKind, ContextGate, RnnStack
from nmt.model.decoder.output import DecoderOutput, DecoderState
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.initialisation import Scheme
from nmt.model.memory import CellState, SourceMemory
from nmt.model.readout.lexical import LexicalOutputLayer
from nmt.model.readout.mixture import MixtureOutputLayer
from nmt.model.readout.output_layer import OutputLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig(ABC):
    """Family of decoders, which differ in the order of attention and recurrence.

    Args:
        cell: ``gru`` or ``lstm``; ``ln-gru`` and ``ln-lstm`` normalise within the gates.
        size: units of every layer.
        layers: number of layers.
        context_gate: weigh the contributions of source and target to the state (Tu et al., 2017): gate the ``source``
            context, the ``target`` side, or ``both``; ``none`` gates neither.
        context_layers: layers that read the source context: the ``lowest``, or ``all`` as in RNMT+ (Chen et al., 2018).
        residual: add a layer's input to its output, from the second layer on.
        transition: further cells of each step in every layer, which read the state alone: deep transition (Miceli
            Barone et al., 2017).
    """

    registry: ClassVar[Registry[DecoderConfig]] = Registry("decoder", default="bahdanau")
    paper_scheme: ClassVar[Scheme | None] = None
    """Initialisation scheme of the decoder's paper, if the paper states one."""
    gives_positions: ClassVar[bool] = False
    """Whether its decoder can compute features per source position, and returns a ``LatentOutput`` with latent
    attention."""
    gives_sentinel: ClassVar[bool] = False
    """Whether its decoder provides a sentinel to an attention that reads one."""
    takes_context_layers: ClassVar[bool] = False
    """Whether it attends before the layers above the lowest run, which so can read the context."""
    takes_residual: ClassVar[bool] = False
    takes_transition: ClassVar[bool] = False

    cell: CellKind = "gru"
    size: PositiveInt = 512
    layers: PositiveInt = 1
    context_gate: ContextGate = "none"
    context_layers: Literal["lowest", "all"] = "lowest"
    residual: bool = False
    transition: NonNegativeInt = 0

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield wrong values, as field and message: options that the decoder does not take."""
        for option, plain in (("context_layers", "lowest"), ("residual", False), ("transition", 0)):
            flag = f"takes_{option}"
            if getattr(self, option) != plain and not getattr(self, flag):
                name, choice = self.registry.called(type(self)), self._registered_where(flag)
                yield option, f"must be {str(plain).lower()} in the {name} decoder; or choose decoder: {choice}"

    def idle(self) -> Iterator[tuple[str, str]]:
        """Options that need a second layer."""
        if self.layers == 1:
            yield "residual", "has no effect with one layer: it adds from the second layer on"
            yield (
                "context_layers",
                "has no effect with one layer: it is about those above the lowest",
            )

    @property
    def drops_layers(self) -> bool:
        """Whether ``dropout.layers`` has an effect."""
        return self.layers > 1

    def conflicts(self, attention: AttentionConfig) -> Iterator[tuple[str, str]]:
        """Yield what an attention needs and this decoder lacks, as a field of the attention and a message."""
        decoder = self.registry.called(type(self))
        if attention.latent and not self.gives_positions:
            choice = self._registered_where("gives_positions")
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
    """Number of steps from the one that outputs a word to the one whose query has read it: 1 if the new state is the
    query, 2 if the previous state is."""

    def __init__(self, attention: Attention, *, cell: CellKind, size: int, layers: int, feature_size: int) -> None:
        super().__init__()
        self.attention = attention
        self.cell_kind: CellKind = cell
        self.size = size
        self.depth = layers
        self.feature_size = feature_size
        # Whether ``unroll`` may take a fast path, which computes the same as the loop.
        self.fast = True

    def start(self, memory: SourceMemory, initial: tuple[CellState, ...]) -> tuple[Prepared, DecoderState]:
        """Prepare the memory and return the initial state."""
        prepared = self.attention.prepare(memory)
        return prepared, DecoderState(initial, None, self.attention.initial_state(memory))

    def output_layer(
        self, vocabulary_size: int, *, tied: nn.Parameter | None, dropout: Dropout, lexical_size: int = 0
    ) -> OutputLayer:
        """Build the readout for this decoder's output; arguments as in ``OutputLayer``.

        ``lexical_size`` is the size of the source embeddings that a lexical model reads; 0 for none.
        """
        if lexical_size:
            return LexicalOutputLayer(
                self.feature_size, vocabulary_size, source_size=lexical_size, tied=tied, dropout=dropout
            )
        if self.attention.latent:
            in_search = self.attention.mixes
            return MixtureOutputLayer(
                self.feature_size, vocabulary_size, tied=tied, dropout=dropout, in_search=in_search
            )
        return OutputLayer(self.feature_size, vocabulary_size, tied=tied, dropout=dropout)

    @abstractmethod
    def step(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Consume embeddings (N, E) of the previous target words; B rows of memory serve N = B * K hypotheses."""

    def loop(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Run a whole target (B, T, E) step by step: the reference that every faster ``unroll`` must equal."""
        steps = []
        for column in embedded.unbind(1):
            step = self.step(column, prepared, state)
            if not isinstance(step, DecoderOutput) or step.features.shape != (len(column), self.feature_size):
                wanted = f"a DecoderOutput with features (N, F) = {len(column), self.feature_size}"
                raise wrong_result(self.step, wanted, getattr(step, "features", step))
            steps.append(step)
            state = step.state
        return steps[-1].joined(steps)

    def unroll(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Run a whole target (B, T, E), looping only over the recurrent parts."""
        return self.loop(embedded, prepared, state)


def layers_above(config: DecoderConfig, dropout: DropoutConfig, context_size: int) -> RnnStack:
    """Build the layers above the lowest one of a decoder, which may read a context of ``context_size`` too."""
    return RnnStack(
        config.cell,
        input_size=config.size,
        size=config.size,
        layers=config.layers - 1,
        dropout=Dropout(dropout.layers, variational=dropout.variational),
        dropout_first=True,
        residual=config.residual,
        context_size=context_size if config.context_layers == "all" else 0,
        transition=config.transition,
    )


def shifted(initial: Tensor, sequence: Tensor) -> Tensor:
    """Shift a sequence of states (B, T, H) right by one step, with ``initial`` (B, H) first."""
    return torch.cat([initial.unsqueeze(1), sequence[:, :-1]], dim=1)

"""Bidirectional recurrent encoder with one or more layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import NonNegativeInt, PositiveInt
from nmt.core.tensors import length_mask
from nmt.model.cells import CellKind, LoopedRnn, rnn_layer, run_packed
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.fast.bidirectional_gru import bidirectional_gru, fusible
from nmt.model.fast.prepacked_gru import PrepackedGru
from nmt.model.memory import BridgeKind, CellState, SourceMemory


@EncoderConfig.registry.register("rnn")
@dataclass(frozen=True, slots=True, kw_only=True)
class RnnEncoderConfig(EncoderConfig):
    """Bidirectional recurrent encoder (Bahdanau et al., 2015, section 3.2).

    Args:
        cell: ``gru`` or ``lstm``; ``ln-gru`` and ``ln-lstm`` normalise within the gates.
        size: units of each direction; annotations have twice as many.
        layers: number of bidirectional layers.
        residual: add a layer's input to its output, from the second layer on.
        layer_norm: normalise the output of every layer.
        transition: further cells of each step in every layer, which read the state alone (deep transition).
    """

    default_bridge: ClassVar[BridgeKind] = "first-backward"

    cell: CellKind = "gru"
    size: PositiveInt = 256
    layers: PositiveInt = 1
    residual: bool = False
    layer_norm: bool = False
    transition: NonNegativeInt = 0

    def idle(self) -> Iterator[tuple[str, str]]:
        """Options that need a second layer."""
        if self.layers == 1:
            yield "residual", "has no effect with one layer: it adds from the second layer on"

    @property
    def drops_layers(self) -> bool:
        """Whether there is more than one layer."""
        return self.layers > 1

    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        """Build the encoder."""
        return RnnEncoder(self, input_size, Dropout(dropout.layers, variational=dropout.variational))


class BidirectionalEncoder(Encoder):
    """Bidirectional recurrent layers; subclasses say how each reads the one below.

    Rows are packed, or masked if both directions of a GRU run as one function. So the backward direction starts at a
    row's last real position and never reads padding.

    Args:
        cell: kind of the layers.
        size: units of each direction.
        input_sizes: size of what each layer reads, lowest first.
        layer_norm: normalise the output of every layer.
        dropout: for subclasses to apply between layers.
        transition: number of further cells of each step.
    """

    def __init__(
        self,
        *,
        cell: CellKind,
        size: int,
        input_sizes: Sequence[int],
        layer_norm: bool,
        dropout: Dropout,
        transition: int = 0,
    ) -> None:
        memory_size = 2 * size
        super().__init__(
            memory_size=memory_size, state_sizes=(memory_size,) * len(input_sizes), backward_size=size, cell=cell
        )
        self.layers = nn.ModuleList(
            rnn_layer(cell, each, size, bidirectional=True, transition=transition) for each in input_sizes
        )
        self.norms = nn.ModuleList(nn.LayerNorm(memory_size) if layer_norm else nn.Identity() for _ in input_sizes)
        self.dropout = dropout
        # Replacements for the layers, in their order; set by ``prepack``.
        self.prepacked: list[PrepackedGru] = []

    def prepack(self, dtype: torch.dtype) -> None:
        """Pack the weights of GRUs."""
        layers = [layer for layer in self.layers if type(layer) is nn.GRU]
        if len(layers) == len(self.layers):
            self.prepacked = [PrepackedGru(layer, dtype) for layer in layers]

    def run(self, index: int, below: Tensor, lengths: Tensor, mask: Tensor) -> tuple[Tensor, CellState]:
        """Run a layer and its norm over rows (B, S, E): outputs (B, S, 2H), arbitrary on padding, and final states."""
        layer = self.layers[index]
        if self.prepacked:
            above, final = self.prepacked[index](below, mask)
            state = CellState(final)
        elif self.fast and fusible(layer, below):
            above, final = bidirectional_gru(layer, below, mask)
            state = CellState(final)
        elif isinstance(layer, LoopedRnn):
            above, state = layer.both_ways(below, mask)
        else:
            above, state = run_packed(layer, below, lengths)
        return self.norms[index](above), state

    def memory(self, outputs: Tensor, lengths: Tensor, mask: Tensor, states: Sequence[CellState]) -> SourceMemory:
        """Return the memory of the top layer's outputs and all layers' final states."""
        return SourceMemory(
            values=outputs.masked_fill(~mask.unsqueeze(-1), 0.0),
            mask=mask,
            lengths=lengths,
            states=tuple(states),
            first_backward=states[-1].hidden[:, self.memory_size // 2 :],
        )


class RnnEncoder(BidirectionalEncoder):
    """``h_j = [forward_j; backward_j]`` (Bahdanau et al., 2015, equation 7), stacked."""

    def __init__(self, config: RnnEncoderConfig, input_size: int, dropout: Dropout) -> None:
        super().__init__(
            cell=config.cell,
            size=config.size,
            input_sizes=(input_size, *(2 * config.size,) * (config.layers - 1)),
            layer_norm=config.layer_norm,
            dropout=dropout,
            transition=config.transition,
        )
        self.residual = config.residual

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        """Encode (B, S, E)."""
        mask = length_mask(lengths, embedded.shape[1])
        outputs = embedded
        states = []
        for index in range(len(self.layers)):
            below = self.dropout(outputs) if index else outputs
            outputs, state = self.run(index, below, lengths, mask)
            if self.residual and index:
                outputs = outputs + below
            states.append(state)
        return self.memory(outputs, lengths, mask, states)

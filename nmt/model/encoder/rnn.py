"""Bidirectional recurrent encoder with one or more layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import PositiveInt
from nmt.core.tensors import length_mask
from nmt.model.cells import CellKind, run_packed
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
        cell: ``gru`` or ``lstm``.
        size: units of each direction; annotations have twice as many.
        layers: number of bidirectional layers.
        residual: add a layer's input to its output, from the second layer on.
        layer_norm: normalise the output of every layer.
    """

    default_bridge: ClassVar[BridgeKind] = "first-backward"

    cell: CellKind = "gru"
    size: PositiveInt = 256
    layers: PositiveInt = 1
    residual: bool = False
    layer_norm: bool = False

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


class RnnEncoder(Encoder):
    """``h_j = [forward_j; backward_j]`` (Bahdanau et al., 2015, equation 7), stacked.

    Rows are packed, or masked if both directions of a GRU run as one function. So the backward direction starts at a
    row's last real token and never reads padding.
    """

    def __init__(self, config: RnnEncoderConfig, input_size: int, dropout: Dropout) -> None:
        memory_size = 2 * config.size
        super().__init__(
            memory_size=memory_size,
            state_sizes=(memory_size,) * config.layers,
            backward_size=config.size,
            cell=config.cell,
        )
        rnn = nn.GRU if config.cell == "gru" else nn.LSTM
        self.layers = nn.ModuleList(
            rnn(input_size if index == 0 else memory_size, config.size, batch_first=True, bidirectional=True)
            for index in range(config.layers)
        )
        self.norms = nn.ModuleList(
            nn.LayerNorm(memory_size) if config.layer_norm else nn.Identity() for _ in range(config.layers)
        )
        self.dropout = dropout
        self.residual = config.residual
        # Replacements for the layers, in their order; set by ``prepack``.
        self.prepacked: list[PrepackedGru] = []

    def prepack(self, dtype: torch.dtype) -> None:
        """Pack the weights of GRUs."""
        layers = [layer for layer in self.layers if type(layer) is nn.GRU]
        if len(layers) == len(self.layers):
            self.prepacked = [PrepackedGru(layer, dtype) for layer in layers]

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        """Encode (B, S, E)."""
        mask = length_mask(lengths, embedded.shape[1])
        outputs = embedded
        states = []
        for index, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            below = self.dropout(outputs) if index else outputs
            if self.prepacked:
                above, final = self.prepacked[index](below, mask)
                state = CellState(final)
            elif self.fast and fusible(layer, embedded):
                above, final = bidirectional_gru(layer, below, mask)
                state = CellState(final)
            else:
                above, state = run_packed(layer, below, lengths)
            outputs = norm(above)
            if self.residual and index:
                outputs = outputs + below
            states.append(state)
        return SourceMemory(
            values=outputs.masked_fill(~mask.unsqueeze(-1), 0.0),
            mask=mask,
            lengths=lengths,
            states=tuple(states),
            first_backward=states[-1].hidden[:, self.memory_size // 2 :],
        )

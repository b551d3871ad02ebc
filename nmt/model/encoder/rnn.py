"""Bidirectional recurrent encoder of any depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from nmt.core.tensors import length_mask
from nmt.model.cells import CellKind, run_bidirectional
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.memory import SourceMemory


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

    cell: CellKind = "gru"
    size: int = 256
    layers: int = 1
    residual: bool = False
    layer_norm: bool = False

    def problems(self) -> Iterator[tuple[str, str]]:
        """Sizes that are not positive."""
        for name in ("size", "layers"):
            if getattr(self, name) < 1:
                yield name, f"must be at least 1, but is {getattr(self, name)}"

    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        """Build the encoder."""
        return RnnEncoder(self, input_size, Dropout(dropout.layers, variational=dropout.variational))


class RnnEncoder(Encoder):
    """``h_j = [forward_j; backward_j]`` (Bahdanau et al., 2015, equation 7), stacked.

    Rows are packed, so the backward direction starts at a row's last real token and never sees its padding.
    """

    def __init__(self, config: RnnEncoderConfig, input_size: int, dropout: Dropout) -> None:
        memory_size = 2 * config.size
        super().__init__(memory_size=memory_size, state_sizes=(memory_size,) * config.layers, cell=config.cell)
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

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        """Encode (B, S, E)."""
        size = embedded.shape[1]
        cpu_lengths = lengths.cpu()
        outputs = embedded
        states = []
        for index, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            below = self.dropout(outputs) if index else outputs
            packed = pack_padded_sequence(below, cpu_lengths, batch_first=True, enforce_sorted=False)
            above, state = run_bidirectional(layer, packed)
            above = PackedSequence(norm(above.data), *above[1:])
            outputs, _ = pad_packed_sequence(above, batch_first=True, total_length=size)
            if self.residual and index:
                outputs = outputs + below
            states.append(state)
        mask = length_mask(lengths, size)
        values = outputs.masked_fill(~mask.unsqueeze(-1), 0.0) if self.residual else outputs
        return SourceMemory(values=values, mask=mask, lengths=lengths, states=tuple(states))

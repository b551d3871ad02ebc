"""Pyramidal bidirectional encoder of long sources, such as frames of speech: layers that shorten time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from nmt.core.config.ranges import PositiveInt
from nmt.core.tensors import length_mask
from nmt.model.cells import CellKind
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.encoder.rnn import BidirectionalEncoder
from nmt.model.memory import BridgeKind, SourceMemory


@EncoderConfig.registry.register("pyramid")
@dataclass(frozen=True, slots=True, kw_only=True)
class PyramidEncoderConfig(EncoderConfig):
    """Pyramidal bidirectional encoder (Chan et al., 2016, section 3.1).

    Args:
        cell: ``gru`` or ``lstm``; ``ln-gru`` and ``ln-lstm`` normalise within the gates.
        size: units of each direction; annotations have twice as many.
        layers: number of bidirectional layers.
        reductions: how many positions below each layer reads as one, lowest first; ``null`` is 1, 2, 2 ...
        layer_norm: normalise the output of every layer.
    """

    default_bridge: ClassVar[BridgeKind] = "first-backward"

    cell: CellKind = "gru"
    size: PositiveInt = 256
    layers: PositiveInt = 3
    reductions: tuple[PositiveInt, ...] | None = None
    layer_norm: bool = False

    @property
    def drops_layers(self) -> bool:
        """Whether there is more than one layer."""
        return self.layers > 1

    @property
    def factors(self) -> tuple[int, ...]:
        """The reduction of each layer."""
        return (1, *(2,) * (self.layers - 1)) if self.reductions is None else self.reductions

    def problems(self) -> Iterator[tuple[str, str]]:
        """Reductions of another number of layers."""
        if len(self.factors) != self.layers:
            yield "reductions", f"must have a number for each of {self.layers} layers, but has {len(self.factors)}"

    def memory_shape(self, source_shape: Sequence[int]) -> tuple[int, ...]:
        """Return (S,): the length divided by each reduction in turn, rounded up."""
        length = source_shape[0]
        for factor in self.factors:
            length = math.ceil(length / factor)
        return (length,)

    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        """Build the encoder."""
        return PyramidEncoder(self, input_size, Dropout(dropout.layers, variational=dropout.variational))


class PyramidEncoder(BidirectionalEncoder):
    """``h_i^j = pBLSTM(h_{i-1}^j, [h_{2i}^{j-1}, h_{2i+1}^{j-1}])`` (Chan et al., 2016, equation 5).

    A last position without a partner is joined with zeros, so that no frame is lost.
    """

    def __init__(self, config: PyramidEncoderConfig, input_size: int, dropout: Dropout) -> None:
        below = (input_size, *(2 * config.size,) * (config.layers - 1))
        super().__init__(
            cell=config.cell,
            size=config.size,
            input_sizes=[size * factor for size, factor in zip(below, config.factors, strict=True)],
            layer_norm=config.layer_norm,
            dropout=dropout,
        )
        self.factors = config.factors

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        """Encode (B, L, E)."""
        mask = length_mask(lengths, embedded.shape[1])
        outputs = embedded
        states = []
        for index, factor in enumerate(self.factors):
            below = self.dropout(outputs) if index else outputs
            if factor > 1:
                below = joined(below.masked_fill(~mask.unsqueeze(-1), 0.0), factor)
                lengths = (lengths + factor - 1) // factor
                mask = length_mask(lengths, below.shape[1])
            outputs, state = self.run(index, below, lengths, mask)
            states.append(state)
        return self.memory(outputs, lengths, mask, states)


def joined(rows: Tensor, factor: int) -> Tensor:
    """Join every ``factor`` positions of rows (B, L, E) to one, the last with zeros: (B, L / factor, E * factor)."""
    rows = functional.pad(rows, (0, 0, 0, -rows.shape[1] % factor))
    return rows.reshape(rows.shape[0], -1, factor * rows.shape[2])

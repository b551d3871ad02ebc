"""Convolutional encoder of text: every annotation sees a window of the source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from nmt.core.config.ranges import Positive, PositiveInt
from nmt.core.tensors import length_mask
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.encoder.places import PlacedInput
from nmt.model.memory import SourceMemory


@EncoderConfig.registry.register("convolutional")
@dataclass(frozen=True, slots=True, kw_only=True)
class ConvolutionalEncoderConfig(EncoderConfig):
    """Gated convolutions with residual connections (Gehring et al., 2017b), under a recurrent decoder (2017a).

    2017a is "A Convolutional Encoder Model for Neural Machine Translation", 2017b "Convolutional Sequence to Sequence
    Learning". What differs from both: positions are sinusoids, which have no greatest length, and not learnt;
    annotations are normalised at the end, and weights are not; attention has the same annotations as keys and values.

    Args:
        size: size D of the annotations, and channels of every layer.
        layers: number of layers; an annotation sees ``layers * (width - 1) / 2`` positions on each side.
        width: positions that a layer reads at once; odd.
        scale: factor of what it reads, before the sinusoids of positions are added; ``null`` is the square root of its
            size, with which embeddings are as large as sinusoids.
    """

    size: PositiveInt = 256
    layers: PositiveInt = 4
    width: PositiveInt = 3
    scale: Positive | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """A window with more positions on one side."""
        if self.width % 2 == 0:
            yield "width", f"must be odd, to have as many positions on either side, but is {self.width}"

    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        """Build the encoder."""
        return ConvolutionalEncoder(self, input_size, Dropout(dropout.layers, variational=dropout.variational))


class ConvolutionalEncoder(Encoder):
    """``h = norm(x^L)``, each layer ``x <- (x + glu(conv(dropout(x)))) / sqrt(2)`` (Gehring et al., 2017b, 3.2)."""

    def __init__(self, config: ConvolutionalEncoderConfig, input_size: int, dropout: Dropout) -> None:
        super().__init__(memory_size=config.size)
        self.entry = PlacedInput(input_size, config.size, config.scale)
        self.layers = nn.ModuleList(
            nn.Conv1d(config.size, 2 * config.size, config.width, padding=config.width // 2)
            for _ in range(config.layers)
        )
        self.dropout = dropout
        self.norm = nn.LayerNorm(config.size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        """Encode (B, S, E)."""
        mask = length_mask(lengths, embedded.shape[1])
        padding = ~mask.unsqueeze(-1)
        hidden = self.entry(embedded, mask)
        for layer in self.layers:
            update = functional.glu(layer(self.dropout(hidden).transpose(1, 2)).transpose(1, 2), dim=-1)
            # Windows at the end of a row see zeros in padding, as they do beyond the longest row.
            hidden = ((hidden + update) * math.sqrt(0.5)).masked_fill(padding, 0.0)
        return SourceMemory(values=self.norm(hidden).masked_fill(padding, 0.0), mask=mask, lengths=lengths)

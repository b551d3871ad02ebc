"""Encoder of self-attention: that of the Transformer, under a recurrent decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from nmt.core.config.ranges import Positive, PositiveInt
from nmt.core.tensors import length_mask
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.encoder.places import PlacedInput
from nmt.model.memory import SourceMemory


@EncoderConfig.registry.register("transformer")
@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerEncoderConfig(EncoderConfig):
    """The encoder of the Transformer (Vaswani et al., 2017), for the hybrid of Chen et al. (2018, section 5).

    Args:
        size: size D of the annotations, and of every layer's output.
        layers: number of layers.
        heads: heads of self-attention, each of ``size / heads`` units.
        feed_forward: units of each layer's feed-forward network; ``null`` is four times ``size``.
        scale: factor of what it reads, before the sinusoids of positions are added; ``null`` is the square root of its
            size, with which embeddings are as large as sinusoids.
    """

    size: PositiveInt = 256
    layers: PositiveInt = 3
    heads: PositiveInt = 4
    feed_forward: PositiveInt | None = None
    scale: Positive | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Heads that do not divide the size."""
        if self.heads > 0 and self.size % self.heads:
            yield "size", f"must be a multiple of the {self.heads} heads, but is {self.size}"

    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        """Build the encoder."""
        return TransformerEncoder(self, input_size, dropout)


class TransformerEncoder(Encoder):
    """``h = norm(x^L)``, each layer ``x <- x + attend(norm(x))``, then ``x <- x + W_2 relu(W_1 norm(x))``.

    The layers are torch's. Norms stand before what they feed (Chen et al., 2018; Xiong et al., 2020), where Vaswani et
    al. have them after each sum.
    """

    def __init__(self, config: TransformerEncoderConfig, input_size: int, dropout: DropoutConfig) -> None:
        super().__init__(memory_size=config.size)
        self.entry = PlacedInput(input_size, config.size, config.scale)
        self.layers = nn.ModuleList(_layer(config, dropout) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        """Encode (B, S, E)."""
        mask = length_mask(lengths, embedded.shape[1])
        hidden = self.entry(embedded, mask)
        for layer in self.layers:
            hidden = layer(hidden, src_key_padding_mask=~mask)
        return SourceMemory(values=self.norm(hidden).masked_fill(~mask.unsqueeze(-1), 0.0), mask=mask, lengths=lengths)


def _layer(config: TransformerEncoderConfig, dropout: DropoutConfig) -> nn.TransformerEncoderLayer:
    """Build a layer with dropout of attention weights, within the feed-forward network and before each sum."""
    layer = nn.TransformerEncoderLayer(
        config.size,
        config.heads,
        4 * config.size if config.feed_forward is None else config.feed_forward,
        dropout=dropout.layers,
        batch_first=True,
        norm_first=True,
    )
    # Dropout of sequences, which torch's own modules cannot draw once for all positions.
    for name in ("dropout", "dropout1", "dropout2"):
        setattr(layer, name, Dropout(dropout.layers, variational=dropout.variational))
    return layer

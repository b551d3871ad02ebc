"""Encoder of given features, such as those of another network: a projection."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from nmt.core.config.ranges import PositiveInt
from nmt.core.tensors import length_mask
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.memory import SourceMemory


@EncoderConfig.registry.register("projected")
@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectedEncoderConfig(EncoderConfig):
    """A linear projection of each position, for features that need no more.

    Args:
        size: size D of the annotations.
        ordered: whether positions have an order, as frames of a video have and regions of a picture have not.
    """

    size: PositiveInt = 256
    ordered: bool = True

    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        """Build the encoder."""
        return ProjectedEncoder(self, input_size, Dropout(dropout.layers, variational=dropout.variational))


class ProjectedEncoder(Encoder):
    """``h_j = dropout(norm(W x_j + b))``, with layer normalisation."""

    def __init__(self, config: ProjectedEncoderConfig, input_size: int, dropout: Dropout) -> None:
        super().__init__(memory_size=config.size)
        self.W = nn.Linear(input_size, config.size)
        self.norm = nn.LayerNorm(config.size)
        self.dropout = dropout

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        """Encode (B, S, E)."""
        mask = length_mask(lengths, embedded.shape[1])
        values = self.dropout(self.norm(self.W(embedded).to(embedded.dtype)))
        return SourceMemory(values=values.masked_fill(~mask.unsqueeze(-1), 0.0), mask=mask, lengths=lengths)

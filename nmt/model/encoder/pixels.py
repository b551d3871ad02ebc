"""No encoder: the pixels of a picture as they are, for attentions that look through a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from nmt.core.tensors import length_mask
from nmt.model.dropout import DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.encoder.places import without_padding
from nmt.model.memory import SourceMemory


@EncoderConfig.registry.register("pixels")
@dataclass(frozen=True, slots=True, kw_only=True)
class PixelsEncoderConfig(EncoderConfig):
    """Pixels as annotations, as DRAW and the retinal glimpse read them."""

    ordered: ClassVar[bool] = False
    dimensions: ClassVar[int] = 2
    gives_grid: ClassVar[bool] = True

    @property
    def drops_layers(self) -> bool:
        """It has no layers."""
        return False

    def memory_shape(self, source_shape: Sequence[int]) -> tuple[int, ...]:
        """Return (height, width) of the picture."""
        return tuple(source_shape[:2])

    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:  # noqa: ARG002
        """Build the encoder for pictures (B, H, W, input_size)."""
        return PixelsEncoder(memory_size=input_size)


class PixelsEncoder(Encoder):
    """``h_j = x_j - 1/2`` of the channels x of a pixel, which are from 0 to 1."""

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        """Give pixels (B, H, W, C) of pictures with the given numbers of rows (B,) as a grid."""
        height, width = embedded.shape[1:3]
        positions = lengths * width
        return SourceMemory(
            values=without_padding(embedded - 0.5, lengths).flatten(1, 2),
            mask=length_mask(positions, height * width),
            lengths=positions,
            grid=(height, width),
        )

"""Convolutional encoder of pictures: a grid of annotations, one for each part of the picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nmt.core.config.ranges import PositiveInt
from nmt.core.tensors import length_mask
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.encoder.places import WAVES, places_of, without_padding
from nmt.model.encoder.spatial_transformer import SpatialTransformer
from nmt.model.memory import SourceMemory


@EncoderConfig.registry.register("grid")
@dataclass(frozen=True, slots=True, kw_only=True)
class GridEncoderConfig(EncoderConfig):
    """Convolutions that each halve height and width (Xu et al., 2015, section 3.1.1, read those of a larger network).

    Args:
        channels: channels of each layer, lowest first; a picture of 64 x 64 pixels becomes a grid of 8 x 8 by three.
        size: size D of the annotations.
        transformer: turn, shift and scale each picture first (``SpatialTransformer``); attention is then over the
            picture that it has become.
    """

    ordered: ClassVar[bool] = False
    dimensions: ClassVar[int] = 2
    gives_grid: ClassVar[bool] = True

    channels: tuple[PositiveInt, ...] = (32, 64, 128)
    size: PositiveInt = 128
    transformer: bool = False

    def problems(self) -> Iterator[tuple[str, str]]:
        """No layers."""
        if not self.channels:
            yield "channels", "must have at least one number, but is empty"

    @property
    def drops_layers(self) -> bool:
        """Whether there is more than one layer."""
        return len(self.channels) > 1

    def memory_shape(self, source_shape: Sequence[int]) -> tuple[int, ...]:
        """Return (height, width), halved by every layer and rounded up."""
        height, width = source_shape[:2]
        reduction = 2 ** len(self.channels)
        return math.ceil(height / reduction), math.ceil(width / reduction)

    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        """Build the encoder for pictures (B, H, W, input_size)."""
        return GridEncoder(self, input_size, Dropout(dropout.layers, variational=dropout.variational))


class GridEncoder(Encoder):
    """``h_j = W_f f_j + W_p p_j`` of the features f of a part of the picture and its place p.

    f are those of the highest of the layers ``relu(norm(convolution(x)))``. Kernels have 4 x 4 pixels and stride 2, so
    that what a cell sees reaches as far to each side of it: with 3 x 3 attention would lie half a cell off. p are
    cosines over height and width, as of a cosine transform, so that a grid of any size has them.

    Args:
        config: its options.
        input_size: channels of a pixel.
        dropout: between the layers; a variational mask drops whole channels.
    """

    def __init__(self, config: GridEncoderConfig, input_size: int, dropout: Dropout) -> None:
        super().__init__(memory_size=config.size)
        sizes = [input_size, *config.channels]
        self.transformer = SpatialTransformer(input_size, config.channels[0]) if config.transformer else None
        self.layers = nn.ModuleList(
            nn.Conv2d(below, above, 4, stride=2, padding=1, bias=False)
            for below, above in zip(sizes, config.channels, strict=False)
        )
        self.norms = nn.ModuleList(PictureNorm(each) for each in config.channels)
        self.dropout = dropout
        self.W_f = nn.Linear(sizes[-1], config.size)
        self.W_p = nn.Linear(2 * WAVES, config.size, bias=False)

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        """Encode pixels (B, H, W, C), with values from 0 to 1, of pictures with the given numbers of rows (B,)."""
        rows = lengths
        features = without_padding(embedded - 0.5, rows)
        if self.transformer is not None:
            features = self.transformer(features, rows)
        for index, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            below = self.dropout(features.flatten(1, 2)).view_as(features) if index else features
            rows = (rows + 1) // 2
            even = functional.pad(below, (0, 0, 0, below.shape[2] % 2, 0, below.shape[1] % 2))
            # Channels stay last in memory, which is what the convolution and the norm both like best.
            features = layer(even.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            features = without_padding(functional.relu(norm(features, rows)), rows)
        height, width = features.shape[1:3]
        annotations = self.W_f(features) + self.W_p(places_of(features, rows))
        lengths = rows * width
        mask = length_mask(lengths, height * width)
        values = annotations.flatten(1, 2).to(embedded.dtype).masked_fill(~mask.unsqueeze(-1), 0.0)
        return SourceMemory(values=values, mask=mask, lengths=lengths, grid=(height, width))


class PictureNorm(nn.Module):
    """Group normalisation with one group (Wu and He, 2018): over all positions and channels of a picture.

    What it becomes depends neither on its batch nor on rows of padding, and a part where nothing is stays small: with a
    norm at each position, all parts would be alike to attention and in the mean annotation.

    Args:
        channels: of the pictures.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor, rows: Tensor) -> Tensor:
        """Normalise (B, H, W, C) with the given numbers of rows (B,), in the precision of its parameters."""
        features = features.to(self.weight.dtype)
        if bool((rows == features.shape[1]).all()):
            whole = functional.group_norm(features.permute(0, 3, 1, 2), 1, self.weight, self.bias)
            return whole.permute(0, 2, 3, 1)
        features = without_padding(features, rows)
        count = (rows * features.shape[2] * features.shape[3]).to(features.dtype)
        mean = features.sum((1, 2, 3)) / count
        centred = without_padding(features - mean[:, None, None, None], rows)
        variance = centred.square().sum((1, 2, 3)) / count
        return centred * (variance + 1e-5).rsqrt()[:, None, None, None] * self.weight + self.bias

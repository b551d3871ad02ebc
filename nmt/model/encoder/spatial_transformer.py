"""A spatial transformer: the network turns, shifts and scales a picture before it looks closer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nmt.core.tensors import length_mask
from nmt.model.encoder.places import WAVES, places_of, without_padding


class SpatialTransformer(nn.Module):
    """Localisation network and affine sampler: Jaderberg et al. (2015), section 3.

    The localisation network is a convolution with kernels of 4 x 4 pixels and stride 4, whose features and places go
    through a layer of ``size`` units that are averaged over the picture. They give the six numbers of an affine map,
    which is the identity at the start: its weights are zero, and are left so by every initialisation. A picture is
    sampled bilinearly, and is zero outside, so that what it becomes depends neither on its batch nor on padding.

    Args:
        input_size: channels of a pixel.
        size: channels and units of the localisation network.
    """

    def __init__(self, input_size: int, size: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(input_size, size, 4, stride=4)
        self.W_f = nn.Linear(size, size)
        self.W_p = nn.Linear(2 * WAVES, size, bias=False)
        self.theta = nn.Parameter(torch.zeros(6, size))
        self.identity: Tensor
        self.register_buffer("identity", torch.eye(2, 3).flatten(), persistent=False)

    def maps(self, pixels: Tensor, rows: Tensor) -> Tensor:
        """Return the affine map (B, 2, 3) from places in the new picture to places in the given one, x before y.

        Args:
            pixels: (B, H, W, C), zero on padding.
            rows: (B,) true numbers of rows.
        """
        whole = functional.pad(pixels, (0, 0, 0, -pixels.shape[2] % 4, 0, -pixels.shape[1] % 4))
        features = functional.relu(self.layer(whole.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        rows = (rows + 3) // 4
        units = functional.relu(self.W_f(features) + self.W_p(places_of(features, rows)))
        mean = without_padding(units, rows).sum((1, 2)) / (rows * features.shape[2]).unsqueeze(1)
        # No matrix products here and below: autocast would round them, which shifts pixels.
        numbers = (mean.to(self.theta.dtype).unsqueeze(1) * self.theta).sum(-1)
        return (self.identity + numbers).view(-1, 2, 3)

    def forward(self, pixels: Tensor, rows: Tensor) -> Tensor:
        """Transform pictures (B, H, W, C), zero below their numbers of rows (B,), to pictures of the same size."""
        height, width = pixels.shape[1:3]
        maps = self.maps(pixels, rows)
        share = (rows.to(maps.dtype) / height)[:, None]  # how much of the padded height is real
        across = (2.0 * torch.arange(width, device=pixels.device, dtype=maps.dtype) + 1.0) / width - 1.0
        down = (2.0 * torch.arange(height, device=pixels.device, dtype=maps.dtype) + 1.0) / (height * share) - 1.0
        xx, xy, xt, yx, yy, yt = maps.flatten(1)[..., None, None].unbind(1)
        across, down = across.view(1, 1, width), down.unsqueeze(2)
        x, y = xx * across + xy * down + xt, yx * across + yy * down + yt
        places = torch.stack([x, (y + 1.0) * share.unsqueeze(2) - 1.0], dim=-1)
        sampled = functional.grid_sample(
            pixels.permute(0, 3, 1, 2), places.to(pixels.dtype), padding_mode="zeros", align_corners=False
        ).permute(0, 2, 3, 1)
        return sampled.masked_fill(~length_mask(rows, height)[:, :, None, None], 0.0)

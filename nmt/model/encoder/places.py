"""Where things lie: positions of a sequence by sinusoids; rows of pictures in a batch, and their parts by cosines."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nmt.core.tensors import length_mask

WAVES = 8
"""Cosines over the height, and as many over the width."""


def without_padding(features: Tensor, rows: Tensor) -> Tensor:
    """Zero what lies below the given numbers of rows (B,) of pictures (B, H, W, C)."""
    return features.masked_fill(~length_mask(rows, features.shape[1])[:, :, None, None], 0.0)


def places_of(features: Tensor, rows: Tensor) -> Tensor:
    """Return (B, H, W, 2 ``WAVES``) cosines, as of a cosine transform, so that a grid of any size has them.

    Args:
        features: (B, H, W, C).
        rows: (B,) true rows of each.
    """
    height, width = features.shape[1:3]
    down = _cosines(height, rows).unsqueeze(2).expand(-1, -1, width, -1)
    right = _cosines(width, torch.full_like(rows, width)).unsqueeze(1).expand(-1, height, -1, -1)
    return torch.cat([down, right], dim=-1).to(features.dtype)


def _cosines(size: int, real: Tensor) -> Tensor:
    """Return cos(pi k (i + 1/2) / n) of positions i of ``size`` and k from 1 to ``WAVES``, with n of each row (B,)."""
    middles = (torch.arange(size, device=real.device) + 0.5) / real.unsqueeze(1)
    return torch.cos(math.pi * middles.unsqueeze(-1) * torch.arange(1, WAVES + 1, device=real.device))


class PlacedInput(nn.Module):
    """``W (a x_j) + p_j`` of embeddings x and the sinusoids p of their positions; zero on padding.

    Vaswani et al. (2017), sections 3.4 and 3.5. There is no W where x and p have the same size.

    Args:
        input_size: size E of an embedding.
        size: size D of what it makes of it.
        scale: the factor a; ``None`` is the square root of E.
    """

    def __init__(self, input_size: int, size: int, scale: float | None) -> None:
        super().__init__()
        self.W = nn.Identity() if input_size == size else nn.Linear(input_size, size)
        self.size = size
        self.scale = math.sqrt(input_size) if scale is None else scale

    def forward(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Place embeddings (B, S, E), of which ``mask`` (B, S) marks the real ones: (B, S, D)."""
        placed: Tensor = self.W(embedded * self.scale) + sinusoids(embedded, self.size)
        return placed.masked_fill(~mask.unsqueeze(-1), 0.0)


def sinusoids(sequence: Tensor, size: int) -> Tensor:
    """Return sines and then cosines (S, size) of the positions of a sequence (B, S, ...), in its precision.

    Wave k turns by ``10000^(-2k / size)`` a position (Vaswani et al., 2017, section 3.5, which mixes both in pairs).
    """
    places = torch.arange(sequence.shape[1], device=sequence.device, dtype=sequence.dtype).unsqueeze(1)
    waves = torch.arange((size + 1) // 2, device=sequence.device, dtype=sequence.dtype)
    angles = places * torch.exp(waves * (-2.0 / size * math.log(10000.0)))
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :size]

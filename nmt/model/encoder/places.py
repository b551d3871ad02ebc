"""Rows of pictures in a batch, and cosines that tell where a part of a picture lies."""

from __future__ import annotations

import math

import torch
from torch import Tensor

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

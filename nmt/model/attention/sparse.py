"""Sparse alignment functions over the whole source: sparsemax and 1.5-entmax, which give most positions zero weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.core.tensors import running_sum
from nmt.model.attention.base import AttentionConfig
from nmt.model.attention.scored import Normalise
from nmt.model.attention.soft import SoftConfig


@AttentionConfig.registry.register("sparsemax")
@dataclass(frozen=True, slots=True, kw_only=True)
class SparsemaxConfig(SoftConfig):
    """Attention by sparsemax (Martins and Astudillo, 2016); fields as of ``soft``."""

    def normaliser(self) -> Normalise:
        """Return the function from energies to weights."""
        return masked_sparsemax


@AttentionConfig.registry.register("entmax-1.5")
@dataclass(frozen=True, slots=True, kw_only=True)
class EntmaxConfig(SoftConfig):
    """Attention by 1.5-entmax (Peters et al., 2019); fields as of ``soft``."""

    def normaliser(self) -> Normalise:
        """Return the function from energies to weights."""
        return masked_entmax15


def masked_sparsemax(scores: Tensor, mask: Tensor) -> Tensor:
    """Project scores onto the simplex: ``p = [z - tau]_+``, Martins and Astudillo (2016), algorithm 1.

    Args:
        scores: (..., S).
        mask: bool, broadcastable to ``scores``; ``True`` = real.

    Returns:
        (..., S) weights, zero where masked; a row without a real position is zero.
    """
    weights: Tensor = _Sparsemax.apply(_clamped(scores, mask))  # type: ignore[no-untyped-call]
    return weights.masked_fill(~mask, 0.0)


def masked_entmax15(scores: Tensor, mask: Tensor) -> Tensor:
    """1.5-entmax, ``p = [z / 2 - tau]_+^2``: Peters et al. (2019), algorithm 2; shapes as of ``masked_sparsemax``."""
    weights: Tensor = _Entmax15.apply(_clamped(scores / 2.0, mask))  # type: ignore[no-untyped-call]
    return weights.masked_fill(~mask, 0.0)


def _clamped(scores: Tensor, mask: Tensor) -> Tensor:
    """Shift the largest real score of a row to 0, and raise to -1 what lies below, padding included.

    Both functions give zero weight to a score one below the largest: with tau there, the largest alone would have
    weight 1. So clamping changes no weight, and no row sum can overflow.
    """
    real = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return (real - real.amax(-1, keepdim=True).detach()).masked_fill(~mask, -1.0).clamp_min(-1.0)


class _Sparsemax(torch.autograd.Function):
    """Sparsemax over the last axis; its Jacobian is ``diag(s) - s s^T / |s|`` with s the support."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        ordered = scores.sort(-1, descending=True).values
        counts = torch.arange(1, scores.shape[-1] + 1, device=scores.device, dtype=scores.dtype)
        sums = running_sum(ordered)
        size = (1.0 + counts * ordered > sums).sum(-1, keepdim=True)
        threshold = (sums.gather(-1, size - 1) - 1.0) / size.to(scores.dtype)
        weights = (scores - threshold).clamp_min(0.0)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (weights,) = ctx.saved_tensors
        support = (weights > 0).to(gradient.dtype)
        kept = gradient * support
        mean = kept.sum(-1, keepdim=True) / support.sum(-1, keepdim=True)
        projected: Tensor = kept - support * mean
        return projected


class _Entmax15(torch.autograd.Function):
    """``[x - tau]_+^2`` over the last axis for halved scores x.

    With s the roots of the weights, the Jacobian in x is ``2 (diag(s) - s s^T / sum(s))`` (Peters et al., 2019,
    section 3).
    """

    @staticmethod
    def forward(ctx: Any, halves: Tensor) -> Tensor:
        ordered = halves.sort(-1, descending=True).values
        counts = torch.arange(1, halves.shape[-1] + 1, device=halves.device, dtype=halves.dtype)
        means = running_sum(ordered) / counts
        squares = running_sum(ordered * ordered) / counts
        # Threshold if the support were the first k: sum_{j <= k} (x_j - tau)^2 = 1.
        variances = squares - means * means
        thresholds = means - (1.0 / counts - variances).clamp_min(0.0).sqrt()
        size = (thresholds <= ordered).sum(-1, keepdim=True)
        roots = (halves - thresholds.gather(-1, size - 1)).clamp_min(0.0)
        ctx.save_for_backward(roots)
        return roots * roots

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (roots,) = ctx.saved_tensors
        scaled = gradient * roots
        mean = scaled.sum(-1, keepdim=True) / roots.sum(-1, keepdim=True)
        projected: Tensor = 2.0 * (scaled - roots * mean)
        return projected

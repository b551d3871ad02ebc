"""Small tensor functions shared by all floors above."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Mark the real positions of padded rows of ``size`` columns S by their lengths (B,): (B, S) bool."""
    return torch.arange(size, device=lengths.device).unsqueeze(0) < lengths.unsqueeze(1)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis; masked positions get exactly zero.

    A fully masked row yields zeros instead of NaN.

    Args:
        scores: (..., S) scores of any floating dtype; computed in float32 at least.
        mask: bool, broadcastable to ``scores``; ``True`` = real.

    Returns:
        (..., S) weights in the dtype of ``scores``.
    """
    # The lowest finite number instead of -inf: exp underflows to exactly zero next to any real position, and a fully
    # masked row has no inf - inf. The second fill zeroes such a row.
    lowest = torch.finfo(scores.dtype).min
    weights = torch.softmax(scores.masked_fill(~mask, lowest), dim=-1)
    return weights.masked_fill(~mask, 0.0)


def running_sum(x: Tensor) -> Tensor:
    """Cumulative sum over the last axis; a matrix product where algorithms must be deterministic.

    Torch has no deterministic ``cumsum`` on GPUs and would raise an error.
    """
    if not torch.are_deterministic_algorithms_enabled():
        return x.cumsum(-1)
    with torch.autocast(x.device.type, enabled=False):  # which would round the product
        return x @ torch.ones(x.shape[-1], x.shape[-1], device=x.device, dtype=x.dtype).triu()


def remaining_sum(x: Tensor) -> Tensor:
    """Sum from each position of the last axis to its end; see ``running_sum``."""
    return running_sum(x.flip(-1)).flip(-1)


def product_dtype(tensor: Tensor) -> torch.dtype:
    """The dtype of a tensor in matrix products: that of autocast where it is on, else its own.

    As in torch's own products, float64 stays float64.
    """
    device = tensor.device.type
    if tensor.dtype == torch.float64 or not torch.is_autocast_enabled(device):
        return tensor.dtype
    return torch.get_autocast_dtype(device)


def tanh_(x: Tensor) -> Tensor:
    """``tanh x = 2 sigmoid(2x) - 1`` in place: on a CPU five times as fast as torch's own.

    For small x the error is a rounding error of 1, not of x.
    """
    return x.mul_(2.0).sigmoid_().mul_(2.0).sub_(1.0)


def select_columns(table: T, columns: Tensor) -> T:
    """Select columns (B, n) of every tensor (B, m) of a dataclass."""
    values = (getattr(table, field.name) for field in dataclasses.fields(table))  # type: ignore[arg-type]
    return type(table)(*(value.gather(1, columns) for value in values))


def select_rows(tree: T, rows: Tensor) -> T:
    """Select rows along the first axis of every tensor in a tree of dataclasses, tuples and lists.

    Zero-dimensional tensors, ``None`` and plain values pass unchanged. Reorders decoder states in beam search.

    Args:
        tree: a tensor, a dataclass, a tuple or list of these, or a plain value.
        rows: (N,) int64 row indices.

    Returns:
        A tree of the same type with N rows.
    """
    if isinstance(tree, Tensor):
        return tree.index_select(0, rows) if tree.dim() else tree  # type: ignore[return-value]
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        changes = {field.name: select_rows(getattr(tree, field.name), rows) for field in dataclasses.fields(tree)}
        return dataclasses.replace(tree, **changes)
    if isinstance(tree, tuple | list):
        return type(tree)(select_rows(item, rows) for item in tree)
    return tree

"""How far two weightings of the same words agree: rank correlation by Kendall's tau."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from nmt.alignment.soft_alignment import Weights


def kendall_tau(one: ArrayLike, other: ArrayLike) -> float | None:
    """Kendall's tau-b between two rankings: Kendall (1945).

        tau = (C - D) / sqrt((n - t) (n - u))

    with C and D the pairs of places that both rank alike and otherwise, n all pairs, t and u those tied in one and in
    the other.

    Args:
        one: (S,) numbers.
        other: (S,) numbers.

    Returns:
        -1 to 1, or ``None`` where one of them says nothing: all its numbers are the same, or there are fewer than two.
    """
    first, second = (np.asarray(each, dtype=np.float64) for each in (one, other))
    above = np.triu_indices(len(first), k=1)
    signs = [np.sign(each[:, None] - each[None])[above] for each in (first, second)]
    strict = float(np.abs(signs[0]).sum() * np.abs(signs[1]).sum())
    return float((signs[0] * signs[1]).sum() / np.sqrt(strict)) if strict else None


def row_correlations(one: Weights, other: Weights) -> Iterator[float]:
    """Yield Kendall's tau of each pair of rows of (T, S) weights, but for rows that say nothing."""
    for row, against in zip(one, other, strict=True):
        tau = kendall_tau(row, against)
        if tau is not None:
            yield tau

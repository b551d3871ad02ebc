"""Agreement of two weightings of the same words: rank correlation by Kendall's tau."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from nmt.alignment.soft_alignment import Weights


def kendall_tau(one: ArrayLike, other: ArrayLike) -> float | None:
    """Kendall's tau-b between two rankings of S numbers: Kendall (1945).

        tau = (C - D) / sqrt((n - t) (n - u))

    with C concordant and D discordant pairs of positions, n pairs in all, and t and u pairs tied in the first and in
    the second ranking. ``None`` if undefined: all numbers of a ranking are equal, or there are fewer than two.
    """
    first, second = (np.asarray(each, dtype=np.float64) for each in (one, other))
    above = np.triu_indices(len(first), k=1)
    signs = [np.sign(each[:, None] - each[None])[above] for each in (first, second)]
    strict = float(np.abs(signs[0]).sum() * np.abs(signs[1]).sum())
    return float((signs[0] * signs[1]).sum() / np.sqrt(strict)) if strict else None


def row_correlations(one: Weights, other: Weights) -> Iterator[float]:
    """Yield Kendall's tau of each pair of rows of (T, S) weights where it is defined."""
    for row, against in zip(one, other, strict=True):
        tau = kendall_tau(row, against)
        if tau is not None:
            yield tau

"""Soft weights to links, and how far they are spread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nmt.alignment.links import Links

Weights: TypeAlias = NDArray[np.floating[Any]]
"""(T, S): a row a target word, a column a source word."""


def argmax_links(weights: Weights, *, null: int | None = None) -> Links:
    """Link each target word to the source word that it attends to most.

    A target word is left without a link if its heaviest column is the null word, or if no weight in its row is
    positive. Among equal weights the first source word wins.

    Args:
        weights: (T, S) of any float type.
        null: column of the null word (EOS), which takes part in the arg-max but gets no link; ``-1`` is the last
            column, as ``words.word_weights`` gives it; ``None`` if there is none.

    Returns:
        At most one sure link a target word.
    """
    weights = _matrix(weights)
    if weights.shape[1] == 0:
        return Links()
    column = _column(null, weights.shape[1])
    best = weights.argmax(axis=1)
    return Links(
        frozenset((int(i), j) for j, i in enumerate(best) if i != column and weights[j, i] > 0)  # NaN > 0 is false
    )


def threshold_links(weights: Weights, threshold: float, *, null: int | None = None) -> Links:
    """Link every pair of words whose weight reaches a threshold, so that a target word may have several links or none.

    Args:
        weights: (T, S) of any float type.
        threshold: least weight of a link, above 0.
        null: column of the null word, which gets no link; as in ``argmax_links``.

    Returns:
        Sure links.

    Raises:
        ValueError: the threshold is not above 0; everything would be linked.
    """
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0, but is {threshold}")
    weights = _matrix(weights)
    column = _column(null, weights.shape[1])
    rows, columns = np.nonzero(weights >= threshold)
    return Links(frozenset((int(i), int(j)) for j, i in zip(rows, columns, strict=True) if i != column))


def mean_entropy(matrices: Iterable[Weights]) -> float | None:
    """Mean entropy of the rows of all matrices, in nats: 0 where each looks at one position, log S where at all alike.

    A row that does not sum to one (a window under a Gaussian, a share left to a sentinel) is divided by its sum; one
    without weight is left out.

    Args:
        matrices: (T, S) each, non-negative.

    Returns:
        The mean, or ``None`` if no row has weight.
    """
    total, count = 0.0, 0
    for matrix in matrices:
        weights = _matrix(matrix).astype(np.float64)
        sums = weights.sum(axis=1, keepdims=True)
        shares = (weights / np.where(sums > 0, sums, 1.0))[sums[:, 0] > 0]
        total -= float((shares * np.log(np.where(shares > 0, shares, 1.0))).sum())
        count += len(shares)
    return total / count if count else None


def _matrix(weights: Weights) -> Weights:
    if weights.ndim != 2:
        raise ValueError(f"weights must be of shape (T, S), but are of shape {weights.shape}")
    return weights


def _column(null: int | None, columns: int) -> int | None:
    if null is None:
        return None
    if not -columns <= null < columns:
        raise ValueError(f"null must name one of {columns} columns, but is {null}")
    return null % columns

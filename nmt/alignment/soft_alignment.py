"""Hard links from soft alignment weights; the entropy of soft alignments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nmt.alignment.links import Links

Weights: TypeAlias = NDArray[np.floating[Any]]
"""(T, S): a row per target word, a column per source word."""


Rule: TypeAlias = Literal["argmax", "mutual", "threshold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRule:
    """How links are extracted from soft weights.

    Args:
        kind: ``argmax``: link every target word to the source word with the largest weight; ``mutual``: only if the
            arg-max holds in both directions; ``threshold``: link every pair whose weight reaches the threshold.
        threshold: least weight of a link, above 0; for ``threshold`` only.
    """

    kind: Rule = "argmax"
    threshold: float | None = None

    def __post_init__(self) -> None:
        if (self.kind == "threshold") != (self.threshold is not None):
            raise ValueError(
                f"a threshold must be given for the rule threshold, and for no other, but the rule is {self.kind}"
            )

    def links(self, weights: Weights, *, null: int | None = None) -> Links:
        """Extract links from weights (T, S); ``null`` as in ``argmax_links``."""
        if self.threshold is not None:
            return threshold_links(weights, self.threshold, null=null)
        return mutual_links(weights, null=null) if self.kind == "mutual" else argmax_links(weights, null=null)


def argmax_links(weights: Weights, *, null: int | None = None) -> Links:
    """Link each target word to the source word with the largest weight.

    A target word gets no link if the largest weight of its row is that of the null word, or if no weight is positive.
    Ties go to the first source word.

    Args:
        weights: (T, S) of any float type.
        null: column of the null word (EOS), which takes part in the arg-max but gets no link; ``-1`` is the last
            column, as ``pieces_to_words.word_weights`` gives it; ``None`` if there is none.

    Returns:
        At most one sure link per target word.
    """
    weights = _matrix(weights)
    if weights.shape[1] == 0:
        return Links()
    column = _column(null, weights.shape[1])
    best = weights.argmax(axis=1)
    return Links(
        frozenset((int(i), j) for j, i in enumerate(best) if i != column and weights[j, i] > 0)  # NaN > 0 is false
    )


def mutual_links(weights: Weights, *, null: int | None = None) -> Links:
    """Link two words if their weight is the largest of both its row and its column; ``null`` as in ``argmax_links``.

    Jalili Sabet et al. (2020), section 2.2, "argmax", for similarities. The arg-max of the rows includes the null
    word. Ties go to the first word.

    Returns:
        At most one sure link per target word, and at most one per source word.
    """
    weights = _matrix(weights)
    rows = argmax_links(weights, null=null)
    if not rows.sure:
        return rows
    best = weights.argmax(axis=0)
    return Links(frozenset((i, j) for i, j in rows.sure if best[i] == j))


def row_shares(scores: Weights) -> NDArray[np.float64]:
    """Turn signed scores (T, S) into weights: absolute values, each row divided by its sum; a zero row stays zero.

    w_ts = |s_ts| / sum_s' |s_ts'|
    """
    sizes = np.abs(_matrix(scores).astype(np.float64))
    sums = sizes.sum(axis=1, keepdims=True)
    return np.asarray(sizes / np.where(sums > 0, sums, 1.0))


def threshold_links(weights: Weights, threshold: float, *, null: int | None = None) -> Links:
    """Link every pair of words whose weight reaches a threshold; a target word may have several links or none.

    The threshold is above 0; ``null`` as in ``argmax_links``.

    Returns:
        Sure links.

    Raises:
        ValueError: the threshold is not above 0, and would link everything.
    """
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0, but is {threshold}")
    weights = _matrix(weights)
    column = _column(null, weights.shape[1])
    rows, columns = np.nonzero(weights >= threshold)
    return Links(frozenset((int(i), int(j)) for j, i in zip(rows, columns, strict=True) if i != column))


def mean_entropy(matrices: Iterable[Weights]) -> float | None:
    """Mean entropy of the rows of all matrices (T, S), in nats: 0 for one-hot rows, log S for uniform rows.

    A row that does not sum to one (Gaussian window, sentinel with a share) is divided by its sum; zero rows are left
    out. ``None`` if all rows are zero.
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

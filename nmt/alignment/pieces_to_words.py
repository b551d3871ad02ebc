"""Attention between words from attention between pieces; alignments of pieces from links between words."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nmt.alignment.links import Link, Links
from nmt.alignment.soft_alignment import Weights

WordsOfPieces: TypeAlias = Sequence[int] | Sequence[Sequence[int]]
"""For each piece the index of its word, or the indices of all words that it contains."""


def word_weights(
    weights: Weights,
    source_words: WordsOfPieces,
    target_words: WordsOfPieces,
    *,
    source_count: int | None = None,
    target_count: int | None = None,
) -> NDArray[np.float64]:
    """Aggregate attention between pieces to attention between words.

        w[J, I] = 1/|J| sum_{j in J} sum_{i in I} a[j, i]

    for a target word J and a source word I, each a set of pieces: source pieces are summed, since they share the mass
    of a row, and target pieces are averaged, since each has a row of its own.

    The null word is the last column of the result. It receives the weight of the source EOS and of source pieces that
    belong to no word. The row of the target EOS and target pieces that belong to no word are dropped. So the row of a
    word with pieces sums, including the null word, to the mean of the sums of its pieces' rows: 1 for a softmax over
    the source.

    A piece may contain several words, if words are characters or the piece contains a no-break space: each word of a
    source piece gets an equal share of its weight, and each word of a target piece its whole row.

    Args:
        weights: (T, S) between pieces; T is the number of target pieces, or one more with EOS as last row; S is the
            number of source pieces, or one more with EOS as last column.
        source_words: for each source piece the index of its word, from 0, as from ``text.subword.words_of_pieces``;
            negative if the piece belongs to no word. Or the indices of all its words.
        target_words: the same for the target pieces.
        source_count: number of source words; by default one more than the largest index. A word without pieces gets a
            column of zeros.
        target_count: the same for target words; one without pieces gets a row of zeros.

    Returns:
        (T_words, S_words + 1) in float64; the last column is the null word, zeros if nothing belongs to it.

    Raises:
        ValueError: the shape does not fit the pieces, or an index is not below the count.
    """
    weights = np.asarray(weights)
    rows, columns = len(target_words), len(source_words)
    if weights.ndim != 2 or weights.shape[0] - rows not in (0, 1) or weights.shape[1] - columns not in (0, 1):
        raise ValueError(
            f"weights must be of shape ({rows}, {columns}), or one longer with EOS, but are of shape {weights.shape}"
        )
    sources = _membership(source_words, source_count, weights.shape[1], null=True)
    targets = _membership(target_words, target_count, weights.shape[0], null=False)
    pieces = targets.sum(axis=0)
    return np.asarray((targets / np.maximum(pieces, 1)).T @ weights.astype(np.float64) @ sources)


def piece_alignment(
    links: Sequence[Link] | NDArray[np.integer[Any]],
    source_words: WordsOfPieces,
    target_words: WordsOfPieces,
) -> NDArray[np.float32]:
    """Spread links between words over their pieces, as an alignment matrix.

        A[j, i] = 1/n_j if a word of target piece j is linked to a word of source piece i, else 0

    with n_j the number of source pieces linked to j: the row of a linked piece sums to 1, any other to 0.

    Args:
        links: (source word, target word), from 0.
        source_words: for each source piece the index of its word, negative if it has none. Or the indices of all its
            words.
        target_words: the same for the target pieces.

    Returns:
        (T, S) between pieces, without EOS.
    """
    sources, targets = _columns(source_words), _columns(target_words)
    given = np.asarray(links, dtype=np.int64).reshape(-1, 2)
    # The last row and column stay empty: index -1 of a piece without a word selects them.
    between = np.zeros((targets.max(initial=-1) + 2, sources.max(initial=-1) + 2), dtype=np.float32)
    known = (given >= 0).all(1) & (given[:, 1] < len(between) - 1) & (given[:, 0] < between.shape[1] - 1)
    between[given[known, 1], given[known, 0]] = 1.0
    linked = np.zeros((targets.shape[1], sources.shape[1]), dtype=np.float32)
    for target, source in itertools.product(targets, sources):  # one of each unless pieces contain several words
        np.maximum(linked, between[target[:, None], source], out=linked)
    linked /= np.maximum(linked.sum(axis=1, keepdims=True), 1.0)
    return linked


def _columns(words: WordsOfPieces) -> NDArray[np.int64]:
    """(K, pieces): the first word of every piece, its second ...; -1 if there is none."""
    held = [(each,) if isinstance(each, int | np.integer) else tuple(each) for each in words]
    columns = list(itertools.zip_longest(*held, fillvalue=-1)) or [(-1,) * len(held)]
    return np.maximum(np.array(columns, dtype=np.int64), -1)


def piece_links(links: Links, source_words: Sequence[int], target_words: Sequence[int]) -> Links:
    """Expand links between words to all pairs of their pieces; sure links stay sure.

    A side has for each piece the index of its word, negative if it has none.
    """

    def spread(pairs: frozenset[Link]) -> frozenset[Link]:
        return frozenset(
            (i, j)
            for j, target in enumerate(target_words)
            for i, source in enumerate(source_words)
            if (source, target) in pairs
        )

    return Links(spread(links.sure), spread(links.possible))


def _membership(words: WordsOfPieces, count: int | None, pieces: int, *, null: bool) -> NDArray[np.float64]:
    """Return (pieces, words [+ 1]), the share of each piece that belongs to a word; the last column is the null word.

    With ``null`` the shares of a piece sum to 1, so that its weight is divided; without, they are 1 each.
    """
    held = [[each] if isinstance(each, int | np.integer) else list(each) for each in words]
    held = [[word for word in each if word >= 0] for each in held]
    least = max((word for each in held for word in each), default=-1) + 1
    if count is None:
        count = least
    elif least > count:
        raise ValueError(f"a piece belongs to word {least - 1}, but there are only {count} words")
    members = np.zeros((pieces, count + 1))
    for piece in range(pieces):
        own = held[piece] if piece < len(held) and held[piece] else [count]
        members[piece, own] = 1.0 / len(own) if null else 1.0
    return members if null else members[:, :count]

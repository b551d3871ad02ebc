"""Prepares words and weights for drawing: checked shapes, safe labels, terminal widths."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nmt.alignment.soft_alignment import Weights
from nmt.core.errors import DataError

NULL_LABEL = "∅"
"""Label of the null word."""

_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True)
class LabelledMatrix:
    """Attention weights with a label for each row and column.

    Args:
        source: labels of the S columns.
        target: labels of the T rows.
        weights: (T, S), finite and not negative.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: NDArray[np.float64]


def labelled(
    source_words: Sequence[str], target_words: Sequence[str], weights: Weights, *, limit: int = 32
) -> LabelledMatrix:
    """Check weights against their words, and make the words safe to draw.

    Args:
        source_words: words or pieces; may be one fewer than the columns, the last being the null word.
        target_words: words or pieces, as many as rows.
        weights: (T, S) or (T, S + 1); negative or non-finite values are drawn as 0.
        limit: longest label, in terminal columns; longer ones end in an ellipsis.

    Raises:
        DataError: one of the sentences has no words.
        ValueError: the shapes do not fit.
    """
    if not len(source_words) or not len(target_words):
        raise DataError(f"no attention to draw: the {'target' if len(source_words) else 'source'} has no words")
    matrix = np.asarray(weights, dtype=np.float64)
    source = [*source_words]
    if matrix.ndim == 2 and matrix.shape[1] == len(source) + 1:
        source.append(NULL_LABEL)
    if matrix.shape != (len(target_words), len(source)):
        raise ValueError(
            f"weights must be of shape ({len(target_words)}, {len(source_words)}), or one column wider for the null "
            f"word, but are of shape {matrix.shape}"
        )
    matrix = np.maximum(np.nan_to_num(matrix, nan=0.0, posinf=0.0, neginf=0.0), 0.0)
    return LabelledMatrix(
        tuple(elide(clean(word), limit) for word in source),
        tuple(elide(clean(word), limit) for word in target_words),
        matrix,
    )


def clean(word: str) -> str:
    """Replace control characters, lone surrogates and non-characters; drop direction marks.

    A terminal must not execute escape sequences in a sentence, and XML forbids such characters.
    """
    return "".join(_clean_character(character) for character in word)


def _clean_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return character if character in _JOINERS else ""
    if category in {"Cc", "Cs", "Zl", "Zp"} or ord(character) & 0xFFFE == 0xFFFE:
        return "\ufffd"
    return character


def clusters(text: str) -> list[str]:
    """Split text into units that a terminal shows in one cell: a character with its combining marks."""
    result: list[str] = []
    for character in text:
        combines = unicodedata.category(character) in {"Mn", "Me"} or character in _JOINERS
        if combines and result:
            result[-1] += character
        else:
            result.append(f" {character}" if combines else character)
    return result


def right_to_left(words: Iterable[str]) -> bool:
    """Whether most letters with a direction are right-to-left."""
    directions = [unicodedata.bidirectional(character) for word in words for character in word]
    return sum(d in {"R", "AL"} for d in directions) > directions.count("L")


def display_width(text: str) -> int:
    """Width of text in terminal columns: two for a wide or full-width character (Unicode Annex 11), else one."""
    return sum(2 if unicodedata.east_asian_width(cluster[0]) in "WF" else 1 for cluster in clusters(text))


def elide(text: str, limit: int) -> str:
    """Cut text to at most ``limit`` terminal columns, the last of them an ellipsis."""
    if display_width(text) <= limit:
        return text
    kept, width = "", 1
    for cluster in clusters(text):
        width += display_width(cluster)
        if width > limit:
            break
        kept += cluster
    return kept + "…"

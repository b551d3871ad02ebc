"""Attention as text, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from nmt.alignment.drawing.labels import LabelledMatrix, clusters, display_width, elide, labelled
from nmt.alignment.soft_alignment import Weights

_BLOCKS = " ░▒▓█"
_ASCII = " .:*#"
_CELL = 2  # terminal columns; a wide letter of a vertical label just fits


def text_heatmap(
    source_words: Sequence[str],
    target_words: Sequence[str],
    weights: Weights,
    *,
    width: int = 80,
    encoding: str = "utf-8",
    longest_label: int = 16,
) -> str:
    """Draw attention with shaded blocks: target words down the side, source words written downwards along the top.

    Args:
        source_words: words or pieces of the source.
        target_words: words or pieces of the target.
        weights: (T, S), or (T, S + 1) with the null word last; a cell has one of five shades, rounded.
        width: columns of the terminal; a source that does not fit is continued in a second picture below the first.
        encoding: of the stream; if it has no blocks, ASCII shades are drawn, and letters it lacks become ``?``.
        longest_label: columns that a word may take; longer ones are cut.

    Returns:
        Lines without trailing white space, without a line end after the last.

    Raises:
        DataError: one of the sentences has no words.
        ValueError: the weights do not fit the words.
    """
    matrix = labelled(
        [_encodable(word, encoding) for word in source_words],
        [_encodable(word, encoding) for word in target_words],
        weights,
        limit=longest_label,
    )
    shades = _BLOCKS if _encodable(_BLOCKS, encoding) == _BLOCKS else _ASCII
    source = [_fold(word, encoding, longest_label) for word in matrix.source]
    target = [_fold(word, encoding, longest_label) for word in matrix.target]
    margin = max(map(display_width, target)) + 1
    fitting = max(1, (width - margin) // _CELL)
    matrix = LabelledMatrix(tuple(source), tuple(target), matrix.weights)
    parts = [_part(matrix, begin, begin + fitting, margin, shades) for begin in range(0, len(source), fitting)]
    return "\n\n".join("\n".join(line.rstrip() for line in part) for part in parts)


def _part(matrix: LabelledMatrix, begin: int, end: int, margin: int, shades: str) -> list[str]:
    """Draw some of the columns."""
    letters = [clusters(word) for word in matrix.source[begin:end]]
    height = max(map(len, letters))
    lines = []
    for level in range(height):
        line = " " * margin
        for word in letters:
            letter = word[level - height + len(word)] if level >= height - len(word) else ""
            line += letter + " " * (_CELL - (display_width(letter) if letter else 0))
        lines.append(line)
    for label, row in zip(matrix.target, matrix.weights, strict=True):
        cells = "".join(shades[round(min(weight, 1.0) * (len(shades) - 1))] * _CELL for weight in row[begin:end])
        lines.append(" " * (margin - 1 - display_width(label)) + label + " " + cells)
    return lines


def _encodable(text: str, encoding: str) -> str:
    return text.encode(encoding, "replace").decode(encoding)


def _fold(label: str, encoding: str, limit: int) -> str:
    """Replace the marks that cutting and labelling added, where the stream lacks them."""
    return elide(_encodable(label, encoding), limit)

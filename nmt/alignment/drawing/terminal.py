"""Attention as text, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from nmt.alignment.drawing.labels import LabelledMatrix, clusters, display_width, elide, labelled
from nmt.alignment.soft_alignment import Weights

_BLOCKS = " ░▒▓█"
_ASCII = " .:*#"
_CELL = 2  # terminal columns; just fits a wide character of a vertical label


def text_heatmap(
    source_words: Sequence[str],
    target_words: Sequence[str],
    weights: Weights,
    *,
    width: int = 80,
    encoding: str = "utf-8",
    longest_label: int = 16,
) -> str:
    """Draw attention with shaded blocks: target words down the side, source words vertically along the top.

    Args:
        source_words: words or pieces of the source.
        target_words: words or pieces of the target.
        weights: (T, S), or (T, S + 1) with the null word last; each cell is rounded to one of five shades.
        width: columns of the terminal; a source that does not fit continues in another block below.
        encoding: of the stream; without block characters, shades are ASCII; missing characters become ``?``.
        longest_label: maximal columns of a word; longer ones are cut.

    Returns:
        Lines without trailing white space, and no line end after the last.

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
    """Draw a range of columns."""
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
    """Replace the marks added by cutting and labelling, if the encoding lacks them."""
    return elide(_encodable(label, encoding), limit)

"""Attention as a small SVG inside HTML, for notebooks; needs no matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nmt.alignment.drawing import colours
from nmt.alignment.drawing.labels import display_width, labelled
from nmt.alignment.soft_alignment import Weights

_CELL = 20  # pixels
_FONT = 12
_LETTER = 7.2  # pixels of a terminal column, rather too many


def svg_heatmap(source_words: Sequence[str], target_words: Sequence[str], weights: Weights) -> str:
    """Draw attention as an SVG element: source words along the top, target words down the side.

    Hovering over a cell shows its two words and the weight. Words are escaped, and appear as text only.

    Args:
        source_words: words or pieces of the source.
        target_words: words or pieces of the target.
        weights: (T, S), or (T, S + 1) with the null word last.

    Returns:
        One ``<svg>`` element, for an HTML page or a file of its own.

    Raises:
        DataError: one of the sentences has no words.
        ValueError: the weights do not fit the words.
    """
    matrix = labelled(source_words, target_words, weights)
    rows, columns = matrix.weights.shape
    left = round(max(map(display_width, matrix.target)) * _LETTER) + 14
    slanted = [display_width(word) * _LETTER * 0.71 for word in matrix.source]
    top = round(max(slanted)) + 18
    overhang = max(length - (columns - 0.5 - i) * _CELL for i, length in enumerate(slanted))
    width = left + columns * _CELL + max(round(overhang), 0) + 14
    height = top + rows * _CELL + 8

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="attention" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="{_FONT}" fill="{colours.INK}">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for i, word in enumerate(matrix.source):
        x, y = left + (i + 0.5) * _CELL + 2, top - 6
        parts.append(f'<text x="{x:g}" y="{y}" transform="rotate(-45 {x:g} {y})">{escape(word)}</text>')
    for j, word in enumerate(matrix.target):
        level = top + (j + 0.5) * _CELL
        parts.append(
            f'<text x="{left - 7}" y="{level:g}" text-anchor="end" dominant-baseline="central">{escape(word)}</text>'
        )
    parts.append(f'<g stroke="{colours.FAINT}">')
    for j, target in enumerate(matrix.target):
        for i, source in enumerate(matrix.source):
            weight = float(matrix.weights[j, i])
            parts.append(
                f'<rect x="{left + i * _CELL}" y="{top + j * _CELL}" width="{_CELL}" height="{_CELL}" '
                f'fill="{colours.shade(weight)}"><title>{escape(f"{source} – {target}: {weight:.2f}")}</title></rect>'
            )
    parts.append("</g></svg>")
    return "".join(parts)

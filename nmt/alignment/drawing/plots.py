"""Plots of attention in print quality: heatmaps, and sentence pairs joined by edges as thick as the weights.

The figures are plain ``matplotlib.figure.Figure`` objects; pyplot and its global state are never touched. This module
needs matplotlib: import it only for drawing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Curve

from nmt.alignment.drawing import canvas, colours, fonts
from nmt.alignment.drawing.labels import LabelledMatrix, labelled, right_to_left
from nmt.alignment.links import Link, Links
from nmt.alignment.soft_alignment import Weights
from nmt.core.errors import DataError
from nmt.core.storage.files import os_reason

WIDEST = 14.0
"""Maximal inches of a row of words; longer sentences are drawn in columns."""

_SPACE = 0.16  # inches between words
_LINE = 0.21  # inches between lines
_WITHOUT_DATES: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def heatmap(
    source_words: Sequence[str],
    target_words: Sequence[str],
    weights: Weights,
    *,
    gold: Links | None = None,
    title: str | None = None,
    score: float | None = None,
) -> Figure:
    """Draw attention as a matrix of shaded cells (as in Bahdanau et al., 2015, figure 3).

    Source words run along the top, target words down the side; weight 0 is white and weight 1 is dark.

    Args:
        source_words: words or pieces of the source.
        target_words: words or pieces of the target.
        weights: (T, S), or (T, S + 1) with the null word last.
        gold: gold links, outlined: sure ones with a solid line, possible ones with a dashed line.
        title: a line above the plot.
        score: of the translation, shown next to the title.

    Returns:
        A figure that grows with the sentences, for ``save_figure`` or a notebook.

    Raises:
        DataError: one of the sentences has no words.
        ValueError: the weights do not fit the words, or a gold link points outside them.
    """
    begun = _begin((source_words, target_words), weights, gold, title, score)
    matrix, figure = begun.matrix, begun.figure
    source_widths, target_widths = begun.widths(canvas.SIZE)
    heading, heading_width = begun.heading

    rows, columns = matrix.weights.shape
    cell = min(0.27, max(0.18, 16 / max(rows, columns)))  # inches; never too small for its label
    slope = math.sqrt(0.5)
    left = canvas.MARGIN + max(target_widths) + 0.08
    overhang = max(width * slope - (columns - 0.5 - i) * cell for i, width in enumerate(source_widths))
    widest = max(heading_width, canvas.KEY_WIDTH if gold is not None else 0.0)
    right = max(0.62, overhang, widest - columns * cell) + canvas.MARGIN
    top = canvas.MARGIN + heading + max(source_widths) * slope + 0.18
    bottom = canvas.MARGIN + (0.3 if gold is not None else 0.0)
    size = left + columns * cell + right, top + max(rows * cell, 0.8) + bottom
    figure.set_size_inches(*size)

    axes = canvas.panel(figure, left, size[1] - top - rows * cell, columns * cell, rows * cell)
    mesh = _draw_cells(axes, matrix, cell, begun.family)
    if gold is not None:
        _outline(axes, gold)
        canvas.gold_key(figure, left, canvas.MARGIN + 0.02)
    _colour_bar(figure, mesh, left + columns * cell + 0.16, size[1] - top, min(max(rows * cell, 0.8), 1.6))
    canvas.write_heading(figure, title, score, left, begun.family)
    return figure


def edges(
    source_words: Sequence[str],
    target_words: Sequence[str],
    weights: Weights,
    *,
    gold: Links | None = None,
    title: str | None = None,
    score: float | None = None,
    minimum: float = 0.04,
) -> Figure:
    """Draw two sentences as rows of words, source above target, joined by edges as thick as the weights.

    Arguments as for ``heatmap``; ``minimum`` is the least weight drawn. Sure gold links are dashed lines, possible
    ones dotted.

    Returns:
        A figure as wide as the longer sentence; right-to-left sentences run from right to left. Sentences wider than
        ``WIDEST`` are set in two columns instead, source on the left, one word per line.

    Raises:
        DataError: one of the sentences has no words.
        ValueError: the weights do not fit the words, or a gold link points outside them.
    """
    begun = _begin((source_words, target_words), weights, gold, title, score)
    matrix, figure, heading = begun.matrix, begun.figure, begun.heading
    sentences, widths = (matrix.source, matrix.target), begun.widths(canvas.SIZE + 1)
    needed = max(sum(row) + _SPACE * (len(row) - 1) for row in widths)
    layout = (_columns if needed > WIDEST else _rows)(sentences, widths, max(heading[1], needed, 2.0))
    key = 0.3 if gold is not None else 0.0
    left, right, above, below = layout.margins
    width, height = max(left + layout.size[0] + right, heading[1]), layout.size[1]
    figure.set_size_inches(width + 2 * canvas.MARGIN, heading[0] + above + height + below + key + 2 * canvas.MARGIN)
    axes = canvas.panel(figure, canvas.MARGIN + left, canvas.MARGIN + key + below, *layout.size)
    axes.set(xlim=(0, layout.size[0]), ylim=(0, layout.size[1]))
    _draw_edges(axes, matrix, layout, minimum)
    if gold is not None:
        for link in sorted(gold.possible):
            _curve(axes, layout, link, colours.GOLD, 1.4, dashes="--" if link in gold.sure else ":", order=3)
        canvas.gold_key(figure, canvas.MARGIN, canvas.MARGIN + 0.02, outlined=False)
    for words, points, style in zip(sentences, layout.places, layout.styles, strict=True):
        for word, (x, y) in zip(words, points, strict=True):
            canvas.draw_word(axes, x, y, fonts.shown(word), begun.family, fontsize=canvas.SIZE + 1, **style)
    canvas.write_heading(figure, title, score, canvas.MARGIN, begun.family)
    return figure


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, SVG or PDF, according to the suffix of the path, and return the path.

    Equal figures give equal files: no dates, no random identifiers.

    Raises:
        DataError: the suffix is none of the three, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _WITHOUT_DATES:
        raise DataError(f"{path}: a plot must end in {', '.join(_WITHOUT_DATES)}, but ends in {suffix or 'nothing'}")
    dpi = min(200.0, 30000 / max(figure.get_size_inches()))  # Agg draws at most 65,536 pixels per side
    try:
        with rc_context({"svg.hashsalt": "nmt", "pdf.fonttype": 42}), fonts.quiet_about_missing_glyphs():
            figure.savefig(path, format=suffix[1:], dpi=dpi, metadata=_WITHOUT_DATES[suffix])
    except OSError as error:
        raise DataError(f"{path}: the plot cannot be written: {os_reason(error)}") from error
    return path


@dataclass(frozen=True, slots=True)
class _Begun:
    """Common start of every plot: an empty figure, and the data to draw.

    Args:
        matrix: the labelled weights.
        figure: without a size yet.
        family: the font families that the words need.
        heading: height and width of the heading, in inches.
    """

    matrix: LabelledMatrix
    figure: Figure
    family: list[str]
    heading: tuple[float, float]

    def widths(self, size: float) -> tuple[list[float], list[float]]:
        """Return the widths of the words of both sentences, in inches, at a font size."""
        source, target = (
            fonts.text_widths(self.figure, map(fonts.shown, words), size=size, family=self.family)
            for words in (self.matrix.source, self.matrix.target)
        )
        return source, target


def _begin(
    words: tuple[Sequence[str], Sequence[str]],
    weights: Weights,
    gold: Links | None,
    title: str | None,
    score: float | None,
) -> _Begun:
    for i, j in gold.possible if gold is not None else ():
        if not (0 <= i < len(words[0]) and 0 <= j < len(words[1])):
            counts = f"{len(words[0])} source and {len(words[1])} target words"
            raise ValueError(f"gold link {i}-{j} is outside of {counts}")
    matrix, figure = labelled(*words, weights), Figure(facecolor="white")
    family = fonts.families([*matrix.source, *matrix.target, title or ""])
    return _Begun(matrix, figure, family, canvas.heading_size(figure, title, score, family))


def _draw_cells(axes: Axes, matrix: LabelledMatrix, cell: float, family: list[str]) -> QuadMesh:
    """Draw the cells, with the words of both sentences along the edges."""
    rows, columns = matrix.weights.shape
    axes.set(xlim=(0, columns), ylim=(rows, 0))
    shades = ListedColormap(list(colours.shades()), name="attention")
    mesh = axes.pcolormesh(matrix.weights, cmap=shades, vmin=0.0, vmax=1.0, edgecolors=colours.FAINT, linewidth=0.5)
    mesh.set_clip_on(False)
    slanted: dict[str, Any] = {"rotation": 45, "va": "baseline", "rotation_mode": "anchor"}
    for i, word in enumerate(matrix.source):
        canvas.draw_word(axes, i + 0.5, -0.07 / cell, fonts.shown(word), family, **slanted)
    for j, word in enumerate(matrix.target):
        canvas.draw_word(axes, -0.08 / cell, j + 0.5, fonts.shown(word), family, ha="right", va="center_baseline")
    return mesh


def _colour_bar(figure: Figure, mesh: Any, left: float, top: float, height: float) -> None:
    axes = canvas.panel(figure, left, top - height, 0.08, height)
    axes.set_axis_on()
    bar = figure.colorbar(mesh, cax=axes, ticks=[0, 0.5, 1], format="%g")
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, pad=3, labelsize=canvas.SIZE - 2, labelcolor=colours.MUTED)


def _outline(axes: Axes, gold: Links) -> None:
    for i, j in sorted(gold.possible):
        style = "-" if (i, j) in gold.sure else canvas.SHORT_DASHES
        axes.add_patch(
            Rectangle(
                (i + 0.06, j + 0.06), 0.88, 0.88, fill=False, edgecolor=colours.GOLD, linewidth=1.2, linestyle=style
            )
        )


@dataclass(frozen=True, slots=True)
class _Layout:
    """Positions of the words of two sentences, in inches from the lower left corner of the area between them.

    Args:
        size: width and height of that area.
        places: positions of the words of each sentence.
        styles: text alignment of the words of each sentence at their positions.
        margins: space for the words on the left, on the right, above and below.
        upright: whether the sentences are columns, so that edges leave them sideways.
    """

    size: tuple[float, float]
    places: tuple[list[tuple[float, float]], list[tuple[float, float]]]
    styles: tuple[dict[str, str], dict[str, str]]
    margins: tuple[float, float, float, float]
    upright: bool


def _rows(sentences: Sequence[Sequence[str]], widths: Sequence[Sequence[float]], width: float) -> _Layout:
    """Set the source above the target."""
    gap = min(max(1.1, 0.09 * width), 2.2)
    source, target = (
        _row(row, width, reverse=right_to_left(words)) for row, words in zip(widths, sentences, strict=True)
    )
    return _Layout(
        size=(width, gap),
        places=([(x, gap + 0.05) for x in source], [(x, -0.05) for x in target]),
        styles=({"ha": "center", "va": "bottom"}, {"ha": "center", "va": "top"}),
        margins=(0.0, 0.0, 0.2, 0.2),
        upright=False,
    )


def _columns(sentences: Sequence[Sequence[str]], widths: Sequence[Sequence[float]], width: float) -> _Layout:  # noqa: ARG001
    """Set the source on the left and the target on the right, one word per line, from the top."""
    height = _LINE * max(map(len, sentences))
    gap = min(max(1.6, 0.08 * height), 3.0)
    source, target = ([(number + 0.5) * height / len(words) for number in range(len(words))] for words in sentences)
    return _Layout(
        size=(gap, height),
        places=([(-0.06, height - y) for y in source], [(gap + 0.06, height - y) for y in target]),
        styles=({"ha": "right", "va": "center_baseline"}, {"ha": "left", "va": "center_baseline"}),
        margins=(max(widths[0]) + 0.1, max(widths[1]) + 0.1, 0.0, 0.0),
        upright=True,
    )


def _row(lengths: Sequence[float], width: float, *, reverse: bool) -> list[float]:
    """Return the centres, in inches, of words in a row; spaces widen a little to fill the width."""
    gaps = len(lengths) - 1
    space = min((width - sum(lengths)) / max(gaps, 1), 3 * _SPACE)
    x = (width - sum(lengths) - space * gaps) / 2
    centres = []
    for length in lengths:
        centres.append(x + length / 2)
        x += length + space
    return [width - centre for centre in centres] if reverse else centres


def _draw_edges(axes: Axes, matrix: LabelledMatrix, layout: _Layout, minimum: float) -> None:
    rows, columns = matrix.weights.shape
    cells = sorted((float(matrix.weights[j, i]), i, j) for j in range(rows) for i in range(columns))
    for weight, i, j in cells:  # heavy edges over light ones
        if weight >= minimum:
            drawn = min(weight, 1.0)
            _curve(axes, layout, (i, j), colours.shade(0.25 + 0.6 * drawn), 5.0 * drawn)


def _curve(
    axes: Axes, layout: _Layout, link: Link, colour: str, width: float, *, dashes: str = "-", order: int = 2
) -> None:
    """Draw an edge that meets both sentences at a right angle."""
    begin, end = layout.places[0][link[0]], layout.places[1][link[1]]
    across, up = layout.size
    if layout.upright:
        points = [(0.0, begin[1]), (0.45 * across, begin[1]), (0.55 * across, end[1]), (across, end[1])]
    else:
        points = [(begin[0], up), (begin[0], 0.55 * up), (end[0], 0.45 * up), (end[0], 0.0)]
    axes.add_patch(
        PathPatch(
            Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4]),
            fill=False,
            edgecolor=colour,
            linewidth=width,
            linestyle=dashes,
            capstyle="butt",
            zorder=order,
            clip_on=False,
        )
    )

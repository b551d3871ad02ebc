"""Attention over a recording, or other frames: its spectrogram, and below it what each word looks at, on one time axis.

This module needs matplotlib: import it only for drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from nmt.alignment.drawing import canvas, colours, fonts
from nmt.alignment.drawing.labels import labelled
from nmt.alignment.soft_alignment import Weights

Spans: TypeAlias = Mapping[int, Sequence[Sequence[float]]]
"""When words are heard, by their index: begin and end, as fractions of the recording."""

NARROWEST, WIDEST = 4.0, 11.0
"""Inches of the time axis; a second has ``SECOND`` of them where that lies between."""

SECOND = 2.4

_SPECTROGRAM = 1.15  # inches
_ROW = 0.23
_GAP = 0.07
_AXIS = 0.42  # inches below the rows
_QUIET, _LOUD = 5, 99.5  # percentiles of the features that are white and black


def spectrogram(
    features: NDArray[Any],
    words: Sequence[str],
    weights: Weights,
    *,
    extent: Sequence[float],
    unit: str = "seconds",
    spans: Spans | None = None,
    title: str | None = None,
    score: float | None = None,
) -> Figure:
    """Draw a spectrogram, and a row below it for each word, as dark as the word looks at a time.

    Args:
        features: (L, D) of frames; the first of D is drawn lowest.
        words: of the target.
        weights: (T, S) over positions that share the time evenly.
        extent: when the first frame begins and the last one ends.
        unit: of the extent.
        spans: outlined in the rows of their words, which are written above the spectrogram too.
        title: a line above the plot.
        score: of the target, shown beside the title.

    Returns:
        A figure that grows with time and words, for ``save_figure`` or a notebook.

    Raises:
        DataError: there are no words.
        ValueError: the weights do not fit the words.
    """
    places = [str(place) for place in range(np.shape(weights)[1])]
    matrix = labelled(places, words, weights)
    figure = Figure(facecolor="white")
    family = fonts.families([*matrix.target, title or ""])
    shown = [fonts.shown(word) for word in matrix.target]
    left = canvas.MARGIN + max(fonts.text_widths(figure, shown, size=canvas.SIZE, family=family)) + 0.1
    heading, heading_width = canvas.heading_size(figure, title, score, family)
    begin, end = extent
    across = min(max(NARROWEST, (end - begin) * SECOND if unit == "seconds" else 0.0), WIDEST)
    above = 0.2 if spans else 0.0
    rows = len(shown) * _ROW
    width = left + max(across, heading_width) + 2 * canvas.MARGIN
    height = canvas.MARGIN + heading + above + _SPECTROGRAM + _GAP + rows + _AXIS
    figure.set_size_inches(width, height)

    top = canvas.panel(figure, left, _AXIS + rows + _GAP, across, _SPECTROGRAM)
    _draw_frames(top, features, (begin, end))
    below = canvas.panel(figure, left, _AXIS, across, rows)
    _draw_rows(below, matrix.weights, (begin, end))
    for index, word in enumerate(shown):
        style: dict[str, Any] = {"ha": "right", "va": "center"}
        canvas.draw_word(below, begin - 0.07 / across * (end - begin), index + 0.5, word, family, **style)
        for span in (spans or {}).get(index, ()):
            first, last = (begin + part * (end - begin) for part in span)
            _mark(below, first, last, index)
            for edge in (first, last):
                top.axvline(edge, color=colours.GOLD, linewidth=0.5, alpha=0.45)
    if spans:
        _write_above(figure, top, shown, spans, family, width=across)
    _time_axis(below, unit)
    darkest = f"darkest: {matrix.weights.max():.2f}"
    figure.text(
        (left + across) / width, 0.06 / height, darkest, fontsize=canvas.SIZE - 2, color=colours.MUTED, ha="right"
    )
    canvas.write_heading(figure, title, score, left, family)
    return figure


def _draw_frames(axes: Axes, features: NDArray[Any], extent: tuple[float, float]) -> None:
    """Draw frames in grey, loud ones dark."""
    values = np.asarray(features, dtype=np.float64).T
    quiet, loud = np.percentile(values, (_QUIET, _LOUD))
    axes.imshow(
        values,
        origin="lower",
        aspect="auto",
        extent=(*extent, 0, 1),
        cmap=LinearSegmentedColormap.from_list("ink", ["#ffffff", "#c9ccd4", colours.INK]),
        vmin=quiet,
        vmax=max(loud, quiet + 1e-6),
        interpolation="bilinear",
    )
    _frame(axes)


def _draw_rows(axes: Axes, weights: NDArray[np.float64], extent: tuple[float, float]) -> None:
    """Draw a row for each word, the first on top; the largest weight of all is the darkest."""
    axes.imshow(
        weights,
        aspect="auto",
        extent=(*extent, len(weights), 0),
        cmap=ListedColormap(colours.shades()),
        vmin=0.0,
        vmax=max(float(weights.max()), 1e-6),
        interpolation="nearest",
    )
    for row in range(1, len(weights)):
        axes.axhline(row, color=colours.FAINT, linewidth=0.6)
    _frame(axes)


def _frame(axes: Axes) -> None:
    axes.set_axis_on()
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    for side in axes.spines.values():
        side.set_color(colours.FAINT)
        side.set_linewidth(0.8)


def _mark(axes: Axes, first: float, last: float, row: int) -> None:
    """Outline a span in the row of its word."""
    axes.add_patch(
        Rectangle((first, row + 0.06), last - first, 0.88, fill=False, edgecolor=colours.GOLD, linewidth=1.0, zorder=3)
    )


def _write_above(
    figure: Figure, axes: Axes, words: Sequence[str], spans: Spans, family: list[str], *, width: float
) -> None:
    """Write each word above the middle of its first span, if there is room."""
    sizes = fonts.text_widths(figure, words, size=canvas.SIZE - 1, family=family)
    reached = 0.0
    for index, found in sorted(spans.items(), key=lambda item: item[1][0][0]):
        middle, half = width * (found[0][0] + found[0][1]) / 2, sizes[index] / 2
        if middle - half < reached:
            continue
        reached = middle + half + 0.04
        canvas.draw_word(
            axes,
            middle / width,
            1 + 0.06 / _SPECTROGRAM,
            words[index],
            family,
            fontsize=canvas.SIZE - 1,
            color=colours.GOLD,
            ha="center",
            transform=axes.transAxes,
        )


def _time_axis(axes: Axes, unit: str) -> None:
    axes.tick_params(bottom=True, labelbottom=True, length=2.5, labelsize=canvas.SIZE - 2, color=colours.MUTED)
    axes.tick_params(axis="x", labelcolor=colours.MUTED)
    axes.set_xlabel(unit, fontsize=canvas.SIZE - 2, color=colours.MUTED, labelpad=1)

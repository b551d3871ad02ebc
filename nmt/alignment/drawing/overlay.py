"""Attention over a picture: lit where a word looks, dim elsewhere; a strip of all words, or one word in large.

This module needs matplotlib and Pillow: import it only for drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from nmt.alignment.drawing import canvas, colours, fonts
from nmt.alignment.drawing.labels import labelled
from nmt.alignment.soft_alignment import Weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Boxes: TypeAlias = Mapping[int, Sequence[Sequence[float]]]
"""What words name, by their index: left, top, right and bottom, as fractions of the picture's width and height."""

PANEL = 1.22
"""Width of a panel of the strip, in inches."""

_LONGEST = 14  # columns of a word above a panel

PANELS = 6
"""Panels in a row."""

LARGE = 4.2
"""Width of the large picture, in inches."""

_GAP = 0.1
_TITLE = 0.24  # inches above a panel
_BAR = 0.05  # inches, with as much above it
_FINENESS = 320  # pixels of a panel's longer side, at least

_DIM = np.array([0.5, 0.35, 0.35])  # shares of lightness and of colour that are left where nothing looks


def strip(
    pixels: NDArray[np.uint8],
    words: Sequence[str],
    weights: Weights,
    shape: tuple[int, int],
    *,
    boxes: Boxes | None = None,
    title: str | None = None,
    score: float | None = None,
    cells: bool = False,
) -> Figure:
    """Draw a picture, and beside it once for each word what the word looks at (as in Xu et al., 2015, figure 2).

    A part of a panel is as bright and as colourful as its weight in relation to the largest of the word. Where a
    sentinel keeps some of the attention, the panel is darker, and a bar below tells how much looks at the picture.

    Args:
        pixels: (H, W, 3) of the picture.
        words: of the target.
        weights: (T, S) over the cells of a grid, row by row.
        shape: (height, width) of the grid.
        boxes: outlined in the panels of their words.
        title: a line above the panels.
        score: of the target, shown beside the title.
        cells: show the weights as they are, with borders between cells, and not smoothed.

    Returns:
        A figure of rows of panels, for ``save_figure`` or a notebook.

    Raises:
        DataError: there are no words.
        ValueError: the weights do not fit words and grid.
    """
    drawn = _Overlay(pixels, words, weights, shape, cells=cells, limit=_LONGEST)
    across, count = PANEL, len(drawn.words) + 1
    up = across * pixels.shape[0] / pixels.shape[1]
    columns = min(count, PANELS)
    rows = -(-count // columns)
    figure = Figure(facecolor="white")
    family = fonts.families([*drawn.words, title or ""])
    heading, heading_width = canvas.heading_size(figure, title, score, family)
    below = 2 * _BAR if drawn.keeps else 0.0
    line = _TITLE + up + below + _GAP
    width = max(columns * (across + _GAP) - _GAP, heading_width) + 2 * canvas.MARGIN
    height = heading + rows * line - _GAP + 2 * canvas.MARGIN
    figure.set_size_inches(width, height)
    for place in range(count):
        row, column = divmod(place, columns)
        left = canvas.MARGIN + column * (across + _GAP)
        bottom = height - canvas.MARGIN - heading - row * line - _TITLE - up
        axes = canvas.panel(figure, left, bottom, across, up)
        if place == 0:
            drawn.plain(axes)
            continue
        drawn.lit(axes, place - 1, (boxes or {}).get(place - 1, ()))
        word = fonts.shown(drawn.words[place - 1])
        canvas.draw_word(
            axes, 0.5, 1 + 0.06 / up, word, family, fontsize=canvas.SIZE + 1, ha="center", transform=axes.transAxes
        )
        if drawn.keeps:
            _bar(figure, left, bottom - 2 * _BAR, across, drawn.total(place - 1))
    canvas.write_heading(figure, title, score, canvas.MARGIN, family)
    return figure


def large(
    pixels: NDArray[np.uint8],
    words: Sequence[str],
    weights: Weights,
    shape: tuple[int, int],
    *,
    word: int | None = None,
    boxes: Boxes | None = None,
    cells: bool = False,
) -> Figure:
    """Draw what one word looks at in large, below its sentence; returns and raises as ``strip``.

    Args:
        pixels: as for ``strip``, as are all that follow but ``word``.
        words: of the target.
        weights: (T, S).
        shape: of the grid.
        word: index of the word; by default of the one with the largest weight.
        boxes: of words.
        cells: show weights as they are.
    """
    drawn = _Overlay(pixels, words, weights, shape, cells=cells)
    chosen = int(drawn.weights.max(axis=1).argmax()) if word is None else word
    up = LARGE * pixels.shape[0] / pixels.shape[1]
    figure = Figure(facecolor="white")
    family = fonts.families(drawn.words)
    lines = _sentence(figure, [fonts.shown(each) for each in drawn.words], chosen, family)
    above = 0.2 * len(lines) + 0.1
    below = 2 * _BAR if drawn.keeps else 0.0
    figure.set_size_inches(LARGE + 2 * canvas.MARGIN, up + above + below + 2 * canvas.MARGIN)
    axes = canvas.panel(figure, canvas.MARGIN, canvas.MARGIN + below, LARGE, up)
    drawn.lit(axes, chosen, (boxes or {}).get(chosen, ()))
    for number, line in enumerate(lines):
        for index, text, x in line:
            style: dict[str, Any] = {"weight": "bold"} if index == chosen else {"color": colours.MUTED}
            y = 1 + (0.12 + 0.2 * (len(lines) - 1 - number)) / up
            canvas.draw_word(
                axes, x / LARGE, y, text, family, fontsize=canvas.SIZE + 1, transform=axes.transAxes, **style
            )
    if drawn.keeps:
        _bar(figure, canvas.MARGIN, canvas.MARGIN, LARGE, drawn.total(chosen))
    return figure


def lit(pixels: NDArray[np.uint8], weights: NDArray[np.float64], *, cells: bool = False) -> NDArray[np.uint8]:
    """Return a picture (H', W', 3), at least as fine as it is, that is lit by shares (height, width) in [0, 1].

    Equal steps of the share are equal steps of lightness and colour, in OKLab.
    """
    height, width = pixels.shape[:2]
    factor = max(1.0, _FINENESS / max(height, width))
    size = round(width * factor), round(height * factor)
    picture = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC), dtype=np.float64) / 255
    filter_ = Image.Resampling.NEAREST if cells else Image.Resampling.BICUBIC
    light = np.asarray(Image.fromarray(weights.astype(np.float32)).resize(size, filter_), dtype=np.float64)
    shares = _DIM + (1 - _DIM) * light.clip(0.0, 1.0)[..., None]
    return np.asarray(np.rint(colours.to_rgb(colours.to_oklab(picture) * shares) * 255), dtype=np.uint8)


class _Overlay:
    """A picture with the weights of words over its grid."""

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        words: Sequence[str],
        weights: Weights,
        shape: tuple[int, int],
        *,
        cells: bool,
        limit: int = 32,
    ) -> None:
        places = [str(place) for place in range(shape[0] * shape[1])]
        matrix = labelled(places, words, np.asarray(weights)[:, : len(places)], limit=limit)
        self.words, self.weights = matrix.target, matrix.weights
        self._pixels, self._shape, self._cells = pixels, shape, cells
        self.keeps = bool((self.weights.sum(axis=1) < 0.995).any())
        """Whether some attention does not look at the picture."""

    def total(self, word: int) -> float:
        """How much of a word's attention looks at the picture."""
        return min(float(self.weights[word].sum()), 1.0)

    def plain(self, axes: Axes) -> None:
        """Draw the picture as it is."""
        self._show(axes, lit(self._pixels, np.ones(self._shape)))

    def lit(self, axes: Axes, word: int, boxes: Sequence[Sequence[float]]) -> None:
        """Draw what a word looks at."""
        row = self.weights[word].reshape(self._shape)
        peak = float(row.max())
        light = row / peak * self.total(word) if peak > 0 else row
        self._show(axes, lit(self._pixels, light, cells=self._cells))
        if self._cells:
            for axis, count in ((axes.axhline, self._shape[0]), (axes.axvline, self._shape[1])):
                for place in range(1, count):
                    axis(place / count, color="white", linewidth=0.3, alpha=0.5)
        for left, top, right, bottom in boxes:
            axes.add_patch(
                Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colours.GOLD, linewidth=1.1)
            )

    def _show(self, axes: Axes, picture: NDArray[np.uint8]) -> None:
        axes.imshow(picture, extent=(0, 1, 1, 0), aspect="auto", interpolation="lanczos")


def _bar(figure: Figure, left: float, bottom: float, width: float, share: float) -> None:
    """Draw a bar whose filled part is a share."""
    across, up = figure.get_size_inches()
    for part, colour in ((1.0, colours.FAINT), (share, colours.shade(0.75))):
        figure.add_artist(
            Rectangle((left / across, bottom / up), part * width / across, _BAR / up, color=colour, linewidth=0)
        )


def _sentence(figure: Figure, words: Sequence[str], bold: int, family: list[str]) -> list[list[tuple[int, str, float]]]:
    """Break a sentence into lines as wide as the large picture; each word with its index and place in inches."""
    widths = fonts.text_widths(figure, words, size=canvas.SIZE + 1, family=family)
    widths[bold] *= 1.15
    lines: list[list[tuple[int, str, float]]] = [[]]
    x = 0.0
    for index, (word, width) in enumerate(zip(words, widths, strict=True)):
        if lines[-1] and x + width > LARGE:
            lines.append([])
            x = 0.0
        lines[-1].append((index, word, x))
        x += width + 0.07
    return lines

"""Drawing functions of both plots of attention: axes in inches, words, headings, the legend of gold links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nmt.alignment.drawing import colours, fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 9.0
"""Font size of words, in points."""

MARGIN = 0.12
"""Margin around a plot, in inches."""

KEY_WIDTH = 1.35
"""Height of the legend of gold links, in inches."""

Dashes: TypeAlias = Literal["-", "--", ":"] | tuple[float, tuple[float, ...]]

SHORT_DASHES: Dashes = (0, (2, 1.6))


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add bare axes at a position in inches."""
    across, up = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / up, width / across, height / up))
    axes.set_axis_off()
    return axes


def draw_word(axes: Axes, x: float, y: float, word: str, family: list[str], **style: Any) -> None:
    """Draw a word as plain text; a dollar sign does not start mathematics."""
    style = {"fontsize": SIZE, "color": colours.INK, **style}
    axes.text(x, y, word, fontfamily=family, parse_math=False, **style)


def gold_key(figure: Figure, left: float, bottom: float, *, outlined: bool = True) -> None:
    """Draw the legend of gold links, in one small line."""
    across, up = figure.get_size_inches()
    marks: tuple[Dashes, Dashes] = ("-", SHORT_DASHES) if outlined else ("--", ":")
    for index, (label, dashes) in enumerate(zip(("sure", "possible"), marks, strict=True)):
        x = left + 0.62 * index
        ends = [x / across, (x + 0.18) / across]
        level = (bottom + 0.05) / up
        figure.add_artist(Line2D(ends, [level, level], color=colours.GOLD, linewidth=1.2, linestyle=dashes))
        figure.text((x + 0.23) / across, bottom / up, label, fontsize=SIZE - 2, color=colours.MUTED)


def heading_size(figure: Figure, title: str | None, score: float | None, family: list[str]) -> tuple[float, float]:
    """Return the height and width of title and score, in inches."""
    if title is None and score is None:
        return 0.0, 0.0
    line = " ".join(filter(None, [title, _score(score)]))
    return 2 * (SIZE + 2) / 72, fonts.text_widths(figure, [line], size=SIZE + 2, family=family)[0] + 0.1


def write_heading(figure: Figure, title: str | None, score: float | None, left: float, family: list[str]) -> None:
    """Draw title and score at the top of the figure, starting ``left`` inches from its edge."""
    across, up = figure.get_size_inches()
    level = 1 - (MARGIN + (SIZE + 2) / 72) / up
    if title is not None:
        figure.text(
            left / across, level, title, fontsize=SIZE + 2, fontfamily=family, color=colours.INK, parse_math=False
        )
        left += fonts.text_widths(figure, [title], size=SIZE + 2, family=family)[0] + 0.14
    if score is not None:
        figure.text(left / across, level, _score(score), fontsize=SIZE, color=colours.MUTED)


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.2f}".replace("-", "−")

"""Learning curves from the records of ``metrics.jsonl``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from nmt.core.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREEN, _GREY = "#0072b2", "#d55e00", "#009e73", "#6b7280"  # of Okabe and Ito (2008)
_INK, _FAINT = "#1f2430", "#e5e7eb"
_SIZE = 9

_Curve = tuple[list[float], list[float]]


def learning_curves(records: Sequence[Mapping[str, Any]], *, title: str | None = None) -> Figure:
    """Draw loss, translation scores and learning rate over the updates, one panel below the other.

    Args:
        records: lines of ``metrics.jsonl`` with ``kind``, ``step`` and any of: for ``train`` ``nll`` or else ``loss``
            (nats per token) and ``learning_rate``; for ``validation`` ``perplexity``, ``bleu``, ``chrf``. Values that
            are missing, null or not finite are left out, and so are other keys and kinds.
        title: a line above the panels.

    Returns:
        A figure with at most three panels; a panel without data is left out.

    Raises:
        DataError: there is nothing to draw.
    """
    from matplotlib.figure import Figure

    # The negative log-likelihood compares with validation; a loss with label smoothing lies above it.
    nll = _curve(records, "train", "nll")
    loss, rate = nll if nll[0] else _curve(records, "train", "loss"), _curve(records, "train", "learning_rate")
    perplexity = _curve(records, "validation", "perplexity")
    entropy = perplexity[0], [math.log(value) if value > 0 else math.nan for value in perplexity[1]]
    scores = _curve(records, "validation", "bleu"), _curve(records, "validation", "chrf")
    panels: list[tuple[str, list[tuple[str, str, _Curve]], bool, float]] = [
        ("nats per token", [("training", _BLUE, loss), ("validation", _ORANGE, entropy)], False, 2.0),
        ("score", [("BLEU", _ORANGE, scores[0]), ("chrF", _GREEN, scores[1])], True, 2.0),
        ("learning rate", [("", _GREY, rate)], False, 0.8),
    ]
    panels = [(label, [c for c in curves if c[2][0]], best, height) for label, curves, best, height in panels]
    panels = [panel for panel in panels if panel[1]]
    if not panels:
        raise DataError("there are no learning curves to draw: no record has a loss, a score or a learning rate")
    figure = Figure(figsize=(6.4, 0.9 + 1.1 * sum(panel[3] for panel in panels)), layout="constrained")
    all_axes = figure.subplots(
        len(panels), 1, sharex=True, squeeze=False, height_ratios=[panel[3] for panel in panels]
    )[:, 0]
    for axes, (label, curves, best, _) in zip(all_axes, panels, strict=True):
        _draw(axes, label, curves, mark_best=best)
    all_axes[-1].set_xlabel("updates", fontsize=_SIZE, color=_INK)
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    figure.align_ylabels()
    if title is not None:
        figure.suptitle(title, fontsize=_SIZE + 2, color=_INK, parse_math=False)
    return figure


def _curve(records: Sequence[Mapping[str, Any]], kind: str, key: str) -> _Curve:
    """Return the steps and values of one quantity."""
    points = [(record.get("step"), record.get(key)) for record in records if record.get("kind") == kind]
    kept = [(step, value) for step, value in points if _finite(step) and _finite(value)]
    return [step for step, _ in kept], [value for _, value in kept]


def _finite(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def _draw(axes: Axes, label: str, curves: list[tuple[str, str, _Curve]], *, mark_best: bool) -> None:
    axes.set_ylabel(label, fontsize=_SIZE, color=_INK)
    axes.tick_params(length=0, labelsize=_SIZE - 1, labelcolor=_GREY)
    axes.grid(axis="y", color=_FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    axes.margins(x=0.01)
    # The lower one of two curves has its number below, so that the numbers of close curves do not overlap.
    lowest = min((max(values) for _, _, (_, values) in curves), default=0.0)
    for name, colour, (steps, values) in curves:
        few = len(steps) <= 40
        axes.plot(steps, values, color=colour, linewidth=1.5, marker="o" if few else "", markersize=2.5, label=name)
        if mark_best:
            best = max(range(len(values)), key=values.__getitem__)
            axes.plot(steps[best], values[best], "o", markersize=6, markerfacecolor="none", markeredgecolor=colour)
            axes.annotate(
                f"{values[best]:.1f}",
                (steps[best], values[best]),
                textcoords="offset points",
                xytext=(0, -15 if len(curves) > 1 and values[best] == lowest else 7),
                ha="center",
                fontsize=_SIZE - 1,
                color=colour,
            )
    if mark_best:
        axes.margins(x=0.01, y=0.18)
    if any(name for name, _, _ in curves):
        axes.legend(frameon=False, fontsize=_SIZE - 1, labelcolor="linecolor", handlelength=1.2, ncols=2, loc="best")

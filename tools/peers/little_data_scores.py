"""What toolkits learnt from little data, as a table and as a curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from tools.peers.little_data import RECURRENT, TRANSFORMER

OWN = "nmt"
TITLES = {OWN: "nmt", TRANSFORMER: "JoeyNMT, Transformer", RECURRENT: "JoeyNMT, RNN"}
_COLOURS = {OWN: "#0072b2", TRANSFORMER: "#d55e00", RECURRENT: "#009e73"}  # of Okabe and Ito (2008)
_METRICS = {"bleu": "BLEU", "chrf": "chrF2"}
_INK, _GREY, _FAINT, _SIZE = "#1f2430", "#6b7280", "#e5e7eb", 9


def table(results: Mapping[str, Any], set_: str) -> str:
    """A Markdown table with a row for each number of pairs, and BLEU and chrF of each system."""
    rows = _rows(results, set_)
    systems = [system for system in TITLES if any(system in row for row in rows.values())]
    heads = [f"{TITLES[system]}: {metric}" for system in systems for metric in _METRICS.values()]
    lines = ["| pairs | minutes | " + " | ".join(heads) + " |", "|---|---|" + "---|" * len(heads)]
    for (pairs, minutes), row in rows.items():
        cells = [f"{row[system][metric]:.2f}" if system in row else "" for system in systems for metric in _METRICS]
        lines.append(f"| {pairs:,} | {minutes:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _rows(results: Mapping[str, Any], set_: str) -> dict[tuple[int, float], dict[str, Any]]:
    """The scores of a set by pairs and minutes, in rising order, and by system."""
    rows: dict[tuple[int, float], dict[str, Any]] = {}
    for result in sorted(results.values(), key=lambda result: result["pairs"]):
        if set_ in result["scores"]:
            rows.setdefault((result["pairs"], result["minutes"]), {})[result["system"]] = result["scores"][set_]
    return rows


def curve(results: Mapping[str, Any], set_: str) -> Figure:
    """BLEU over the number of pairs, with a line for each system."""
    rows = _rows(results, set_)
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for system, title in TITLES.items():
        points = [(pairs, row[system]["bleu"]) for (pairs, _), row in rows.items() if system in row]
        if points:
            colour = _COLOURS[system]
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.5, marker="o", markersize=3.5, label=title)
    sizes = [pairs for pairs, _ in rows]
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{pairs:,}" for pairs in sizes], minor=False)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("pairs", fontsize=_SIZE, color=_INK)
    axes.set_ylabel(f"BLEU, {set_}", fontsize=_SIZE, color=_INK)
    axes.tick_params(length=0, labelsize=_SIZE - 1, labelcolor=_GREY)
    axes.grid(axis="y", color=_FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    axes.legend(frameon=False, fontsize=_SIZE - 1, labelcolor="linecolor")  # names beside close lines would overlap
    return figure

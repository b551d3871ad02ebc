"""Pictures of a corpus as SVG elements; colours are classes of the page, and hovering tells the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy

from nmt.data.checks.portrait import Counts

_WIDTH, _HEIGHT = 460, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 12, 26
_ACROSS, _DOWN = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
SIDES = ("source", "target")


def histogram(counts: Counts, names: Sequence[str], ticks: Sequence[tuple[float, str]], *, of: str) -> str:
    """Draw one or two rows of counts (sides, bins) as bars, side by side.

    Args:
        counts: of one row or of source and target.
        names: of the bins, for hovering.
        ticks: places on the axis, in bins, with labels.
        of: what is counted, for hovering.
    """
    rows, bins = counts.shape
    step, highest = _ACROSS / bins, max(1, int(counts.max(initial=0)))
    thick = step * 0.84 / rows
    parts = [_opening(_WIDTH, _HEIGHT, f"histogram of {of}")]
    parts += [
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        for y in (_TOP + _DOWN * part for part in (0, 0.25, 0.5, 0.75, 1))
    ]
    for row in range(rows):
        for place, count in enumerate(counts[row].tolist()):
            if count:
                height = max(1.0, _DOWN * count / highest)
                x = _LEFT + place * step + step * 0.08 + row * thick
                side = f"{SIDES[row]}, " if rows > 1 else ""
                parts.append(
                    f'<rect class="bar side-{row}" x="{x:.2f}" y="{_TOP + _DOWN - height:.2f}" width="{thick:.2f}" '
                    f'height="{height:.2f}" rx="{min(1.5, thick / 3):.2f}">'
                    f"<title>{escape(f'{side}{names[place]}: {count:,} {of}')}</title></rect>"
                )
    for at, label in ticks:
        x = _LEFT + at * step
        anchor = "start" if x < 20 else "end" if x > _WIDTH - 30 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{escape(label)}</text>')
    return "".join([*parts, "</svg>"])


def heatmap(counts: Counts, cell: int, unit: str) -> str:
    """Draw pairs by the lengths of both sides: the source to the right, the target upwards; darker is more."""
    rows, columns = counts.shape
    margin, size = 30, 250
    step = size / max(rows, columns)
    most = float(numpy.log1p(counts.max(initial=1)))
    parts = [_opening(size + margin + 10, size + margin + 10, f"pairs by the {unit} of both sides")]
    parts.append(f'<rect class="frame" x="{margin}" y="6" width="{size}" height="{size}" rx="4"/>')
    for row in range(rows):
        for column in range(columns):
            count = int(counts[row, column])
            if count:
                shade = 0.12 + 0.88 * float(numpy.log1p(count)) / most
                x, y = margin + column * step, 6 + size - (row + 1) * step
                told = (
                    f"source {_range(column, cell, columns)}, target {_range(row, cell, rows)} {unit}: {count:,} pairs"
                )
                parts.append(
                    f'<rect class="cell" x="{x:.2f}" y="{y:.2f}" width="{step:.2f}" height="{step:.2f}" '
                    f'fill-opacity="{shade:.3f}"><title>{escape(told)}</title></rect>'
                )
    longest = columns * cell
    parts.append(f'<text x="{margin}" y="{size + 24}">1</text>')
    parts.append(f'<text x="{margin + size}" y="{size + 24}" text-anchor="end">{longest}</text>')
    parts.append(f'<text x="{margin + size / 2}" y="{size + 24}" text-anchor="middle">source {unit}</text>')
    middle = 6 + size / 2
    parts.append(
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">target {unit}</text>'
    )
    return "".join([*parts, "</svg>"])


def _range(place: int, cell: int, count: int) -> str:
    first, last = place * cell + 1, (place + 1) * cell
    if place + 1 == count:
        return f"{first} or more"
    return f"{first}" if first == last else f"{first}–{last}"


def _opening(width: int, height: int, label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {width} {height}" width="{width}">'
    )

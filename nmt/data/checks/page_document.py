"""``nmt-check --html``: the corpora as one page to look at before training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy

from nmt.alignment.drawing import pages
from nmt.alignment.drawing.labels import clean
from nmt.core.logging import waiting
from nmt.data.checks.findings import SEVERITIES, CorpusSummary, Finding, SideSummary
from nmt.data.checks.page_pictures import SIDES, heatmap, histogram
from nmt.data.checks.portrait import MOST_PIECES, Counts, Portrait
from nmt.data.checks.report import Report

_ROOM = "nmt.data.checks"
_MOST_LETTERS = 300  # shown of a line


def write_page(path: Path, report: Report, *, title: str) -> None:
    """Write a report with its portraits as one HTML file, which needs no network and fetches nothing.

    Raises:
        NmtError: it cannot be written.
    """
    code = pages.script(_ROOM, (), pictures=("elements.js", "theme.js"))
    page = pages.page(_ROOM, code, title=title, subtitle=_verdict(report.findings))
    before, _, after = page.partition("<!-- corpora -->")
    with pages.page_file(path) as stream, waiting(f"writing {path}"):
        for part in (before, *_corpora(report), after):
            stream.write(part.encode("utf-8"))


def _verdict(findings: Sequence[Finding]) -> str:
    counts = [(sum(each.severity == name for each in findings), name) for name in reversed(SEVERITIES)]
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts if count) or "sound"


def _corpora(report: Report) -> Iterator[str]:
    names = {f"{portrait.summary.part}: {portrait.summary.corpus}" for portrait in report.portraits}
    elsewhere = [each for each in report.sorted() if each.corpus not in names]
    if elsewhere:
        yield f"<section>{_findings(elsewhere, named=True)}</section>\n"
    for portrait in report.portraits:
        summary = portrait.summary
        name = f"{summary.part}: {summary.corpus}"
        own = [each for each in report.sorted() if each.corpus == name]
        yield f'<section><h2>{_text(summary.corpus)}</h2><p class="part">{escape(summary.part)}</p>\n'
        yield _numbers(summary)
        yield f'<div class="pictures">{"".join(_pictures(portrait))}</div>\n'
        yield f"{_findings(own)}</section>\n"
    yield f'<p class="note">{escape(report.about_pieces)}</p>\n' if report.about_pieces else ""


def _numbers(summary: CorpusSummary) -> str:
    """The sizes of a corpus as a table."""

    def cells(side: SideSummary) -> list[str]:
        return [
            f"{side.words:,}",
            f"{side.mean:g}",
            f"{side.median:g}",
            f"{side.percentile_99:g}",
            f"{side.longest:,} <small>line {side.longest_line:,}</small>",
            f"{side.characters:,}",
            f"{side.distinct:,}",
        ]

    heads = ("words", "per line", "median", "99 %", "longest", "characters", "distinct")
    rows = "".join(
        f'<tr><th scope="row"><i class="swatch side-{place}"></i>{name}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells(side))
        + "</tr>"
        for place, (name, side) in enumerate(zip(SIDES, (summary.source, summary.target), strict=True))
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    pairs = f"{summary.pairs:,} pairs"
    return f'<table class="numbers"><thead><tr><th>{pairs}</th>{head}</tr></thead><tbody>{rows}</tbody></table>\n'


def _pictures(portrait: Portrait) -> Iterator[str]:
    lengths, width, unit = portrait.lengths, portrait.width, portrait.unit
    bins = lengths.shape[1]
    names = [_span(place * width + 1, (place + 1) * width, unit) for place in range(bins)]
    names[-1] = f"{(bins - 1) * width + 1} {unit} or more"
    every = max(1, bins // 5)
    ticks = [(place + 0.5, str(place * width + 1)) for place in range(0, bins, every)]
    yield _figure("Lengths", f"lines by their {unit}", histogram(lengths, names, ticks, of="lines"))
    yield _figure("Lengths of both sides", "good pairs lie along a line", heatmap(portrait.joint, portrait.cell, unit))
    yield _ratios(portrait)
    if portrait.pieces is not None:
        yield _pieces(portrait.pieces)
    yield _repetitions(portrait)


def _ratios(portrait: Portrait) -> str:
    bins = len(portrait.ratios)
    edges = numpy.exp2(numpy.linspace(-2, 2, bins + 1)) * portrait.usual
    about = "target characters per source character"
    names = [f"{low:.2f} to {high:.2f} {about}" for low, high in pairwise(edges)]
    names[0], names[-1] = f"less than {edges[1]:.2f} {about}", f"{edges[-2]:.2f} or more {about}"
    ticks = [(bins * place / 4, f"{portrait.usual * 2.0 ** (place - 2):.2g}") for place in range(5)]
    picture = histogram(portrait.ratios[None], names, ticks, of="pairs")
    return _figure("Ratio of lengths", f"{about}, usually {portrait.usual:.2f}", picture)


def _pieces(pieces: Counts) -> str:
    names = [f"{count} piece{'s' * (count > 1)}" for count in range(1, MOST_PIECES)] + [f"{MOST_PIECES} pieces or more"]
    ticks = [(place + 0.5, str(place + 1) + "+" * (place + 1 == MOST_PIECES)) for place in range(MOST_PIECES)]
    totals = pieces.sum(1)
    means = (pieces * numpy.arange(1, MOST_PIECES + 1)).sum(1) / numpy.maximum(totals, 1)
    about = f"words by their pieces; on average {means[0]:.2f} in the source, {means[1]:.2f} in the target"
    if pieces[:, -1].any():
        about = about.replace("on average", f"on average, where {MOST_PIECES} stands for more,")
    return _figure("Pieces of a word", about, histogram(pieces, names, ticks, of="words"))


def _repetitions(portrait: Portrait) -> str:
    total = max(1, portrait.summary.pairs)
    rows = []
    for name, count in portrait.repeated.items():
        share = count / total
        # The root of the share, so that a few can be seen beside many.
        width = 100 * math.sqrt(share)
        bar = (
            '<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect width="{width:.2f}" height="8" rx="1.5"/></svg>'
        )
        cells = f'<td class="wide">{bar}</td><td>{count:,}</td><td>{share:.1%}</td>'
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    table = f'<table class="repeated"><tbody>{"".join(rows)}</tbody></table>'
    return _figure("Repetitions", "pairs by how often the same pair occurs; bars by the root of the share", table)


def _findings(findings: Sequence[Finding], *, named: bool = False) -> str:
    if not findings:
        return '<p class="sound">Nothing was found in it.</p>'
    parts = []
    for each in findings:
        where = f"{_text(each.corpus)}: " if named else ""
        rows = "".join(
            f'<tr><td>{example.line:,}</td><td dir="auto">{_line(example.source)}</td>'
            f'<td dir="auto">{_line(example.target)}</td></tr>'
            for example in each.examples
        )
        shown = (
            f'<table class="examples"><thead><tr><th>line</th><th>source</th><th>target</th></tr></thead>'
            f"<tbody>{rows}</tbody></table>"
            if rows
            else ""
        )
        parts.append(
            f'<details class="finding {each.severity}"{" open" if each.severity != "note" else ""}>'
            f'<summary><b class="severity">{each.severity}</b> {where}{_text(each.message)}</summary>'
            f"<p>{_text(each.advice)}</p>{shown}</details>"
        )
    return "".join(parts)


def _figure(title: str, about: str, picture: str) -> str:
    return f"<figure><figcaption><h3>{title}</h3><p>{escape(about)}</p></figcaption>{picture}</figure>"


def _span(first: int, last: int, unit: str) -> str:
    return f"{first} {unit}" if first == last else f"{first}–{last} {unit}"


def _line(text: str) -> str:
    cut = text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]} …"
    return " ".join(map(_text, cut.split())) or '<span class="blank">blank</span>'


def _text(text: str) -> str:
    """Text as text: control characters made visible, markup escaped."""
    return escape(" ".join(clean(word) for word in text.split(" ")))

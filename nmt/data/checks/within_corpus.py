"""Checks of one corpus: empty lines, lengths, misaligned sides, duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy

from nmt.data.checks.findings import Finding, share
from nmt.data.checks.marks import FEW, MANY, MARKS
from nmt.data.checks.sketch import TRAINING, Sketch
from nmt.data.pipeline import DataConfig

# Shares of pairs above which a finding is a warning instead of a note, or an error.
MANY_DUPLICATES = 0.1
MANY_UNLIKE = 0.5

_BLOCK = 1000  # lines per block of the comparison of lengths
_UNUSUAL = 3.0  # factor above or below the usual ratio of lengths
_SLACK = 10  # characters added to both sides, since ratios of short lines vary more


def _empty(sketch: Sketch, data: DataConfig) -> Iterator[Finding]:
    del data
    rows = numpy.flatnonzero(~sketch.filled)
    if len(rows):
        every = len(rows) == len(sketch)
        yield sketch.finding(
            "empty",
            "error" if every else "warning",
            rows,
            f"a side is blank in {share(len(rows), len(sketch))}",
            "training leaves them out; but they often stand where the sides have shifted: look at the lines around them"
            if sketch.part == TRAINING
            else "they are scored like any other: take them out",
        )


def _marks(sketch: Sketch, data: DataConfig) -> Iterator[Finding]:
    del data
    for kind, (much, message, advice) in MARKS.items():
        if rows := sketch.marked[kind]:
            severity = sketch.severity(len(rows), much)
            yield sketch.finding(kind, severity, rows, message.format(share(len(rows), len(sketch))), advice)


def _lengths(sketch: Sketch, data: DataConfig) -> Iterator[Finding]:
    longest = data.filters.max_length
    if longest is None or sketch.part != TRAINING:
        return
    rows = numpy.flatnonzero((sketch.words > longest).any(axis=1))
    if len(rows):
        yield sketch.finding(
            "long",
            sketch.severity(len(rows), MANY),
            rows,
            f"a side has more than {longest} words in {share(len(rows), len(sketch))}",
            "data.filters.max_length leaves these out (and those with as many pieces): cut them into sentences",
        )


def _ratios(sketch: Sketch, data: DataConfig) -> Iterator[Finding]:
    del data
    filled = sketch.filled
    logs = numpy.log(sketch.characters.astype(numpy.float64) + _SLACK)
    ratios = logs[:, 1] - logs[:, 0]
    usual = float(numpy.median(ratios[filled])) if filled.any() else 0.0
    rows = numpy.flatnonzero(filled & (numpy.abs(ratios - usual) > numpy.log(_UNUSUAL)))
    if len(rows):
        rows = rows[numpy.argsort(-numpy.abs(ratios[rows] - usual), kind="stable")]
        yield sketch.finding(
            "ratio",
            sketch.severity(len(rows), FEW),
            rows,
            f"one side is more than {_UNUSUAL:g} times longer or shorter than is usual here in "
            f"{share(len(rows), len(sketch))}",
            f"such pairs are seldom translations: take them out, or lower data.filters.max_ratio (usual are "
            f"{numpy.exp(usual):.2f} target characters for one of the source)",
        )


def _together(sketch: Sketch, data: DataConfig) -> Iterator[Finding]:
    """Check by lengths, in blocks of a thousand lines, whether line k of one side translates line k of the other."""
    del data
    filled = sketch.filled
    logs = numpy.log(sketch.characters.astype(numpy.float64) + _SLACK)
    unlike, blocks = [], 0
    for begin in range(0, len(sketch) - 99, _BLOCK):
        block = logs[begin : begin + _BLOCK][filled[begin : begin + _BLOCK]]
        if len(block) < 100 or block.std(axis=0).min() < 0.1:
            continue
        blocks += 1
        if numpy.corrcoef(block.T)[0, 1] < 0.2:
            unlike.append(begin)
    if unlike:
        yield sketch.finding(
            "unlike",
            "error" if len(unlike) >= MANY_UNLIKE * blocks else "warning",
            unlike,
            f"long lines do not stand beside long lines in {len(unlike):,} of {blocks:,} stretches of {_BLOCK:,} lines",
            "the sides have probably shifted against each other there: line k must be the translation of line k",
        )


def _duplicates(sketch: Sketch, data: DataConfig) -> Iterator[Finding]:
    del data
    _, firsts = numpy.unique(sketch.pair_keys, return_index=True)
    count = len(sketch) - len(firsts)
    if count:
        again = numpy.ones(len(sketch), dtype=bool)
        again[firsts] = False
        yield sketch.finding(
            "duplicates",
            sketch.severity(count, MANY_DUPLICATES),
            numpy.flatnonzero(again),
            f"{share(count, len(sketch))} stand there before",
            "what stands there often is learnt by heart: keep each pair once"
            if sketch.part == TRAINING
            else "what stands there often weighs more in the score: keep each pair once",
        )


def _ambiguous(sketch: Sketch, data: DataConfig) -> Iterator[Finding]:
    del data
    if sketch.part != TRAINING:
        return
    filled = numpy.flatnonzero(sketch.filled)
    _, firsts = numpy.unique(sketch.pair_keys[filled], return_index=True)
    rows = numpy.sort(filled[firsts])  # so that the first line of each source is named
    sources, places, counts = numpy.unique(sketch.keys[rows, 0], return_index=True, return_counts=True)
    several = counts > 1
    if several.any():
        order = numpy.lexsort((places[several], -counts[several]))
        yield sketch.finding(
            "ambiguous",
            "note",
            rows[places[several][order]],
            f"{int(several.sum()):,} of {len(sources):,} sources have several translations, "
            f"up to {int(counts.max()):,}",
            "that is natural for short lines; a source with very many is often a wrong alignment",
        )


CHECKS: tuple[Callable[[Sketch, DataConfig], Iterator[Finding]], ...] = (
    _empty,
    _marks,
    _lengths,
    _ratios,
    _together,
    _duplicates,
    _ambiguous,
)
"""In the order in which their findings are reported."""

"""Checks of one corpus: empty lines, lengths, misaligned sides, duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy

from nmt.data.checks.corpus_statistics import TRAINING, CorpusStatistics
from nmt.data.checks.findings import Finding, share
from nmt.data.checks.line_patterns import FEW, MANY, MARKS
from nmt.data.data_config import DataConfig

# Shares of pairs above which a finding is a warning instead of a note, or an error.
MANY_DUPLICATES = 0.1
MANY_UNLIKE = 0.5

_BLOCK = 1000  # lines per block of the comparison of lengths
_UNUSUAL = 3.0  # factor above or below the usual ratio of lengths
_SLACK = 10  # characters added to both sides, since ratios of short lines vary more


def _empty(statistics: CorpusStatistics, data: DataConfig) -> Iterator[Finding]:
    del data
    rows = numpy.flatnonzero(~statistics.filled)
    if len(rows):
        every = len(rows) == len(statistics)
        yield statistics.finding(
            "empty",
            "error" if every else "warning",
            rows,
            f"a side is blank in {share(len(rows), len(statistics))}",
            (
                "training skips them, but they often mark a place where the sides are "
                "misaligned: look at the lines around them"
            )
            if statistics.part == TRAINING
            else "they are scored like any other: remove them",
        )


def _marks(statistics: CorpusStatistics, data: DataConfig) -> Iterator[Finding]:
    del data
    for kind, (much, message, advice) in MARKS.items():
        if rows := statistics.marked[kind]:
            severity = statistics.severity(len(rows), much)
            yield statistics.finding(kind, severity, rows, message.format(share(len(rows), len(statistics))), advice)


def _lengths(statistics: CorpusStatistics, data: DataConfig) -> Iterator[Finding]:
    longest = data.filters.max_length
    if longest is None or statistics.part != TRAINING:
        return
    rows = numpy.flatnonzero((statistics.words > longest).any(axis=1))
    if len(rows):
        yield statistics.finding(
            "long",
            statistics.severity(len(rows), MANY),
            rows,
            f"a side has more than {longest} words in {share(len(rows), len(statistics))}",
            "data.filters.max_length drops these (and those with as many pieces): split them into sentences",
        )


def _ratios(statistics: CorpusStatistics, data: DataConfig) -> Iterator[Finding]:
    del data
    filled = statistics.filled
    logs = numpy.log(statistics.characters.astype(numpy.float64) + _SLACK)
    ratios = logs[:, 1] - logs[:, 0]
    usual = float(numpy.median(ratios[filled])) if filled.any() else 0.0
    rows = numpy.flatnonzero(filled & (numpy.abs(ratios - usual) > numpy.log(_UNUSUAL)))
    if len(rows):
        rows = rows[numpy.argsort(-numpy.abs(ratios[rows] - usual), kind="stable")]
        yield statistics.finding(
            "ratio",
            statistics.severity(len(rows), FEW),
            rows,
            f"one side is more than {_UNUSUAL:g} times longer or shorter than usual in "
            f"{share(len(rows), len(statistics))}",
            "such pairs are seldom translations: remove them, or lower data.filters.max_ratio (usually there are "
            f"{numpy.exp(usual):.2f} target characters per source character)",
        )


def _together(statistics: CorpusStatistics, data: DataConfig) -> Iterator[Finding]:
    """Check by lengths, in blocks of a thousand lines, whether line k of one side translates line k of the other."""
    del data
    filled = statistics.filled
    logs = numpy.log(statistics.characters.astype(numpy.float64) + _SLACK)
    unlike, blocks = [], 0
    for begin in range(0, len(statistics) - 99, _BLOCK):
        block = logs[begin : begin + _BLOCK][filled[begin : begin + _BLOCK]]
        if len(block) < 100 or block.std(axis=0).min() < 0.1:
            continue
        blocks += 1
        if numpy.corrcoef(block.T)[0, 1] < 0.2:
            unlike.append(begin)
    if unlike:
        yield statistics.finding(
            "unlike",
            "error" if len(unlike) >= MANY_UNLIKE * blocks else "warning",
            unlike,
            f"long lines are not paired with long lines in {len(unlike):,} of {blocks:,} blocks of {_BLOCK:,} lines",
            "the sides are probably misaligned there: line k must be the translation of line k",
        )


def _duplicates(statistics: CorpusStatistics, data: DataConfig) -> Iterator[Finding]:
    del data
    _, firsts = numpy.unique(statistics.pair_keys, return_index=True)
    count = len(statistics) - len(firsts)
    if count:
        again = numpy.ones(len(statistics), dtype=bool)
        again[firsts] = False
        yield statistics.finding(
            "duplicates",
            statistics.severity(count, MANY_DUPLICATES),
            numpy.flatnonzero(again),
            f"{share(count, len(statistics))} repeat an earlier pair",
            "frequent repetitions are memorised: keep each pair once"
            if statistics.part == TRAINING
            else "repetitions weigh more in the score: keep each pair once",
        )


def _ambiguous(statistics: CorpusStatistics, data: DataConfig) -> Iterator[Finding]:
    del data
    if statistics.part != TRAINING:
        return
    filled = numpy.flatnonzero(statistics.filled)
    _, firsts = numpy.unique(statistics.pair_keys[filled], return_index=True)
    rows = numpy.sort(filled[firsts])  # so that the first line of each source is named
    sources, places, counts = numpy.unique(statistics.keys[rows, 0], return_index=True, return_counts=True)
    several = counts > 1
    if several.any():
        order = numpy.lexsort((places[several], -counts[several]))
        yield statistics.finding(
            "ambiguous",
            "note",
            rows[places[several][order]],
            f"{int(several.sum()):,} of {len(sources):,} sources have several translations, "
            f"up to {int(counts.max()):,}",
            "this is normal for short lines; a source with very many is often misaligned",
        )


CHECKS: tuple[Callable[[CorpusStatistics, DataConfig], Iterator[Finding]], ...] = (
    _empty,
    _marks,
    _lengths,
    _ratios,
    _together,
    _duplicates,
    _ambiguous,
)
"""In the order in which their findings are reported."""

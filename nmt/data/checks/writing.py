"""Checks of how text is written: quotes and apostrophes in several ways, words in the script of the other side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy

from nmt.core.writing_systems import script
from nmt.data.checks.corpus_statistics import TRAINING, CorpusStatistics, counted, normalised
from nmt.data.checks.findings import Finding, share
from nmt.data.checks.line_patterns import FEW, MANY
from nmt.data.checks.unknown_characters import rows_with
from nmt.data.data_config import DataConfig
from nmt.text.normalisation import DOUBLE_QUOTES, SINGLE_QUOTES

_SIDES = ("source", "target")
MANY_FOREIGN = 0.05  # share of pairs from which it is a warning
_LEAST = 10  # characters of a kind below which it does not show how a text is written
_STRAIGHTEN = "data.normalisation.quotes: straight writes them in one way"

# By kind of mark: its ways of writing, each with its characters.
_MARKS = {
    "quotes": {"straight": '"', "typographic": DOUBLE_QUOTES},
    "apostrophes": {"straight": "'", "typographic": SINGLE_QUOTES},
}


def quotes(
    training: Sequence[CorpusStatistics], held_out: Sequence[CorpusStatistics], data: DataConfig
) -> Iterator[Finding]:
    """Find quotes and apostrophes that are written in two ways: on a side, on both sides, in training and held out."""
    usual = {
        (mark, side): sum((_ways(each, side, mark) for each in training), Counter[str]())
        for mark in _MARKS
        for side in (0, 1)
    }
    for statistics in (*training, *held_out):
        for mark in _MARKS:
            yield from _within(statistics, mark, data)
            if statistics.part != TRAINING:
                for side in (0, 1):
                    yield from _otherwise(statistics, side, mark, _main(usual[mark, side]), data)
    for mark in _MARKS:
        source, target = _main(usual[mark, 0]), _main(usual[mark, 1])
        if source and target and source != target:
            yield training[0].finding(
                "quotes",
                "note",
                rows_with(training[0], 1, {*_MARKS[mark][target]}, data),
                f"{mark} are mostly {source} in the source and {target} in the target of training",
                f"a joint vocabulary has both, and copied text keeps the source's: {_STRAIGHTEN} on both sides",
            )


def _ways(statistics: CorpusStatistics, side: int, mark: str) -> Counter[str]:
    counts = statistics.letters[side]
    return Counter({way: int(sum(counts[ord(each)] for each in letters)) for way, letters in _MARKS[mark].items()})


def _main(ways: Counter[str]) -> str | None:
    """The way in which a text writes a mark; ``None`` if it has too few to tell."""
    return next((way for way, count in ways.most_common(1) if count >= _LEAST), None)


def _within(statistics: CorpusStatistics, mark: str, data: DataConfig) -> Iterator[Finding]:
    for side, name in enumerate(_SIDES):
        (main, most), (other, few) = _ways(statistics, side, mark).most_common(2)
        if few and few > FEW * most:
            yield statistics.finding(
                "quotes",
                "warning" if few > MANY * most and few >= _LEAST else "note",
                rows_with(statistics, side, {*_MARKS[mark][other]}, data),
                f"the {name} writes {mark} in two ways: {most:,} are {main}, {few:,} {other}",
                f"a translation with the other one counts as wrong, and a model has to learn both: {_STRAIGHTEN}",
            )


def _otherwise(
    statistics: CorpusStatistics, side: int, mark: str, usual: str | None, data: DataConfig
) -> Iterator[Finding]:
    own = _main(_ways(statistics, side, mark))
    if own and usual and own != usual:
        yield statistics.finding(
            "quotes",
            "warning",
            rows_with(statistics, side, {*_MARKS[mark][own]}, data),
            f"{mark} of the {_SIDES[side]} are mostly {own}, but {usual} in training",
            _STRAIGHTEN if side == 0 else "each counts as an error in scores: write them as in training",
        )


def other_script(statistics: CorpusStatistics, data: DataConfig) -> Iterator[Finding]:
    """Find words in the script of the other side, where the sides have different scripts."""
    found = [_scripts(statistics, side) for side in (0, 1)]
    if not all(found):
        return
    mains = [each.most_common(1)[0][0] for each in found]
    if mains[0] == mains[1]:
        return
    for side, name in enumerate(_SIDES):
        foreign = mains[1 - side]
        letters = [chr(int(point)) for point in numpy.flatnonzero(statistics.letters[side])]
        own = "".join(re.escape(each) for each in letters if script(each) == foreign)
        if not own:
            continue
        rows = _rows_matching(statistics, side, re.compile(f"[{own}]{{2,}}"), data)
        if rows:
            part = found[side][foreign] / sum(found[side].values())
            yield statistics.finding(
                "script",
                statistics.severity(len(rows), MANY_FOREIGN),
                rows,
                f"the {name} of {share(len(rows), len(statistics))} has words in the script of the other side "
                f"({foreign.capitalize()}, {part:.2%} of its letters)",
                "names may stand as they are (data.placeholders copies them); other words are often "
                "untranslated, and teach a model to copy: look at the lines",
            )


def _scripts(statistics: CorpusStatistics, side: int) -> Counter[str]:
    """Count the letters of a side by script."""
    found = Counter[str]()
    for point in numpy.flatnonzero(statistics.letters[side]):
        if (name := script(chr(int(point)))) is not None:
            found[name] += int(statistics.letters[side][point])
    return found


def _rows_matching(statistics: CorpusStatistics, side: int, pattern: re.Pattern[str], data: DataConfig) -> list[int]:
    lines = (line for batch in counted(statistics.pairs) for line in batch[side])
    return [row for row, line in enumerate(lines) if pattern.search(normalised(line, side, data))]

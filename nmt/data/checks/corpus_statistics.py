"""Summary of a corpus for its checks: hashes, lengths and character counts.

It takes about 40 bytes per pair; the text stays on the disk. Two lines are equal if their words are, whatever the
white space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy
from numpy.typing import NDArray

from nmt.core.characters import is_blank
from nmt.core.logging import Progress
from nmt.data.checks.findings import EXAMPLES, CorpusSummary, Finding, Severity, SideSummary, examples
from nmt.data.checks.line_patterns import MARKS, Patterns, counted_in_two_ways
from nmt.data.corpus import Pairs
from nmt.data.data_config import DataConfig
from nmt.text.normalisation import kept, normalise

TRAINING, VALIDATION, TEST = "training", "validation", "test"
CODE_POINTS = 0x110000

_LETTER = re.compile(r"[^\W\d_]")


@dataclass(slots=True)
class CorpusStatistics:
    """Summary of a corpus; arrays have a row per pair and a column per side.

    Args:
        part: training, validation or test.
        name: of the corpus.
        pairs: the corpus itself.
        first_line: line number of its first pair.
        words: (N, 2) number of white-space words; 0 for a blank line.
        characters: (N, 2) number of characters.
        keys: (N, 2) hashes of the words.
        letters: (2, code points) frequency of each in the normalised text.
        marked: rows with a problem within the line, by kind.
    """

    part: str
    name: str
    pairs: Pairs
    first_line: int
    words: NDArray[numpy.int32]
    characters: NDArray[numpy.int32]
    keys: NDArray[numpy.int64]
    letters: NDArray[numpy.int64]
    marked: dict[str, list[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def pair_keys(self) -> NDArray[numpy.int64]:
        """(N,) a hash of both sides."""
        return (self.keys[:, 0] * numpy.int64(0x9E3779B97F4A7C1) + self.keys[:, 1]).astype(numpy.int64)

    @property
    def filled(self) -> NDArray[numpy.bool_]:
        """(N,) ``True`` where neither side is empty."""
        return numpy.asarray((self.words > 0).all(axis=1), dtype=numpy.bool_)

    def severity(self, count: int, limit: float) -> Severity:
        """``warning`` if the share of a count is above a limit, else ``note``."""
        return "warning" if count > limit * len(self) else "note"

    def finding(
        self, kind: str, severity: Severity, rows: Sequence[int] | NDArray[Any], message: str, advice: str
    ) -> Finding:
        """Make a finding from rows, with the first few as examples."""
        shown = [int(row) for row in rows[:EXAMPLES]]
        texts = [(self.pairs.dataset[row]["source"], self.pairs.dataset[row]["target"]) for row in shown]
        return Finding(
            kind=kind,
            severity=severity,
            corpus=f"{self.part}: {self.name}",
            count=len(rows),
            message=message,
            advice=advice,
            examples=examples([self.line(row) for row in shown], texts),
        )

    def line(self, row: int) -> int:
        """Line number of a pair."""
        return self.first_line + (row if self.pairs.rows is None else int(self.pairs.rows[row]))

    def summary(self) -> CorpusSummary:
        """Return its size."""
        sides = []
        for side in (0, 1):
            words = self.words[:, side]
            sides.append(
                SideSummary(
                    words=int(words.sum(dtype=numpy.int64)),
                    characters=int(self.characters[:, side].sum(dtype=numpy.int64)),
                    distinct=int((self.letters[side] > 0).sum()),
                    mean=round(float(words.mean()), 2),
                    median=float(numpy.median(words)),
                    percentile_99=float(numpy.percentile(words, 99)),
                    longest=int(words.max()),
                    longest_line=self.line(int(words.argmax())),
                )
            )
        return CorpusSummary(part=self.part, corpus=self.name, pairs=len(self), source=sides[0], target=sides[1])


def statistics_of(
    part: str, pairs: Pairs, data: DataConfig, patterns: Sequence[Patterns], *, first_line: int
) -> CorpusStatistics:
    """Read a corpus once, and search its lines for the patterns of each side."""
    words: list[NDArray[numpy.int32]] = []
    characters: list[NDArray[numpy.int32]] = []
    keys: list[NDArray[numpy.int64]] = []
    letters = numpy.zeros((2, CODE_POINTS), dtype=numpy.int64)
    marked: dict[str, list[int]] = {kind: [] for kind in MARKS}
    form = replace(data.written, lowercase=False)
    stay = kept(data.subword.user_symbols, form)
    row = 0
    for batch in counted(pairs):
        columns = []
        for side, lines in enumerate(batch):
            split = [[] if is_blank(line) else line.split() for line in lines]
            columns.append(
                (
                    numpy.fromiter(map(len, split), numpy.int32, len(lines)),
                    numpy.fromiter(map(len, lines), numpy.int32, len(lines)),
                    numpy.fromiter((hash(" ".join(each)) for each in split), numpy.int64, len(lines)),
                )
            )
            text = "\n".join(lines)
            letters[side] += count_letters(normalised(text, side, data))
            for kind, pattern in patterns[side]:
                if pattern.search(text):
                    marked[kind] += [row + place for place, line in enumerate(lines) if pattern.search(line)]
        if part != TRAINING:
            marked["form"] += [
                row + place for place, line in enumerate(batch[1]) if normalise(line, form, stay) != line
            ]
        one, other = columns
        equal = numpy.flatnonzero((one[2] == other[2]) & (one[0] > 0))
        marked["copies"] += [row + int(place) for place in equal if _LETTER.search(batch[0][place])]
        words.append(numpy.stack([one[0], other[0]], axis=1))
        characters.append(numpy.stack([one[1], other[1]], axis=1))
        keys.append(numpy.stack([one[2], other[2]], axis=1))
        row += len(batch[0])
    if part == TRAINING:
        marked["words"] = counted_in_two_ways(pairs)
    return CorpusStatistics(
        part=part,
        name=pairs.name,
        pairs=pairs,
        first_line=first_line,
        words=numpy.concatenate(words),
        characters=numpy.concatenate(characters),
        keys=numpy.concatenate(keys),
        letters=letters,
        marked={kind: sorted(set(rows)) for kind, rows in marked.items()},
    )


def counted(pairs: Pairs) -> Iterator[tuple[list[str], list[str]]]:
    """Pass the batches of a corpus through, and show how far the check has come."""
    with Progress(f"checking {pairs.name}", unit="pairs", total=len(pairs), passing=True) as shown:
        for batch in pairs.batches():
            yield batch
            shown.advance(len(batch[0]))


def normalised(text: str, side: int, data: DataConfig) -> str:
    """Normalise text of a side (0 is the source) as in the recipe."""
    return data.normalise_source(text) if side == 0 else data.normalise_target(text)


def count_letters(text: str) -> NDArray[numpy.int64]:
    """Count each code point of a text, but for line feeds."""
    points = numpy.frombuffer(text.encode("utf-32-le", "replace"), dtype=numpy.uint32)
    counts = numpy.bincount(points, minlength=CODE_POINTS)
    counts[ord("\n")] = 0
    return counts

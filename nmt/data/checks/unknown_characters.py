"""Characters unknown to the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy

from nmt.data.checks.corpus_statistics import (
    CODE_POINTS,
    TRAINING,
    CorpusStatistics,
    count_letters,
    counted,
    normalised,
)
from nmt.data.checks.findings import EXAMPLES, Finding
from nmt.data.checks.line_patterns import FEW, vocabulary_of
from nmt.data.data_config import DataConfig
from nmt.data.encoded import Masking
from nmt.text.vocabularies import Vocabularies


def unknown_characters(
    training: list[CorpusStatistics],
    held_out: list[CorpusStatistics],
    data: DataConfig,
    vocabularies: Vocabularies | None,
) -> Iterator[Finding]:
    """Find characters unknown to the existing vocabulary, or to the one to be trained."""
    if data.subword.byte_fallback:
        return
    for side, name in ((0, "source"), (1, "target")):
        unknown = _unknown_letters(training, side, data, vocabularies)
        for statistics in [*training, *held_out]:
            held = statistics.part != TRAINING
            masking = None if vocabularies is None else data.masking(vocabularies, held_out=held)
            letters = statistics.letters[side]
            if masking is not None:
                read = ("\n".join(batch[side]) for batch in _left(statistics, masking))
                letters = sum((count_letters(normalised(text, side, data)) for text in read), numpy.zeros_like(letters))
            points = [int(point) for point in numpy.flatnonzero(letters) if unknown(int(point))]
            if not points:
                continue
            points.sort(key=lambda point: -int(letters[point]))
            total = int(sum(letters[point] for point in points))
            shown = " ".join(f"{chr(point)!r}" for point in points[:10]) + (" ..." if len(points) > 10 else "")
            part = total / int(letters.sum() - letters[ord(" ")])
            yield statistics.finding(
                "unknown",
                "warning" if part > FEW else "note",
                rows_with(statistics, side, {chr(point) for point in points}, data, masking),
                f"{total:,} characters of the {name} ({part:.2%}) are unknown to the vocabulary, {len(points):,} "
                f"different: {shown}",
                "the model sees and writes an unknown piece in their place: "
                + (
                    "raise data.subword.character_coverage, set byte_fallback: true, or normalise the text"
                    if vocabularies is None
                    else "write the text with other characters, or train a vocabulary for it: leave out init_from"
                ),
            )


def _unknown_letters(
    training: list[CorpusStatistics], side: int, data: DataConfig, vocabularies: Vocabularies | None
) -> Callable[[int], bool]:
    """Return a test for characters unknown to the existing vocabulary, or to the one to be trained."""
    model = vocabulary_of(data, side, vocabularies)
    if model is not None:
        return lambda point: model.unk_id in model.encode(chr(point))
    sides = (0, 1) if data.subword.joint else (side,)
    counts = sum(
        (statistics.letters[each] for statistics in training for each in sides), numpy.zeros(CODE_POINTS, numpy.int64)
    )
    order = numpy.argsort(-counts, kind="stable")
    reached = numpy.cumsum(counts[order])
    # As in SentencePiece: the most frequent characters, until they reach the coverage.
    coverage = data.subword.coverage_of("source" if side == 0 else "target")
    covered = int(numpy.searchsorted(reached, coverage * reached[-1], side="left")) + 1
    known = {int(point) for point in order[:covered] if counts[point]}
    return lambda point: point not in known and not chr(point).isspace()


def _left(statistics: CorpusStatistics, masking: Masking | None) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield the batches of a corpus without what placeholders stand for."""
    for batch in counted(statistics.pairs):
        if masking is None:
            yield batch
        else:
            sources, targets = zip(*map(masking.erased, *batch), strict=True)
            yield sources, targets


def rows_with(
    statistics: CorpusStatistics, side: int, letters: set[str], data: DataConfig, masking: Masking | None = None
) -> list[int]:
    """Find the first rows of which a side, normalised, has any of the letters."""
    rows: list[int] = []
    row = 0
    for batch in _left(statistics, masking):
        for line in batch[side]:
            if not letters.isdisjoint(normalised(line, side, data)):
                rows.append(row)
                if len(rows) == EXAMPLES:
                    return rows
            row += 1
    return rows

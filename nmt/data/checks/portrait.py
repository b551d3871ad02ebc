"""What a corpus looks like, as numbers to draw: lengths, ratios, repetitions, pieces of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import numpy
from numpy.typing import NDArray

from nmt.core.characters import is_blank
from nmt.core.errors import DataError
from nmt.data.checks.corpus_statistics import TRAINING, CorpusStatistics
from nmt.data.checks.findings import CorpusSummary
from nmt.data.corpus.pairs import pairs_in_memory
from nmt.data.data_config import DataConfig
from nmt.data.pipeline import prepare_vocabulary
from nmt.text.reserved_characters import SPACE_MARKER
from nmt.text.subword import SIDES, SubwordModel
from nmt.text.vocabularies import Vocabularies

SAMPLE = 20_000  # pairs whose words are cut into pieces, and on which a vocabulary for that is trained
MOST_PIECES = 8
_LEAST_PIECES = 20  # of a vocabulary
_BINS = 40
_CELLS = 32
# Least times that a pair occurs to be in a group.
_REPEATED = {"once": 1, "twice": 2, "3–5 times": 3, "6–20 times": 6, "more often": 21}
_RATIOS = numpy.linspace(-2.0, 2.0, 41)  # in powers of two around the usual ratio

Counts: TypeAlias = NDArray[numpy.int64]
Unit: TypeAlias = Literal["words", "characters"]


@dataclass(frozen=True, slots=True)
class Portrait:
    """A corpus to be drawn. Counts are of pairs; what is beyond the last bin is counted in it.

    Args:
        summary: its size.
        unit: of lengths; characters where lines are not split at spaces.
        width: units in a bin of ``lengths``.
        lengths: (2, bins) lines by length, for each side.
        cell: units in a bin of ``joint``.
        joint: (target bins, source bins) pairs by the lengths of both sides.
        usual: target characters per source character, the median.
        ratios: pairs by their ratio, in bins of equal width from a quarter of the usual to four times as much.
        repeated: for groups of pairs by how often a pair occurs (once, twice, 3 to 5 times, ...), the pairs in them.
        pieces: (2, ``MOST_PIECES``) words by their number of pieces, for each side; ``None`` without a vocabulary.
    """

    summary: CorpusSummary
    unit: Unit
    width: int
    lengths: Counts
    cell: int
    joint: Counts
    usual: float
    ratios: Counts
    repeated: dict[str, int]
    pieces: Counts | None = None


def portrait_of(statistics: CorpusStatistics, data: DataConfig, vocabularies: Vocabularies | None) -> Portrait:
    """Count what is drawn of a corpus."""
    filled, characters = statistics.filled, statistics.characters
    spaced = not filled.any() or numpy.median(statistics.words[filled], axis=0).min() > 2
    unit: Unit = "words" if spaced else "characters"
    sizes = (statistics.words if spaced else characters)[filled]
    longest = max(1, int(numpy.percentile(sizes, 99.5))) if len(sizes) else 1
    width, cell = -(-longest // _BINS), -(-longest // _CELLS)
    places = numpy.minimum((sizes - 1) // cell, -(-longest // cell) - 1)
    across = int(places.max(initial=0)) + 1
    logs = numpy.log2(characters[filled].astype(numpy.float64))
    ratios = logs[:, 1] - logs[:, 0]
    usual = float(numpy.median(ratios)) if len(ratios) else 0.0
    inside = numpy.clip(ratios - usual, _RATIOS[0], _RATIOS[-1])
    return Portrait(
        summary=statistics.summary(),
        unit=unit,
        width=width,
        lengths=numpy.stack([_binned(sizes[:, side], width, longest) for side in (0, 1)]),
        cell=cell,
        joint=numpy.bincount(places[:, 1] * across + places[:, 0], minlength=across**2).reshape(across, across),
        usual=2**usual,
        ratios=numpy.histogram(inside, _RATIOS)[0].astype(numpy.int64),
        repeated=_repeated(statistics),
        pieces=None if vocabularies is None or not spaced else _pieces(statistics, data, vocabularies),
    )


def vocabularies_for(
    training: Sequence[CorpusStatistics], data: DataConfig, folder: Path
) -> tuple[Vocabularies | None, str]:
    """Train the vocabularies of a recipe on a sample; smaller ones where it does not give as many pieces.

    Returns:
        Them, and a sentence about them.
    """
    share = max(1, SAMPLE // max(1, len(training)))
    rows = [pair for each in training if each.part == TRAINING for pair in each.pairs.sample(share)]
    sample = pairs_in_memory(rows, "a sample")
    size = max(data.subword.size_of(side) for side in SIDES)
    while size >= _LEAST_PIECES:
        subword = replace(data.subword, size=size, max_lines=None)
        try:
            found = prepare_vocabulary(replace(data, subword=subword), sample, folder)
        except DataError:  # too many for this text
            size //= 2
            continue
        return found, f"Pieces are those of a vocabulary of {size:,}, trained on {len(rows):,} pairs for this page."
    return None, "There is too little text to train a vocabulary on."


def _binned(sizes: NDArray[numpy.int32], width: int, longest: int) -> Counts:
    bins = -(-longest // width)
    return numpy.bincount(numpy.minimum((sizes - 1) // width, bins - 1), minlength=bins)


def _repeated(statistics: CorpusStatistics) -> dict[str, int]:
    times = numpy.unique(statistics.pair_keys, return_counts=True)[1]
    limits = pairwise((*_REPEATED.values(), len(statistics) + 1))
    return {
        name: int(times[(times >= least) & (times < after)].sum())
        for name, (least, after) in zip(_REPEATED, limits, strict=True)
    }


def _pieces(statistics: CorpusStatistics, data: DataConfig, vocabularies: Vocabularies) -> Counts:
    sample = statistics.pairs.sample(SAMPLE)
    source, target = vocabularies.source, vocabularies.target
    sides = (
        _of_words(source, (data.normalise_source(line) for line in sample.sources() if not is_blank(line))),
        _of_words(target, (data.normalise_target(line) for line in sample.targets() if not is_blank(line))),
    )
    return numpy.array([[counts[pieces] for pieces in range(1, MOST_PIECES + 1)] for counts in sides])


def _of_words(model: SubwordModel, lines: Iterable[str]) -> Counter[int]:
    """Count words by their number of pieces; a word begins where a piece has the mark of a space."""
    counts: Counter[int] = Counter()
    for ids in model.encode_batch(list(lines)):
        starts = [place for place, piece in enumerate(model.pieces(ids)) if piece.startswith(SPACE_MARKER)]
        counts.update(min(after - before, MOST_PIECES) for before, after in pairwise([*starts, len(ids)]))
    return counts

"""Checks of held-out corpora against the training corpora: what training has never seen, and what it nearly has."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy

from nmt.core.writing_systems import Writing, mostly_unspaced, writing
from nmt.data.checks.corpus_statistics import CorpusStatistics, counted, normalised
from nmt.data.checks.findings import Finding, share
from nmt.data.data_config import DataConfig
from nmt.data.encoded import Masking
from nmt.text.vocabularies import Vocabularies

MANY_NEAR = 0.1  # share of sources that training has but for a word: short sentences are alike by chance
MANY_UNSEEN = 0.1  # share of source words from which it is a warning
MANY_TARGETS = 0.1  # share of targets that training has too, with other sources
# Of lines by one template, with half their words the same, so many are compared: all would take the square of the time.
MOST_ALIKE = 50
LEAST_WORDS = 5  # of a line that is compared with others but for one word

_WORD = re.compile(r"[^\W_]+")


def against_training(
    training: Sequence[CorpusStatistics],
    held_out: Sequence[CorpusStatistics],
    data: DataConfig,
    vocabularies: Vocabularies | None,
) -> Iterator[Finding]:
    """Compare the words of held-out corpora with those of the training corpora, whose text is read once more.

    Words are compared without case and punctuation. Scripts without spaces have no words to compare. What placeholders
    stand for, by the symbols that the vocabularies have, is not unseen.
    """
    if not held_out:
        return
    masking = None if vocabularies is None else data.masking(vocabularies, held_out=True)
    texts = [_HeldOut.read(statistics, data, masking) for statistics in held_out]
    for statistics in training:
        for sources, targets in counted(statistics.pairs):
            for source, target in zip(_words_of(sources, 0, data), targets, strict=True):
                for text in texts:
                    text.meet(source, target, data)
    for text in texts:
        yield from text.findings()
    for statistics in held_out:
        yield from _same_targets(statistics, training)


@dataclass(slots=True)
class _HeldOut:
    """A held-out corpus, and what training has of it.

    Args:
        statistics: of the corpus.
        words: of each line on both sides.
        unseen: source words that have not been met yet.
        halves: rows by the first or the last half of the words of their source.
        near: rows whose source was met but for one word; whether the target was too.
    """

    statistics: CorpusStatistics
    words: list[tuple[list[str], list[str]]]
    unseen: set[str] = field(default_factory=set)
    halves: dict[tuple[int, bool, tuple[str, ...]], list[int]] = field(default_factory=lambda: defaultdict(list))
    near: dict[int, bool] = field(default_factory=dict)

    @classmethod
    def read(cls, statistics: CorpusStatistics, data: DataConfig, masking: Masking | None) -> _HeldOut:
        """Read the words of a corpus."""
        words: list[tuple[list[str], list[str]]] = []
        if not mostly_unspaced(_writings(statistics, 0)):
            for batch in counted(statistics.pairs):
                words += zip(*(_words_of(lines, side, data) for side, lines in enumerate(batch)), strict=True)
        read = (source for source, _ in words)
        if masking is not None and words:
            sources = (
                masking.erased(*pair)[0] for batch in counted(statistics.pairs) for pair in zip(*batch, strict=True)
            )
            read = (_words_of([source], 0, data)[0] for source in sources)
        found = cls(statistics, words, {word for source in read for word in source})
        for row, (source, _) in enumerate(words):
            if len(source) >= LEAST_WORDS:
                half = len(source) // 2
                for last, part in ((False, source[:half]), (True, source[-half:])):
                    alike = found.halves[len(source), last, tuple(part)]
                    if len(alike) < MOST_ALIKE:
                        alike.append(row)
        return found

    def meet(self, source: list[str], target: str, data: DataConfig) -> None:
        """Compare a pair of the training corpus, given the words of its source.

        Two lines that differ in one word agree in the first or in the last half of the words of either.
        """
        self.unseen.difference_update(source)
        for count in range(max(LEAST_WORDS, len(source) - 1), len(source) + 2):
            half = count // 2
            for last, part in ((False, source[:half]), (True, source[-half:])):
                for row in self.halves.get((count, last, tuple(part)), ()):
                    own, its = self.words[row]
                    if self.near.get(row) is not True and _but_for_one(source, own):
                        self.near[row] = _but_for_one(_words_of([target], 1, data)[0], its)

    def findings(self) -> Iterator[Finding]:
        """Yield what the comparison has found."""
        counts = [sum(word in self.unseen for word in source) for source, _ in self.words]
        total = sum(len(source) for source, _ in self.words)
        if unseen := sum(counts):
            often = Counter(word for source, _ in self.words for word in source if word in self.unseen)
            shown = ", ".join(word for word, _ in often.most_common(8)) + (" ..." if len(often) > 8 else "")
            order = sorted(filter(counts.__getitem__, range(len(counts))), key=lambda row: -counts[row])
            yield self.statistics.finding(
                "unseen",
                "warning" if unseen > MANY_UNSEEN * total else "note",
                order,
                f"{unseen:,} of {total:,} source words ({unseen / total:.2%}) never occur in training, {len(often):,} "
                f"different: {shown}",
                "the model must put them together from pieces: training text of the same kind helps most, for names "
                "and numbers also copying (data.placeholders)",
            )
        if rows := sorted(self.near):
            both, count = sum(self.near.values()), share(len(rows), len(self.statistics))
            yield self.statistics.finding(
                "near",
                self.statistics.severity(len(rows), MANY_NEAR),
                rows,
                f"but for one word, case or punctuation, the sources of {count} are in training, {both:,} of them with "
                "such a target",
                "scores on them tell little of new sentences: divide texts by document, not line by line, or remove "
                "these pairs from the training corpus",
            )


def _words_of(lines: Sequence[str], side: int, data: DataConfig) -> list[list[str]]:
    return [_WORD.findall(line) for line in normalised("\n".join(lines), side, data).casefold().split("\n")]


def _but_for_one(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two lists are equal, or become so if a word is replaced, added or left out."""
    if abs(len(one) - len(other)) > 1:
        return False
    shorter, longer = sorted((one, other), key=len)
    same = next((place for place, word in enumerate(shorter) if word != longer[place]), len(shorter))
    skipped = same + (len(shorter) == len(longer))
    return list(shorter[skipped:]) == list(longer[same + 1 :])


def _writings(statistics: CorpusStatistics, side: int) -> Counter[Writing]:
    found = Counter[Writing]()
    for point in numpy.flatnonzero(statistics.letters[side]):
        if (how := writing(chr(int(point)))) is not None:
            found[how] += int(statistics.letters[side][point])
    return found


def _same_targets(statistics: CorpusStatistics, training: Sequence[CorpusStatistics]) -> Iterator[Finding]:
    """Find targets that training has with other sources."""
    for other in training:
        seen = (statistics.words[:, 1] > 0) & numpy.isin(statistics.keys[:, 1], other.keys[:, 1])
        rows = numpy.flatnonzero(seen & ~numpy.isin(statistics.keys[:, 0], other.keys[:, 0]))
        if len(rows):
            yield statistics.finding(
                "targets",
                statistics.severity(len(rows), MANY_TARGETS),
                rows,
                f"the targets of {share(len(rows), len(statistics))} are also in training ({other.name}), with other "
                "sources",
                "this is normal for short lines; a decoder that has learnt the others by heart scores too well on them",
            )

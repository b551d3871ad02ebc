"""A doctor for corpora: what in them hurts a translation model, or makes its scores mean nothing.

Of every pair only hashes and lengths are kept (40 bytes or so), the text stays on the disk. Two lines are the same if
their words are, whatever the white space between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from nmt.core.characters import is_blank
from nmt.core.errors import DataError
from nmt.core.logging import logger
from nmt.core.storage.files import path_below
from nmt.data.checks.findings import EXAMPLES, CorpusSummary, Finding, Report, Severity, SideSummary, examples, share
from nmt.data.checks.marks import FEW, MANY, MARKS, Patterns, counted_in_two_ways, patterns_of
from nmt.data.corpus import CorpusConfig, Pairs, read_pairs
from nmt.data.pipeline import DataConfig
from nmt.data.store import Store
from nmt.text.normalisation import kept, normalise
from nmt.text.subword import SubwordModel
from nmt.text.vocabularies import Vocabularies

TRAINING, VALIDATION, TEST = "training", "validation", "test"

# Shares of the pairs beyond which a finding is a warning instead of a note, or an error.
MANY_DUPLICATES = 0.1
MANY_LEAKED = 0.1
MANY_UNLIKE = 0.5

_CODE_POINTS = 0x110000
_BLOCK = 1000  # lines whose lengths are compared to see whether the sides belong together
_UNUSUAL = 3.0  # times longer or shorter than usual for the corpus
_SLACK = 10  # characters added to both sides, since short lines differ by more
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(slots=True)
class _Sketch:
    """What is kept of a corpus; arrays have a row a pair and a column a side.

    Args:
        part: training, validation or test.
        name: of the corpus.
        pairs: the corpus itself.
        first_line: the line of its first pair.
        words: (N, 2) white-space words; none in a line without a visible character.
        characters: (N, 2).
        keys: (N, 2) hashes of the words.
        letters: (2, code points) how often each stands in the normalised text.
        marked: rows with something wrong within the line, by kind.
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
        """Warn of what is more frequent than a limit, and note what is not."""
        return "warning" if count > limit * len(self) else "note"

    def finding(
        self, kind: str, severity: Severity, rows: Sequence[int] | NDArray[Any], message: str, advice: str
    ) -> Finding:
        """Make a finding of rows, with the first few as examples."""
        shown = [int(row) for row in rows[:EXAMPLES]]
        texts = [(self.pairs.dataset[row]["source"], self.pairs.dataset[row]["target"]) for row in shown]
        return Finding(
            kind=kind,
            severity=severity,
            corpus=f"{self.part}: {self.name}",
            count=len(rows),
            message=message,
            advice=advice,
            examples=examples([row + self.first_line for row in shown], texts),
        )

    def summary(self) -> CorpusSummary:
        """Describe its size."""
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
                    longest_line=int(words.argmax()) + self.first_line,
                )
            )
        return CorpusSummary(part=self.part, corpus=self.name, pairs=len(self), source=sides[0], target=sides[1])


def check_data(
    data: DataConfig,
    *,
    test: CorpusConfig | None = None,
    vocabularies: Vocabularies | None = None,
    cache: Path | None = None,
) -> Report:
    """Look at all corpora of a recipe.

    Args:
        data: the recipe's ``data`` section.
        test: the test corpus, if there is one.
        vocabularies: what the corpora are read with, where they are there already.
        cache: folder for derived files; ``None`` for a temporary one.

    Raises:
        DataError: a vocabulary that the recipe names is missing or damaged.
    """
    report = Report()
    patterns = patterns_of(data, 0, vocabularies), patterns_of(data, 1, vocabularies)
    sketches = []
    wanted = [(TRAINING, each) for each in data.train]
    wanted += [(part, each) for part, each in ((VALIDATION, data.validation), (TEST, test)) if each is not None]
    for part, corpus in wanted:
        try:
            for single in corpus.parts(Path(data.root)):
                pairs = read_pairs(single, data.root, cache=cache)
                sketches.append(_sketch(part, pairs, data, patterns, first_line=single.first_line))
        except DataError as error:
            report.findings.append(_unreadable(part, corpus, error))
    _examine(sketches, data, report, vocabularies)
    return report


def warn_of(
    data: DataConfig, training: Pairs, validation: Pairs | None, vocabularies: Vocabularies, *, cache: Path | None
) -> None:
    """Log a line for everything in the corpora of a run that is worse than a note; what was found is cached.

    Args:
        data: the recipe's ``data`` section.
        training: training corpora, joined.
        validation: validation corpus.
        vocabularies: of both sides.
        cache: folder for derived files; ``None`` for a temporary one.
    """
    corpora = [(TRAINING, training), *([(VALIDATION, validation)] if validation is not None else [])]

    def build(folder: Path) -> dict[str, Any]:
        del folder
        report = Report()
        patterns = patterns_of(data, 0, vocabularies), patterns_of(data, 1, vocabularies)
        sketches = [_sketch(part, pairs, data, patterns, first_line=1) for part, pairs in corpora]
        _examine(sketches, data, report, vocabularies)
        return {"warnings": [finding.brief for finding in report.sorted() if finding.severity != "note"]}

    identity = {"corpora": [pairs.identity for _, pairs in corpora], "settings": _settings(data, vocabularies)}
    for warning in Store(cache).fetch("check", identity, build)[1]["warnings"]:
        logger.warning("%s; see nmt-check", warning)


def _settings(data: DataConfig, vocabularies: Vocabularies) -> list[Any]:
    normalisations = [str(data.normalisation), str(data.target_normalisation)]
    languages = [data.source_language, data.target_language]
    return [vocabularies.fingerprint, data.filters.max_length, *normalisations, *languages]


def _unreadable(part: str, corpus: CorpusConfig, error: DataError) -> Finding:
    return Finding(
        kind="unreadable",
        severity="error",
        corpus=f"{part}: {corpus.describe()}",
        count=1,
        message=str(error),
        advice="nothing can be trained or scored with it before that is put right",
    )


def _sketch(part: str, pairs: Pairs, data: DataConfig, patterns: Sequence[Patterns], *, first_line: int) -> _Sketch:
    """Read a corpus once, looking for the patterns of each side within its lines."""
    words: list[NDArray[numpy.int32]] = []
    characters: list[NDArray[numpy.int32]] = []
    keys: list[NDArray[numpy.int64]] = []
    letters = numpy.zeros((2, _CODE_POINTS), dtype=numpy.int64)
    marked: dict[str, list[int]] = {kind: [] for kind in MARKS}
    form = replace(data.target_normalisation or data.normalisation, lowercase=False)
    stay = kept(data.subword.user_symbols, form)
    row = 0
    for batch in pairs.batches():
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
            letters[side] += _count_letters(_normalised(text, side, data))
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
    return _Sketch(
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


def _normalised(text: str, side: int, data: DataConfig) -> str:
    return data.normalise_source(text) if side == 0 else data.normalise_target(text)


def _count_letters(text: str) -> NDArray[numpy.int64]:
    points = numpy.frombuffer(text.encode("utf-32-le", "replace"), dtype=numpy.uint32)
    counts = numpy.bincount(points, minlength=_CODE_POINTS)
    counts[ord("\n")] = 0
    return counts


def _examine(
    sketches: list[_Sketch], data: DataConfig, report: Report, vocabularies: Vocabularies | None = None
) -> None:
    """Make findings of sketches."""
    for sketch in sketches:
        report.corpora.append(sketch.summary())
        for check in (_empty, _marks, _lengths, _ratios, _together, _duplicates, _ambiguous):
            report.findings += check(sketch, data)
    training = [sketch for sketch in sketches if sketch.part == TRAINING]
    held_out = [sketch for sketch in sketches if sketch.part != TRAINING]
    for position, sketch in enumerate(held_out):
        report.findings += _overlap(sketch, [*training, *held_out[:position]])
    if training:
        report.findings += _unknown(training, held_out, data, vocabularies)


def _empty(sketch: _Sketch, data: DataConfig) -> Iterator[Finding]:
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


def _marks(sketch: _Sketch, data: DataConfig) -> Iterator[Finding]:
    del data
    for kind, (much, message, advice) in MARKS.items():
        if rows := sketch.marked[kind]:
            severity = sketch.severity(len(rows), much)
            yield sketch.finding(kind, severity, rows, message.format(share(len(rows), len(sketch))), advice)


def _lengths(sketch: _Sketch, data: DataConfig) -> Iterator[Finding]:
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


def _ratios(sketch: _Sketch, data: DataConfig) -> Iterator[Finding]:
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


def _together(sketch: _Sketch, data: DataConfig) -> Iterator[Finding]:
    """See by the lengths whether line k of one side belongs to line k of the other, a thousand lines at a time."""
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


def _duplicates(sketch: _Sketch, data: DataConfig) -> Iterator[Finding]:
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


def _ambiguous(sketch: _Sketch, data: DataConfig) -> Iterator[Finding]:
    del data
    if sketch.part != TRAINING:
        return
    filled = numpy.flatnonzero(sketch.filled)
    _, firsts = numpy.unique(sketch.pair_keys[filled], return_index=True)
    rows = numpy.sort(filled[firsts])  # so that of each source its first line is named
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


def _overlap(sketch: _Sketch, others: Iterable[_Sketch]) -> Iterator[Finding]:
    """Look for what is held out in what is trained on, or held out for another purpose."""
    for other in others:
        filled = sketch.words[:, 0] > 0
        sources = filled & numpy.isin(sketch.keys[:, 0], other.keys[:, 0])
        pairs = int((sources & numpy.isin(sketch.pair_keys, other.pair_keys)).sum())
        count = int(sources.sum())
        if not count:
            continue
        leaked = other.part == TRAINING and count > MANY_LEAKED * len(sketch)
        yield sketch.finding(
            "overlap",
            "error" if leaked else sketch.severity(count, MANY),
            numpy.flatnonzero(sources),
            f"the sources of {share(count, len(sketch))} are in {other.part} ({other.name}) too, {pairs:,} of them "
            "with the same target",
            "scores on them do not say how well new sentences are translated: take them out of the training corpus"
            if other.part == TRAINING
            else "what chose a checkpoint should not judge it: take them out of one of the two",
        )


def _unknown(
    training: list[_Sketch], held_out: list[_Sketch], data: DataConfig, vocabularies: Vocabularies | None
) -> Iterator[Finding]:
    """Look for characters that the vocabulary will not know, or does not."""
    if data.subword.byte_fallback:
        return
    for side, name in ((0, "source"), (1, "target")):
        unknown = _unknown_letters(training, side, data, vocabularies)
        for sketch in [*training, *held_out]:
            points = [int(point) for point in numpy.flatnonzero(sketch.letters[side]) if unknown(int(point))]
            if not points:
                continue
            points.sort(key=lambda point: -int(sketch.letters[side][point]))
            total = int(sum(sketch.letters[side][point] for point in points))
            shown = " ".join(f"{chr(point)!r}" for point in points[:10]) + (" ..." if len(points) > 10 else "")
            part = total / int(sketch.letters[side].sum() - sketch.letters[side][ord(" ")])
            yield sketch.finding(
                "unknown",
                "warning" if part > FEW else "note",
                _rows_with(sketch, side, {chr(point) for point in points}, data),
                f"{total:,} characters of the {name} ({part:.2%}) are unknown to the vocabulary, {len(points):,} "
                f"different: {shown}",
                "the model sees and writes an unknown piece in their place: "
                + (
                    "raise data.subword.character_coverage, set byte_fallback: true, or normalise the text"
                    if vocabularies is None
                    else "write the text with other characters, or train a vocabulary for it: leave init_from out"
                ),
            )


def _unknown_letters(
    training: list[_Sketch], side: int, data: DataConfig, vocabularies: Vocabularies | None
) -> Callable[[int], bool]:
    """Return what tells whether a character is unknown to the vocabulary that there is or that will be trained."""
    subword = data.subword
    path = subword.source_model if side == 0 or subword.joint else subword.target_model
    if vocabularies is not None or path is not None:
        if vocabularies is not None:
            model = vocabularies.source if side == 0 else vocabularies.target
        else:
            model = SubwordModel.load(path_below(data.root, path or ""))
        return lambda point: model.unk_id in model.encode(chr(point))
    sides = (0, 1) if subword.joint else (side,)
    counts = sum(
        (sketch.letters[each] for sketch in training for each in sides), numpy.zeros(_CODE_POINTS, numpy.int64)
    )
    order = numpy.argsort(-counts, kind="stable")
    reached = numpy.cumsum(counts[order])
    # As SentencePiece does: the most frequent characters, until they make up the coverage.
    coverage = subword.coverage_of("source" if side == 0 else "target")
    covered = int(numpy.searchsorted(reached, coverage * reached[-1], side="left")) + 1
    known = {int(point) for point in order[:covered] if counts[point]}
    return lambda point: point not in known and not chr(point).isspace()


def _rows_with(sketch: _Sketch, side: int, letters: set[str], data: DataConfig) -> list[int]:
    """Find the first rows with one of some letters."""
    rows: list[int] = []
    row = 0
    for batch in sketch.pairs.batches():
        for line in batch[side]:
            if not letters.isdisjoint(_normalised(line, side, data)):
                rows.append(row)
                if len(rows) == EXAMPLES:
                    return rows
            row += 1
    return rows

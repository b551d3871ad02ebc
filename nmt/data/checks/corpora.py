"""Checks of corpora: problems that harm a translation model, or make its scores meaningless."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy

from nmt.core.errors import DataError
from nmt.core.logging import logger, progress, waiting
from nmt.data.cache import Cache
from nmt.data.checks.against_training import against_training
from nmt.data.checks.corpus_statistics import TEST, TRAINING, VALIDATION, CorpusStatistics, statistics_of
from nmt.data.checks.findings import Finding, share
from nmt.data.checks.line_patterns import MANY, patterns_of, vocabulary_of
from nmt.data.checks.portrait import portrait_of, vocabularies_for
from nmt.data.checks.report import Report
from nmt.data.checks.unknown_characters import unknown_characters
from nmt.data.checks.within_corpus import CHECKS
from nmt.data.checks.writing import other_script, quotes
from nmt.data.corpus import CorpusConfig, Pairs, read_pairs
from nmt.data.data_config import DataConfig
from nmt.data.pipeline import mixture_of
from nmt.data.streaming import Stream
from nmt.text.vocabularies import Vocabularies

ENOUGH = 1_000_000  # pairs of a training corpus that training looks at; nmt-check looks at all
OFTEN = 20  # times that a pair is drawn in an epoch above which its corpus is reported
MANY_LEAKED = 0.1  # share of held-out sources in the training corpus that counts as an error


def check_data(
    data: DataConfig,
    *,
    test: CorpusConfig | None = None,
    vocabularies: Vocabularies | None = None,
    cache: Path | None = None,
    portraits: bool = False,
) -> Report:
    """Check all corpora of a recipe (of a streamed one its first window), and the test corpus.

    Vocabularies that exist already are passed; ``cache`` is as for ``read_pairs``. With ``portraits`` the report has
    what is drawn of each corpus too.

    Raises:
        ConfigError: sources are files, not text.
        DataError: a vocabulary that the recipe names is missing or damaged.
    """
    data.source.require_text("corpora that are checked must be text (nmt-train --dry-run reads every file)")
    data, test = data.untagged, test and replace(test, tag=None)
    report = Report()
    patterns = patterns_of(data, 0, vocabularies), patterns_of(data, 1, vocabularies)
    collected: list[CorpusStatistics] = []
    wanted = [(TRAINING, each) for each in data.train]
    wanted += [(VALIDATION, each) for each in data.validations] + ([] if test is None else [(TEST, test)])
    sizes: list[int] = []
    for part, corpus in wanted:
        before = len(collected)
        try:
            streamed = part == TRAINING and corpus.streamed
            for single in corpus.parts(Path(data.root)):
                if streamed:
                    pairs = Stream(replace(data, train=(single,))).first(data.window)
                else:
                    pairs = read_pairs(single, data.root, cache=cache)
                collected.append(statistics_of(part, pairs, data, patterns, first_line=single.first_line))
        except DataError as error:
            report.findings.append(_unreadable(part, corpus, error))
        if part == TRAINING:
            sizes.append(sum(map(len, collected[before:])))
    report.findings += _repeated(data, sizes)
    _examine(collected, data, report, vocabularies)
    if portraits:
        _portray(collected, data, report, vocabularies)
    return report


def _portray(
    collected: list[CorpusStatistics], data: DataConfig, report: Report, vocabularies: Vocabularies | None
) -> None:
    """Add the portraits of the corpora to a report; words are cut by the recipe's vocabularies, or by like ones."""
    models = [vocabulary_of(data, side, vocabularies) for side in (0, 1)]
    if models[0] is not None and models[1] is not None:
        vocabularies = Vocabularies(models[0], models[1])
    training = [each for each in collected if each.part == TRAINING]
    with tempfile.TemporaryDirectory(prefix="nmt-check-") as folder:
        if vocabularies is None and training:
            vocabularies, report.about_pieces = vocabularies_for(training, data, Path(folder))
        for each in progress(collected, "drawing", unit="corpora", passing=True):
            report.portraits.append(portrait_of(each, data, vocabularies))


def warn_of(
    data: DataConfig, training: Pairs, validation: Pairs | None, vocabularies: Vocabularies, *, cache: Path | None
) -> None:
    """Log a line for every warning and error in the corpora of a run; findings are cached.

    Texts are checked without tags. A large training corpus is judged by a sample: the statistics of a pair take about a
    hundred bytes.
    """
    corpora = [(TRAINING, training.sample(ENOUGH))]
    corpora += [(VALIDATION, validation.untagged)] if validation is not None else []

    def build(folder: Path) -> dict[str, Any]:
        del folder
        report = Report()
        patterns = patterns_of(data, 0, vocabularies), patterns_of(data, 1, vocabularies)
        collected = [statistics_of(part, pairs, data, patterns, first_line=1) for part, pairs in corpora]
        _examine(collected, data, report, vocabularies)
        return {"warnings": [finding.brief for finding in report.sorted() if finding.severity != "note"]}

    identity = {"corpora": [pairs.identity for _, pairs in corpora], "settings": _settings(data, vocabularies)}
    for warning in Cache(cache).fetch("check", identity, build)[1]["warnings"]:
        logger.warning("%s; see nmt-check", warning)


def _settings(data: DataConfig, vocabularies: Vocabularies) -> list[Any]:
    normalisations = [str(data.normalisation), str(data.target_normalisation)]
    languages = [data.source_language, data.target_language]
    masking = data.masking(vocabularies)
    copied = [] if masking is None else [masking.identity]
    return [vocabularies.fingerprint, data.filters.max_length, *normalisations, *languages, *copied]


def _unreadable(part: str, corpus: CorpusConfig, error: DataError) -> Finding:
    return Finding(
        kind="unreadable",
        severity="error",
        corpus=f"{part}: {corpus.describe()}",
        count=1,
        message=str(error),
        advice="it cannot be used until this is fixed",
    )


def _repeated(data: DataConfig, sizes: list[int]) -> Iterator[Finding]:
    """Find training corpora with weights of which every pair is drawn very often in an epoch."""
    mixture = None if data.streamed or not all(sizes) else mixture_of(data, sizes)
    for corpus, size, count in [] if mixture is None else zip(data.train, sizes, mixture.counts, strict=True):
        if count > OFTEN * size:
            yield Finding(
                kind="repeated",
                severity="warning",
                corpus=f"{TRAINING}: {corpus.describe()}",
                count=size,
                message=f"its weight draws each pair {count / size:.0f} times in an epoch",
                advice="frequent repetitions are memorised: lower its weight, or data.temperature",
            )


def _examine(
    collected: list[CorpusStatistics], data: DataConfig, report: Report, vocabularies: Vocabularies | None = None
) -> None:
    """Add summaries and findings of the corpora to a report."""
    for statistics in progress(collected, "looking for problems", unit="corpora", passing=True):
        report.corpora.append(statistics.summary())
        for check in (*CHECKS, other_script):
            report.findings += check(statistics, data)
    training = [statistics for statistics in collected if statistics.part == TRAINING]
    held_out = [statistics for statistics in collected if statistics.part != TRAINING]
    with waiting("looking for sentences in several corpora"):
        for position, statistics in enumerate(held_out):
            others = [each for each in held_out[:position] if each.part != statistics.part]
            report.findings += _overlap(statistics, [*training, *others])
    if training:
        report.findings += against_training(training, held_out, data, vocabularies)
        with waiting("looking for quotes and unknown characters"):
            report.findings += quotes(training, held_out, data)
            report.findings += unknown_characters(training, held_out, data, vocabularies)


def _overlap(statistics: CorpusStatistics, others: Iterable[CorpusStatistics]) -> Iterator[Finding]:
    """Find held-out pairs that are also in the training corpus or another held-out corpus."""
    for other in others:
        filled = statistics.words[:, 0] > 0
        sources = filled & numpy.isin(statistics.keys[:, 0], other.keys[:, 0])
        pairs = int((sources & numpy.isin(statistics.pair_keys, other.pair_keys)).sum())
        count = int(sources.sum())
        if not count:
            continue
        leaked = other.part == TRAINING and count > MANY_LEAKED * len(statistics)
        yield statistics.finding(
            "overlap",
            "error" if leaked else statistics.severity(count, MANY),
            numpy.flatnonzero(sources),
            f"the sources of {share(count, len(statistics))} are also in {other.part} ({other.name}), {pairs:,} of "
            "them with the same target",
            "scores on them do not show how well new sentences are translated: remove them from the training corpus"
            if other.part == TRAINING
            else "a checkpoint should not be tested on what it was selected by: remove them from one of the two",
        )

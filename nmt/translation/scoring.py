"""Scores of translations (BLEU, chrF, TER, error rates), made by a model or given."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from nmt.core import config
from nmt.core.characters import is_blank
from nmt.core.logging import few, logger, progress, waiting
from nmt.metrics.error_rates import cer, check_jiwer, exact, wer
from nmt.metrics.mismatches import mismatches
from nmt.metrics.score import (
    Score,
    bleu,
    check_moses,
    check_tokenizer,
    chrf,
    missing_references,
    reference_streams,
    ter,
    tokenised_bleu,
)
from nmt.metrics.tokenizer import Tokenizer, misfit
from nmt.search.search_config import SearchConfig
from nmt.translation.translator import Translator

FurtherMetric = Literal["ter", "wer", "cer", "exact"]
"""Metrics on request."""
_BY_LINES: dict[str, Callable[..., Score]] = {"wer": wer, "cer": cer, "exact": exact}


@dataclass(frozen=True, slots=True)
class TestReport:
    """Results of a test.

    Args:
        scores: BLEU, then chrF and any others requested, each with its signature.
        hypotheses: one translation per line.
        references: their references.
        seconds: translation time.
        checkpoint: name of the checkpoint used.
        search: how it searched.
    """

    __test__: ClassVar[bool] = False  # not a pytest class, despite its name

    scores: tuple[Score, ...]
    hypotheses: tuple[str, ...]
    references: tuple[str, ...]
    seconds: float
    checkpoint: str
    search: SearchConfig

    @property
    def bleu(self) -> Score:
        """BLEU of detokenised text."""
        return self.scores[0]

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "scores": [score.to_mapping() for score in self.scores],
            "sentences": len(self.hypotheses),
            "seconds": round(self.seconds, 2),
            "checkpoint": self.checkpoint,
            "search": config.to_mapping(self.search),
        }


def translate_and_score(
    translator: Translator,
    sources: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    *,
    tokenize: Tokenizer = "auto",
    lowercase: bool = False,
    moses: str | None = None,
    metrics: Sequence[FurtherMetric] = (),
) -> TestReport:
    """Translate lines and score them; arguments as for ``score_lines``.

    Raises:
        ConfigError: sacremoses has no rules for the language.
        DataError: nothing to score, or the numbers of lines differ.
        NmtError: the model is damaged, or packages that the scores need are missing.
    """
    check_tokenizer(tokenize)  # before anything is translated
    check_metrics(metrics)
    if moses is not None:
        check_moses(moses)
    began = time.monotonic()
    shown = progress(
        lambda reached: translator.translate_lines(sources, reached=reached),
        "translating",
        unit="sentences",
        total=len(sources),
    )
    hypotheses = [translation.text for translation in shown]
    seconds = time.monotonic() - began
    scores = score_lines(hypotheses, references, tokenize=tokenize, lowercase=lowercase, moses=moses, metrics=metrics)
    first = references if not references or isinstance(references[0], str) else references[0]
    return TestReport(
        scores=scores,
        hypotheses=tuple(hypotheses),
        references=tuple(str(line) for line in first),
        seconds=seconds,
        checkpoint=", ".join(bundle.checkpoint for bundle in translator.bundles),
        search=translator.search,
    )


def score_lines(
    hypotheses: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    *,
    tokenize: Tokenizer = "auto",
    lowercase: bool = False,
    moses: str | None = None,
    metrics: Sequence[FurtherMetric] = (),
) -> tuple[Score, ...]:
    """Score translations by BLEU and chrF, and on request by other metrics and BLEU of text tokenised with sacremoses.

    Arguments as for ``bleu``; ``moses`` is the two-letter code of the target language.

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
        ConfigError: sacremoses has no rules for the language.
        NmtError: packages that the scores need are missing.
    """
    streams = reference_streams(hypotheses, references)
    if (problem := misfit(tokenize, (line for stream in streams for line in stream))) is not None:
        logger.warning("%s", problem)
    with waiting(f"scoring {len(hypotheses)} translations"):
        scores = [
            bleu(hypotheses, references, tokenize=tokenize, lowercase=lowercase),
            chrf(hypotheses, references, lowercase=lowercase),
        ]
        for metric in metrics:
            if metric == "ter":
                scores.append(ter(hypotheses, references, case_sensitive=not lowercase))
            else:
                scores.append(_BY_LINES[metric](hypotheses, references, lowercase=lowercase))
        if moses is not None:
            scores.append(tokenised_bleu(hypotheses, references, language=moses, lowercase=lowercase))
    return tuple(scores)


def check_metrics(metrics: Sequence[str]) -> None:
    """Check that the packages are there that metrics need.

    Raises:
        NmtError: one is not installed.
    """
    if {"wer", "cer"} & {*metrics}:
        check_jiwer()


def warn_of_text(hypotheses: Sequence[str], references: Sequence[Sequence[str]], names: Sequence[str]) -> None:
    """Warn of what makes a score unreliable: blank references, and texts of different kinds.

    There are one or more lists of references, which have the given names in messages.
    """
    _warn_of_blank_references(hypotheses, references, names)
    for name, lines in zip(names, references, strict=True):
        for sign in mismatches(hypotheses, lines):
            logger.warning("%s: %s", name, sign)


def _warn_of_blank_references(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], names: Sequence[str]
) -> None:
    """Name the lines whose references are blank, unless their translations are blank too."""
    for name, lines in zip(names, missing_references(references), strict=True):
        if lines:
            logger.warning(
                "%s: %d lines are blank where another reference is not, and count as missing (lines %s)",
                name,
                len(lines),
                few(lines),
            )
    rows = enumerate(zip(hypotheses, *references, strict=True), start=1)
    blank = [line for line, (text, *others) in rows if not is_blank(text) and all(map(is_blank, others))]
    if blank:
        logger.warning(
            "%s: %d lines are blank where the translations are not; everything in them counts as an error (lines %s)",
            " and ".join(names),
            len(blank),
            few(blank),
        )

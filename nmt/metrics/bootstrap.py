"""Significance of the difference between two systems: paired bootstrap resampling (Koehn, 2004) by sacreBLEU."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest, Result

from nmt.core.errors import DataError
from nmt.core.logging import waiting
from nmt.metrics.score import (
    References,
    check_tokenizer,
    present_references,
    reference_streams,
    resolved_tokenizer,
)
from nmt.metrics.tokenizer import Tokenizer

_SEED = "SACREBLEU_SEED"  # sacreBLEU reads its seed from the environment only


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems under one metric.

    Args:
        name: of the metric.
        baseline: score of the first system.
        system: score of the second.
        p_value: probability of a difference at least this large if the two were equally good.
        baseline_interval: mean over the resamples, and half the width of the 95 % confidence interval.
        system_interval: the same for the second system.
        signature: of the metric, with seed and number of resamples.
    """

    name: str
    baseline: float
    system: float
    p_value: float
    baseline_interval: tuple[float, float]
    system_interval: tuple[float, float]
    signature: str

    @property
    def delta(self) -> float:
        """System minus baseline, in points of the metric."""
        return self.system - self.baseline

    def format(self) -> str:
        """Return one line with both scores, the difference and its p-value."""
        return (
            f"{self.name}|{self.signature}: {self.baseline:.2f} -> {self.system:.2f} "
            f"({self.delta:+.2f}, p = {self.p_value:.4f})"
        )

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "baseline": self.baseline,
            "system": self.system,
            "delta": self.delta,
            "p_value": self.p_value,
            "baseline_interval": list(self.baseline_interval),
            "system_interval": list(self.system_interval),
            "signature": self.signature,
        }


def paired_bootstrap(
    baseline: Sequence[str],
    system: Sequence[str],
    references: References,
    *,
    metrics: Sequence[Literal["bleu", "chrf", "ter"]] = ("bleu", "chrf"),
    tokenize: Tokenizer = "auto",
    lowercase: bool = False,
    samples: int = 1000,
    seed: int = 12345,
) -> list[Comparison]:
    """Compare two translations of one test set by sacreBLEU's paired bootstrap, with so many resampled test sets.

    References, tokeniser and case as for ``bleu``.

    Returns:
        One comparison per metric, in the given order.

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
        NmtError: the tokeniser needs packages that are not installed.
        ValueError: ``seed`` is below 1 (0 means no seed to sacreBLEU), or ``samples`` is.
    """
    if seed < 1 or samples < 1:
        raise ValueError(f"seed and samples must be at least 1, but are {seed} and {samples}")
    if len(baseline) != len(system):
        raise DataError(f"the baseline has {len(baseline)} translations, but the system has {len(system)}")
    # sacreBLEU accepts None for a missing reference, but its annotations do not say so.
    streams: Any = present_references(reference_streams(baseline, references))
    check_tokenizer(tokenize)
    tokenize = resolved_tokenizer(tokenize, reference_streams(baseline, references))
    made: dict[str, BLEU | CHRF | TER] = {
        "bleu": BLEU(tokenize=tokenize, lowercase=lowercase, force=True, references=streams),
        "chrf": CHRF(lowercase=lowercase, references=streams),
        "ter": TER(case_sensitive=not lowercase, references=streams),
    }
    with _seeded(seed), waiting(f"comparing by {samples} resampled test sets"):
        test = PairedTest(
            named_systems=[("baseline", list(baseline)), ("system", list(system))],
            metrics={name: made[name] for name in metrics},
            references=None,
            test_type="bs",
            n_samples=samples,
        )
        signatures, scores = test()
    comparisons = [_comparison(name, str(signatures[name]), *scores[name]) for name in signatures]
    if list(baseline) == list(system):
        # sacreBLEU counts strictly larger differences, so identical output would come out as significantly different.
        return [replace(comparison, p_value=1.0) for comparison in comparisons]
    return comparisons


def _comparison(name: str, signature: str, baseline: Any, system: Any) -> Comparison:
    return Comparison(
        name=name,
        baseline=float(baseline.score),
        system=float(system.score),
        p_value=float(system.p_value),
        baseline_interval=_interval(baseline),
        system_interval=_interval(system),
        signature=signature,
    )


def _interval(result: Result) -> tuple[float, float]:
    return float(result.mean or 0.0), float(result.ci or 0.0)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    before = os.environ.get(_SEED)
    os.environ[_SEED] = str(seed)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SEED]
        else:
            os.environ[_SEED] = before

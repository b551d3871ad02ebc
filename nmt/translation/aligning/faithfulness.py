"""Faithfulness of attention: agreement with other evidence, and the effect of removing attended words."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from nmt.alignment.agreement import row_correlations
from nmt.alignment.extraction_methods import ExtractionMethod
from nmt.core.logging import Progress, Reached
from nmt.core.seeding import derive_seed
from nmt.translation.aligning.aligner import BATCH_TOKENS, Aligner
from nmt.translation.aligning.evidence import EvidenceConfig
from nmt.translation.lines import ScoredTarget
from nmt.translation.model_files.bundle import Bundle

AGAINST: tuple[ExtractionMethod, ...] = ("gradient-x-input", "leave-one-out")


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Measures of how faithful a model's attention is.

    Args:
        pairs: sentence pairs with words on both sides.
        correlations: for each other evidence, by name, the mean over target words of Kendall's tau between both
            rankings of the source words.
        share: share of the source words removed.
        fall_attended: mean drop in the target's log-probability, in nats per pair, when the most attended words are
            removed.
        fall_random: the same when as many random words are removed.
    """

    pairs: int
    correlations: dict[str, float | None]
    share: float
    fall_attended: float
    fall_random: float

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        taus = "; ".join(
            f"Kendall's tau of attention with {way}: {'none' if tau is None else f'{tau:.3f}'}"
            for way, tau in self.correlations.items()
        )
        return (
            f"{taus}; without the {self.share:.0%} most attended words the log-probability falls by "
            f"{self.fall_attended:.2f} nats per pair, without as many random ones by {self.fall_random:.2f}"
        )


def faithfulness(
    bundle: Bundle,
    pairs: Sequence[tuple[str, str]],
    *,
    share: float = 0.2,
    draws: int = 5,
    seed: int = 1,
    batch_tokens: int = BATCH_TOKENS,
    target_language: str | None = None,
) -> Faithfulness:
    """Compare attention with gradient x input and leave-one-out, and remove attended words.

    The correlation is that of Jain and Wallace (2019), section 4.1. The second measure is the comprehensiveness of
    DeYoung et al. (2020), equation 2, on log-probabilities and compared with random words: the source words with the
    most attention, summed over all target words, are removed (at least one, never all), and the same target is
    forced.

    Args:
        bundle: a model with attention.
        pairs: source and target.
        share: share of the source words that are removed, at least one.
        draws: random removals, averaged.
        seed: of these draws.
        batch_tokens: see ``Aligner``.
        target_language: see ``Aligner``.

    Raises:
        ConfigError: the model has no attention.
    """
    forced = Aligner([bundle], batch_tokens=batch_tokens, target_language=target_language)
    ways = {way: Aligner([bundle], by=EvidenceConfig(way=way), batch_tokens=batch_tokens) for way in AGAINST}
    work = [each.by.work for each in (forced, *ways.values(), *[forced] * (1 + draws))]
    with Progress("judging attention", unit="pairs", total=len(pairs), passing=True) as shown:
        return _judged(pairs, ways, forced, shown.passes(work), share=share, seed=seed)


def _judged(
    pairs: Sequence[tuple[str, str]],
    ways: Mapping[ExtractionMethod, Aligner],
    forced: Aligner,
    reached: Sequence[Reached],
    *,
    share: float,
    seed: int,
) -> Faithfulness:
    """Compare and remove; ``reached`` receives the progress of each pass over the pairs."""
    told = iter(reached)
    attended = list(forced.align_pairs(pairs, reached=next(told)))
    usable = [row for row, target in enumerate(attended) if target.weights is not None and len(target.source.words) > 1]
    attended = [attended[row] for row in usable]
    texts = [(target.source.tagged_text, target.text) for target in attended]
    correlations: dict[str, float | None] = {}
    for way, aligner in ways.items():
        others = aligner.align_pairs(texts, reached=next(told))
        taus = [tau for one, other in zip(attended, others, strict=True) for tau in _taus(one, other)]
        correlations[way] = float(np.mean(taus)) if taus else None
    most = [_most_attended(target, _count(target, share)) for target in attended]
    fall = _fall(forced, attended, most, next(told))
    drawn = [
        _fall(forced, attended, _drawn(attended, share, derive_seed(seed, "draw", draw)), tell)
        for draw, tell in enumerate(told)
    ]
    return Faithfulness(len(attended), correlations, share, fall, float(np.mean(drawn)))


def _taus(one: ScoredTarget, other: ScoredTarget) -> Iterable[float]:
    if one.weights is None or other.weights is None:
        return ()
    # Without the null word, for which leave-one-out has no weight.
    return row_correlations(one.weights[:, :-1], other.weights[:, :-1])


def _count(target: ScoredTarget, share: float) -> int:
    words = len(target.source.words)
    return min(words - 1, max(1, round(share * words)))


def _most_attended(target: ScoredTarget, count: int) -> set[int]:
    if target.weights is None:
        return set()
    mass = target.weights[:, :-1].sum(axis=0)
    return set(np.argsort(-mass, kind="stable")[:count].tolist())


def _drawn(targets: Sequence[ScoredTarget], share: float, seed: int) -> list[set[int]]:
    drawn = random.Random(seed)
    return [set(drawn.sample(range(len(target.source.words)), _count(target, share))) for target in targets]


def _fall(aligner: Aligner, targets: Sequence[ScoredTarget], gone: Sequence[set[int]], reached: Reached) -> float:
    """Mean drop in log-probability, in nats, when words are removed."""
    left = [
        replace(
            target.source, text=" ".join(word for place, word in enumerate(target.source.words) if place not in words)
        )
        for target, words in zip(targets, gone, strict=True)
    ]
    texts = [(source.tagged_text, target.text) for source, target in zip(left, targets, strict=True)]
    after = aligner.align_pairs(texts, reached=reached)
    falls = [before.log_prob - now.log_prob for before, now in zip(targets, after, strict=True)]
    return float(np.mean(falls)) if falls else 0.0

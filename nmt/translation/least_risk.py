"""Minimum Bayes risk: of several hypotheses, the one most like all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy

from nmt.metrics.pairwise import pairwise_chrf
from nmt.search.search_config import SearchConfig
from nmt.translation.lines import ScoredTarget


def least_risk(targets: Sequence[ScoredTarget], config: SearchConfig) -> list[ScoredTarget]:
    """Rank the hypotheses for a line by their expected chrF, where each of them may be the reference.

    Kumar and Byrne (2004), "Minimum Bayes-Risk Decoding for Statistical Machine Translation"; for samples Eikema and
    Aziz (2020), "Is MAP Decoding All You Need?". Samples are equally probable, since more probable ones are drawn more
    often; hypotheses of a beam are so by the model. Hypotheses with the same text are one, with the probability of all.

    Args:
        targets: best first by the model's score.
        config: says whether they are samples, and how many are wanted.

    Returns:
        At most ``n_best`` with different texts, each with its utility; of equal ones the first.
    """
    if not targets:
        return []
    log_probs = numpy.array([target.log_prob for target in targets])
    if config.strategy == "sampling" or not numpy.isfinite(log_probs.max()):
        log_probs = numpy.zeros(len(targets))
    probability = dict.fromkeys((target.text for target in targets), 0.0)
    for target, weight in zip(targets, numpy.exp(log_probs - log_probs.max()).tolist(), strict=True):
        probability[target.text] += weight
    weights = numpy.array([*probability.values()])
    utilities = dict(zip(probability, (pairwise_chrf([*probability]) @ weights / weights.sum()).tolist(), strict=True))
    best = {target.text: target for target in reversed(targets)}
    ranked = sorted(utilities, key=lambda text: -utilities[text])[: config.n_best]
    return [replace(best[text], utility=utilities[text]) for text in ranked]

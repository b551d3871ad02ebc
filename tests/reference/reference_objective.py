"""Objectives in plain loops over plain lists, one sentence at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from reference_model import Matrix, ReferenceModel, Vector, add, log_softmax, product, tanh


def position_log_probs(reference: ReferenceModel, memory: Matrix, top: Vector) -> Matrix:
    """``log p(v | h_t, h_s)`` for every annotation of Luong's decoder: a row a position."""
    rows = []
    for annotation in memory:
        features = tanh(product(reference._get("decoder.W_c.weight"), annotation + top))
        rows.append(log_softmax(add(product(reference._get("output.weight"), features), reference._get("output.bias"))))
    return rows


def log_sum(values: Sequence[float]) -> float:
    largest = max(values)
    return largest + math.log(math.fsum(math.exp(value - largest) for value in values))


def mixed(weights: Vector, given: Matrix) -> Vector:
    """``log sum_s a_s p(v | s)``."""
    return [
        log_sum([math.log(weight) + row[token] for weight, row in zip(weights, given, strict=True)])
        for token in range(len(given[0]))
    ]


def likelihood_over_alignments(weights: Matrix, given: Matrix) -> float:
    """Log of the sum, over every sequence of positions there is, of its probability times that of the words.

    Args:
        weights: a_ts, a row a word.
        given: log p(y_t | s), likewise.
    """
    total = 0.0
    for alignment in itertools.product(range(len(weights[0])), repeat=len(weights)):
        joint = 1.0
        for word, position in enumerate(alignment):
            joint *= weights[word][position] * math.exp(given[word][position])
        total += joint
    return math.log(total)


def bound(posterior: Matrix, weights: Matrix, given: Matrix) -> float:
    """``sum_t sum_s q_ts (log p(y_t | s) + log a_ts - log q_ts)``."""
    total = 0.0
    for q_row, a_row, p_row in zip(posterior, weights, given, strict=True):
        for q, a, log_p in zip(q_row, a_row, p_row, strict=True):
            if q > 0:
                total += q * (log_p + math.log(a) - math.log(q))
    return total


def doubly_stochastic(weights: Matrix) -> float:
    """Xu et al. (2015), equation 14: ``sum_i (1 - sum_t a_ti)^2``."""
    total = 0.0
    for position in range(len(weights[0])):
        seen = 0.0
        for row in weights:
            seen += row[position]
        total += (1.0 - seen) ** 2
    return total


def guided(weights: Matrix, links: set[tuple[int, int]]) -> float:
    """``-sum_t sum_s A_ts log a_ts``, A being even over the linked source pieces of a target piece."""
    total = 0.0
    for row in range(len(weights)):
        linked = [source for source, target in links if target == row]
        for source in linked:
            total -= math.log(weights[row][source]) / len(linked)
    return total


def lexical_guidance(
    weights: Matrix, translated: Matrix, *, null_probability: float, diagonal: float, delay: int
) -> tuple[float, float, Matrix]:
    """Loss of the lexicon, loss of the attention, and the posterior of one sentence.

    Args:
        weights: a_ts, a row a step, that of eos last.
        translated: log p(y_t | x_s), a row a target piece without eos, the last column given the source's eos.
        null_probability: p0.
        diagonal: lambda.
        delay: steps until a piece has been read.
    """
    lexicon = attention = 0.0
    posterior = []
    targets = len(translated)
    for word in range(targets):
        sources = len(translated[word]) - 1
        nearness = []
        for position in range(sources):
            nearness.append(math.exp(-diagonal * abs((position + 0.5) / sources - (word + 0.5) / targets)))
        prior = [(1.0 - null_probability) * near / math.fsum(nearness) for near in nearness] + [null_probability]
        joint = [share * math.exp(log_p) for share, log_p in zip(prior, translated[word], strict=True)]
        posterior.append([each / math.fsum(joint) for each in joint])
        lexicon -= math.log(math.fsum(joint))
        if word + delay < len(weights):
            row = weights[word + delay]
            attention -= math.fsum(q * math.log(a) for q, a in zip(posterior[-1], row, strict=True))
    return lexicon, attention, posterior


def reinforce(
    log_likelihoods: Vector,
    log_weights: Vector,
    entropies: Vector,
    *,
    baseline: float,
    remaining: bool,
    weight: float,
    entropy_weight: float,
) -> float:
    """Xu et al. (2015), section 4.1, one sentence: word by word or with all words that remain."""
    total = 0.0
    for word in range(len(log_likelihoods)):
        last = len(log_likelihoods) if remaining else word + 1
        advantage = 0.0
        for later in range(word, last):
            advantage += log_likelihoods[later] - baseline
        total -= log_likelihoods[word] + weight * advantage * log_weights[word] + entropy_weight * entropies[word]
    return total

"""Search in plain loops over plain lists: what the batched one must equal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Next = Callable[[tuple[int, ...]], tuple[list[float], list[float]]]
"""Log-probabilities and attention weights after a prefix (without bos), of one sentence."""


@dataclass(frozen=True)
class Options:
    eos: int
    forbid: frozenset[int]
    minimum: int
    maximum: int
    alpha: float = 1.0
    beta: float = 0.0


@dataclass(frozen=True)
class Found:
    score: float
    tokens: tuple[int, ...]
    log_prob: float
    finished: bool
    weights: list[list[float]]


def score(log_prob: float, length: int, rows: Sequence[Sequence[float]], options: Options) -> float:
    """Wu et al. (2016), eq. 14, with every scored token counted and coverage floored at 1e-6."""
    result = log_prob / ((5 + length) / 6) ** options.alpha
    if options.beta and rows:
        for column in range(len(rows[0])):
            covered = min(sum(row[column] for row in rows), 1.0)
            result += options.beta * math.log(max(covered, 1e-6))
    return result


def brute_force(following: Next, options: Options) -> list[Found]:
    """Score every finished target there is, best first."""
    found: list[Found] = []

    def visit(prefix: tuple[int, ...], log_prob: float, rows: list[list[float]]) -> None:
        log_probs, weights = following(prefix)
        rows = [*rows, weights]
        for token, value in enumerate(log_probs):
            if token == options.eos:
                if len(prefix) >= options.minimum:
                    total = log_prob + value
                    found.append(Found(score(total, len(rows), rows, options), prefix, total, True, rows))
            elif token not in options.forbid and len(prefix) < options.maximum:
                visit((*prefix, token), log_prob + value, rows)

    visit((), 0.0, [])
    return sorted(found, key=lambda item: -item.score)


def plain_beam(following: Next, options: Options, size: int, n_best: int, patience: float = 1.0) -> list[Found]:
    """Search with a beam, one sentence, never stopping early by a bound."""
    live: list[tuple[float, tuple[int, ...], list[list[float]]]] = [(0.0, (), [])]
    finished: list[Found] = []
    for length in range(options.maximum + 1):
        candidates = []
        for log_prob, prefix, rows in live:
            log_probs, weights = following(prefix)
            for token, value in enumerate(log_probs):
                possible = length < options.maximum if token != options.eos else length >= options.minimum
                if token not in options.forbid and possible and value > -math.inf:
                    candidates.append((log_prob + value, prefix, token, [*rows, weights]))
        candidates.sort(key=lambda item: -item[0])
        for total, prefix, token, rows in candidates[:size]:
            if token == options.eos:
                finished.append(Found(score(total, length + 1, rows, options), prefix, total, True, rows))
        following_live = [
            (total, (*prefix, token), rows) for total, prefix, token, rows in candidates if token != options.eos
        ]
        if len(finished) >= math.ceil(patience * size) or not following_live:
            break
        live = following_live[:size]
    if not finished:
        finished = [
            Found(score(total, len(prefix), rows, options), prefix, total, False, rows) for total, prefix, rows in live
        ]
    return sorted(finished, key=lambda item: -item.score)[:n_best]

"""Lengths, allowed pieces, the two-stage top-k, and the options that set them."""

from __future__ import annotations

import math

import pytest
import torch
from table_steppers import EOS, tokens

from nmt.core.config.ranges import problems_of
from nmt.search.allowed_tokens import BLOCK, AllowedTokens, Symbols
from nmt.search.hypothesis import Hypothesis
from nmt.search.length_limits import LengthLimits
from nmt.search.scorer import Scorer
from nmt.search.search_config import SearchConfig


@pytest.mark.parametrize("size", [5, 3 * BLOCK, 3 * BLOCK + 1, 4 * BLOCK - 1])
def test_the_best_of_each_hypothesis_is_the_first_largest_of_those_allowed(size):
    generator = torch.Generator().manual_seed(size)
    log_probs = (4 * -torch.rand(6, 2, size, generator=generator)).round()
    forbid, eos = (0, size - 1), 3
    log_probs[:, :, [*forbid]] = 9.0  # were they allowed, nothing else would be found
    log_probs[:4, :, eos] = 1.0
    log_probs[4, 1] = -math.inf
    log_probs[5, 0, 2] = math.nan
    early = torch.tensor([False, True, False, True, False, False])
    allowed_tokens = AllowedTokens(Symbols(1, eos, forbid), log_probs.device)
    values, ids = allowed_tokens.best_of_each(log_probs, early)
    expected = allowed_tokens.mask(log_probs, early).max(2)
    torch.testing.assert_close(values, expected.values, rtol=0, atol=0, equal_nan=True)
    some = expected.values > -math.inf
    assert ids[some].equal(expected.indices[some])
    assert (ids < size).all()


def test_what_is_forbidden_is_masked():
    log_probs = torch.tensor([[[9.0, 8, 7, 6, 5, 4, 3, 2]], [[2.0, 3, 4, 5, 6, 7, 8, 9]]])
    allowed_tokens = AllowedTokens(Symbols(1, 2, (0, 1, 2, 1)), log_probs.device)
    masked = allowed_tokens.mask(log_probs, torch.tensor([True, False]))
    assert masked[:, 0].isinf().tolist() == [[True] * 3 + [False] * 5, [True] * 2 + [False] * 6]


def test_limits_count_pieces_without_eos():
    source = tokens([[5] * 10 + [EOS], [5, EOS], [EOS]])
    limits = LengthLimits.of(source, SearchConfig(max_length_ratio=1.55, max_length_offset=2, min_length_ratio=0.35))
    assert limits.maximum.tolist() == [17, 3, 2]
    assert limits.minimum.tolist() == [3, 0, 0]
    limits = LengthLimits.of(source, SearchConfig(max_length_ratio=0.5, max_length_offset=0, min_length=3))
    assert limits.maximum.tolist() == [5, 0, 0]
    assert limits.minimum.tolist() == [3, 0, 0]


def test_divisors_by_hand_and_the_floor_of_coverage():
    # ((5 + n) / 6)^2 for n = 0, 1, 2, 3.
    divisors = Scorer(2.0, 0.0).divisors(3, torch.device("cpu"))
    torch.testing.assert_close(divisors, torch.tensor([25 / 36, 1.0, 49 / 36, 64 / 36]))
    # Nothing seen of one real piece: log 1e-6; padding costs nothing.
    total = torch.tensor([[[1.4, 0.0, 0.0]]])
    penalty = Scorer(1.0, 0.5).coverage(total, torch.tensor([[True, True, False]]))
    assert penalty.item() == pytest.approx(0.5 * math.log(1e-6))


def test_confidence_is_the_geometric_mean():
    hypothesis = Hypothesis([4, 5], -1.0, math.log(0.02), [math.log(0.5), math.log(0.2), math.log(0.2)], True)
    assert hypothesis.confidence == pytest.approx(0.02 ** (1 / 3))
    assert Hypothesis([4], 1e-7, 1e-7, [1e-7], True).confidence == 1.0


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        ({}, []),
        ({"beam_size": 0}, ["beam_size"]),
        ({"n_best": 6}, ["n_best"]),
        ({"n_best": 6, "strategy": "sampling"}, []),
        ({"n_best": 2, "strategy": "greedy"}, ["n_best"]),
        ({"length_penalty": -0.1, "coverage_penalty": float("nan")}, ["length_penalty", "coverage_penalty"]),
        ({"temperature": 0.0, "top_p": 0.0, "top_k": -1}, ["temperature", "top_k", "top_p"]),
        ({"top_p": 1.1, "patience": 0.5}, ["patience", "top_p"]),
        ({"min_length_ratio": 3.0}, ["min_length_ratio"]),
        ({"max_length_ratio": 1e18, "max_length_offset": 10**6}, ["max_length_ratio", "max_length_offset"]),
        ({"length_penalty": 400.0, "coverage_penalty": math.inf}, ["length_penalty", "coverage_penalty"]),
    ],
)
def test_impossible_options_are_all_named(options, paths):
    problems = list(problems_of(SearchConfig(**options)))
    assert [path for path, _ in problems] == paths
    assert all("must be" in message and "but is" in message for _, message in problems)


@pytest.mark.parametrize("size", [11, 3 * BLOCK, 4 * BLOCK - 1, 32 * BLOCK, 32 * BLOCK + 1, 36 * BLOCK - 1])
@pytest.mark.parametrize("distinct", [True, False])
def test_the_best_of_all_hypotheses_are_those_of_a_full_sort(size, distinct):
    """Every kind of row: one hypothesis far ahead, an empty place, the best at the very end, and ties everywhere."""
    generator = torch.Generator().manual_seed(size)
    log_probs = -torch.rand(5, 3, size, generator=generator, dtype=torch.float64)
    before = -torch.rand(5, 3, generator=generator, dtype=torch.float64)
    before[0] = torch.tensor([0.0, -50.0, -90.0])
    before[1, 1:] = -math.inf
    log_probs[2, 1, -2:] = 5.0
    forbid, eos = (0, 1, size - 1, size // 2), 3
    log_probs[3, :, list(forbid)] = 9.0  # were they allowed, nothing else would be found
    log_probs[:, :, eos] = 4.0
    if not distinct:
        log_probs, before = (log_probs * 3).round(), (before * 3).round()
    early = torch.tensor([False, True, False, False, True])
    allowed_tokens = AllowedTokens(Symbols(1, eos, forbid), log_probs.device)
    found = allowed_tokens.best_of_all(before, log_probs, early, 8)
    totals, parents, ids, values = found.log_probs, found.parents, found.tokens, found.token_log_probs

    masked = allowed_tokens.mask(log_probs, early)
    order = (before.unsqueeze(2) + masked).flatten(1).sort(dim=1, descending=True, stable=True)
    assert totals.equal(order.values[:, :8])
    assert values.equal(masked.flatten(1).gather(1, parents * size + ids))
    assert totals.equal(before.gather(1, parents) + values)
    places = parents * size + ids
    for row, found in zip(places.tolist(), totals.tolist(), strict=True):
        assert len(set(row)) == 8
        # Ties stand in the order of hypotheses and ids.
        assert [place for _, place in sorted(zip([-t for t in found], row, strict=True))] == row
    if distinct:
        some = totals > -math.inf  # which places stay empty does not matter
        assert places[some].equal(order.indices[:, :8][some])


def test_more_than_there_are_leaves_empty_places():
    log_probs, before = -torch.rand(2, 2, 6), torch.zeros(2, 2)
    early = torch.tensor([True, False])
    found = AllowedTokens(Symbols(1, 2, (0,)), log_probs.device).best_of_all(before, log_probs, early, 3 * BLOCK)
    assert found.tokens.shape == (2, 3 * BLOCK)
    assert (found.log_probs > -math.inf).sum(1).tolist() == [8, 10]
    assert found.ends.sum(1).tolist() == [0, 2]
    assert (found.parents < 2).all()
    assert (found.tokens < 6).all()

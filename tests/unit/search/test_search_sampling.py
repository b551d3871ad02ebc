"""Samples follow the distribution, its truncations, and their line's own random numbers."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from table_steppers import BOS, EOS, PAD, SENTENCES, Bigram, RecurrentTable, Table, tokens

from nmt.search.allowed_tokens import Symbols
from nmt.search.search import search
from nmt.search.search_config import SearchConfig
from nmt.search.strategies.ancestral_sampling import truncated


def draw(stepper, count, **options):
    config = SearchConfig(strategy="sampling", n_best=count, max_length_ratio=0, max_length_offset=3, **options)
    return search(stepper, tokens([[5, EOS]]), config, Symbols(BOS, EOS, (PAD, BOS)))[0]


def chi_square(counts: Counter, expected: dict) -> float:
    assert set(counts) <= set(expected)
    total = sum(counts.values())
    return sum((counts[key] - total * p) ** 2 / (total * p) for key, p in expected.items())


def test_frequencies_match_the_distribution():
    # From bos: 3 (0.6) or 4 (0.4); from 3: eos 0.3, 4 0.7; from 4: eos 0.8, 3 0.2. After 3 tokens eos, whatever it has.
    stepper = Bigram(
        [[0, 0, 0, 0.5, 0.5], [0, 0, 0, 0.6, 0.4], [0, 0, 1, 0, 0], [0, 0, 0.3, 0, 0.7], [0, 0, 0.8, 0.2, 0]]
    )
    samples = draw(stepper, 4000)
    counts = Counter((tuple(h.tokens), h.finished) for h in samples)
    expected = {
        ((3,), True): 0.6 * 0.3,
        ((4,), True): 0.4 * 0.8,
        ((3, 4), True): 0.6 * 0.7 * 0.8,
        ((4, 3), True): 0.4 * 0.2 * 0.3,
        ((3, 4, 3), True): 0.6 * 0.7 * 0.2,
        ((4, 3, 4), True): 0.4 * 0.2 * 0.7,
    }
    assert sum(expected.values()) == pytest.approx(1)
    assert chi_square(counts, expected) < 20.5  # 5 degrees of freedom, one in a thousand
    for hypothesis in samples:
        assert hypothesis.token_log_probs[-1] == pytest.approx(math.log(0.3 if hypothesis.tokens[-1] == 3 else 0.8))
        assert hypothesis.cut == (hypothesis.tokens == [3, 4, 3])


def test_frequencies_match_among_many():
    p = {3: 0.5, 4: 0.3, 5: 0.15, 6: 0.05}
    stepper = Table([[0, 0, 0, *p.values()], [0, 0, 1.0, 0, 0, 0, 0]])
    assert chi_square(Counter(h.tokens[0] for h in draw(stepper, 4000)), p) < 16.3  # 3 degrees, one in a thousand


def test_temperature_sharpens_and_the_reported_probability_stays_the_models():
    stepper = Table([[0, 0, 0, 0.8, 0.2], [0, 0, 1.0, 0, 0]])
    samples = draw(stepper, 3000, temperature=0.5)
    # 0.8^2 : 0.2^2 = 0.64 : 0.04 = 0.941 : 0.059
    assert chi_square(Counter(h.tokens[0] for h in samples), {3: 0.64 / 0.68, 4: 0.04 / 0.68}) < 10.8
    assert {round(h.token_log_probs[0], 4) for h in samples} == {-0.2231, -1.6094}


def test_top_k_and_top_p_cut_exactly():
    log_probs = torch.tensor([[[0.1, 0.4, 0.05, 0.25, 0.2]]]).log()

    def kept(**options):
        logits, ids = truncated(log_probs, SearchConfig(strategy="sampling", **options))
        probabilities = torch.softmax(logits, 2)
        ids = torch.arange(5).expand(1, 1, 5) if ids is None else ids
        pairs = zip(ids.flatten().tolist(), probabilities.flatten().tolist(), strict=True)
        return {token: pytest.approx(p, abs=1e-5) for token, p in pairs if p}

    assert kept() == {0: 0.1, 1: 0.4, 2: 0.05, 3: 0.25, 4: 0.2}
    assert kept(top_k=2) == {1: 0.4 / 0.65, 3: 0.25 / 0.65}
    assert kept(top_k=9) == kept()
    # 0.4 + 0.25 = 0.65 < 0.66, so the third is still needed; at 0.64 two are enough; 0.01 leaves the best alone.
    assert kept(top_p=0.66) == {1: 0.4 / 0.85, 3: 0.25 / 0.85, 4: 0.2 / 0.85}
    assert kept(top_p=0.64) == {1: 0.4 / 0.65, 3: 0.25 / 0.65}
    assert kept(top_p=0.01) == {1: 1.0}
    # After top-k the three are 0.47, 0.29, 0.24 of what is left: two reach 0.7.
    assert kept(top_k=3, top_p=0.7) == {1: 0.4 / 0.65, 3: 0.25 / 0.65}
    # Temperature 0.5 first: squares 0.01, 0.16, 0.0025, 0.0625, 0.04 of 0.275; the best alone has 0.58.
    assert kept(temperature=0.5, top_p=0.58) == {1: 1.0}


def test_truncation_reaches_the_samples():
    stepper = Table([[0, 0, 0, 0.1, 0.2, 0.3, 0.4], [0, 0, 1.0, 0, 0, 0, 0]])
    assert {h.tokens[0] for h in draw(stepper, 200)} == {3, 4, 5, 6}
    assert {h.tokens[0] for h in draw(stepper, 200, top_k=2)} == {5, 6}
    assert {h.tokens[0] for h in draw(stepper, 200, top_p=0.8)} == {4, 5, 6}


def test_the_last_digits_of_a_float_do_not_decide():
    # 3,000 pieces, nearly alike. Tilting them by 1e-4 moves the distribution function by some 2e-5 at each of its 3,000
    # steps, so inverting it would change one draw in 17; the largest of the perturbed pieces changes once in 10,000.
    generator = torch.Generator().manual_seed(3)
    rows = torch.softmax(torch.randn(1, 3000, generator=generator) * 0.3, 1)
    tilted = rows * (1 + torch.linspace(-5e-5, 5e-5, 3000))
    clean, disturbed = (Counter(tuple(h.tokens) for h in draw(Table(t.tolist()), 300)) for t in (rows, tilted))
    assert len(clean) > 250
    assert (clean & disturbed).total() >= 299


def test_pieces_that_change_ranks_keep_their_random_numbers():
    # Every piece of the first half has a twin in the second; tilting swaps the twins' ranks, and must not swap draws.
    half = torch.softmax(torch.randn(1, 50, generator=torch.Generator().manual_seed(4)), 1) / 2
    rows = torch.cat([half, half], 1)
    tilted = rows * (1 + torch.linspace(-5e-6, 5e-6, 100))
    clean, disturbed = (
        Counter(tuple(h.tokens) for h in draw(Table(t.tolist()), 100, top_p=0.95)) for t in (rows, tilted)
    )
    assert (clean & disturbed).total() >= 99


def test_lines_have_their_own_numbers():
    stepper = RecurrentTable(30, seed=5, sharp=1)
    config = SearchConfig(strategy="sampling", n_best=2)
    same = [SENTENCES[0]] * 4
    found = search(stepper, tokens(same), config, Symbols(BOS, EOS), line_keys=[8, 9, 8, 10])
    assert found[0] == found[2]
    assert found[0] != found[1] != found[3]
    assert found[0][0].tokens != found[0][1].tokens
    other_seed = search(stepper, tokens(same), SearchConfig(strategy="sampling", n_best=2, seed=2), Symbols(BOS, EOS))
    assert other_seed[0] != search(stepper, tokens(same), config, Symbols(BOS, EOS))[0]
    more = search(stepper, tokens(same), config, Symbols(BOS, EOS), line_keys=[8, 9, 8, 10], n_best=5)
    assert all(hypothesis in more[0] for hypothesis in found[0])
    with pytest.raises(ValueError, match=r"one key a sentence \(4\), but has 1"):
        search(stepper, tokens(same), config, Symbols(BOS, EOS), line_keys=[1])

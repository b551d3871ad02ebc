"""The real model under search: padding, brute force, and forced decoding agree."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace

import pytest
import torch
from model_sweep import (
    BOS,
    EOS,
    PAD,
    SOURCES,
    VOCABULARY,
    close,
    combinations,
    describe,
    every_combination,
    ragged,
    sharp_model,
)

from nmt.data.batch import Tokens
from nmt.model.model_stepper import ModelStepper
from nmt.search.allowed_tokens import Symbols
from nmt.search.ensemble import EnsembleStepper
from nmt.search.forced import force
from nmt.search.search import search
from nmt.search.search_config import SearchConfig

FORBID = (PAD, BOS)
# Longer than the source at the least: an empty hypothesis proves nothing.
BEAM = SearchConfig(
    beam_size=4, n_best=4, min_length_ratio=1.5, min_length=3, max_length_ratio=2.0, max_length_offset=3
)


@functools.cache
def stepper(config, vocabulary=VOCABULARY):
    return ModelStepper(sharp_model(config, vocabulary))


def options(combination, config):
    return replace(config, coverage_penalty=0.0 if combination.attention == "none" else 0.3)


def run(combination, source, config):
    return search(stepper(combination.config), source, config, Symbols(BOS, EOS, FORBID))


@functools.cache
def found_together(combination):
    return run(combination, ragged(SOURCES), options(combination, BEAM))


def assert_alike(one, other):
    assert [hypothesis.tokens for hypothesis in one] == [hypothesis.tokens for hypothesis in other]
    for hypothesis, expected in zip(one, other, strict=True):
        assert hypothesis.finished == expected.finished
        assert hypothesis.score == pytest.approx(expected.score, abs=1e-4)
        assert hypothesis.token_log_probs == pytest.approx(expected.token_log_probs, abs=1e-4)
        assert (hypothesis.weights is None) == (expected.weights is None)
        if hypothesis.weights is not None:
            close(hypothesis.weights, expected.weights, 1e-5)


@every_combination
def test_a_sentence_is_translated_as_if_alone(combination):
    for source, together in zip(SOURCES, found_together(combination), strict=True):
        alone = run(combination, Tokens.pad([source], PAD), options(combination, BEAM))
        assert_alike(together, alone[0])
        assert together
        assert all(len(hypothesis.tokens) >= 3 for hypothesis in together)


@every_combination
def test_forced_decoding_gives_a_hypothesis_its_score_and_weights(combination):
    model = sharp_model(combination.config)
    pairs = [
        (source, hypothesis)
        for source, hypotheses in zip(SOURCES, found_together(combination), strict=True)
        for hypothesis in hypotheses
    ]
    source = Tokens.pad([source for source, _ in pairs], PAD)
    target = Tokens.pad([[*hypothesis.tokens, EOS] for _, hypothesis in pairs], PAD)
    forced = force(stepper(combination.config), source, target, bos_id=BOS, config=options(combination, BEAM))
    with torch.no_grad():
        log_probs = model.log_probs(model(source, target, BOS))
    chosen = log_probs.gather(2, target.ids.unsqueeze(2)).squeeze(2)
    for row, (again, (_, hypothesis)) in enumerate(zip(forced, pairs, strict=True)):
        scored = len(hypothesis.tokens) + hypothesis.finished
        assert hypothesis.token_log_probs == pytest.approx(chosen[row, :scored].tolist(), abs=1e-4)
        assert hypothesis.token_log_probs == pytest.approx(again.token_log_probs[:scored], abs=1e-4)
        if hypothesis.finished:
            assert_alike([again], [hypothesis])


@every_combination
def test_a_wide_beam_equals_brute_force(combination):
    """With 3 words and at most 3 of them there are 3 + 9 + 27 = 39 targets of one word or more.

    After 3 words each of the 27 may end, among 27 * 4 candidates: a beam of 120 loses none.
    """
    words, longest, n_best = (3, 4, 5), 3, 6
    model = sharp_model(combination.config, 6)
    source = [5, 3, 4, EOS]
    targets = [
        [*words_of_one, EOS]
        for length in range(1, longest + 1)
        for words_of_one in itertools.product(words, repeat=length)
    ]
    # Teacher-forced and unrolled: no code of the steps is used.
    with torch.no_grad():
        target = Tokens.pad(targets, PAD)
        output = model(Tokens.pad([source] * len(targets), PAD), target, BOS)
        log_probs = model.log_probs(output)
    expected = {}
    for row, words_and_end in enumerate(targets):
        log_prob = sum(float(log_probs[row, place, token]) for place, token in enumerate(words_and_end))
        expected[tuple(words_and_end[:-1])] = log_prob / (5 + len(words_and_end)) * 6, output.weights[row]
    best = sorted((score for score, _ in expected.values()), reverse=True)[:n_best]
    config = SearchConfig(
        beam_size=120, n_best=n_best, patience=50.0, min_length=1, max_length_ratio=0.0, max_length_offset=longest
    )
    (found,) = search(stepper(combination.config, 6), Tokens.pad([source], PAD), config, Symbols(BOS, EOS, FORBID))
    assert len({tuple(hypothesis.tokens) for hypothesis in found}) == n_best
    for hypothesis, rank in zip(found, best, strict=True):
        score, weights = expected[tuple(hypothesis.tokens)]
        # Both: where two are as good as each other, rounding decides which comes first.
        assert hypothesis.score == pytest.approx(score, abs=1e-4)
        assert hypothesis.score == pytest.approx(rank, abs=1e-4)
        if hypothesis.weights is not None:
            close(hypothesis.weights.double(), weights[: len(hypothesis.tokens) + 1].mean(1), 1e-5)


@every_combination
def test_a_beam_of_one_equals_greedy_search(combination):
    config = options(combination, replace(BEAM, beam_size=1, n_best=1))
    beam = run(combination, ragged(SOURCES), config)
    greedy = run(combination, ragged(SOURCES), replace(config, strategy="greedy"))
    for one, other in zip(beam, greedy, strict=True):
        assert_alike(one, other)


def test_an_ensemble_carries_what_each_of_its_attentions_carries():
    """Coverage, a place in the source, a sentinel: reordered by a beam, they still belong to their own hypotheses."""
    plain = [one for one in combinations() if not (one.config.attention.latent or one.config.attention.samples)]
    chosen = [
        next(one for one in plain if f"-{carrying}-" in f"-{describe(one.config.attention)}-")
        for carrying in ("neural", "local-m", "sentinel")
    ]
    members = [stepper(one.config) for one in chosen]
    assert all(member.model.decoder.attention.recurrent for member in members)
    found = search(EnsembleStepper(members), ragged(SOURCES), BEAM, Symbols(BOS, EOS, FORBID))
    for source, hypotheses in zip(SOURCES, found, strict=True):
        for hypothesis in hypotheses:
            target = Tokens.pad([[*hypothesis.tokens, EOS]], PAD)
            with torch.no_grad():
                outputs = [member.model(Tokens.pad([source], PAD), target, BOS) for member in members]
                probs = [
                    torch.softmax(member.model.output(output.features[0]), dim=-1)
                    for member, output in zip(members, outputs, strict=True)
                ]
            mean = torch.stack(probs).mean(0).log().gather(1, target.ids[0].unsqueeze(1)).squeeze(1)
            scored = len(hypothesis.token_log_probs)
            assert hypothesis.token_log_probs == pytest.approx(mean[:scored].tolist(), abs=1e-4)
            weights = torch.stack([output.weights[0].mean(1) for output in outputs]).mean(0)
            close(hypothesis.weights.double(), weights[:scored], 1e-5)


def test_the_stepper_gives_float32_log_probabilities_and_weights_averaged_over_heads():
    for combination in combinations():
        one = stepper(combination.config)
        prepared, state = one.start(ragged(SOURCES))
        step = one.step(torch.full((len(SOURCES),), BOS), prepared, state)
        assert one.vocabulary_size == VOCABULARY
        assert step.log_probs.shape == (len(SOURCES), VOCABULARY)
        assert step.log_probs.dtype == torch.float32
        close(step.log_probs.exp().sum(-1), torch.ones(len(SOURCES)), 1e-5)
        if combination.attention == "none":
            assert step.weights is None
        else:
            assert step.weights.shape == (len(SOURCES), max(map(len, SOURCES)))
            assert step.weights.dtype == torch.float32

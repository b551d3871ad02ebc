"""Saliency of every attention in every decoder, against differences of plain forward passes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from model_sweep import BOS, EOS, PAD, SOURCES, TARGETS, close, combinations, every_combination, ragged, sharp_model

from nmt.core.machine.device import _Unrounded
from nmt.data.batch import Tokens
from nmt.model import saliency
from nmt.model.attention.glimpse import GlimpseAttention
from nmt.model.attention.hard import HardAttention
from nmt.model.attention.stacked import StackedAttention

WORDS = ([0, 0], [0, 1, 1, 2, 1], [0], [-1, 0, 1, 1])
ROW = 2  # of a batch whose other rows are longer


def log_probs(model, source, target, embedded=None):
    """Log-probability of each piece of one target, from the loop of steps, for each row of embeddings."""
    rows = 1 if embedded is None else embedded.shape[0]
    tokens = Tokens.pad([source] * rows, PAD)
    found = []
    with torch.no_grad():
        prepared, state = model.start(model.encode(tokens, embedded))
        last = torch.full((rows,), BOS)
        for piece in target:
            output = model.step(last, prepared, state)
            found.append(model.log_probs(output)[:, piece])
            last, state = torch.full((rows,), piece), output.state
    return torch.stack(found, 1)


@every_combination
def test_gradient_times_input_equals_the_slope_of_a_scaled_embedding(combination):
    model, step = sharp_model(combination.config), 1e-6
    found = saliency.gradient_times_input(model, ragged(SOURCES), ragged(TARGETS, seed=1), bos_id=BOS)
    source, target = SOURCES[ROW], TARGETS[ROW]
    embedded = model.embed_source(torch.tensor([source])).detach()
    scale = 1.0 + step * torch.eye(len(source), dtype=torch.float64).unsqueeze(2)
    up, down = (log_probs(model, source, target, embedded * each) for each in (scale, 2.0 - scale))
    close(found[ROW, : len(target), : len(source)], ((up - down) / (2 * step)).t(), 2e-4)
    assert not found[ROW, len(target) :].any()
    assert not found[ROW, :, len(source) :].any()


def test_gradients_are_taken_where_recurrent_layers_may_not_round():
    model, rounding = sharp_model(combinations()[0].config), _Unrounded()
    cudnn = torch.backends.cudnn
    with rounding:  # as commands do on a GPU
        saliency.gradient_times_input(model, ragged(SOURCES), ragged(TARGETS), bos_id=BOS)
        with saliency._differentiable_recurrence():
            assert not cudnn.enabled
            assert all(getattr(place, name) == off for place, name, off in rounding._switches())
    assert cudnn.enabled


def test_noise_moves_the_point_at_which_the_gradient_is_taken():
    model = sharp_model(combinations()[0].config)
    source, target = Tokens.pad(SOURCES[:1], PAD), Tokens.pad(TARGETS[:1], PAD)
    noise = 0.1 * torch.randn(1, len(SOURCES[0]), 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = saliency.gradient_times_input(model, source, target, bos_id=BOS, noise=noise)
    embedded, step = model.embed_source(source.ids).detach() + noise, 1e-6
    scale = 1.0 + step * torch.eye(len(SOURCES[0]), dtype=torch.float64).unsqueeze(2)
    up, down = (log_probs(model, SOURCES[0], TARGETS[0], embedded * each) for each in (scale, 2.0 - scale))
    close(found[0], ((up - down) / (2 * step)).t(), 2e-4)
    assert (found - saliency.gradient_times_input(model, source, target, bos_id=BOS)).abs().max() > 1e-3


@every_combination
def test_attention_times_gradient_equals_the_slope_of_a_weight(combination, monkeypatch):
    model, step = sharp_model(combination.config), 1e-6
    attention = model.decoder.attention
    looks = 1
    if isinstance(attention, StackedAttention):
        attention, looks = attention.look, 1 + len(attention.W)
    if not attention.heads or isinstance(attention, HardAttention | GlimpseAttention) or attention.latent:
        pytest.skip("no gradient reaches its weights, or they are those of a mixture")
    found = saliency.attention_times_gradient(model, ragged(SOURCES), ragged(TARGETS, seed=1), bos_id=BOS)
    source, target = SOURCES[ROW], TARGETS[ROW]
    embedded = model.embed_source(torch.tensor([source] * len(source))).detach()  # a row for each weight to be changed
    blend, complete, place = attention.blend, model.output.complete, 1
    expected = torch.zeros(len(source), dtype=torch.float64)
    for head, look in itertools.product(range(attention.heads), range(looks)):
        values, weights = [], []
        for change in (step, -step):
            calls, completed = itertools.count(), itertools.count()

            def nudged(
                given, prepared, change=change, head=head, calls=calls, called=place * looks + look, weights=weights
            ):
                if next(calls) != called:
                    return blend(given, prepared)
                weights.append(given[0, 0, head].detach())
                moved = given.clone()
                moved[:, 0, head] += change * torch.eye(len(source), dtype=torch.float64)
                return blend(moved, prepared)

            def nudged_words(output, prepared, change=change, head=head, calls=completed, last=look + 1 == looks):
                if next(calls) == place and last:
                    moved = output.weights.clone()
                    moved[:, head] += change * torch.eye(len(source), dtype=torch.float64)
                    output = replace(output, weights=moved)
                return complete(output, prepared)

            monkeypatch.setattr(attention, "blend", nudged)
            monkeypatch.setattr(model.output, "complete", nudged_words)
            values.append(log_probs(model, source, target, embedded)[:, place])
            monkeypatch.setattr(attention, "blend", blend)
            monkeypatch.setattr(model.output, "complete", complete)
        expected += weights[0] * (values[0] - values[1]) / (2 * step)
    close(found[ROW, place, : len(source)], expected, 2e-4)
    assert not found[ROW, len(target) :].any()


@every_combination
def test_of_a_latent_alignment_it_is_the_posterior(combination):
    model = sharp_model(combination.config)
    if not (model.decoder.attention.latent and model.decoder.attention.mixes):
        pytest.skip("no mixture")
    found = saliency.attention_times_gradient(model, ragged(SOURCES), ragged(TARGETS, seed=1), bos_id=BOS)
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        output = model(Tokens.pad([source], PAD), Tokens.pad([target], PAD), BOS)
        joint = []
        for position in range(len(source)):
            alone = torch.zeros_like(output.weights)
            alone[..., position] = 1.0
            given = model.log_probs(replace(output, weights=alone))[0].exp()
            wanted = given[torch.arange(len(target)), torch.tensor(target)]
            joint.append(output.weights[0, :, 0, position] * wanted)
        posterior = torch.stack(joint, 1)
        close(found[row, : len(target), : len(source)], posterior / posterior.sum(1, keepdim=True), 1e-7)


@every_combination
def test_a_word_left_out_is_gone_from_the_source(combination):
    model = sharp_model(combination.config)
    found = saliency.leave_one_out(model, ragged(SOURCES), ragged(TARGETS, seed=1), WORDS, bos_id=BOS)
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        expected = torch.zeros(len(target), len(source), dtype=torch.float64)
        words = [*WORDS[row], -1]
        for word in set(words) - {-1}:
            members = [place for place, each in enumerate(words) if each == word]
            rest = [piece for place, piece in enumerate(source) if place not in members]
            fall = log_probs(model, source, target) - log_probs(model, rest, target)
            expected[:, members] = (fall / len(members)).t()
        close(found[row, : len(target), : len(source)], expected, 1e-8)
        assert not found[row, len(target) :].any()


@every_combination
def test_a_query_has_read_a_word_after_the_declared_delay_and_not_before(combination):
    model = sharp_model(combination.config, factor=2.0)  # a gate that is exactly shut would let nothing through
    if not model.decoder.attention.heads:
        pytest.skip("no query")
    delay, place = model.decoder.attention_shift, 1
    target = [5, 3, 6, 4, 5, EOS]
    queries = {}
    attention = model.decoder.attention
    for changed in (3, 6):
        seen = []
        attend = attention.attend

        def noting(query, *others, seen=seen, attend=attend):
            seen.append(query.clone())
            return attend(query, *others)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(attention, "attend", noting)
            log_probs(model, SOURCES[0], [*target[:place], changed, *target[place + 1 :]])
        queries[changed] = torch.stack(seen)
    differ = (queries[3] != queries[6]).flatten(1).any(1).tolist()
    assert differ[: place + delay] == [False] * (place + delay)
    assert differ[place + delay]


@every_combination
def test_shifted_attention_is_that_of_the_step_that_has_read_the_word(combination):
    model = sharp_model(combination.config)
    if not model.decoder.attention.heads:
        pytest.skip("no weights")
    delay = model.decoder.attention_shift
    found = saliency.shifted_attention(model, ragged(SOURCES), ragged(TARGETS, seed=1), bos_id=BOS)
    assert found.shape == (len(TARGETS), max(map(len, TARGETS)), max(map(len, SOURCES)))
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        longer = [*target, *[EOS] * delay]
        weights = model(Tokens.pad([source], PAD), Tokens.pad([longer], PAD), BOS).weights[0].mean(1)
        close(found[row, : len(target), : len(source)], weights[delay:])
        assert not found[row, len(target) :].any()


def test_pieces_are_taken_out_and_the_rest_closes_up():
    source = Tokens.pad([[3, 4, 5, EOS], [6, EOS], [3, 5, EOS]], PAD)
    gone = torch.tensor([[True, False, True, False], [True, False, False, False], [False, False, False, True]])
    left = saliency.without_pieces(source, gone)
    assert left.lengths.tolist() == [2, 1, 3]
    assert [row[:length] for row, length in zip(left.ids.tolist(), left.lengths.tolist(), strict=True)] == [
        [4, EOS],
        [EOS],
        [3, 5, EOS],
    ]

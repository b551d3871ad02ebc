"""What must hold of every attention with every decoder."""

from __future__ import annotations

from contextlib import nullcontext
from copy import deepcopy
from typing import get_args

import pytest
import torch
from model_sweep import (
    BOS,
    EOS,
    PAD,
    SOURCES,
    TARGETS,
    VOCABULARY,
    close,
    combinations,
    copied,
    every_combination,
    mapped,
    ragged,
    sharp_model,
    tensors,
    text_encoders,
)

from nmt.core.tensors import select_rows
from nmt.data.batch import Tokens
from nmt.model.attention.base import AttentionConfig, ScoreConfig
from nmt.model.attention.coverage import CoverageConfig
from nmt.model.cells import CellKind
from nmt.model.decoder.base import DecoderConfig


def test_the_sweep_holds_every_registered_name():
    swept = combinations()
    assert {one.attention for one in swept} == set(AttentionConfig.registry.names())
    scores = {type(getattr(one.config.attention, "score", None)) for one in swept}
    assert {ScoreConfig.registry.find(name) for name in ScoreConfig.registry.names()} <= scores
    coverages = {type(getattr(one.config.attention, "coverage", None)) for one in swept}
    assert {CoverageConfig.registry.find(name) for name in CoverageConfig.registry.names()} <= coverages
    decoders = {type(one.config.decoder) for one in swept}
    assert decoders == {DecoderConfig.registry.find(name) for name in DecoderConfig.registry.names()}
    assert {(one.config.decoder.cell, one.config.decoder.layers) for one in swept} == {
        (cell, layers) for cell in get_args(CellKind) for layers in (1, 2)
    }
    kinds = {name: AttentionConfig.registry.find(name) for name in AttentionConfig.registry.names()}
    weighing = {name for name, kind in kinds.items() if kind().row_sum != "no weights" and not kind.latent}
    assert {one.attention for one in swept if one.config.lexical} == weighing
    assert {type(one.config.encoder) for one in swept} >= {type(one) for one in text_encoders()}
    assert len({one.name for one in swept}) == len(swept)
    assert not [problem for one in swept for problem in one.config.problems()]


@every_combination
def test_a_row_of_a_batch_equals_the_sentence_alone(combination):
    model = sharp_model(combination.config)
    together = model(ragged(SOURCES), ragged(TARGETS, seed=1), BOS)
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        alone = model(Tokens.pad([source], PAD), Tokens.pad([target], PAD), BOS)
        close(together.features[row, : len(target)], alone.features[0])
        close(together.weights[row, : len(target), :, : len(source)], alone.weights[0])


@every_combination
def test_weights_are_a_distribution_over_the_real_pieces(combination):
    model = sharp_model(combination.config)
    weights = model(ragged(SOURCES), Tokens.pad(TARGETS, PAD), BOS).weights
    rows, width, longest = len(SOURCES), max(map(len, TARGETS)), max(map(len, SOURCES))
    assert weights.shape == (rows, width, model.decoder.attention.heads, longest)
    assert (combination.attention == "none") == (model.decoder.attention.heads == 0)
    assert bool((weights >= 0).all())
    for row, source in enumerate(SOURCES):
        assert bool((weights[row, :, :, len(source) :] == 0).all())
    row_sum = combination.config.attention.row_sum
    assert (row_sum == "no weights") == (combination.attention == "none")
    if row_sum == "one":
        close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    elif row_sum == "at most one":
        assert bool((weights.sum(-1) <= 1 + 1e-9).all())
        assert bool((weights.sum(-1) < 1 - 1e-6).any())


@every_combination
def test_gradients_of_all_parameters_together(combination):
    """Along a random direction in which every parameter moves, the loss changes as its gradient says."""
    model = sharp_model(combination.config)
    parameters = list(model.parameters())

    def loss():
        return model.loss(model(ragged(SOURCES), ragged(TARGETS), BOS), ragged(TARGETS)).loss

    gradients = torch.autograd.grad(loss(), parameters, allow_unused=True)
    generator = torch.Generator().manual_seed(1)
    direction = [torch.randn(each.shape, generator=generator, dtype=torch.float64) for each in parameters]
    told = sum((one * other).sum() for one, other in zip(gradients, direction, strict=True) if one is not None)
    change, step = 0.0, 1e-8
    with torch.no_grad():
        for sign in (1.0, -1.0):
            for parameter, along in zip(parameters, direction, strict=True):
                parameter.add_(along, alpha=sign * step)
            change += sign * loss().item()
            for parameter, along in zip(parameters, direction, strict=True):
                parameter.sub_(along, alpha=sign * step)
    assert change / (2.0 * step) == pytest.approx(told.item(), rel=1e-4, abs=1e-4)


@every_combination
def test_unrolled_equals_stepwise_in_values_and_gradients(combination):
    model = sharp_model(combination.config)
    source, target = ragged(SOURCES), Tokens.pad(TARGETS, PAD)
    inputs = torch.cat([target.ids.new_full((target.rows, 1), BOS), target.ids[:, :-1]], dim=1)
    results = []
    for run in (model.decoder.loop, model.decoder.unroll):
        prepared, state = model.start(model.encode(source))
        output = run(model.embed_target(inputs), prepared, state)
        values = [tensor for _, tensor in tensors(output)]
        generator = torch.Generator().manual_seed(5)
        objective = sum(
            (tensor * torch.randn(tensor.shape, generator=generator, dtype=torch.float64)).sum() for tensor in values
        )
        gradients = torch.autograd.grad(objective, list(model.parameters()), allow_unused=True)
        results.append((values, [gradient for gradient in gradients if gradient is not None], gradients))
    (values, present, gradients), (other_values, other_present, other_gradients) = results
    assert [gradient is None for gradient in gradients] == [gradient is None for gradient in other_gradients]
    for one, other in zip(values + present, other_values + other_present, strict=True):
        close(one, other, 1e-8)
    assert sum(bool(gradient.abs().max() > 0) for gradient in present) > len(present) / 2


@every_combination
def test_a_target_token_changes_only_what_comes_after_it(combination):
    model = sharp_model(combination.config)
    source = ragged(SOURCES[:1])
    target = [5, 3, 6, 4, 3, EOS]
    before = model(source, Tokens.pad([target], PAD), BOS)
    for changed in range(len(target) - 1):
        other = [*target[:changed], 3 + (target[changed] - 2) % 4, *target[changed + 1 :]]
        assert other != target
        after = model(source, Tokens.pad([other], PAD), BOS)
        # Features at a position predict the token there, so they have seen those before it only.
        assert torch.equal(before.features[:, : changed + 1], after.features[:, : changed + 1])
        assert torch.equal(before.weights[:, : changed + 1], after.weights[:, : changed + 1])
        difference = (before.features - after.features)[:, changed + 1].abs().max()
        # A readout near saturation passes little on, but never nothing.
        assert difference > 1e-12


@every_combination
def test_the_memory_survives_steps_beyond_the_source(combination):
    model = sharp_model(combination.config)
    with torch.no_grad():
        memory = model.encode(ragged(SOURCES))
        prepared, state = model.start(memory)
        untouched = copied((memory, prepared))
        first = copied(state)
        begin = state
        for index in range(25):
            output = model.step(torch.full((len(SOURCES),), 3 + index % 4), prepared, state)
            state = output.state
            assert all(bool(tensor.isfinite().all()) for _, tensor in tensors(output))
    for tree, copy in (((memory, prepared), untouched), (begin, first)):
        for (path, tensor), (_, kept) in zip(tensors(tree), tensors(copy), strict=True):
            assert torch.equal(tensor, kept), path


@every_combination
def test_hypotheses_share_a_row_of_the_memory(combination):
    """Rows b * K + k, each with a history of its own, read row b as if it had been copied K times."""
    model = sharp_model(combination.config)
    width, rows = 3, len(SOURCES)
    owners = torch.arange(rows).repeat_interleave(width)
    tokens = torch.randint(3, VOCABULARY, (4, rows * width), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        prepared, state = model.start(model.encode(ragged(SOURCES)))
        shared, copies = select_rows(state, owners), select_rows(state, owners)
        copied_memory = select_rows(prepared, owners)
        for column in tokens:
            one, other = model.step(column, prepared, shared), model.step(column, copied_memory, copies)
            for (path, tensor), (_, expected) in zip(tensors(one), tensors(other), strict=True):
                if not path.startswith(".memory."):  # a latent alignment hands the memory on as it was given
                    torch.testing.assert_close(tensor, expected, msg=lambda text, path=path: f"{path}: {text}")
            shared, copies = one.state, other.state


@every_combination
def test_reordered_states_continue_their_own_histories(combination):
    model = sharp_model(combination.config)
    width, rows, steps = 3, 2, 3
    generator = torch.Generator().manual_seed(2)
    sources = SOURCES[:rows]
    with torch.no_grad():
        prepared, state = model.start(model.encode(ragged(sources)))
        state = select_rows(state, torch.arange(rows).repeat_interleave(width))
        histories = [[BOS] for _ in range(rows * width)]
        tokens = torch.full((rows * width,), BOS)
        for _ in range(steps):
            output = model.step(tokens, prepared, state)
            parents = torch.randint(0, width, (rows, width), generator=generator)
            order = (parents + torch.arange(rows).unsqueeze(1) * width).flatten()
            state = select_rows(output.state, order)
            assert {tensor.shape[0] for _, tensor in tensors(state)} <= {rows * width}
            tokens = torch.randint(3, VOCABULARY, (rows * width,), generator=generator)
            histories = [[*histories[parent], int(token)] for parent, token in zip(order, tokens, strict=True)]
        output = model.step(tokens, prepared, state)
        for row, history in enumerate(histories):
            source = Tokens.pad([sources[row // width]], PAD)
            alone = model(source, Tokens.pad([[*history[1:], EOS]], PAD), BOS)
            close(output.features[row], alone.features[0, -1])
            length = len(sources[row // width])
            close(output.weights[row, :, :length], alone.weights[0, -1, :, :length])


@every_combination
def test_selected_memory_rows_serve_the_sentences_that_stay(combination):
    model = sharp_model(combination.config)
    staying = torch.tensor([1, 3])
    tokens = torch.tensor([3, 4, 5, 6])
    with torch.no_grad():
        prepared, state = model.start(model.encode(ragged(SOURCES)))
        everyone = model.step(tokens, prepared, state)
        some = model.step(tokens[staying], select_rows(prepared, staying), select_rows(state, staying))
    close(some.features, everyone.features[staying])
    close(some.weights, everyone.weights[staying])


def without_values(tree):
    """Copy a tree to the device whose tensors have shapes and nothing in them."""
    return mapped(tree, lambda tensor: tensor.detach().to("meta"))


@every_combination
def test_recurrences_look_at_no_value(combination, monkeypatch):
    """Whoever looks at a value would hold up a GPU at every step, and cannot be recorded as a graph of its kernels."""
    for name, instead in (("is_autocast_enabled", lambda *_: False), ("autocast", lambda *_, **__: nullcontext())):
        monkeypatch.setattr(torch, name, instead)  # neither knows the device
    sharp = sharp_model(combination.config)
    model, memory = deepcopy(sharp).to("meta"), without_values(sharp.encode(ragged(SOURCES)))
    tokens = torch.ones(len(SOURCES), 3, dtype=torch.int64, device="meta")
    model.decoder.fast = False  # that path looks at the keys, once a batch: exponentials may need float64
    model.train()
    output = model.decoder.unroll(model.embed_target(tokens), *model.start(memory))
    sum(tensor.sum() for _, tensor in tensors(output) if tensor.requires_grad).backward()
    model.eval()
    prepared, state = model.start(memory)
    output = model.step(tokens[:, 0], prepared, state)
    assert model.log_probs(output).shape == (len(SOURCES), VOCABULARY)
    with pytest.raises(RuntimeError, match="meta"):
        bool(output.features.sum() > 0)

"""Dropout: what is dropped, for how long, and how much of it."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from model_sweep import BOS, PAD, SOURCES, TARGETS, few_decoders, variants

from nmt.core.config.ranges import problems_of
from nmt.data.batch import Tokens
from nmt.model.attention.marginal import MarginalConfig
from nmt.model.attention.soft import SoftConfig
from nmt.model.cells import RnnStack
from nmt.model.decoder.bahdanau import BahdanauConfig
from nmt.model.decoder.base import DecoderConfig
from nmt.model.decoder.luong import LuongConfig
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.memory import BridgeKind
from nmt.model.readout import mixture
from nmt.model.seq2seq import EmbeddingConfig, Seq2SeqConfig

DECODERS = few_decoders(variants(DecoderConfig, nested=False))


def model(dropout, decoder=None, seed=0):
    torch.manual_seed(seed)
    config = Seq2SeqConfig(
        embedding=EmbeddingConfig(size=8),
        encoder=RnnEncoderConfig(size=4),
        decoder=replace(decoder or BahdanauConfig(), size=12, layers=3),
        attention=SoftConfig(),
        dropout=dropout,
    )
    return config.build(20, 20)


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("rate", [0.2, 0.6])
def test_a_mask_keeps_expectations(variational, rate):
    torch.manual_seed(0)
    dropped = Dropout(rate, variational=variational)(torch.ones(200, 10, 50))
    assert torch.unique(dropped).tolist() == pytest.approx([0.0, 1.0 / (1.0 - rate)])
    # 10,000 independent draws at the least: a standard deviation of the mean is at most sqrt(0.6 / 0.4) / 100 = 0.012.
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.05)
    # One mask for all positions, another for every row and every unit.
    assert bool((dropped == dropped[:, :1]).all()) == variational
    assert not bool((dropped == dropped[:1]).all())
    assert not bool((dropped == dropped[:, :, :1]).all())


@pytest.mark.parametrize("variational", [False, True])
def test_nothing_is_dropped_in_evaluation_or_at_rate_0(variational):
    sequence = torch.randn(2, 3, 4)
    assert Dropout(0.9, variational=variational).eval()(sequence) is sequence
    assert Dropout(0.0, variational=variational)(sequence) is sequence


def test_gradients_pass_where_something_is_kept():
    torch.manual_seed(0)
    sequence = torch.ones(2, 3, 40, requires_grad=True)
    dropped = Dropout(0.5, variational=True)(sequence)
    dropped.sum().backward()
    assert torch.equal(sequence.grad, dropped.detach())


def test_rates_are_probabilities():
    config = DropoutConfig(embedding=1.0, annotation=1.5, layers=-0.1, readout=0.999, word=2.0)
    assert [path for path, _ in problems_of(config)] == ["embedding", "annotation", "layers", "word"]
    assert next(problems_of(config))[1] == "must be at least 0 and below 1, but is 1.0"
    assert not list(problems_of(DropoutConfig()))


def test_word_dropout_drops_whole_words():
    one = model(DropoutConfig(word=0.3))
    ids = torch.randint(3, 20, (60, 50))
    for embed, table in ((one.embed_source, one.source_embedding), (one.embed_target, one.target_embedding)):
        vectors = embed(ids)
        gone = (vectors == 0).all(-1)
        torch.testing.assert_close(vectors[~gone], table(ids)[~gone] / 0.7)
        # 3,000 draws: a standard deviation is 0.0084.
        assert float(gone.double().mean()) == pytest.approx(0.3, abs=0.04)
        assert not bool((gone == gone[:, :1]).all())
    one.eval()
    assert torch.equal(one.embed_source(ids), one.source_embedding(ids))


@pytest.mark.parametrize("variational", [False, True])
def test_embedding_dropout_on_both_sides(variational):
    one = model(DropoutConfig(embedding=0.5, variational=variational))
    for embed in (one.embed_source, one.embed_target):
        zeros = embed(torch.randint(3, 20, (60, 5))) == 0
        assert 0.3 < float(zeros.double().mean()) < 0.7
        assert bool((zeros == zeros[:, :1]).all()) == variational


@pytest.mark.parametrize("variational", [False, True])
def test_annotations_are_dropped_once_for_all_that_read_them(variational):
    one = model(DropoutConfig(annotation=0.5, variational=variational))
    source = Tokens.pad(SOURCES, PAD)
    dropped = one.encode(source)
    whole = one.eval().encode(source)
    kept = dropped.values != 0
    torch.testing.assert_close(dropped.values, torch.where(kept, whole.values * 2, 0.0))
    real = kept[dropped.mask]
    assert 0.3 < float(real.double().mean()) < 0.7
    assert bool((kept == kept[:, :1])[dropped.mask].all()) == variational
    # The final states are the recurrence's own: what a bridge takes from them is not dropped.
    torch.testing.assert_close(dropped.states[0].hidden, whole.states[0].hidden)


@pytest.mark.parametrize("bridge", get_args(BridgeKind))
def test_the_only_bridge_that_sees_annotations_dropped_is_the_mean(bridge):
    torch.manual_seed(0)
    config = Seq2SeqConfig(
        encoder=RnnEncoderConfig(size=4),
        bridge=bridge,
        decoder=BahdanauConfig(size=12),
        dropout=DropoutConfig(annotation=0.5),
    )
    one, source = config.build(20, 20), Tokens.pad(SOURCES, PAD)
    first, second = (one.bridge(one.encode(source))[0].hidden for _ in range(2))
    assert torch.equal(first, second) == (bridge != "mean")


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("decoder", DECODERS, ids=lambda one: f"{type(one).__name__}-{one.cell}")
def test_readout_drops_the_same_features_at_every_step_if_variational(decoder, variational):
    one = model(DropoutConfig(readout=0.5, variational=variational), decoder)
    features = one(Tokens.pad(SOURCES, PAD), Tokens.pad(TARGETS, PAD), BOS).features
    zeros = features == 0
    assert 0.2 < float(zeros.double().mean()) < 0.8
    assert bool((zeros == zeros[:, :1]).all()) == variational
    assert not bool((zeros == zeros[:1]).all())


@pytest.mark.parametrize("variational", [False, True])
def test_the_readout_of_a_latent_alignment_drops_alike(variational, monkeypatch):
    torch.manual_seed(0)
    config = Seq2SeqConfig(
        encoder=RnnEncoderConfig(size=4),
        decoder=LuongConfig(size=8),
        attention=MarginalConfig(),
        dropout=DropoutConfig(readout=0.5, variational=variational),
    )
    one, seen = config.build(20, 20), []
    plain = mixture.position_scores
    monkeypatch.setattr(
        mixture, "position_scores", lambda pairs, *rest, **options: seen.append(pairs) or plain(pairs, *rest, **options)
    )
    target = Tokens.pad(TARGETS, PAD)
    one.loss(one(Tokens.pad(SOURCES, PAD), target, BOS), target)
    rows = seen[0].scale.split(target.lengths.tolist())
    assert all(bool((row == row[:1]).all()) == variational for row in rows if len(row) > 1)
    assert not torch.equal(rows[0][0], rows[1][0])


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize(
    "decoder",
    [one for one in DECODERS if replace(one, layers=3).drops_layers],
    ids=lambda one: f"{type(one).__name__}-{one.cell}",
)
def test_layers_of_every_decoder_drop_the_same_units_at_every_step_if_variational(decoder, variational):
    one = model(DropoutConfig(layers=0.5, variational=variational), decoder)
    inputs: dict[int, list[torch.Tensor]] = {}
    (stack,) = (part for part in one.decoder.modules() if isinstance(part, RnnStack))
    # The layers above the lowest one: two in every decoder of three layers.
    for number, layer in list(enumerate(stack.layers))[len(stack.layers) - 2 :]:
        layer.register_forward_hook(
            lambda module, given, result, number=number: inputs.setdefault(number, []).append(given[0])
        )
    one(Tokens.pad(SOURCES, PAD), Tokens.pad(TARGETS, PAD), BOS)
    assert len(inputs) == 2
    for pieces in inputs.values():
        # Beside a context, which is not another layer's output.
        zeros = torch.cat(pieces, dim=1)[..., :12] == 0
        assert zeros.shape == (4, max(map(len, TARGETS)), 12)
        assert 0 < float(zeros.double().mean()) < 1
        assert bool((zeros == zeros[:, :1]).all()) == variational
        assert not bool((zeros == zeros[:1]).all())


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda one: f"{type(one).__name__}-{one.cell}")
def test_readout_dropout_is_not_fed_back(decoder):
    one = model(DropoutConfig(readout=0.5), decoder)
    output = one(Tokens.pad(SOURCES, PAD), Tokens.pad(TARGETS, PAD), BOS)
    zeros = output.features == 0
    assert 0.3 < float(zeros.double().mean()) < 0.7
    assert (output.state.feed is not None) == (isinstance(decoder, LuongConfig) and decoder.input_feeding)
    if output.state.feed is not None:
        assert not bool((output.state.feed == 0).any())


def test_evaluation_is_deterministic():
    one = model(DropoutConfig(embedding=0.5, annotation=0.5, layers=0.5, readout=0.5, word=0.5)).eval()
    first, second = (one(Tokens.pad(SOURCES, PAD), Tokens.pad(TARGETS, PAD), BOS).features for _ in range(2))
    assert torch.equal(first, second)
    one.train()
    third = one(Tokens.pad(SOURCES, PAD), Tokens.pad(TARGETS, PAD), BOS).features
    assert not torch.equal(first, third)

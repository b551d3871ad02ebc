"""The model as a whole: what fits together, what is tied, what it costs, what it gives."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from model_sweep import (
    BOS,
    EOS,
    PAD,
    SOURCES,
    TARGETS,
    VOCABULARY,
    AsGrid,
    close,
    combinations,
    describe,
    every_combination,
    few_decoders,
    ragged,
    sharp_model,
    tensors,
    variants,
)
from torch.nn import functional

from nmt.core.config.ranges import problems_of
from nmt.data.batch import Dense, Tokens
from nmt.model.attention.hard import HardAttention
from nmt.model.attention.scores import DotConfig, ScaledDotConfig
from nmt.model.attention.soft import SoftConfig
from nmt.model.bridge import Bridge
from nmt.model.decoder.bahdanau import BahdanauConfig
from nmt.model.decoder.base import DecoderConfig
from nmt.model.decoder.conditional import ConditionalConfig
from nmt.model.decoder.luong import LuongConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.readout.deep_output import DeepOutputConfig
from nmt.model.seq2seq import EmbeddingConfig, Seq2SeqConfig

SOURCE, TARGET = Tokens.pad(SOURCES, PAD), Tokens.pad(TARGETS, PAD)
DECODERS = few_decoders(variants(DecoderConfig, nested=False))
every_decoder = pytest.mark.parametrize("decoder", DECODERS, ids=describe)


def small(decoder=None, **changes):
    return Seq2SeqConfig(
        embedding=changes.pop("embedding", EmbeddingConfig(size=4)),
        encoder=RnnEncoderConfig(size=3),
        decoder=replace(decoder or BahdanauConfig(), size=5),
        **changes,
    )


def build(config, vocabulary=VOCABULARY):
    torch.manual_seed(0)
    return config.build(vocabulary, vocabulary)


# What fits


@every_decoder
@pytest.mark.parametrize("score", [DotConfig(), ScaledDotConfig()], ids=describe)
def test_dot_products_of_sizes_that_do_not_fit(decoder, score):
    attention = SoftConfig(score=score)
    ((path, message),) = small(decoder, attention=attention).problems()
    assert path == "attention"
    assert message.startswith("score needs queries and annotations of the same size, but they have 5 and 6;")
    fitting = replace(small(decoder, attention=attention), decoder=replace(decoder, size=6))
    assert not list(fitting.problems())


@pytest.mark.parametrize("tied", ["target", "all"])
@pytest.mark.parametrize(
    "decoder",
    [
        BahdanauConfig(readout=DeepOutputConfig(size=7)),
        ConditionalConfig(readout=DeepOutputConfig(size=7)),
        LuongConfig(feature_size=7),
    ],
    ids=describe,
)
def test_a_tied_readout_of_another_size(tied, decoder):
    ((path, message),) = small(decoder, embedding=EmbeddingConfig(size=4, tied=tied)).problems()
    assert path == "embedding.tied"
    assert "7 units and embeddings 4" in message
    assert not list(small(decoder).problems())


@every_decoder
@pytest.mark.parametrize("tied", ["none", "target", "all"])
def test_a_readout_left_to_itself_fits(decoder, tied):
    assert not list(small(decoder, embedding=EmbeddingConfig(size=4, tied=tied)).problems())


def test_looking_for_problems_draws_no_random_number():
    before = torch.get_rng_state()
    for combination in combinations()[::5]:
        list(combination.config.problems())
    assert torch.equal(before, torch.get_rng_state())


def test_sizes_must_be_positive():
    assert list(problems_of(EmbeddingConfig(size=0))) == [("size", "must be at least 1, but is 0")]
    for cls in (BahdanauConfig, ConditionalConfig, LuongConfig):
        assert list(problems_of(cls(size=0, layers=0))) == [
            ("size", "must be at least 1, but is 0"),
            ("layers", "must be at least 1, but is 0"),
        ]
    assert list(problems_of(LuongConfig(feature_size=0))) == [("feature_size", "must be at least 1, but is 0")]
    ((path, message),) = ConditionalConfig(readout=DeepOutputConfig(state="previous")).problems()
    assert path == "readout.state"
    assert message.startswith("must be current")


# Tied embeddings


@every_decoder
def test_tied_parameters_count_once(decoder):
    sizes = {}
    for tied in ("none", "target", "all"):
        model = build(small(decoder, embedding=EmbeddingConfig(size=4, tied=tied)))
        sizes[tied] = sum(parameter.numel() for parameter in model.parameters())
        assert (model.output.weight is model.target_embedding.weight) == (tied != "none")
        assert (model.source_embedding.weight is model.target_embedding.weight) == (tied == "all")
    table = VOCABULARY * 4
    assert sizes["none"] - sizes["target"] == sizes["target"] - sizes["all"] == table


def test_a_tied_weight_learns_from_every_use():
    """Its gradient is the sum of those of its uses, each made alone by cutting the others off."""
    config = small(embedding=EmbeddingConfig(size=4, tied="all"))
    model = build(config).double()
    weight = model.source_embedding.weight
    model.loss(model(SOURCE, TARGET, BOS), TARGET).loss.backward()
    untied = build(small()).double()
    state = model.state_dict()
    untied.load_state_dict({name: state[name] for name in untied.state_dict()})
    untied.loss(untied(SOURCE, TARGET, BOS), TARGET).loss.backward()
    parts = [untied.source_embedding.weight.grad, untied.target_embedding.weight.grad, untied.output.weight.grad]
    assert all(bool(part.abs().max() > 0) for part in parts)
    close(weight.grad, sum(parts))


def test_all_three_are_tied_only_with_one_vocabulary():
    config = small(embedding=EmbeddingConfig(size=4, tied="all"))
    with pytest.raises(ValueError, match="joint vocabulary"):
        config.build(7, 8)
    model = small(embedding=EmbeddingConfig(size=4, tied="target")).build(7, 8)
    assert model.output.weight.shape == (8, 4)
    assert model.source_embedding.weight.shape == (7, 4)


# Forward and loss


@every_decoder
def test_the_input_at_a_position_is_the_token_before_it(decoder):
    model = build(small(decoder)).double()
    memory = model.encode(SOURCE)
    prepared, state = model.start(memory)
    shifted = torch.cat([torch.full((TARGET.rows, 1), BOS), TARGET.ids[:, :-1]], dim=1)
    expected = model.decoder.loop(model.embed_target(shifted), prepared, state).features
    features = model(SOURCE, TARGET, BOS).features
    assert features.shape == (TARGET.rows, TARGET.ids.shape[1], 4)
    close(features, expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_summed_over_real_tokens_alone(smoothing):
    model = sharp_model(combinations()[4].config)
    output = model(ragged(SOURCES), ragged(TARGETS), BOS)
    result = model.loss(output, ragged(TARGETS), smoothing=smoothing)
    assert result.tokens == sum(map(len, TARGETS))
    expected = nll = 0.0
    for row, target in enumerate(TARGETS):
        logits, wanted = model.output(output.features[row, : len(target)]), torch.tensor(target)
        expected += functional.cross_entropy(logits, wanted, label_smoothing=smoothing, reduction="sum")
        nll += functional.cross_entropy(logits, wanted, reduction="sum")
    close(result.loss, expected)
    close(result.nll, nll)


def test_padding_of_targets_gets_no_gradient():
    """What stands behind a target's end, and what is put there, moves no parameter."""
    model = sharp_model(combinations()[4].config)
    gradients = []
    for target in (ragged(TARGETS), ragged(TARGETS, seed=5)):
        loss = model.loss(model(ragged(SOURCES), target, BOS), target).loss
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    for one, other in zip(*gradients, strict=True):
        close(one, other)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_embeddings_stand_in_for_tokens_and_get_their_gradient(cell):
    config = replace(small(replace(BahdanauConfig(), cell=cell)), encoder=RnnEncoderConfig(size=3, cell=cell, layers=2))
    model = build(config).double()
    embedded = model.source_embedding(SOURCE.ids).detach().requires_grad_()
    memory, own = model.encode(SOURCE, embedded), model.encode(SOURCE)
    for (path, tensor), (_, expected) in zip(tensors(memory), tensors(own), strict=True):
        assert torch.equal(tensor, expected), path
    prepared, state = model.start(memory)
    model.decoder.unroll(model.embed_target(TARGET.ids), prepared, state).features.sum().backward()
    real = torch.arange(SOURCE.ids.shape[1]) < SOURCE.lengths.unsqueeze(1)
    assert bool((embedded.grad[real].abs().sum(-1) > 0).all())
    assert bool((embedded.grad[~real] == 0).all())
    assert model.source_embedding.weight.grad is None


@every_combination
def test_every_parameter_learns(combination):
    """Save what the paper of the variant leaves without a use."""
    attention = combination.config.attention
    config = replace(small(), attention=attention, bridge="last")
    config = replace(config, encoder=AsGrid(size=3)) if attention.needs_grid else config
    config = replace(config, decoder=replace(combination.config.decoder, layers=2))
    model = sharp_model(config, factor=1.5)
    loss = model.loss(model(ragged(SOURCES), TARGET, BOS), TARGET).loss
    names = [name for name, _ in model.named_parameters()]
    gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    idle = [name for name, grad in zip(names, gradients, strict=True) if grad is None or not bool(grad.abs().max() > 0)]
    if attention.registry.name_of(type(attention)) == "hard":
        # The choice of a position has no gradient; REINFORCE gives its score one (test_training_reinforce).
        assert all("attention.score" in name for name in idle)
    elif describe(attention) == "none-zero":
        # A context of zeros: what it is multiplied by is never moved.
        weights = dict(model.named_parameters())
        size = model.decoder.attention.context_size
        assert all(weights[name].shape[-1] == size or name.endswith(".norms.0.weight") for name in idle)
    else:
        assert idle == []


# Precision


def chosen_alike(model):
    """Let an attention that draws look at the same place always; by rounding, another position may be the likeliest."""
    attention = model.decoder.attention
    if isinstance(attention, HardAttention):
        attention.expected = 0.0
        attention.choose = lambda weights: torch.zeros_like(weights[..., :1], dtype=torch.int64)
    elif attention.samples:
        attention.eval()
    return model


@every_combination
def test_bf16_autocast_runs_and_stays_close(combination):
    """Of features, weights, loss and gradients; a sharp model may fold what is rounded, but not two of three."""
    # A sparse row's gradient jumps where a position gets or loses its weight, and rounding moves that place.
    jumps = combination.attention in {"sparsemax", "entmax-1.5", "local-p"}
    bounds = torch.tensor([0.05, 0.05, 0.05, 1.0 if normed(combination) else 0.3 if jumps else 0.15])
    errors = autocast_errors(combination, seed=1)
    if bool((errors >= bounds).any()):
        errors = torch.stack([errors, *(autocast_errors(combination, seed=seed) for seed in (2, 3))]).median(0).values
    assert bool((errors < bounds).all()), errors


def normed(combination):
    """Whether gates are normalised: a norm of few units that are nearly equal magnifies rounding of gradients."""
    config = combination.config
    return "ln-" in config.decoder.cell + getattr(config.encoder, "cell", "")


def autocast_errors(combination, seed):
    torch.manual_seed(seed)
    config = replace(combination.config, decoder=replace(combination.config.decoder, layers=2))
    model = chosen_alike(config.build(VOCABULARY, VOCABULARY))
    results = []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output = model(ragged(SOURCES), TARGET, BOS)
            loss = model.loss(output, TARGET, smoothing=0.1)
        assert loss.loss.dtype == torch.float32
        assert output.weights.dtype == torch.float32 or not output.weights.numel()
        loss.loss.backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert all(bool(gradient.isfinite().all()) for gradient in gradients)
        whole = torch.cat([gradient.flatten() for gradient in gradients])
        results.append((output.features.detach().float(), output.weights.detach(), loss.loss.detach(), whole))
    assert not torch.equal(results[0][0], results[1][0])
    pairs = zip(*results, strict=True)
    return torch.tensor([float((one - two).norm() / one.norm()) if one.numel() else 0.0 for one, two in pairs])


@every_combination
def test_stepping_under_autocast_stays_close(combination):
    torch.manual_seed(1)
    model = chosen_alike(combination.config.build(VOCABULARY, VOCABULARY)).eval()
    results = []
    for enabled in (False, True):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            prepared, state = model.start(model.encode(ragged(SOURCES)))
            for token in (BOS, 3, 4, 5):
                output = model.step(torch.full((len(SOURCES),), token), prepared, state)
                state = output.state
            results.append(model.log_probs(output).float())
    assert float((results[0] - results[1]).norm() / results[0].norm()) < 0.03


@pytest.mark.parametrize("bridge", ["first-backward", "last", "mean", "zero"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_first_state_has_the_memorys_precision(bridge, cell):
    model = build(replace(small(replace(BahdanauConfig(), cell=cell)), bridge=bridge))
    assert isinstance(model.bridge, Bridge)
    with torch.autocast("cpu", torch.bfloat16):
        memory = model.encode(SOURCE)
        _, state = model.start(memory)
    assert {tensor.dtype for _, tensor in tensors(state)} == {memory.values.dtype}


# Size and use


def test_a_word_of_one_piece_is_enough():
    for combination in combinations()[::9]:
        model = sharp_model(combination.config)
        output = model(Tokens.pad([[EOS]], PAD), Tokens.pad([[EOS]], PAD), BOS)
        assert output.features.shape[:2] == (1, 1)
        assert bool(output.features.isfinite().all())


def test_features_are_read_in_place_of_embeddings() -> None:
    """The same vectors give the same loss and the same translations, whether they come from a table or from files."""
    torch.manual_seed(3)
    config = Seq2SeqConfig(
        embedding=EmbeddingConfig(size=6), encoder=RnnEncoderConfig(size=5), decoder=LuongConfig(size=7)
    )
    text = config.build(VOCABULARY, VOCABULARY).double().eval()
    given = config.build(None, VOCABULARY, config.embedding.size).double().eval()
    kept = {name: each for name, each in text.state_dict().items() if not name.startswith("source_embedding.")}
    given.load_state_dict(kept)
    vectors = text.embed_source(SOURCE.ids).detach()
    rows = [row[:length].float().numpy() for row, length in zip(vectors, SOURCE.lengths.tolist(), strict=True)]
    dense = Dense.pad(rows)
    with torch.no_grad():
        exact = text(SOURCE, TARGET, BOS)
        read = given(dense, TARGET, BOS)
    assert torch.allclose(exact.features, read.features, atol=1e-6)
    assert torch.allclose(exact.weights, read.weights, atol=1e-6)
    assert "source_embedding" not in "".join(given.piece_rows)
    with pytest.raises(ValueError, match="sources of this model are features"):
        given.embed_source(SOURCE.ids)

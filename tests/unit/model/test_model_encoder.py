"""The encoder never sees padding, and stacks as it says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from model_sweep import close, describe, tensors, text_encoders, with_numbers

from nmt.core.config.ranges import problems_of
from nmt.model.bridge import conflict
from nmt.model.dropout import DropoutConfig
from nmt.model.encoder.rnn import RnnEncoder, RnnEncoderConfig

LENGTHS = torch.tensor([3, 6, 1, 4])
EVERY = [with_numbers(one, size=4, layers=layers) for one in text_encoders() for layers in (1, 3)]
RECURRENT = [one for one in EVERY if isinstance(one, RnnEncoderConfig)]
every_encoder = pytest.mark.parametrize("config", EVERY, ids=describe)
every_recurrent_encoder = pytest.mark.parametrize("config", RECURRENT, ids=describe)


@pytest.fixture(params=[True, False], ids=["fast", "plain"], autouse=True)
def fast(request, monkeypatch):
    """Every test holds for what runs by itself and for what it must equal."""
    monkeypatch.setattr(RnnEncoder, "fast", property(lambda _: request.param, lambda *_: None), raising=False)


def built(config, input_size=5, dropout=None):
    torch.manual_seed(2)
    encoder = config.build(input_size, dropout or DropoutConfig()).double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return encoder


def embeddings(width=6):
    return torch.randn(4, width, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@every_encoder
def test_what_stands_in_padding_changes_nothing(config):
    """Not even NaN does in a recurrent encoder: the backward direction starts at a row's own last word."""
    encoder, embedded = built(config), embeddings()
    memory = encoder(embedded, LENGTHS)
    real = torch.arange(6) < LENGTHS.unsqueeze(1)
    anything = float("nan") if config in RECURRENT else 100.0
    spoilt = encoder(embedded.masked_fill(~real.unsqueeze(-1), anything), LENGTHS)
    for (path, tensor), (_, other) in zip(tensors(memory), tensors(spoilt), strict=True):
        assert torch.equal(tensor, other), path
    assert torch.equal(memory.mask, real)
    assert bool((memory.values[~real] == 0).all())
    for row, length in enumerate(LENGTHS.tolist()):
        alone = encoder(embedded[row : row + 1, :length], LENGTHS[row : row + 1])
        close(memory.values[row, :length], alone.values[0])
        for state, own in zip(memory.states, alone.states, strict=True):
            for (_, tensor), (_, other) in zip(tensors(state), tensors(own), strict=True):
                close(tensor[row], other[0])


@every_encoder
def test_padding_wider_than_the_longest_row(config):
    encoder = built(config)
    narrow = encoder(embeddings(), LENGTHS)
    wide = encoder(torch.nn.functional.pad(embeddings(), (0, 0, 0, 3), value=7.0), LENGTHS)
    assert wide.values.shape == (4, 9, encoder.memory_size)
    close(wide.values[:, :6], narrow.values)
    assert bool((wide.values[:, 6:] == 0).all())


@every_encoder
def test_padding_gets_no_gradient(config):
    encoder, embedded = built(config), embeddings().requires_grad_()
    memory = encoder(embedded, LENGTHS)
    weighted = memory.values * torch.randn_like(memory.values)
    (weighted.sum() + sum(state.hidden.sum() for state in memory.states)).backward()
    real = torch.arange(6) < LENGTHS.unsqueeze(1)
    assert bool((embedded.grad[~real] == 0).all())
    assert bool((embedded.grad[real].abs().sum(-1) > 0).all())


@every_encoder
def test_a_memory_holds_what_its_encoder_says(config):
    encoder = built(config)
    memory = encoder(embeddings(), LENGTHS)
    assert memory.values.shape == (4, 6, encoder.memory_size)
    assert [state.hidden.shape[1] for state in memory.states] == list(encoder.state_sizes)
    assert (memory.first_backward is None) == (encoder.backward_size is None)
    assert conflict(config.default_bridge, encoder) is None


@every_recurrent_encoder
def test_states_of_every_layer(config):
    encoder = built(config)
    memory = encoder(embeddings(), LENGTHS)
    assert len(memory.states) == len(encoder.state_sizes) == config.layers
    for state, size in zip(memory.states, encoder.state_sizes, strict=True):
        assert state.hidden.shape == (4, size)
        assert (state.cell is None) == config.cell.endswith("gru")
    assert encoder.memory_size == memory.values.shape[2] == 8
    assert encoder.cell == config.cell
    assert memory.first_backward.shape == (4, 4)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_final_states_are_the_ends_of_both_directions(cell, layers):
    memory = built(RnnEncoderConfig(cell=cell, size=4, layers=layers))(embeddings(), LENGTHS)
    assert torch.equal(memory.first_backward, memory.values[:, 0, 4:])
    ends = memory.values[torch.arange(4), LENGTHS - 1]
    assert torch.equal(memory.states[-1].hidden[:, :4], ends[:, :4])


def test_the_forward_half_reads_on_and_the_backward_half_reads_back():
    encoder, embedded = built(RnnEncoderConfig(size=4)), embeddings()
    changed = embedded.clone()
    changed[:, 2] += 1.0
    before, after = (encoder(one, torch.tensor([6, 6, 6, 6])).values for one in (embedded, changed))
    different = (before != after).any(0)
    assert not different[:2, :4].any()
    assert bool(different[2:, :4].all())
    assert bool(different[:3, 4:].all())
    assert not different[3:, 4:].any()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_residual_adds_a_layers_input_from_the_second_layer_on(cell):
    plain = built(RnnEncoderConfig(cell=cell, size=4, layers=2))
    residual = built(RnnEncoderConfig(cell=cell, size=4, layers=2, residual=True))
    residual.load_state_dict(plain.state_dict())
    low = built(RnnEncoderConfig(cell=cell, size=4, layers=1))
    low.load_state_dict({name: value for name, value in plain.state_dict().items() if name.startswith("layers.0")})
    values = [encoder(embeddings(), LENGTHS).values for encoder in (plain, residual, low)]
    close(values[1], values[0] + values[2])
    # Not from the first on, even where the embeddings have the size of the annotations.
    narrow = RnnEncoderConfig(cell=cell, size=4, layers=1)
    one, other = built(narrow, 8), built(replace(narrow, residual=True), 8)
    embedded = torch.randn(4, 6, 8, dtype=torch.float64)
    assert torch.equal(one(embedded, LENGTHS).values, other(embedded, LENGTHS).values)


def test_layer_norm_by_its_definition():
    encoder = built(RnnEncoderConfig(size=4, layers=1, layer_norm=True))
    with torch.no_grad():
        encoder.norms[0].weight.fill_(2.0)
        encoder.norms[0].bias.fill_(0.5)
    values = encoder(embeddings(), LENGTHS).values
    real = torch.arange(6) < LENGTHS.unsqueeze(1)
    normal = (values[real] - 0.5) / 2.0
    close(normal.mean(-1), torch.zeros(int(LENGTHS.sum()), dtype=torch.float64))
    # The variance is 1 but for the epsilon of 1e-5 beside it.
    close(normal.var(-1, unbiased=False), torch.ones(int(LENGTHS.sum()), dtype=torch.float64), 1e-2)


@pytest.mark.parametrize("variational", [False, True])
def test_dropout_falls_between_layers(variational):
    encoder = built(RnnEncoderConfig(size=4, layers=3), dropout=DropoutConfig(layers=0.5, variational=variational))
    seen = []
    encoder.dropout.register_forward_hook(lambda module, given, result: seen.append(result == 0))
    first = encoder(embeddings(), torch.full((4,), 6)).values
    assert len(seen) == 2
    for zeros in seen:
        assert 0 < zeros.double().mean() < 1
        assert bool((zeros == zeros[:, :1]).all()) == variational
    assert not torch.equal(first, encoder(embeddings(), torch.full((4,), 6)).values)
    encoder.eval()
    assert torch.equal(encoder(embeddings(), LENGTHS).values, encoder(embeddings(), LENGTHS).values)


def test_sizes_must_be_positive():
    assert list(problems_of(RnnEncoderConfig(size=0, layers=-1))) == [
        ("size", "must be at least 1, but is 0"),
        ("layers", "must be at least 1, but is -1"),
    ]

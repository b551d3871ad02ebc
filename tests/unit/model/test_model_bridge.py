"""Bridges: each formula, from a memory made by hand."""

from __future__ import annotations

import pytest
import torch
from model_sweep import BRIDGES, close

from nmt.model.bridge import Bridge
from nmt.model.dropout import DropoutConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.memory import CellState, SourceMemory


def memory(encoder_cell="gru", layers=2):
    """Two sentences of 3 and 1 words, annotations of 4 units."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([3, 1])
    mask = torch.arange(3) < lengths.unsqueeze(1)
    values = torch.randn(2, 3, 4, generator=generator)
    states = tuple(
        CellState(
            torch.randn(2, 4, generator=generator),
            torch.randn(2, 4, generator=generator) if encoder_cell == "lstm" else None,
        )
        for _ in range(layers)
    )
    # What stands in padding is not zero here: a mean must not take it in.
    return SourceMemory(values, mask, lengths, states)


def bridge(kind, cell="gru", encoder_cell="gru", layers=3, encoder_layers=2):
    torch.manual_seed(1)
    encoder = RnnEncoderConfig(cell=encoder_cell, size=2, layers=encoder_layers).build(5, DropoutConfig())
    return Bridge(kind, encoder, cell=cell, size=6, layers=layers)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_first_backward(cell):
    one, source = bridge("first-backward", cell), memory()
    states = one(source)
    assert len(states) == 3
    for layer, state in zip(one.W_s, states, strict=True):
        # Of the top layer's (forward; backward), the backward half.
        close(state.hidden, torch.tanh(source.states[1].hidden[:, 2:] @ layer.weight.t() + layer.bias), 1e-6)


def test_last_takes_the_encoder_layer_of_the_same_height():
    one, source = bridge("last"), memory()
    for height, layer, state in zip((0, 1, 1), one.W_s, one(source), strict=True):
        close(state.hidden, torch.tanh(source.states[height].hidden @ layer.weight.t() + layer.bias), 1e-6)


def test_mean_takes_real_words_only():
    one, source = bridge("mean"), memory()
    mean = torch.stack([source.values[0].mean(0), source.values[1, 0]])
    for layer, state in zip(one.W_s, one(source), strict=True):
        close(state.hidden, torch.tanh(mean @ layer.weight.t() + layer.bias), 1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_zero_has_no_parameters(cell):
    one = bridge("zero", cell)
    assert not list(one.parameters())
    for state in one(memory()):
        assert torch.equal(state.hidden, torch.zeros(2, 6))
        assert (state.cell is None) == (cell == "gru")


@pytest.mark.parametrize("kind", BRIDGES)
@pytest.mark.parametrize("encoder_cell", ["gru", "lstm"])
def test_an_lstm_starts_from_the_encoders_cells_or_from_zero(kind, encoder_cell):
    one, source = bridge(kind, "lstm", encoder_cell), memory(encoder_cell)
    states = one(source)
    for height, (layer, state) in zip((0, 1, 1), enumerate(states), strict=True):
        if kind == "last" and encoder_cell == "lstm":
            projection = one.W_cell[layer]
            # No tanh: a memory cell is not bounded.
            close(state.cell, source.states[height].cell @ projection.weight.t() + projection.bias, 1e-6)
        else:
            assert torch.equal(state.cell, torch.zeros(2, 6))
            assert len(one.W_cell) == 0


@pytest.mark.parametrize("kind", BRIDGES)
@pytest.mark.parametrize("encoder_cell", ["gru", "lstm"])
def test_a_gru_has_no_cell(kind, encoder_cell):
    one = bridge(kind, "gru", encoder_cell)
    assert all(state.cell is None for state in one(memory(encoder_cell)))
    assert len(one.W_cell) == 0


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_one_state_a_layer(layers):
    for kind in BRIDGES:
        states = bridge(kind, layers=layers, encoder_layers=1)(memory(layers=1))
        assert [state.hidden.shape for state in states] == [torch.Size([2, 6])] * layers

"""Bridges: each formula, from a memory made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from model_sweep import BRIDGES, close

from nmt.model.bridge import Bridge, conflict
from nmt.model.dropout import DropoutConfig
from nmt.model.encoder.base import Encoder
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
    return SourceMemory(values, mask, lengths, states, first_backward=torch.randn(2, 2, generator=generator))


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
        close(state.hidden, torch.tanh(source.first_backward @ layer.weight.t() + layer.bias), 1e-6)


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


@pytest.mark.parametrize("kind", ["mean", "zero"])
def test_an_lstm_starts_from_an_encoder_without_states(kind):
    one = Bridge(kind, Leaving(memory_size=4), cell="lstm", size=6, layers=2)
    states = one(replace(memory(), states=(), first_backward=None))
    assert all(torch.equal(state.cell, torch.zeros(2, 6)) for state in states)


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


class Leaving(Encoder):
    """An encoder that leaves what it is told to leave."""

    def forward(self, embedded, lengths):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("leaves", "fitting"),
    [
        ({}, ["mean", "zero"]),
        ({"state_sizes": (3,)}, ["last", "mean", "zero"]),
        ({"backward_size": 3}, ["first-backward", "mean", "zero"]),
        ({"state_sizes": (3,), "backward_size": 5}, list(BRIDGES)),
    ],
)
def test_a_bridge_is_refused_where_an_encoder_does_not_leave_what_it_reads(leaves, fitting):
    encoder = Leaving(memory_size=4, **leaves)
    assert [kind for kind in BRIDGES if conflict(kind, encoder) is None] == fitting
    for kind in set(BRIDGES) - set(fitting):
        message = f"must be {' or '.join(fitting)} with this encoder, which provides no "
        assert conflict(kind, encoder).startswith(message)
        assert conflict(kind, encoder).endswith(f"but is {kind}")
        with pytest.raises(ValueError, match=f"the bridge {message}"):
            Bridge(kind, encoder, cell="gru", size=6, layers=1)


def test_sizes_are_those_that_the_encoder_says():
    encoder = Leaving(memory_size=4, state_sizes=(3, 2), backward_size=5)
    sizes = {
        kind: [layer.in_features for layer in Bridge(kind, encoder, cell="gru", size=6, layers=3).W_s]
        for kind in BRIDGES
    }
    assert sizes == {"first-backward": [5, 5, 5], "last": [3, 2, 2], "mean": [4, 4, 4], "zero": []}


def test_a_memory_without_what_its_encoder_promised_is_told():
    one = Bridge("first-backward", Leaving(memory_size=4, backward_size=2), cell="gru", size=6, layers=1)
    with pytest.raises(TypeError, match="no first_backward"):
        one(replace(memory(), first_backward=None))


def test_the_source_as_one_vector_is_a_final_state_of_the_annotations_size_or_their_mean():
    source = memory()
    assert torch.equal(source.summary, source.states[1].hidden)
    mean = torch.stack([source.values[0].mean(0), source.values[1, 0]])
    for states in ((), (CellState(torch.ones(2, 3)),)):
        close(replace(source, states=states).summary, mean, 1e-6)

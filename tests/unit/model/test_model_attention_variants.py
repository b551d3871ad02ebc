"""Local windows, coverage, sentinel, location, several heads and the context gate: by hand and at their edges."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy
import pytest
import reference_model
import torch
from model_sweep import BOS, EOS, PAD, SOURCES, close, ragged, sharp_model
from test_model_attention import built, draw, memory_of

from nmt.core.config.ranges import problems_of
from nmt.core.tensors import select_rows
from nmt.data.batch import Tokens
from nmt.model.attention.base import ScoreConfig
from nmt.model.attention.coverage import (
    CoverageState,
    LinguisticCoverageConfig,
    LocationAwareConfig,
    NeuralCoverageConfig,
)
from nmt.model.attention.local import MonotonicLocalConfig, MonotonicState, PredictiveLocalConfig
from nmt.model.attention.location import LocationConfig
from nmt.model.attention.multi_head import MultiHeadAdditiveConfig, MultiHeadDotConfig
from nmt.model.attention.scores import DotConfig
from nmt.model.attention.sentinel import Sentinel
from nmt.model.attention.soft import SoftConfig
from nmt.model.cells import ContextCell
from nmt.model.decoder.bahdanau import BahdanauConfig
from nmt.model.decoder.conditional import ConditionalConfig
from nmt.model.decoder.luong import LuongConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.memory import CellState
from nmt.model.seq2seq import EmbeddingConfig, Seq2SeqConfig

NO_QUERY = torch.zeros(1, 1, dtype=torch.float64)


def even(config):
    """An attention of which every energy is zero, so that a window has even weights."""
    attention = config.build(1, 1).double()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
    return attention


def ones(*lengths):
    size = max(lengths)
    return memory_of(torch.ones(len(lengths), size, 1, dtype=torch.float64), list(lengths))


# Local windows


def test_a_monotonic_window_moves_on_and_stays_at_the_end_of_each_sentence():
    attention = even(MonotonicLocalConfig(window=1))
    memory = ones(4, 2)
    prepared, state = attention.prepare(memory), attention.initial_state(memory)
    third, half = 1 / 3, 0.5
    # D = 1, centres 1, 2, 3, 4 and then the last one; in the shorter sentence 1, 2, 2, 2, 2.
    expected = [
        ([half, half, 0, 0], [half, half, 0, 0]),
        ([third, third, third, 0], [half, half, 0, 0]),
        ([0, third, third, third], [half, half, 0, 0]),
        ([0, 0, half, half], [half, half, 0, 0]),
        ([0, 0, half, half], [half, half, 0, 0]),
    ]
    for step, rows in enumerate(expected):
        output = attention.attend(NO_QUERY.expand(2, 1), prepared, state)
        close(output.weights[:, 0], torch.tensor(rows, dtype=torch.float64))
        state = output.state
        assert state.step.tolist() == [step + 1] * 2


def test_hypotheses_of_one_sentence_may_stand_at_different_words():
    attention = even(MonotonicLocalConfig(window=1))
    memory = ones(4)
    state = MonotonicState(torch.tensor([0, 3, 9]))
    output = attention.attend(NO_QUERY.expand(3, 1), attention.prepare(memory), state)
    rows = [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5]]
    close(output.weights[:, 0], torch.tensor(rows, dtype=torch.float64))


def test_windows_stand_exactly_in_half_precision():
    """bf16, which annotations may come in, does not tell positions beyond 256 apart."""
    memory = memory_of(torch.ones(1, 600, 1, dtype=torch.bfloat16), [600])
    for config, step, seen in (
        (MonotonicLocalConfig(window=1), 400, [399, 400, 401]),
        (PredictiveLocalConfig(window=1), None, [298, 299, 300]),
    ):
        attention = even(config).float()
        state = attention.initial_state(memory)
        state = state if step is None else replace(state, step=torch.tensor([step]))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = attention(torch.zeros(1, 1, 1), attention.prepare(memory), state)
        assert output.weights[0, 0, 0].nonzero().flatten().tolist() == seen


def test_a_predicted_window_by_hand():
    """p = S sigmoid(0) = S / 2, sigma = D / 2 = 1, and a softmax over the window of what is even."""
    attention = even(PredictiveLocalConfig(window=2))
    memory = ones(6, 3, 1)
    output = attention.attend(NO_QUERY.expand(3, 1), attention.prepare(memory), attention.initial_state(memory))
    # S = 6: p = 3, window 1 to 5, a fifth each, times exp(-d^2 / 2) for d = -2 to 2.
    # S = 3: p = 1.5, window 1 to 3 (0 is outside the sentence), a third each, d = -0.5, 0.5, 1.5.
    # S = 1: p = 0.5, window 1, d = 0.5.
    g = [math.exp(-(d**2) / 2) for d in (0.0, 0.5, 1.0, 1.5, 2.0)]
    rows = [
        [g[4] / 5, g[2] / 5, g[0] / 5, g[2] / 5, g[4] / 5, 0],
        [g[1] / 3, g[1] / 3, g[3] / 3, 0, 0, 0],
        [g[1], 0, 0, 0, 0, 0],
    ]
    close(output.weights[:, 0], torch.tensor(rows, dtype=torch.float64))


@pytest.mark.parametrize("direction", [-50.0, 50.0])
def test_a_window_predicted_at_an_end_of_the_source(direction):
    attention = even(PredictiveLocalConfig(window=1, score=DotConfig()))
    with torch.no_grad():
        attention.W_p.weight.fill_(50.0)
        attention.v_p.weight.fill_(direction)
    memory = ones(5, 2)
    query = torch.ones(2, 1, dtype=torch.float64)
    output = attention.attend(query, attention.prepare(memory), attention.initial_state(memory))
    # p = 0: only position 1 is within 1 of it, d = 1, sigma = 1/2: exp(-2). p = S: positions S - 1 and S, half each.
    far, near = math.exp(-2), 1.0
    if direction < 0:
        rows = [[far, 0, 0, 0, 0], [far, 0, 0, 0, 0]]
    else:
        rows = [[0, 0, 0, far / 2, near / 2], [far / 2, near / 2, 0, 0, 0]]
    close(output.weights[:, 0], torch.tensor(rows, dtype=torch.float64))


@pytest.mark.parametrize("config", [MonotonicLocalConfig(window=1), PredictiveLocalConfig(window=1)])
def test_local_attention_decodes_far_beyond_its_source(config):
    seq2seq = Seq2SeqConfig(
        embedding=EmbeddingConfig(size=4),
        encoder=RnnEncoderConfig(size=3),
        decoder=LuongConfig(size=5),
        attention=config,
    )
    model = sharp_model(seq2seq)
    target = [3, 4, 5, 6] * 5 + [EOS]
    output = model(ragged([SOURCES[2], SOURCES[1]]), Tokens.pad([target, target], PAD), BOS)
    assert bool((output.weights.sum(-1) > 0).all())
    assert bool(output.features.isfinite().all())


# Location


def test_of_a_source_beyond_the_positions_the_end_is_ignored():
    attention = SoftConfig(score=LocationConfig(max_length=2)).build(1, 1).double()
    with torch.no_grad():
        attention.score.W_a.weight.copy_(torch.tensor([[math.log(3.0)], [0.0]], dtype=torch.float64))
    memory = ones(4, 1)
    query = torch.ones(2, 1, dtype=torch.float64)
    weights = attention.attend(query, attention.prepare(memory), attention.initial_state(memory)).weights
    # Energies log 3 and 0 for the two positions that have any; the sentence of one word takes the first alone.
    close(weights[:, 0], torch.tensor([[0.75, 0.25, 0, 0], [1, 0, 0, 0]], dtype=torch.float64))


# Several heads


def test_two_heads_by_hand():
    attention = SoftConfig(score=MultiHeadDotConfig(heads=2, size=1)).build(2, 2).double()
    identity = torch.eye(2, dtype=torch.float64)
    with torch.no_grad():
        for matrix in (attention.score.W_q, attention.score.W_k, attention.W_v):
            matrix.weight.copy_(identity)
        attention.W_o.weight.copy_(torch.tensor([[0.0, 1.0], [10.0, 0.0]]))
    values = torch.tensor([[[math.log(3.0), 0.0], [0.0, math.log(4.0)]]], dtype=torch.float64)
    memory = memory_of(values, [2])
    query = torch.ones(1, 2, dtype=torch.float64)
    output = attention.attend(query, attention.prepare(memory), attention.initial_state(memory))
    # Head 1 scores by the first unit: log 3 and 0, weights 3/4 and 1/4; head 2 by the second: 0 and log 4, 1/5 and 4/5.
    close(output.weights, torch.tensor([[[0.75, 0.25], [0.2, 0.8]]], dtype=torch.float64))
    # Their contexts are 3/4 log 3 and 4/5 log 4; W_o swaps them and multiplies the first by ten.
    close(output.context, torch.tensor([[0.8 * math.log(4.0), 7.5 * math.log(3.0)]], dtype=torch.float64))


@pytest.mark.parametrize("cls", [MultiHeadAdditiveConfig, MultiHeadDotConfig])
def test_heads_that_do_not_divide_the_sizes_have_rounded_up_ones(cls):
    attention = built(SoftConfig(score=cls(heads=4)), 5, 6)
    assert attention.W_v.weight.shape == (8, 6)
    assert attention.score.W_a.weight.shape[0] == 8 if cls is MultiHeadAdditiveConfig else True
    memory = memory_of(draw(1, 3, 6), [3])
    output = attention.attend(draw(1, 5), attention.prepare(memory), attention.initial_state(memory))
    assert output.weights.shape == (1, 4, 3)
    assert output.context.shape == (1, 6)
    assert [place for place, _ in problems_of(cls(heads=0, size=0))] == ["heads", "size"]


# Coverage


def test_linguistic_coverage_by_hand():
    model = LinguisticCoverageConfig(max_fertility=3.0).build(1, 1).double()
    with torch.no_grad():
        model.U_f.weight.fill_(1.0)
    values = torch.tensor([[[math.log(2.0)], [0.0]]], dtype=torch.float64)
    # Phi = 3 sigmoid(log 2) = 2 and 3 sigmoid(0) = 1.5: weights of 0.6 and 0.3 add 0.3 and 0.2.
    before = torch.tensor([[[[0.5], [1.0]]]], dtype=torch.float64)
    weights = torch.tensor([[[0.6, 0.3]]], dtype=torch.float64)
    after = model(before, weights, model.keys(values), torch.zeros(1, 1, 1))
    close(after, torch.tensor([[[[0.8], [1.2]]]], dtype=torch.float64))
    plain = LinguisticCoverageConfig(fertility=False).build(1, 1)
    assert not list(plain.parameters())
    close(plain(before, weights, plain.keys(values), NO_QUERY), torch.tensor([[[[1.1], [1.3]]]], dtype=torch.float64))


def test_what_was_covered_is_what_was_looked_at():
    """Two steps: the state is the sum of their weights, and V_a turns attention away from it."""
    config = SoftConfig(coverage=LinguisticCoverageConfig(fertility=False))
    attention = built(config, 3, 4)
    memory = memory_of(draw(2, 3, 4), [3, 2])
    prepared, state = attention.prepare(memory), attention.initial_state(memory)
    query = draw(2, 3, seed=4)
    first = attention.attend(query, prepared, state)
    second = attention.attend(query, prepared, first.state)
    assert not torch.allclose(first.weights, second.weights)
    close(second.state.coverage.squeeze(2), first.weights[:, 0] + second.weights[:, 0])
    score = attention.score
    for row in range(2):
        covered = first.weights[row, 0].tolist()
        energies = [
            reference_model.additive_score(
                query[row].tolist(),
                memory.values[row, place].tolist(),
                score.W_a.weight.tolist(),
                score.U_a.weight.tolist(),
                score.v_a.weight[0].tolist(),
                [weight * covered[place] for weight in attention.V_a.weight[:, 0].tolist()],
            )
            for place in range(3 - row)
        ]
        close(second.weights[row, 0, : 3 - row], torch.tensor(reference_model.softmax(energies), dtype=torch.float64))


def test_neural_coverage_moves_only_by_its_own_position():
    model = built(NeuralCoverageConfig(size=2), 3, 4)
    values, query = draw(1, 3, 4), draw(1, 1, 3, seed=1)
    before, weights = draw(1, 1, 3, 2, seed=2), draw(1, 1, 3, seed=3).abs()
    keys = model.keys(values)
    after = model(before, weights, keys, query)
    changed = weights.clone()
    changed[0, 0, 1] += 0.5
    other = model(before, changed, keys, query)
    assert torch.equal(after[:, :, [0, 2]], other[:, :, [0, 2]])
    assert not torch.allclose(after[:, :, 1], other[:, :, 1])


def test_location_aware_attention_by_its_formula():
    """Equations 8 and 9 of Chorowski et al. (2015) in NumPy; a source's padding is not in its filters."""
    config = SoftConfig(coverage=LocationAwareConfig(filters=2, width=3))
    attention = built(config, 3, 4)
    memory = memory_of(draw(2, 5, 4), [5, 3])
    prepared, state = attention.prepare(memory), attention.initial_state(memory)
    queries = draw(3, 2, 3, seed=4)
    filters = attention.coverage.F.weight[:, 0].detach().numpy()
    score, V_a = attention.score, attention.V_a.weight.detach().numpy()
    W_a, U_a, v_a = (part.weight.detach().numpy() for part in (score.W_a, score.U_a, score.v_a))
    before = numpy.zeros((2, 5))
    for query in queries:
        output = attention.attend(query, prepared, state)
        for row, size in enumerate((5, 3)):
            seen = numpy.pad(before[row, :size], 1)
            f = numpy.stack([[(one * seen[place : place + 3]).sum() for one in filters] for place in range(size)])
            hidden = W_a @ query[row].numpy() + memory.values[row, :size].numpy() @ U_a.T + f @ V_a.T
            energies = numpy.exp(numpy.tanh(hidden) @ v_a[0])
            before[row, :size] = energies / energies.sum()
        close(output.weights[:, 0].detach(), torch.from_numpy(before))
        state = output.state


def test_a_beam_reorders_coverage():
    state = CoverageState(torch.arange(6.0).view(3, 2, 1))
    assert select_rows(state, torch.tensor([2, 0])).coverage.flatten().tolist() == [4, 5, 0, 1]


# Sentinel


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_sentinel_by_hand(cell):
    sentinel = Sentinel(input_size=1, size=1)
    with torch.no_grad():
        sentinel.W_x.weight.fill_(math.log(3.0))
        sentinel.W_h.weight.fill_(2.0)
    now = CellState(torch.tensor([[0.6]]), torch.tensor([[1.0]]) if cell == "lstm" else None)
    made = sentinel(sentinel.project(torch.tensor([[1.0]])), CellState(torch.zeros(1, 1)), now)
    # The gate is sigmoid(log 3) = 3/4; of an LSTM 3/4 tanh(1) = 0.5711956, of a GRU 3/4 * 0.6 = 0.45.
    close(made, torch.tensor([[0.5711956 if cell == "lstm" else 0.45]]), 1e-6)


@pytest.mark.parametrize("name", ["general", "scaled-dot", "dot", "additive"])
def test_a_sentinel_is_scored_like_an_annotation(name):
    """Where it is the annotation, and W_s what projects annotations, both have the same weight."""
    attention = SoftConfig(score=ScoreConfig.registry.find(name)(), sentinel=True).build(4, 4).double()
    with torch.no_grad():
        matrix = {"general": "W_a", "additive": "U_a"}.get(name)
        attention.W_s.weight.copy_(getattr(attention.score, matrix).weight if matrix else torch.eye(4))
    torch.manual_seed(3)
    values = torch.randn(1, 1, 4, dtype=torch.float64)
    memory = memory_of(values, [1])
    query = 5.0 * torch.randn(1, 4, dtype=torch.float64)
    output = attention.attend(query, attention.prepare(memory), attention.initial_state(memory), values[:, 0])
    assert output.weights.item() == pytest.approx(0.5, abs=1e-12)


def test_a_sentinel_takes_its_share_of_weights_and_context():
    attention = SoftConfig(score=DotConfig(), sentinel=True).build(1, 1).double()
    with torch.no_grad():
        attention.W_s.weight.fill_(2.0)
    memory = memory_of(torch.tensor([[[math.log(2.0)], [0.0]]], dtype=torch.float64), [2])
    query = torch.ones(1, 1, dtype=torch.float64)
    sentinel = torch.tensor([[math.log(5.0) / 2]], dtype=torch.float64)
    output = attention.attend(query, attention.prepare(memory), attention.initial_state(memory), sentinel)
    # Energies log 2 and 0, and for the sentinel 2 * log 5 / 2 = log 5: weights 2/8, 1/8 and 5/8.
    close(output.weights, torch.tensor([[[0.25, 0.125]]], dtype=torch.float64))
    # c = 1/4 log 2 + 5/8 (log 5 / 2).
    close(output.context, torch.tensor([[0.25 * math.log(2.0) + 0.3125 * math.log(5.0)]], dtype=torch.float64))
    with pytest.raises(TypeError, match="sentinel"):
        attention.attend(query, attention.prepare(memory), attention.initial_state(memory))


# Context gate


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        # z = sigmoid(log 3) = 3/4. Target W x + U h = 0.4, source C c = 0.8; an open reset and a closed update gate.
        ("none", 0.4 + 0.8),
        ("source", 0.4 + 0.75 * 0.8),
        ("target", 0.75 * 0.4 + 0.8),
        ("both", 0.25 * 0.4 + 0.75 * 0.8),
    ],
)
def test_a_context_gate_by_hand(gate, expected):
    cell = ContextCell("gru", input_size=1, context_size=1, size=1, context_gate=gate).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.W.weight[0:2] = torch.tensor([[200.0], [-200.0]])  # reset 1, update 0
        cell.C.weight[0:2] = torch.tensor([[200.0], [-200.0]])
        cell.W.weight[2], cell.U.weight[2], cell.C.weight[2] = 0.3, 0.1, 0.8
        if gate != "none":
            cell.W.weight[3] = math.log(3.0)
    one = torch.ones(1, 1, dtype=torch.float64)
    new = cell(cell.project(one), one, CellState(one))
    close(new.hidden, torch.tanh(torch.tensor([[expected]], dtype=torch.float64)))


# What is refused


def problems(decoder, attention, encoder=None, **sizes):
    config = Seq2SeqConfig(encoder=encoder or RnnEncoderConfig(size=3), decoder=decoder, attention=attention, **sizes)
    return list(problems_of(config))


def test_a_sentinel_is_refused_where_it_cannot_be_made():
    sentinel = SoftConfig(sentinel=True)
    ((path, message),) = problems(BahdanauConfig(size=6), sentinel)
    assert path == "attention.sentinel"
    assert "bahdanau" in message and "conditional or luong" in message
    assert not problems(LuongConfig(size=6), sentinel)
    assert not problems(ConditionalConfig(size=6), sentinel)
    ((path, message),) = problems(LuongConfig(size=5), sentinel)
    assert path == "attention"
    assert "5 and 6" in message


def test_a_context_gate_is_refused_where_no_context_comes_in():
    ((path, message),) = LuongConfig(context_gate="both").problems()
    assert path == "context_gate"
    assert "luong" in message and "bahdanau or conditional" in message
    assert not list(BahdanauConfig(context_gate="both").problems())


@pytest.mark.parametrize("attention", [MonotonicLocalConfig(), PredictiveLocalConfig()])
def test_local_attention_is_refused_over_a_source_without_order(attention):
    class Unordered(RnnEncoderConfig):
        ordered = False

    ((path, message),) = problems(BahdanauConfig(), attention, Unordered(size=3))
    assert path == "attention.type"
    assert attention.registry.name_of(type(attention)) in message and "no order" in message
    ((path, message),) = problems(BahdanauConfig(), SoftConfig(score=LocationConfig()), Unordered(size=3))
    assert path == "attention.score"
    assert "location" in message
    ((path, message),) = problems(BahdanauConfig(), SoftConfig(coverage=LocationAwareConfig()), Unordered(size=3))
    assert path == "attention.coverage"
    assert "location-aware" in message and "no order" in message
    assert not problems(BahdanauConfig(), SoftConfig(coverage=NeuralCoverageConfig()), Unordered(size=3))


def test_what_no_paper_defines_is_refused():
    coverage = LinguisticCoverageConfig()
    cases = {
        "score": [
            SoftConfig(score=DotConfig(), coverage=coverage),
            SoftConfig(score=MultiHeadDotConfig(), sentinel=True),
            SoftConfig(score=LocationConfig(), sentinel=True),
            MonotonicLocalConfig(score=LocationConfig()),
        ],
        "coverage": [SoftConfig(coverage=coverage, sentinel=True)],
        "window": [PredictiveLocalConfig(window=0), MonotonicLocalConfig(window=-1)],
    }
    for path, configs in cases.items():
        for config in configs:
            ((place, message),) = problems_of(config)
            assert place == path
            assert message.startswith("must be ") or message.startswith("must not be ")
    for config in (LocationConfig(max_length=0), NeuralCoverageConfig(size=0), LocationAwareConfig(width=4)):
        assert len(list(problems_of(config))) == 1
    assert [place for place, _ in problems_of(replace(coverage, max_fertility=0.0))] == ["max_fertility"]

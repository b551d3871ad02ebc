"""Scores and attentions: by hand, by plain loops, and by their derivatives."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import reference_model
import torch
from model_sweep import attentions, close, copied, describe, tensors, variants

from nmt.core.config.ranges import problems_of
from nmt.core.tensors import select_rows
from nmt.model.attention.base import AttentionConfig, AttentionOutput, AttentionState, ScoreConfig
from nmt.model.attention.location import LocationConfig
from nmt.model.attention.multi_head import MultiHeadAdditiveConfig, MultiHeadConfig
from nmt.model.attention.none import NoAttentionConfig
from nmt.model.attention.scores import (
    AdditiveConfig,
    ConcatConfig,
    DotConfig,
    GeneralConfig,
    ScaledDotConfig,
)
from nmt.model.attention.soft import SoftConfig
from nmt.model.memory import CellState, SourceMemory

SCORES = list(variants(ScoreConfig))
every_score = pytest.mark.parametrize("config", SCORES, ids=describe)
every_attention = pytest.mark.parametrize("config", attentions(), ids=describe)


def draw(*shape, seed=0, grad=False):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_(grad)


def memory_of(values, lengths):
    """A memory of (B, S, D) values, zero beyond the lengths, whose last state is told from everything else.

    It is a grid of one column.
    """
    lengths = torch.tensor(lengths)
    mask = torch.arange(values.shape[1]) < lengths.unsqueeze(1)
    state = CellState(draw(values.shape[0], values.shape[2], seed=99).to(values.dtype))
    return SourceMemory(
        values.masked_fill(~mask.unsqueeze(-1), 0.0), mask, lengths, (state,), grid=(values.shape[1], 1)
    )


def sizes_for(config):
    return next(sizes for sizes in ((3, 4), (4, 4)) if config.check(*sizes) is None)


def built(config, query_size, memory_size):
    torch.manual_seed(1)
    module = config.build(query_size, memory_size).double().eval()  # what is drawn in training cannot be compared
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


def test_additive_score_by_hand():
    score = AdditiveConfig(size=1).build(1, 1)
    with torch.no_grad():
        score.W_a.weight.fill_(0.5)
        score.U_a.weight.fill_(-2.0)
        score.v_a.weight.fill_(3.0)
    # e = 3 tanh(0.5 * 2 - 2 h): for h = 0.5 it is 3 tanh(0) = 0, for h = 0 it is 3 tanh(1) = 2.2847825.
    energies = score(torch.tensor([[[2.0]]]), score.keys(torch.tensor([[[0.5], [0.0]]])))
    close(energies, torch.tensor([[[0.0, 2.2847825]]]), 1e-6)


def test_dot_scores_by_hand():
    query, values = (
        torch.tensor([[[1.0, 2.0, 0.0, -1.0]]]),
        torch.tensor([[[3.0, 1.0, 5.0, 1.0], [0.0, -1.0, 7.0, 2.0]]]),
    )
    # 3 + 2 + 0 - 1 = 4 and 0 - 2 + 0 - 2 = -4; scaled by 1 / sqrt(4) they are 2 and -2.
    for config, expected in ((DotConfig(), [4.0, -4.0]), (ScaledDotConfig(), [2.0, -2.0])):
        score = config.build(4, 4)
        close(score(query, score.keys(values)), torch.tensor([[expected]]))


def test_general_score_by_hand():
    score = GeneralConfig().build(2, 3)
    with torch.no_grad():
        score.W_a.weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
    # q = (1, 2), h = (1, 1, 1): W h = (3, 3), so q W h = 3 + 6 = 9, divided by sqrt(2).
    # h = (0, -1, 2): W h = (4, -3), so q W h = 4 - 6 = -2, divided by sqrt(2).
    keys = score.keys(torch.tensor([[[1.0, 1.0, 1.0], [0.0, -1.0, 2.0]]]))
    query = torch.tensor([[[1.0, 2.0]]])
    close(score(query, keys), torch.tensor([[[9.0, -2.0]]]) / math.sqrt(2.0), 1e-6)
    given = GeneralConfig(scale=0.5).build(2, 3)
    given.load_state_dict(score.state_dict())
    close(given(query, given.keys(torch.tensor([[[1.0, 1.0, 1.0], [0.0, -1.0, 2.0]]]))), torch.tensor([[[4.5, -1.0]]]))


def test_a_general_score_has_a_positive_scale():
    assert [where for where, _ in problems_of(GeneralConfig(scale=0.0))] == ["scale"]
    assert not list(problems_of(GeneralConfig(scale=2.0)))


def test_soft_weights_of_two_positions_by_hand():
    attention = SoftConfig(score=DotConfig()).build(2, 2)
    # Energies are log 3 and 0, so the weights are 3/4 and 1/4; the third position is padding and its energy, were it
    # not masked, would be the largest.
    values = torch.tensor([[[1.0, 0.0], [0.0, 8.0], [9.0, 9.0]]])
    memory = memory_of(values, [2])
    memory = SourceMemory(values, memory.mask, memory.lengths, memory.states)
    output = attention(torch.tensor([[[math.log(3.0), 0.0]]]), attention.prepare(memory), AttentionState())
    close(output.weights, torch.tensor([[[[0.75, 0.25, 0.0]]]]), 1e-6)
    # c = 3/4 (1, 0) + 1/4 (0, 8) = (0.75, 2).
    close(output.context, torch.tensor([[[0.75, 2.0]]]), 1e-6)


def test_energies_far_apart_give_weights_without_nan():
    attention = SoftConfig(score=DotConfig()).build(1, 1)
    memory = memory_of(torch.tensor([[[1e6], [-1e6], [1e30]]]), [2])
    output = attention(torch.tensor([[[1e6]]]), attention.prepare(memory), AttentionState())
    assert output.weights.tolist() == [[[[1.0, 0.0, 0.0]]]]


def test_concat_is_the_additive_score_by_another_name():
    """``v tanh(W [q; h])``, W cut in two, with the sizes of query and annotation apart."""
    score = built(ConcatConfig(size=5), 3, 4)
    query, values = draw(2, 3, 3), draw(2, 6, 4, seed=1)
    together = torch.cat([score.W_a.weight, score.U_a.weight], dim=1)
    pairs = torch.cat([query.unsqueeze(2).expand(-1, -1, 6, -1), values.unsqueeze(1).expand(-1, 3, -1, -1)], dim=-1)
    close(score(query, score.keys(values)), torch.tanh(pairs @ together.t()) @ score.v_a.weight[0])


def reference_energy(config, score, query, annotation, position):
    """Energies of one query and one annotation, a head each."""
    parameters = {name: parameter.tolist() for name, parameter in score.named_parameters()}
    if isinstance(config, AdditiveConfig):
        matrices = parameters["W_a.weight"], parameters["U_a.weight"], parameters["v_a.weight"][0]
        return [reference_model.additive_score(query, annotation, *matrices)]
    if isinstance(config, GeneralConfig):
        return [reference_model.general_score(query, annotation, parameters["W_a.weight"])]
    if isinstance(config, LocationConfig):
        return [reference_model.dot(parameters["W_a.weight"][position], query)]
    if isinstance(config, MultiHeadConfig):
        size = math.ceil(len(query) / config.heads)
        heads = [slice(head * size, (head + 1) * size) for head in range(config.heads)]
        if isinstance(config, MultiHeadAdditiveConfig):
            w_a, u_a, v_a = (parameters[f"{name}.weight"] for name in ("W_a", "U_a", "v_a"))
            return [
                reference_model.additive_score(query, annotation, w_a[rows], u_a[rows], v_a[head])
                for head, rows in enumerate(heads)
            ]
        w_q, w_k = parameters["W_q.weight"], parameters["W_k.weight"]
        return [
            reference_model.scaled_dot_score(
                reference_model.product(w_q[rows], query), reference_model.product(w_k[rows], annotation)
            )
            for rows in heads
        ]
    plain = {DotConfig: reference_model.dot_score, ScaledDotConfig: reference_model.scaled_dot_score}
    if type(config) not in plain:
        pytest.skip("the reference does not know this score")
    return [plain[type(config)](query, annotation)]


@every_score
def test_scores_equal_plain_loops(config):
    query_size, memory_size = sizes_for(config)
    score = built(config, query_size, memory_size)
    query, values = draw(2, 3, query_size), draw(2, 5, memory_size, seed=1)
    energies = score(query, score.keys(values))
    assert energies.shape == ((2, 3, config.heads, 5) if isinstance(config, MultiHeadConfig) else (2, 3, 5))
    for row in range(2):
        for place in range(3):
            for position in range(5):
                given = query[row, place].tolist(), values[row, position].tolist()
                expected = reference_energy(config, score, *given, position)
                assert energies[row, place, ..., position].flatten().tolist() == pytest.approx(expected, abs=1e-12)


@every_score
def test_gradients_of_scores(config):
    query_size, memory_size = sizes_for(config)
    score = built(config, query_size, memory_size)
    names = [name for name, _ in score.named_parameters()]
    inputs = (draw(2, 2, query_size, grad=True), draw(2, 3, memory_size, seed=1, grad=True))

    def energies(query, values, *parameters):
        named = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(
            _Whole(score),
            {f"score.{name}": value for name, value in named.items()},
            (
                query,
                values,
            ),
        )

    parameters = tuple(parameter.detach().clone().requires_grad_() for parameter in score.parameters())
    assert torch.autograd.gradcheck(energies, (*inputs, *parameters))


class _Whole(torch.nn.Module):
    """A score from annotations on, keys included."""

    def __init__(self, score):
        super().__init__()
        self.score = score

    def forward(self, query, values):
        return self.score(query, self.score.keys(values))


@every_attention
def test_gradients_of_attentions(config):
    query_size, memory_size = sizes_for(config)
    attention = built(config, query_size, memory_size)

    def attend(query, values):
        outputs = look(attention, query, memory_of(values, [3, 2]))
        return tuple(tensor for output in outputs for tensor in (output.context, output.weights))

    inputs = (draw(2, 2, query_size, grad=True), draw(2, 3, memory_size, seed=1, grad=True))
    if not any(tensor.requires_grad for tensor in attend(*inputs)):
        assert attention.heads == 0
        return
    assert torch.autograd.gradcheck(attend, inputs)


def look(attention, query, memory, steps=2):
    """Attend with (B, Q, D_q), one query a hypothesis, as often as asked for: the state of one look is in the next."""
    rows, hypotheses, _ = query.shape
    prepared = attention.prepare(memory)
    owners = torch.arange(rows).repeat_interleave(hypotheses)
    state = select_rows(attention.initial_state(memory), owners)
    sentinel = query.flatten(0, 1).tanh() if attention.reads_sentinel else None
    outputs = []
    for step in range(steps):
        given = query.flatten(0, 1) * (1.0 + step)
        outputs.append(attention.attend(given, prepared, state, sentinel))
        state = outputs[-1].state
    return outputs


@every_attention
def test_padding_is_never_looked_at(config):
    query_size, memory_size = sizes_for(config)
    attention = built(config, query_size, memory_size)
    values = draw(2, 5, memory_size, seed=1)
    memory = memory_of(values, [5, 2])
    spoilt = replace(memory, values=torch.where(memory.mask.unsqueeze(-1), values, torch.full_like(values, 1e4)))
    query = draw(2, 3, query_size, seed=2)
    results = []
    for one in (memory, spoilt):
        prepared = attention.prepare(one)
        before = copied(prepared)
        results.append(look(attention, query, one))
        for (_, tensor), (_, kept) in zip(tensors(prepared), tensors(before), strict=True):
            assert torch.equal(tensor, kept)
    for clean, dirty in zip(*results, strict=True):
        assert torch.equal(clean.context, dirty.context)
        assert torch.equal(clean.weights, dirty.weights)
        assert clean.context.shape == (6, attention.context_size)
        assert clean.weights.shape == (6, attention.heads, 5)


@every_attention
def test_attending_with_one_query_a_hypothesis(config):
    """Rows b * K + k are query k of sentence b."""
    query_size, memory_size = sizes_for(config)
    attention = built(config, query_size, memory_size)
    memory = memory_of(draw(2, 4, memory_size, seed=1), [4, 3])
    query = draw(2, 3, query_size, seed=2)
    outputs = look(attention, query, memory)
    for row in range(6):
        sentence = slice(row // 3, row // 3 + 1)
        alone_memory = SourceMemory(
            memory.values[sentence],
            memory.mask[sentence],
            memory.lengths[sentence],
            (CellState(memory.states[0].hidden[sentence]),),
            grid=memory.grid,
        )
        for output, alone in zip(
            outputs, look(attention, query.view(6, 1, -1)[row : row + 1], alone_memory), strict=True
        ):
            close(output.context[row], alone.context[0])
            close(output.weights[row], alone.weights[0])


def test_a_sampled_log_probability_has_one_row_a_hypothesis():
    class Sampling(torch.nn.Module):
        attend = type(SoftConfig().build(2, 2)).attend
        context_size = 2

        def forward(self, query, prepared, state):
            shape = query.shape[:2]
            weights = torch.zeros(*shape, 1, 3)
            return AttentionOutput(query, weights, state, log_prob=torch.arange(shape.numel()).view(shape))

    prepared = SoftConfig(score=DotConfig()).build(2, 2).prepare(memory_of(draw(2, 3, 2), [3, 3]))
    output = Sampling().attend(draw(6, 2), prepared, AttentionState())
    assert output.log_prob.tolist() == [0, 1, 2, 3, 4, 5]


def test_no_attention_gives_the_last_state_or_zeros_at_every_step():
    memory = memory_of(draw(2, 4, 6), [4, 2])
    for context, expected in (("summary", memory.states[-1].hidden), ("zero", torch.zeros(2, 6, dtype=torch.float64))):
        attention = NoAttentionConfig(context=context).build(5, 6)
        output = attention(draw(2, 3, 5), attention.prepare(memory), AttentionState())
        assert output.weights.shape == (2, 3, 0, 4)
        for query in range(3):
            assert torch.equal(output.context[:, query], expected)


def test_sizes_that_do_not_fit_are_named():
    message = DotConfig().check(3, 4)
    assert "3 and 4" in message
    assert "general" in message
    assert SoftConfig(score=ScaledDotConfig()).check(3, 4).startswith("score needs")
    assert SoftConfig(score=AdditiveConfig()).check(3, 4) is None
    assert SoftConfig(score=GeneralConfig()).check(3, 4) is None
    assert DotConfig().check(4, 4) is None


@pytest.mark.parametrize("cls", [AdditiveConfig, ConcatConfig])
def test_the_additive_layer_has_the_size_asked_for(cls):
    assert cls(size=5).build(3, 4).v_a.weight.shape == (1, 5)
    assert cls().build(3, 4).v_a.weight.shape == (1, 3)
    for size in (0, -2):
        assert list(problems_of(cls(size=size))) == [("size", f"must be at least 1, but is {size}")]
    assert list(problems_of(cls(size=1))) == list(problems_of(cls())) == []


def test_soft_is_the_attention_assumed():
    assert AttentionConfig.registry.default == "soft"
    assert SoftConfig().score == AdditiveConfig()

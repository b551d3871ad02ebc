"""Hard attention: what it draws, what it looks at, what it hands to its training."""

from __future__ import annotations

import math

import pytest
import torch
from model_sweep import BOS, PAD, SOURCES, TARGETS, close, combinations, ragged, sharp_model

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.data.batch import Tokens
from nmt.model.attention.base import AttentionConfig
from nmt.model.attention.hard import HardConfig
from nmt.model.attention.scores import DotConfig
from nmt.model.memory import CellState, SourceMemory


def memory(rows: int) -> SourceMemory:
    values = torch.tensor([[[1.0, 0.0], [0.0, 8.0], [9.0, 9.0]]], dtype=torch.float64).expand(rows, -1, -1)
    mask = torch.tensor([[True, True, False]]).expand(rows, -1)
    return SourceMemory(values, mask, torch.full((rows,), 2), (CellState(values[:, 0]),))


def attend(attention, rows, queries=1):
    # Energies are log 3 and 0, so the weights are 3/4, 1/4 and 0 on padding.
    seen = memory(rows)
    query = torch.tensor([math.log(3.0), 0.0], dtype=torch.float64).expand(rows, queries, 2)
    return attention(query, attention.prepare(seen), attention.initial_state(seen))


def test_positions_are_drawn_by_their_weights():
    torch.manual_seed(0)
    attention = HardConfig(score=DotConfig(), expected=0.0).build(2, 2)
    output = attend(attention, 50, queries=400)
    first = (output.context == torch.tensor([1.0, 0.0])).all(-1)
    second = (output.context == torch.tensor([0.0, 8.0])).all(-1)
    assert bool((first ^ second).all()), "the context is one annotation, never padding"
    # 20,000 draws: the standard error of the share is sqrt(3/16 / 20000) = 0.003.
    assert abs(float(first.double().mean()) - 0.75) < 0.012
    close(output.weights[0, 0, 0], torch.tensor([0.75, 0.25, 0.0], dtype=torch.float64))
    close(output.log_prob.exp(), 0.25 + 0.5 * first.double())


def test_two_draws_for_one_query_differ_and_a_seed_repeats_them():
    attention = HardConfig(score=DotConfig(), expected=0.5).build(2, 2)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(attend(attention, 8, queries=5).context)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_the_likeliest_position_translates():
    output = attend(HardConfig(score=DotConfig()).build(2, 2).eval(), 2, queries=3)
    assert torch.equal(output.context, memory(2).values[:, :1].expand(-1, 3, -1))


def test_some_sentences_see_the_expected_context_in_training():
    torch.manual_seed(3)
    attention = HardConfig(score=DotConfig(), expected=0.4).build(2, 2)
    output = attend(attention, 2000, queries=4)
    # 3/4 (1, 0) + 1/4 (0, 8)
    soft = (output.context - torch.tensor([0.75, 2.0])).abs().amax(-1) < 1e-9
    assert bool((soft.all(1) == soft.any(1)).all()), "a sentence as a whole"
    assert abs(float(soft[:, 0].double().mean()) - 0.4) < 4 * math.sqrt(0.24 / 2000)
    assert bool((output.log_prob[soft] == 0).all()) and bool((output.log_prob[~soft] < 0).all())


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_shares_that_are_none(share):
    with pytest.raises(ConfigError, match="expected must be at least 0 and below 1"):
        config.from_mapping(AttentionConfig, {"type": "hard", "expected": share}, name="attention")


HARD = [one for one in combinations() if one.config.attention == HardConfig()]


@pytest.mark.parametrize("combination", HARD, ids=lambda one: one.name)
def test_every_decoder_hands_on_what_was_drawn(combination):
    model = sharp_model(combination.config)
    model.train()
    torch.manual_seed(0)
    try:
        output = model(ragged(SOURCES), Tokens.pad(TARGETS, PAD), BOS)
    finally:
        model.eval()
    assert output.log_prob is not None and output.log_prob.shape == output.features.shape[:2]
    drawn = output.log_prob.exp().unsqueeze(2)
    same = (output.weights.squeeze(2) - drawn).abs().amin(2) < 1e-9
    assert bool((same | (output.log_prob == 0)).all()), "each is the logarithm of one of the weights"
    assert bool((output.log_prob < 0).any())

"""Forced decoding gives back what search found."""

from __future__ import annotations

import math

import pytest
import torch
from table_steppers import BOS, EOS, PAD, SENTENCES, RecurrentTable, Table, tokens

from nmt.data.batch import Tokens
from nmt.search.allowed_tokens import Symbols
from nmt.search.forced import force
from nmt.search.search import search
from nmt.search.search_config import SearchConfig


@pytest.mark.parametrize("strategy", ["beam", "greedy", "sampling"])
@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_forcing_a_returned_hypothesis_gives_its_score_and_weights(strategy, beta):
    stepper = RecurrentTable(20, seed=6, sharp=6, eos=6)
    config = SearchConfig(
        strategy=strategy,
        n_best=1 if strategy == "greedy" else 4,
        min_length_ratio=1.4,
        length_penalty=0.7,
        coverage_penalty=beta,
        max_length_offset=40,
    )
    found = search(stepper, tokens(), config, Symbols(BOS, EOS, (PAD, BOS)))
    pairs = [(row, h) for row, hypotheses in zip(SENTENCES, found, strict=True) for h in hypotheses if h.finished]
    assert len({len(row) for row, _ in pairs}) >= 4
    assert any(len(h.tokens) > len(row) for row, h in pairs)
    forced = force(
        stepper,
        tokens([row for row, _ in pairs]),
        Tokens.pad([[*h.tokens, EOS] for _, h in pairs], PAD),
        bos_id=BOS,
        config=config,
    )
    for one, (_, other) in zip(forced, pairs, strict=True):
        assert one.tokens == other.tokens
        assert one.finished
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-5)
        torch.testing.assert_close(one.weights, other.weights, atol=1e-6, rtol=1e-5)


def test_the_score_is_the_same_number_where_the_model_is():
    # The table gives every batch the same digits, so search and forced decoding must too.
    stepper = Table([[0, 0, 0.2, 0.5, 0.3], [0, 0, 0.3, 0.1, 0.6], [0, 0, 0.6, 0.3, 0.1]])
    config = SearchConfig(n_best=5, length_penalty=0.7)
    hypotheses = search(stepper, tokens([[5, EOS]]), config, Symbols(BOS, EOS))[0]
    forced = force(
        stepper,
        tokens([[5, EOS]] * 5),
        Tokens.pad([[*h.tokens, EOS] for h in hypotheses], PAD),
        bos_id=BOS,
        config=config,
    )
    assert forced == hypotheses


def test_by_hand():
    stepper = Table([[0, 0, 0.25, 0.75], [0, 0, 0.5, 0.5]], weights=[[0.9, 0.1], [0.2, 0.8]])
    one, empty = force(stepper, tokens([[5, EOS], [6, EOS]]), Tokens.pad([[3, EOS], [EOS]], PAD), bos_id=BOS)
    assert one.token_log_probs == pytest.approx([math.log(0.75), math.log(0.5)])
    assert one.score == pytest.approx(math.log(0.375) / (7 / 6))
    assert one.confidence == pytest.approx(math.sqrt(0.375))
    torch.testing.assert_close(one.weights, torch.tensor([[0.9, 0.1], [0.2, 0.8]]))
    assert (empty.tokens, empty.finished) == ([], True)
    assert empty.score == pytest.approx(math.log(0.25))
    assert empty.weights.shape == (1, 2)


def test_an_impossible_target_is_scored_as_such():
    found = force(Table([[0, 0, 0.5, 0.5, 0]]), tokens([[5, EOS]]), tokens([[3, 4, 3, EOS]]), bos_id=BOS)[0]
    assert found.tokens == [3, 4, 3]
    assert found.finished
    assert found.score == -math.inf
    assert found.confidence == 0.0


def test_mistakes_are_named():
    stepper = Table([[0, 0, 0.5, 0.5]])
    with pytest.raises(ValueError, match=r"as many rows as source \(2\), but has 1"):
        force(stepper, tokens([[5, EOS], [EOS]]), tokens([[3, EOS]]), bos_id=BOS)
    with pytest.raises(ValueError, match="a row is empty"):
        force(stepper, tokens([[5, EOS], [EOS]]), Tokens(torch.zeros(2, 1).long(), torch.tensor([1, 0])), bos_id=BOS)


def test_no_sentences_have_no_hypotheses() -> None:
    assert force(Table([[0, 0, 0.5, 0.5]]), Tokens.pad([], PAD), Tokens.pad([], PAD), bos_id=BOS) == []

"""An ensemble is the mean of its members."""

from __future__ import annotations

import math

import pytest
import torch
from reference_search import plain_beam
from table_steppers import BOS, EOS, PAD, SENTENCES, RecurrentTable, Table, tokens
from test_search_beam import assert_same, reference_options, run

from nmt.core.errors import CheckpointError
from nmt.search.ensemble import EnsembleStepper
from nmt.search.search_config import SearchConfig


def test_an_ensemble_of_one_is_its_member():
    member = RecurrentTable(15, seed=8)
    config = SearchConfig(n_best=3, coverage_penalty=0.2)
    assert run(EnsembleStepper([member]), SENTENCES, config) == run(member, SENTENCES, config)


def test_two_members_by_hand():
    one = Table([[0, 0, 0.2, 0.8]], weights=[[0.9, 0.1]])
    other = Table([[0, 0, 0.6, 0.4]], weights=[[0.5, 0.5]])
    silent = Table([[0, 0, 0.6, 0.4]])
    source = tokens([[5, EOS]])

    def first(members):
        ensemble = EnsembleStepper(members)
        assert ensemble.vocabulary_size == 4
        return ensemble.step(torch.tensor([BOS]), *ensemble.start(source))

    step = first([one, other])
    torch.testing.assert_close(step.log_probs.exp(), torch.tensor([[0, 0, 0.4, 0.6]]))
    torch.testing.assert_close(step.weights, torch.tensor([[0.7, 0.3]]))
    # Weights of those that have them; probabilities of all three: (0.2 + 0.6 + 0.6) / 3.
    step = first([one, silent, silent])
    torch.testing.assert_close(step.weights, torch.tensor([[0.9, 0.1]]))
    assert step.log_probs[0, 2].item() == pytest.approx(math.log(1.4 / 3))
    assert first([silent, silent]).weights is None


def test_a_beam_over_two_recurrent_members_equals_plain_loops():
    members = [RecurrentTable(9, seed=1), RecurrentTable(9, seed=2)]
    config = SearchConfig(beam_size=3, n_best=3, min_length_ratio=1.2, coverage_penalty=0.2)
    for row, found in zip(SENTENCES, run(EnsembleStepper(members), SENTENCES, config), strict=True):
        each = [member.following(row) for member in members]

        def following(prefix, each=each):
            (log_probs, weights), (others, other_weights) = (after(prefix) for after in each)
            return (
                [math.log((math.exp(a) + math.exp(b)) / 2) for a, b in zip(log_probs, others, strict=True)],
                [(a + b) / 2 for a, b in zip(weights, other_weights, strict=True)],
            )

        assert_same(found, plain_beam(following, reference_options(row, config), 3, 3))


def test_mistakes_are_named():
    with pytest.raises(CheckpointError, match="share one target vocabulary, but theirs have 8, 9 pieces"):
        EnsembleStepper([RecurrentTable(8), RecurrentTable(9)])
    with pytest.raises(ValueError, match="one stepper or more"):
        EnsembleStepper([])
    uneven = EnsembleStepper([Table([[0, 0, 1.0]], weights=[[1.0]]), Table([[0, 0, 1.0]], weights=[[0.5, 0.5]])])
    with pytest.raises(CheckpointError, match="same source pieces"):
        uneven.step(torch.tensor([PAD]), *uneven.start(tokens([[EOS]])))

"""Search with rough log-probabilities finds what it finds with exact ones, since it refines the best."""

from __future__ import annotations

import pytest
import torch
from table_steppers import BOS, EOS, PAD, SENTENCES, RecurrentTable, tokens

from nmt.data.batch import DecodingStep
from nmt.search.allowed_tokens import Symbols
from nmt.search.ensemble import EnsembleStepper
from nmt.search.search import search
from nmt.search.search_config import SearchConfig

VOCABULARY = 40


def exact_table(seed):
    return RecurrentTable(VOCABULARY, seed=seed, sharp=8.0, eos=3.0)


class RoughTable(RecurrentTable):
    """Rough log-probabilities are multiples of a quarter of a nat, so that many pieces tie; asked, it refines them."""

    def __init__(self, seed, *, refines=True):
        super().__init__(VOCABULARY, seed=seed, sharp=8.0, eos=3.0)
        self.refines = refines
        self.asked = 0
        self.rough = 0
        self.fillers = 0

    def rough_step(self, tokens, prepared, state):
        step = self.step(tokens, prepared, state)
        self.rough += 1

        def refine(parents, pieces, real, always):
            assert always.tolist() == [EOS, PAD, BOS]
            self.asked += 1
            self.fillers += int((~real).sum())
            rows = torch.arange(len(parents)).unsqueeze(1) * (len(tokens) // len(parents)) + parents
            for row, found, here in zip(rows, pieces, real, strict=True):
                pairs = torch.stack([row, found])[:, here]
                assert pairs.unique(dim=1).shape == pairs.shape
            return step.log_probs[rows, pieces]

        rounded = (step.log_probs * 4).round() / 4
        return DecodingStep(rounded, step.weights, step.state, refine if self.refines else None)


def found(stepper, config):
    return [
        [(each.tokens, each.score, each.token_log_probs, each.finished, each.cut) for each in hypotheses]
        for hypotheses in search(stepper, tokens(SENTENCES), config, Symbols(BOS, EOS, (PAD, BOS)))
    ]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "greedy"},
        {"strategy": "greedy", "min_length": 4},
        {"beam_size": 1},
        {"beam_size": 5, "n_best": 5},
        {"beam_size": 4, "n_best": 4, "min_length": 3, "max_length_ratio": 0.5, "coverage_penalty": 0.2},
    ],
)
def test_refined_search_equals_exact_search(seed, settings):
    config = SearchConfig(**{"max_length_ratio": 1.5, "max_length_offset": 2} | settings)
    table = RoughTable(seed)
    assert found(table, config) == found(exact_table(seed), config)
    assert table.asked


@pytest.mark.parametrize("strategy", ["greedy", "beam"])
def test_at_the_maximum_length_steps_are_exact(strategy):
    """All probable pieces may be forbidden there, so that nothing that matters would be refined."""
    table = RoughTable(3)
    limits = {"min_length": 3, "max_length_ratio": 0.0, "max_length_offset": 3}
    found(table, SearchConfig(strategy=strategy, **limits))
    assert (len(table.steps), table.rough) == (4, 3)


@pytest.mark.parametrize("strategy", ["greedy", "beam"])
def test_without_refinement_others_are_found(strategy):
    config = SearchConfig(strategy=strategy)
    assert found(RoughTable(0, refines=False), config) != found(exact_table(0), config)


@pytest.mark.parametrize("way", ["sampling", "repetition", "ensemble"])
def test_what_needs_every_piece_gets_exact_ones(way):
    config = SearchConfig(
        strategy="sampling" if way == "sampling" else "beam",
        n_best=2,
        beam_size=3,
        no_repeat_ngram=2 if way == "repetition" else 0,
    )
    table, exact = RoughTable(1), exact_table(1)
    first, second = ([EnsembleStepper([each]) for each in (table, exact)]) if way == "ensemble" else (table, exact)
    assert found(first, config) == found(second, config)
    assert not table.asked


def test_fillers_are_told_from_continuations():
    """Where only eos may follow, there are fewer continuations than are asked for."""
    config = SearchConfig(beam_size=30, n_best=30, max_length_ratio=0.0, max_length_offset=2)
    table = RoughTable(2)
    assert found(table, config) == found(exact_table(2), config)
    assert table.fillers

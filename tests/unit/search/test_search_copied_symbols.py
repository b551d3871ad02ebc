"""A placeholder is written only where the source has it, in every strategy."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from reference_search import Options, brute_force
from table_steppers import BOS, EOS, PAD, RecurrentTable, tokens

from nmt.search.allowed_tokens import Symbols
from nmt.search.search import greedily, search
from nmt.search.search_config import SearchConfig
from nmt.search.strategies.rollout import finished

SIZE = 7
PLAIN = Symbols(BOS, EOS, (PAD, BOS))
COPIED = replace(PLAIN, copied=((11, 4), (12, 6)))
ROWS = [[11, 5, EOS], [5, EOS], [12, 11, EOS], [12, EOS]]
FORBIDDEN = [{6}, {4, 6}, set(), {4}]
WIDE = SearchConfig(beam_size=500, n_best=20, patience=2.0, max_length_ratio=0.5, max_length_offset=2)


def test_a_wide_beam_finds_the_best_targets_without_what_the_source_lacks() -> None:
    stepper = RecurrentTable(SIZE, seed=3)
    for found, row, forbidden in zip(search(stepper, tokens(ROWS), WIDE, COPIED), ROWS, FORBIDDEN, strict=True):
        following = stepper.following(row)
        longest = int(WIDE.max_length_ratio * (len(row) - 1)) + WIDE.max_length_offset
        options = Options(EOS, frozenset(PLAIN.forbid), 0, longest, WIDE.length_penalty)

        def restricted(prefix, following=following, forbidden=forbidden):
            log_probs, weights = following(prefix)
            return [-math.inf if token in forbidden else value for token, value in enumerate(log_probs)], weights

        expected = [each for each in brute_force(restricted, options) if each.log_prob > -math.inf]
        assert len(found) == min(WIDE.n_best, len(expected))
        assert [tuple(each.tokens) for each in found] == [each.tokens for each in expected[: len(found)]]


@pytest.mark.parametrize("strategy", ["greedy", "beam", "sampling"])
def test_no_strategy_writes_what_the_source_lacks(strategy: str) -> None:
    config = SearchConfig(strategy=strategy, n_best=1 if strategy == "greedy" else 4, min_length=5, max_length_offset=9)
    written = [set[int](), set[int]()]
    for seed in range(12):
        stepper = RecurrentTable(SIZE, seed=seed)
        for symbols, seen in zip((PLAIN, COPIED), written, strict=True):
            found = search(stepper, tokens(ROWS), config, symbols, line_keys=[seed, 1, 2, 3])
            if strategy == "greedy":
                steps = greedily(stepper, tokens(ROWS), config, symbols, line_keys=[seed, 1, 2, 3])
                assert [each[0].tokens for each in finished(steps)] == [each[0].tokens for each in found]
            for hypotheses, forbidden in zip(found, FORBIDDEN, strict=True):
                seen |= {token for each in hypotheses for token in each.tokens if token in forbidden}
    assert written == [{4, 6}, set()]

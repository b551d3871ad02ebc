"""What constrains a search holds line by line, in every strategy, and with the limits of length."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from reference_search import Options, brute_force, plain_beam
from table_steppers import BOS, EOS, PAD, SENTENCES, RecurrentTable, Table, tokens

from nmt.search.allowed_tokens import Symbols
from nmt.search.search import search
from nmt.search.search_config import SearchConfig

SYMBOLS = Symbols(BOS, EOS, (PAD, BOS))
SIZE = 7
ROWS = [row for row in SENTENCES if len(row) <= 4]
LINES = [101, 7, 58, 33][: len(ROWS)]


def added(line: int, prefix: tuple[int, ...]) -> list[float]:
    """Another rule for every line: a word never, words that only fall, a word before the end, or only dear words."""
    rule, result = LINES.index(line) % 4, [0.0] * SIZE
    if rule == 0:
        result[3] = -math.inf
    elif rule == 1:
        result[prefix[-1] + 1 if prefix else SIZE :] = [-math.inf] * (SIZE - (prefix[-1] + 1 if prefix else SIZE))
    elif rule == 2 and 4 not in prefix:
        result[EOS] = -math.inf
    elif rule == 3:
        result = [-0.5 * token * len(prefix) for token in range(SIZE)]
    return result


class ByPrefix:
    """Computes everything from the prefixes, and keeps nothing."""

    def __init__(self) -> None:
        self.calls = 0

    def start(self, source, lines):
        assert list(lines) == LINES and source.rows == len(LINES)

    def step(self, prefixes, lines, state):
        self.calls += 1
        assert state is None
        rows = zip(lines.tolist(), prefixes.tolist(), strict=True)
        return torch.tensor([added(line, tuple(prefix)) for line, prefix in rows]), None


@dataclass(frozen=True)
class Seen:
    newest: torch.Tensor
    has_four: torch.Tensor
    length: torch.Tensor


class ByState:
    """The same from a state that knows the newest word, whether 4 came, and how many words there are."""

    def start(self, source, lines):
        zeros = torch.zeros(len(lines), dtype=torch.int64)
        return Seen(zeros, zeros.bool(), zeros)

    def step(self, prefixes, lines, state):
        if prefixes.shape[1]:
            newest = prefixes[:, -1]
            state = Seen(newest, state.has_four | (newest == 4), state.length + 1)
        result = []
        for row, line in enumerate(lines.tolist()):
            # Any prefix with the same newest word, the same count, and 4 in it or not.
            filler = [4 if state.has_four[row] else 3] * max(0, int(state.length[row]) - 1)
            newest = [int(state.newest[row])] if state.length[row] else []
            result.append(added(line, (*filler, *newest)))
        return torch.tensor(result), state


def constrained(stepper, row, line):
    """The plain function of one sentence, with what its line's rule adds."""
    following = stepper.following(row)

    def after(prefix):
        log_probs, weights = following(prefix)
        return [one + other for one, other in zip(log_probs, added(line, prefix), strict=True)], weights

    return after


def options_of(row, config):
    maximum = int(config.max_length_ratio * (len(row) - 1)) + config.max_length_offset
    return Options(EOS, frozenset({PAD, BOS}), min(maximum, config.min_length), maximum, config.length_penalty)


def assert_same(found, expected):
    assert [tuple(each.tokens) for each in found] == [each.tokens for each in expected]
    assert [each.finished for each in found] == [each.finished for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-5)


@pytest.mark.parametrize("constraint", [ByPrefix, ByState])
@pytest.mark.parametrize("min_length", [0, 2])
def test_a_wide_beam_equals_brute_force_with_a_constraint_per_line(constraint, min_length):
    stepper = RecurrentTable(SIZE, seed=3)
    config = SearchConfig(
        beam_size=500, n_best=30, patience=2.0, max_length_ratio=0.5, max_length_offset=2, min_length=min_length
    )
    found = search(stepper, tokens(ROWS), config, SYMBOLS, line_keys=LINES, constraint=constraint())
    plain = search(stepper, tokens(ROWS), config, SYMBOLS)
    for row, line, hypotheses, free in zip(ROWS, LINES, found, plain, strict=True):
        everything = brute_force(constrained(stepper, row, line), options_of(row, config))
        possible = [each for each in everything if each.log_prob > -math.inf]
        assert len(hypotheses) == min(30, len(possible))
        assert_same(hypotheses, possible[: len(hypotheses)])
        assert [each.tokens for each in hypotheses] != [each.tokens for each in free]


@pytest.mark.parametrize("constraint", [ByPrefix, ByState])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("strategy", "size"), [("greedy", 1), ("beam", 1), ("beam", 3)])
def test_narrow_searches_equal_plain_loops_with_a_constraint_per_line(constraint, seed, strategy, size):
    stepper = RecurrentTable(SIZE, seed=seed, sharp=6, eos=1)
    config = SearchConfig(
        strategy=strategy, beam_size=size, n_best=size, max_length_ratio=1.0, max_length_offset=2, min_length=1
    )
    found = search(stepper, tokens(ROWS), config, SYMBOLS, line_keys=LINES, constraint=constraint())
    for row, line, hypotheses in zip(ROWS, LINES, found, strict=True):
        assert_same(hypotheses, plain_beam(constrained(stepper, row, line), options_of(row, config), size, n_best=size))


@pytest.mark.parametrize("strategy", ["beam", "greedy"])
@pytest.mark.parametrize("allowed", [(3,), (3, 600), (EOS, 3, 70, 71, 600)])
def test_few_pieces_of_a_large_vocabulary(strategy, allowed):
    class Few:
        def start(self, source, lines):
            return None

        def step(self, prefixes, lines, state):
            result = torch.full((len(prefixes), 640), -math.inf)
            result[:, list(allowed)] = 0.0
            return result, state

    stepper = RecurrentTable(640, seed=2)
    config = SearchConfig(strategy=strategy, beam_size=1, max_length_ratio=0.0, max_length_offset=3)
    for row, found in zip(ROWS, search(stepper, tokens(ROWS), config, SYMBOLS, constraint=Few()), strict=True):
        following = stepper.following(row)

        def after(prefix, following=following):
            log_probs, weights = following(prefix)
            return [one if token in allowed else -math.inf for token, one in enumerate(log_probs)], weights

        assert_same(found, plain_beam(after, options_of(row, config), 1, n_best=1))


@pytest.mark.parametrize("constraint", [ByPrefix, ByState])
def test_samples_obey_the_constraint_of_their_line(constraint):
    stepper = RecurrentTable(SIZE, seed=5, sharp=2)
    config = SearchConfig(strategy="sampling", n_best=60, max_length_ratio=1.0, max_length_offset=3, length_penalty=0.0)
    found = search(stepper, tokens(ROWS), config, SYMBOLS, line_keys=LINES, constraint=constraint())
    for row, line, hypotheses in zip(ROWS, LINES, found, strict=True):
        after = constrained(stepper, row, line)
        for each in hypotheses:
            scored = [*each.tokens, EOS][: len(each.token_log_probs)]
            expected = [after(tuple(scored[:place]))[0][token] for place, token in enumerate(scored)]
            assert each.token_log_probs == pytest.approx(expected, abs=1e-5)
            assert each.log_prob > -math.inf
    distinct = {tuple(each.tokens) for each in found[0]}
    assert len(distinct) > 10  # something to get wrong


@pytest.mark.parametrize("strategy", ["beam", "greedy", "sampling"])
def test_at_the_longest_length_only_eos_follows_and_only_where_the_constraint_lets_it(strategy):
    class NoEosFirst:
        def start(self, source, lines):
            return None

        def step(self, prefixes, lines, state):
            result = torch.zeros(len(prefixes), 5)
            result[lines == 1, EOS] = -math.inf
            return result, state

    stepper = Table([[0, 0, 0.2, 0.5, 0.3]])
    config = SearchConfig(strategy=strategy, max_length_ratio=2.0, max_length_offset=0, beam_size=2, top_k=1)
    free, bound = search(
        stepper, tokens([[5, EOS], [5, EOS]]), config, SYMBOLS, line_keys=[0, 1], constraint=NoEosFirst()
    )
    assert free[0].finished
    assert not bound[0].finished
    assert bound[0].tokens == [3, 3]
    assert bound[0].cut
    assert len(bound[0].token_log_probs) == 2


@pytest.mark.parametrize("strategy", ["beam", "greedy", "sampling"])
def test_a_line_that_nothing_may_follow_ends_unfinished(strategy):
    class Dead:
        def start(self, source, lines):
            return None

        def step(self, prefixes, lines, state):
            return torch.full((len(prefixes), 5), -math.inf if prefixes.shape[1] == 1 else 0.0), state

    config = SearchConfig(strategy=strategy, min_length=1, beam_size=2, top_k=1)
    (found,) = search(Table([[0, 0, 0.2, 0.5, 0.3]]), tokens([[5, 5, EOS]]), config, SYMBOLS, constraint=Dead())
    assert (found[0].tokens, found[0].finished) == ([3], False)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (torch.zeros(1, 4), r"must give \(1, 5\), but gave \(1, 4\)"),
        (torch.tensor([[0.0, 0, 0, 0.1, 0]]), "0 or less"),
        (torch.tensor([[0.0, 0, 0, math.nan, 0]]), "or NaN"),
    ],
)
def test_what_a_constraint_may_not_give_is_refused(answer, message):
    class Wrong:
        def start(self, source, lines):
            return None

        def step(self, prefixes, lines, state):
            return answer, state

    with pytest.raises(ValueError, match=message):
        search(Table([[0, 0, 0.2, 0.5, 0.3]]), tokens([[5, EOS]]), SearchConfig(), SYMBOLS, constraint=Wrong())


def test_lines_are_rows_by_default_and_hypotheses_of_a_line_see_their_own_number():
    seen = []

    class Looks:
        def start(self, source, lines):
            assert list(lines) == [0, 1]
            return torch.tensor(lines)

        def step(self, prefixes, lines, state):
            assert lines.equal(state)  # reordered and thinned out as the hypotheses are
            seen.append(lines.tolist())
            return torch.zeros(len(prefixes), 5), state

    config = SearchConfig(beam_size=2, max_length_ratio=1.0, max_length_offset=0, min_length_ratio=1.0)
    search(Table([[0, 0, 0.2, 0.5, 0.3]]), tokens([[5, EOS], [5, 5, 5, EOS]]), config, SYMBOLS, constraint=Looks())
    assert seen == [[0, 1], [0, 0, 1, 1], [1, 1], [1, 1]]

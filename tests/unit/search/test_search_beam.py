"""Beam search equals plain loops, whatever stands beside a sentence in the batch."""

from __future__ import annotations

import itertools

import pytest
import torch
from reference_search import Options, brute_force, plain_beam
from table_steppers import BOS, EOS, PAD, SENTENCES, Bigram, RecurrentTable, Table, tokens

from nmt.core.errors import CheckpointError, ConfigError
from nmt.data.batch import DecodingStep, Tokens
from nmt.search.allowed_tokens import Symbols
from nmt.search.hypothesis import Hypothesis
from nmt.search.search import search
from nmt.search.search_config import SearchConfig

FORBID = (PAD, BOS)


def run(stepper, rows, config, forbid=FORBID, **options):
    return search(stepper, tokens(rows), config, Symbols(BOS, EOS, forbid), **options)


def reference_options(sentence, config, forbid=FORBID):
    pieces = len(sentence) - 1
    maximum = int(config.max_length_ratio * pieces) + config.max_length_offset
    minimum = min(maximum, max(config.min_length, int(config.min_length_ratio * pieces)))
    return Options(EOS, frozenset(forbid), minimum, maximum, config.length_penalty, config.coverage_penalty)


def assert_same(found: list[Hypothesis], expected, *, weights=True):
    assert [tuple(h.tokens) for h in found] == [tuple(e.tokens) for e in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.finished == other.finished
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-5)
        assert sum(one.token_log_probs) == pytest.approx(one.log_prob)
        assert len(one.token_log_probs) == len(one.tokens) + one.finished
        if weights:
            torch.testing.assert_close(one.weights, torch.as_tensor(other.weights), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("beta", [0.0, 0.4])
@pytest.mark.parametrize("min_length", [0, 2])
def test_a_wide_beam_equals_brute_force(alpha, beta, min_length):
    stepper = RecurrentTable(6, seed=3)
    config = SearchConfig(
        beam_size=400,
        n_best=20,
        max_length_ratio=0.5,
        max_length_offset=2,
        min_length=min_length,
        length_penalty=alpha,
        coverage_penalty=beta,
    )
    rows = [row for row in SENTENCES if len(row) <= 5]
    for row, found in zip(rows, run(stepper, rows, config), strict=True):
        options = reference_options(row, config)
        assert_same(found, brute_force(stepper.following(row), options)[: len(found)])
        assert len(found) == min(20, sum(3**n for n in range(options.minimum, options.maximum + 1)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("size", "n_best", "alpha", "beta", "patience"),
    [(1, 1, 1.0, 0.0, 1.0), (2, 1, 0.0, 0.0, 1.0), (3, 3, 1.0, 0.3, 1.0), (5, 2, 0.6, 0.0, 2.0), (4, 1, 1.5, 0.2, 3.0)],
)
def test_a_narrow_beam_equals_plain_loops_that_never_stop_early(seed, size, n_best, alpha, beta, patience):
    stepper = RecurrentTable(9, seed=seed, sharp=8, eos=3)
    config = SearchConfig(
        beam_size=size,
        n_best=n_best,
        max_length_ratio=1.5,
        max_length_offset=3,
        min_length_ratio=0.5,
        length_penalty=alpha,
        coverage_penalty=beta,
        patience=patience,
    )
    for row, found in zip(SENTENCES, run(stepper, SENTENCES, config), strict=True):
        options = reference_options(row, config)
        assert_same(found, plain_beam(stepper.following(row), options, size, n_best, patience))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (1.0, 0.0), (0.6, 0.4)])
def test_a_beam_of_all_the_longest_targets_finds_each_of_them(seed, alpha, beta):
    """Targets must be as long as they may: 1, 2 or 3 of 3 words, of which there are 27 at most.

    Eos ranks behind the words nearly everywhere, so a beam in which these still competed with it would lose targets.
    """
    stepper = RecurrentTable(6, seed=seed, eos=-8.0)
    config = SearchConfig(
        beam_size=27,
        n_best=27,
        patience=2.0,
        max_length_ratio=1.0,
        max_length_offset=0,
        min_length=3,
        length_penalty=alpha,
        coverage_penalty=beta,
    )
    rows = [row for row in SENTENCES if 1 < len(row) <= 4]
    for row, found in zip(rows, run(stepper, rows, config), strict=True):
        expected = brute_force(stepper.following(row), reference_options(row, config))
        assert len(found) == 3 ** (len(row) - 1)
        assert_same(found, expected)


@pytest.mark.parametrize("strategy", ["beam", "greedy", "sampling"])
def test_only_eos_follows_where_a_target_is_as_long_as_it_may_be(strategy):
    # Words have 0.9 and 0.09 of what is left; eos 0.01 after three of them, where it ranks third. A beam of two that
    # let words compete there would return what finished before: nothing, at log 0.004 = -5.52.
    stepper = Table([[0, 0, 0.004, 0.9, 0.096], [0, 0, 0, 0.99, 0.01], [0, 0, 0, 0.99, 0.01], [0, 0, 0.1, 0.5, 0.4]])
    config = SearchConfig(strategy=strategy, beam_size=2, max_length_ratio=3.0, max_length_offset=0, top_k=1)
    short, long = run(stepper, [[5, EOS], [5, 5, EOS]], config)
    assert short[0].tokens == [3, 3, 3]
    # log(0.9 * 0.99^2 * 0.1) = -2.4280, of four pieces divided by 9/6.
    assert short[0].score == pytest.approx(-2.4280 / (9 / 6), abs=1e-4)
    assert short[0].finished
    assert short[0].cut
    assert len(long[0].tokens) == 6


def test_a_target_that_the_model_ends_at_the_longest_length_is_not_cut():
    stepper = Table([[0, 0, 0, 1.0], [0, 0.6, 0.4, 0]])
    for strategy in ("beam", "greedy", "sampling"):
        config = SearchConfig(strategy=strategy, max_length_ratio=1.0, max_length_offset=0)
        for forbid, cut in ((FORBID, False), ((PAD,), True)):  # bos has more than eos, but may not be said
            found = run(stepper, [[5, EOS]], config, forbid=forbid)[0][0]
            assert (found.tokens, found.finished, found.cut) == ([3], True, cut)


@pytest.mark.parametrize("strategy", ["beam", "greedy", "sampling"])
@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_a_row_of_a_batch_equals_the_sentence_alone(strategy, beta):
    stepper = RecurrentTable(20, seed=6, sharp=6, eos=4)
    config = SearchConfig(
        strategy=strategy, n_best=1 if strategy == "greedy" else 3, min_length_ratio=1.5, coverage_penalty=beta
    )
    together = run(stepper, SENTENCES, config)
    reversed_order = run(stepper, SENTENCES[::-1], config, line_keys=range(len(SENTENCES))[::-1])[::-1]
    for index, row in enumerate(SENTENCES):
        alone = run(stepper, [row], config, line_keys=[index])[0]
        assert_same(together[index], alone)
        assert_same(reversed_order[index], alone)
        for hypothesis in alone:
            assert len(hypothesis.tokens) >= int(1.5 * (len(row) - 1))
            assert hypothesis.weights.shape == (len(hypothesis.token_log_probs), len(row))
            torch.testing.assert_close(hypothesis.weights.sum(1), torch.ones(len(hypothesis.weights)))
            assert hypothesis.weights.dtype == torch.float32


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_equals_greedy(seed):
    stepper = RecurrentTable(20, seed=seed, sharp=6, eos=4)
    config = SearchConfig(beam_size=1, min_length_ratio=1.2, coverage_penalty=0.2)
    greedy = SearchConfig(strategy="greedy", min_length_ratio=1.2, coverage_penalty=0.2)
    for one, other in zip(run(stepper, SENTENCES, config), run(stepper, SENTENCES, greedy), strict=True):
        assert one == other
        assert torch.equal(one[0].weights, other[0].weights)


def test_n_best_is_sorted_and_distinct():
    config = SearchConfig(beam_size=6, n_best=6, patience=2)
    for found in run(RecurrentTable(12, seed=2), SENTENCES, config):
        assert len(found) == 6
        assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
        assert all(one.tokens != other.tokens for one, other in itertools.combinations(found, 2))


def test_finished_sentences_leave_the_batch():
    stepper = RecurrentTable(12, seed=2)
    run(stepper, SENTENCES, SearchConfig(beam_size=3, min_length=2))
    assert stepper.steps[0] == len(SENTENCES)
    assert stepper.steps[1] == 3 * len(SENTENCES)
    assert stepper.steps == [stepper.steps[0], *sorted(stepper.steps[1:], reverse=True)]
    assert stepper.steps[-1] < 3 * len(SENTENCES)


def test_the_bound_ends_a_search_that_cannot_improve():
    # eos has 0.9 at every step: "" scores log 0.9 / (6/6) = -0.105. A live hypothesis has at most log 0.05 = -2.996,
    # divided by lp(12 tokens and eos) = (18/6) = 3, so -0.999 at best.
    class Counting(Table):
        steps = 0

        def step(self, *arguments):
            self.steps += 1
            return super().step(*arguments)

    stepper = Counting([[0.0, 0.0, 0.9, 0.05, 0.05]])
    config = SearchConfig(beam_size=3, max_length_ratio=0, max_length_offset=12)
    found = run(stepper, [[5, EOS]], config)[0]
    assert [h.tokens for h in found] == [[]]
    assert found[0].score == pytest.approx(-0.1053605)
    assert stepper.steps == 1


def test_the_better_late_hypothesis_is_waited_for():
    # "" has log 0.5 / 1 = -0.693; "3 3" = log(0.5 * 0.99 * 0.98) / (8/6) = -0.723 / 1.333 = -0.543.
    stepper = Table([[0, 0, 0.5, 0.5], [0, 0, 0.01, 0.99], [0, 0, 0.98, 0.02]])
    config = SearchConfig(beam_size=3, max_length_ratio=0, max_length_offset=4, n_best=3)
    found = run(stepper, [[5, EOS]], config)[0]
    assert found[0].tokens == [3, 3]
    assert found[0].score == pytest.approx(-0.5426, abs=1e-4)
    assert found[1].tokens == []


def test_what_no_hypothesis_finishes_is_returned_unfinished():
    stepper = Table([[0, 0, 0.0, 0.6, 0.4]], weights=[[0.25, 0.75]])
    config = SearchConfig(beam_size=2, n_best=2, max_length_ratio=1, max_length_offset=2, coverage_penalty=1.0)
    for strategy in ("beam", "greedy", "sampling"):
        one = run(stepper, [[5, EOS]], config, n_best=None) if strategy == "beam" else None
        if one is None:
            one = run(stepper, [[5, EOS]], SearchConfig(strategy=strategy, max_length_ratio=1, max_length_offset=2))
        best = one[0][0]
        assert not best.finished
        assert best.cut
        assert len(best.tokens) == len(best.token_log_probs) == len(best.weights) == 3
    # log 0.6^3 = -1.5325 over lp(3) = 8/6; coverage min(3 * 0.25, 1) = 0.75: log 0.75 = -0.2877.
    best = run(stepper, [[5, EOS]], config)[0][0]
    assert best.tokens == [3, 3, 3]
    assert best.score == pytest.approx(-1.5325 / (8 / 6) - 0.2877, abs=1e-4)


def test_the_coverage_penalty_by_hand():
    # Two steps and eos: weights (0.5, 0.5, 0), (0.2, 0.7, 0.1), (0.1, 0.1, 0.8); sums 0.8, 1.3, 0.9.
    # cp = 0.5 * (log 0.8 + log 1 + log 0.9) = 0.5 * (-0.22314 - 0.10536) = -0.16425.
    # log P = log(0.8 * 0.8 * 0.9) = -0.55165; lp = (8/6)^0.5 = 1.15470; score = -0.47774 - 0.16425.
    weights = [[0.5, 0.5, 0.0], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]
    stepper = Table([[0, 0, 0.2, 0.8], [0, 0, 0.2, 0.8], [0, 0, 0.9, 0.1]], weights)
    config = SearchConfig(beam_size=2, min_length=2, length_penalty=0.5, coverage_penalty=0.5)
    best = run(stepper, [[5, 6, EOS]], config)[0][0]
    assert best.tokens == [3, 3]
    assert best.score == pytest.approx(-0.47774 - 0.16425, abs=1e-5)
    torch.testing.assert_close(best.weights, torch.tensor(weights))


def test_length_limits_follow_each_sentence():
    stepper = Bigram([[0, 0, 0.5, 0.5]] * 4)
    config = SearchConfig(beam_size=2, max_length_ratio=1.5, max_length_offset=1, min_length_ratio=1.5, min_length=1)
    found = run(stepper, [[5, EOS], [5, 5, 5, 5, EOS], [EOS]], config)
    # 1 source piece: 1 to 2 pieces; 4: 6 to 7; none: min 1, max 1. All lengths being as probable a piece, the shortest
    # has the highest score under alpha 1: n log 0.5 / ((5 + n)/6) falls with n.
    assert [len(row[0].tokens) for row in found] == [1, 6, 1]


def test_forbidden_pieces_never_come_and_eos_cannot_be_forbidden():
    stepper = Table([[0.25, 0.25, 0.3, 0.1, 0.1]])
    for strategy in ("beam", "greedy", "sampling"):
        config = SearchConfig(strategy=strategy, min_length=3)
        best = run(stepper, [[5, EOS]], config, forbid=(PAD, BOS, EOS, PAD))[0][0]
        assert best.finished
        assert set(best.tokens) <= {3, 4}
        assert len(best.tokens) >= 3


def test_nothing_allowed_gives_an_empty_unfinished_hypothesis():
    stepper = Table([[0.0, 0.0, 0.0, 1.0]])
    for strategy in ("beam", "greedy", "sampling"):
        best = run(stepper, [[5, EOS]], SearchConfig(strategy=strategy), forbid=(PAD, BOS, 3))[0][0]
        assert (best.tokens, best.finished, best.score, best.confidence) == ([], False, 0.0, 1.0)


def test_bos_may_be_eos_and_the_beam_wider_than_the_vocabulary():
    # A padded place of the beam must not pass for eos, nor may eos live on.
    stepper = Bigram([[0, 0.0, 0.4, 0.6]] * 4)
    config = SearchConfig(beam_size=5, n_best=5, max_length_ratio=0, max_length_offset=3)
    found = search(stepper, tokens([[5, EOS]]), config, Symbols(EOS, EOS, (PAD,)))[0]
    assert all(EOS not in h.tokens and 0 not in h.tokens for h in found)
    assert sorted(len(h.tokens) for h in found) == [0, 1, 2, 3]


def test_ties_go_to_the_lower_piece():
    stepper = Table([[0.25, 0.25, 0.0, 0.25, 0.25], [0.25, 0.25, 0.5, 0.0, 0.0]])
    for config in (SearchConfig(beam_size=2, min_length=1), SearchConfig(strategy="greedy", min_length=1)):
        assert run(stepper, [[5, EOS]], config)[0][0].tokens == [3]


def test_no_sentences_and_no_weights():
    stepper = RecurrentTable(8)
    for strategy in ("beam", "greedy", "sampling"):
        config = SearchConfig(strategy=strategy)
        assert run(stepper, [], config) == []
        assert run(stepper, [[5, EOS]], config, keep_weights=False)[0][0].weights is None
        assert run(RecurrentTable(8, attention=False), [[5, EOS]], config)[0][0].weights is None


def test_coverage_is_followed_when_weights_are_not_returned():
    stepper = RecurrentTable(12, seed=4)
    config = SearchConfig(coverage_penalty=0.5, n_best=3)
    with_weights, without = (run(stepper, SENTENCES, config, keep_weights=keep) for keep in (True, False))
    assert with_weights == without


@pytest.mark.parametrize("strategy", ["beam", "greedy", "sampling"])
def test_mistakes_are_named(strategy):
    config = SearchConfig(strategy=strategy, coverage_penalty=0.1)
    with pytest.raises(ConfigError, match=r"coverage_penalty must be 0 for a model without attention, but is 0\.1"):
        run(RecurrentTable(8, attention=False), [[5, EOS]], config)
    with pytest.raises(CheckpointError, match="NaN"):
        run(Table([[0, 0, 0.5, 0.5], [float("nan")] * 4]), [[5, EOS]], SearchConfig(strategy=strategy, min_length=3))
    with pytest.raises(ConfigError, match="n_best must be at least 1, but is 0"):
        run(RecurrentTable(8), [[5, EOS]], SearchConfig(strategy=strategy), n_best=0)


def test_the_stepper_is_left_as_it_was():
    class Frozen(Table):
        def step(self, token_ids, prepared, state):
            step = super().step(token_ids, prepared, state)
            return DecodingStep(self._log_probs[:1].expand(len(token_ids), -1), None, step.state)

    stepper = Frozen([[0.1, 0.1, 0.2, 0.3, 0.3]])
    before = stepper._log_probs.clone()
    for strategy in ("beam", "greedy", "sampling"):
        run(stepper, [[5, EOS], [6, 7, EOS]], SearchConfig(strategy=strategy, min_length=3))
    assert torch.equal(stepper._log_probs, before)


def test_source_rows_of_any_padding_give_the_same():
    stepper = RecurrentTable(12, seed=4)
    narrow = tokens([[7, 9, EOS]])
    wide = Tokens(torch.nn.functional.pad(narrow.ids, (0, 5)), narrow.lengths)
    config = SearchConfig(coverage_penalty=0.3)
    first, second = (search(stepper, source, config, Symbols(BOS, EOS))[0] for source in (narrow, wide))
    assert_same(first, second)

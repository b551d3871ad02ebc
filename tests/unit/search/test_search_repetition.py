"""Search without loops equals plain loops over whatever stands in a target, in every strategy and under control."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from reference_search import Options, brute_force, plain_beam
from table_steppers import BOS, EOS, PAD, RecurrentTable, Table, tokens

from nmt.core.errors import ConfigError
from nmt.search.allowed_tokens import Symbols
from nmt.search.control.controls import Controls
from nmt.search.control.line_control import LineControl, RequiredPhrase, occurs
from nmt.search.control.line_machine import LineMachine
from nmt.search.ensemble import EnsembleStepper
from nmt.search.search import search
from nmt.search.search_config import SearchConfig
from nmt.text.piece_texts import PieceTexts

SYMBOLS = Symbols(BOS, EOS, (PAD, BOS))
SIZE = 7
ROWS = [[7, 9, 11, EOS], [5, 8, EOS], [13, EOS]]
RULES = [(1, 1.0), (2, 1.0), (3, 1.0), (0, 2.5), (2, 1.7)]


def repeats(prefix: tuple[int, ...], token: int, size: int) -> bool:
    target = (*prefix, token)
    ngrams = [target[place : place + size] for place in range(len(target) - size + 1)]
    return size > 0 and ngrams.count(target[-size:]) > 1


def without_loops(following, size, penalty):
    """The plain function of one sentence under both rules."""

    def after(prefix):
        log_probs, weights = following(prefix)
        changed = [value * penalty if token in prefix else value for token, value in enumerate(log_probs)]
        return [-math.inf if repeats(prefix, token, size) else value for token, value in enumerate(changed)], weights

    return after


def options_of(config):
    return Options(EOS, frozenset(SYMBOLS.forbid), config.min_length, config.max_length_offset, config.length_penalty)


def assert_same(found, expected):
    assert [tuple(each.tokens) for each in found] == [each.tokens for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one.finished, one.score) == (other.finished, pytest.approx(other.score, abs=1e-5))
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-5)
        assert sum(one.token_log_probs) == pytest.approx(one.log_prob)


def has_repeat(pieces, size):
    counts = Counter(tuple(pieces[place : place + size]) for place in range(len(pieces) - size + 1))
    return max(counts.values(), default=0) > 1


@pytest.mark.parametrize(("size", "penalty"), RULES)
def test_a_wide_beam_equals_brute_force(size, penalty):
    stepper = RecurrentTable(SIZE, seed=3)
    config = SearchConfig(
        beam_size=800,
        n_best=40,
        patience=2.0,
        max_length_ratio=0.0,
        max_length_offset=4,
        no_repeat_ngram=size,
        repetition_penalty=penalty,
    )
    found = search(stepper, tokens(ROWS), config, SYMBOLS)
    for row, hypotheses in zip(ROWS, found, strict=True):
        everything = brute_force(without_loops(stepper.following(row), size, penalty), options_of(config))
        assert_same(hypotheses, [each for each in everything if each.log_prob > -math.inf][:40])
        assert_same(hypotheses[:1], everything[:1])


@pytest.mark.parametrize(("size", "penalty"), RULES)
@pytest.mark.parametrize(("strategy", "width"), [("greedy", 1), ("beam", 1), ("beam", 3)])
def test_narrow_searches_equal_plain_loops(size, penalty, strategy, width):
    differs = False
    for seed in range(4):
        stepper = RecurrentTable(SIZE, seed=seed, sharp=6, eos=-2)
        plain = SearchConfig(
            strategy=strategy, beam_size=width, n_best=width, max_length_ratio=0.0, max_length_offset=6
        )
        config = replace(plain, no_repeat_ngram=size, repetition_penalty=penalty)
        free, found = (search(stepper, tokens(ROWS), each, SYMBOLS) for each in (plain, config))
        for row, hypotheses in zip(ROWS, found, strict=True):
            after = without_loops(stepper.following(row), size, penalty)
            assert_same(hypotheses, plain_beam(after, options_of(config), width, n_best=width))
        differs |= found != free
    assert differs


@pytest.mark.parametrize(("size", "penalty"), RULES)
def test_samples_have_the_changed_probabilities(size, penalty):
    stepper = RecurrentTable(SIZE, seed=5, sharp=2, eos=-1)
    config = SearchConfig(
        strategy="sampling",
        n_best=50,
        max_length_ratio=0.0,
        max_length_offset=5,
        no_repeat_ngram=size,
        repetition_penalty=penalty,
    )
    found = search(stepper, tokens(ROWS), config, SYMBOLS)
    for row, hypotheses in zip(ROWS, found, strict=True):
        after = without_loops(stepper.following(row), size, penalty)
        for each in hypotheses:
            scored = [*each.tokens, EOS][: len(each.token_log_probs)]
            expected = [after(tuple(scored[:place]))[0][token] for place, token in enumerate(scored)]
            assert each.token_log_probs == pytest.approx(expected, abs=1e-5)
            assert not size or not has_repeat(each.tokens, size)
    assert len({tuple(each.tokens) for each in found[0]}) > 5


def test_an_ensemble_is_averaged_before_it_is_restricted():
    members = [RecurrentTable(SIZE, seed=seed, sharp=6, eos=-2) for seed in (1, 2)]
    config = SearchConfig(
        beam_size=3, n_best=3, max_length_ratio=0.0, max_length_offset=6, no_repeat_ngram=2, repetition_penalty=1.5
    )
    found = search(EnsembleStepper(members), tokens(ROWS), config, SYMBOLS)
    for row, hypotheses in zip(ROWS, found, strict=True):
        each = [member.following(row) for member in members]

        def mean(prefix, each=each):
            both = [following(prefix) for following in each]
            log_probs = torch.logsumexp(torch.tensor([one for one, _ in both], dtype=torch.float64), 0) - math.log(2)
            return log_probs.tolist(), both[0][1]

        assert_same(hypotheses, plain_beam(without_loops(mean, 2, 1.5), options_of(config), 3, n_best=3))


def test_the_penalty_by_hand():
    stepper = Table([[0, 0, 0.1, 0.5, 0.4]])
    config = SearchConfig(strategy="greedy", max_length_ratio=0.0, max_length_offset=3, repetition_penalty=2.0)
    ((found,),) = search(stepper, tokens([[5, EOS]]), config, SYMBOLS)
    # 0.5; then 0.4 against 0.5 ** 2; then 0.25 against 0.16; then eos, which is never penalised.
    assert found.tokens == [3, 4, 3]
    assert found.token_log_probs == pytest.approx([math.log(p) for p in (0.5, 0.4, 0.25, 0.1)])


@pytest.mark.parametrize("strategy", ["beam", "greedy", "sampling"])
def test_a_target_that_only_repetition_could_make_long_enough_ends_unfinished(strategy):
    stepper = Table([[0, 0, 0.1, 0.5, 0.4]])
    config = SearchConfig(
        strategy=strategy, beam_size=2, max_length_ratio=0.0, max_length_offset=5, min_length=4, no_repeat_ngram=1
    )
    ((found, *_),) = search(stepper, tokens([[5, EOS]]), config, SYMBOLS)
    assert (sorted(found.tokens), found.finished) == ([3, 4], False)


SPELLINGS = [b"", b"", b"", b" a", b"b", b" ab", b" ", b".", b"a"]
TEXTS = PieceTexts(SPELLINGS)


def controlled(stepper, control, config):
    machine = LineMachine(control, TEXTS, EOS)
    controls = Controls({0: machine}, config, EOS)
    return search(stepper, tokens([[7, 9, EOS], [7, 9, EOS]]), config, SYMBOLS, controls=controls)


@pytest.mark.parametrize("strategy", ["beam", "greedy", "sampling"])
@pytest.mark.parametrize("control", [LineControl(forced=(3, 3, 3, 3)), LineControl(typed=b" a a a a")])
def test_a_prefix_may_repeat_and_what_follows_it_may_not(strategy, control):
    stepper = RecurrentTable(len(SPELLINGS), seed=1, sharp=6, eos=-1)
    config = SearchConfig(strategy=strategy, max_length_ratio=0.0, max_length_offset=9, no_repeat_ngram=2)
    (found, *_), (free, *_) = controlled(stepper, control, config)
    assert b"".join(SPELLINGS[piece] for piece in found.tokens).startswith(b" a a a a")
    after = found.tokens[len(control.forced) or 8 :]
    assert found.finished
    assert not has_repeat(after, 2)
    assert not has_repeat(free.tokens, 2)


@pytest.mark.parametrize("seed", range(6))
def test_a_typed_prefix_is_spelt_as_without_the_rule(seed):
    """It can be spelt in several ways, of which a rule against repetition must not prefer the odd ones."""
    stepper = RecurrentTable(len(SPELLINGS), seed=seed, sharp=6, eos=-1)
    config = SearchConfig(strategy="greedy", max_length_ratio=0.0, max_length_offset=14)
    typed = b" a a b a a"
    spelt = []
    for size in (0, 1, 2):
        found = controlled(stepper, LineControl(typed=typed), replace(config, no_repeat_ngram=size))[0][0].tokens
        ends = [len(b"".join(SPELLINGS[piece] for piece in found[:count])) for count in range(len(found) + 1)]
        spelt.append(found[: next(count for count, end in enumerate(ends) if end >= len(typed))])
    assert spelt[0] == spelt[1] == spelt[2]


@pytest.mark.parametrize("size", [1, 2])
def test_required_phrases_with_a_repetition_occur_before_there_is_room_for_nothing_else(size):
    phrase = RequiredPhrase.spelt("b b b", (6, 4, 6, 4, 6, 4), TEXTS)  # the only way to spell it
    assert phrase is not None
    config = SearchConfig(beam_size=3, max_length_ratio=0.0, max_length_offset=14, no_repeat_ngram=size)
    lengths = []
    for seed in range(4):
        stepper = RecurrentTable(len(SPELLINGS), seed=seed, sharp=4, eos=1)
        (found, *_), (free, *_) = controlled(stepper, LineControl(required=(phrase,)), config)
        assert occurs("b b b", b"".join(SPELLINGS[piece] for piece in found.tokens).decode())
        assert found.finished
        assert not has_repeat(free.tokens, size)
        lengths.append(len(found.tokens))
    assert min(lengths) < 10


def test_avoided_phrases_are_avoided_too():
    stepper = RecurrentTable(len(SPELLINGS), seed=2, sharp=6, eos=-1)
    config = SearchConfig(beam_size=3, n_best=3, max_length_ratio=0.0, max_length_offset=8, no_repeat_ngram=2)
    found, free = controlled(stepper, LineControl(avoided=("a", "ab")), config)
    assert not any(has_repeat(each.tokens, 2) for each in (*found, *free))
    for each in found:
        text = b"".join(SPELLINGS[piece] for piece in each.tokens).decode()
        assert not {"a", "ab"} & set(text.replace(".", " ").split())


def test_without_the_rules_the_model_is_asked_directly(monkeypatch):
    def wrapped(*_):
        raise AssertionError("prefixes are kept")

    monkeypatch.setattr("nmt.search.search.ConstrainedStepper", wrapped)
    for strategy in ("beam", "greedy", "sampling"):
        config = SearchConfig(strategy=strategy, max_length_ratio=0.0)
        search(Table([[0, 0, 0.1, 0.5, 0.4]]), tokens([[5, EOS]]), config, SYMBOLS)
        for rule in ({"no_repeat_ngram": 1}, {"repetition_penalty": 1.1}):
            with pytest.raises(AssertionError, match="prefixes are kept"):
                search(Table([[0, 0, 0.1, 0.5, 0.4]]), tokens([[5, EOS]]), replace(config, **rule), SYMBOLS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"no_repeat_ngram": -1}, "no_repeat_ngram must be"),
        ({"repetition_penalty": 0.9}, "repetition_penalty must be between 1 and 100, but is 0.9"),
        ({"repetition_penalty": math.nan}, "repetition_penalty must be"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        search(Table([[0, 0, 0.1, 0.5, 0.4]]), tokens([[5, EOS]]), SearchConfig(**values), SYMBOLS)

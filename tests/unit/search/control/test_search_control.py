"""What is asked of a translation holds in its text, and of all texts in which it holds the best is found."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence

import pytest
import torch
from reference_search import Found, Options, brute_force
from table_steppers import BOS, EOS, PAD, RecurrentTable, Table, tokens

from nmt.core.errors import ConfigError
from nmt.search.allowed_tokens import Symbols
from nmt.search.control.controls import Controls
from nmt.search.control.line_control import LineControl, RequiredPhrase, occurs
from nmt.search.control.line_machine import LineMachine
from nmt.search.hypothesis import Hypothesis
from nmt.search.search import search
from nmt.search.search_config import SearchConfig
from nmt.search.strategies.allocation import _in_turn
from nmt.text.piece_texts import PieceTexts

SPELLINGS = [b"", b"", b"", b" a", b"b", b" ab", b" ", b".", b"a"]
TEXTS = PieceTexts(SPELLINGS)
SYMBOLS = Symbols(BOS, EOS, (PAD, BOS))
ROWS = [[7, 9, 11, EOS], [5, 8, EOS], [13, EOS]]
LINES = [11, 3, 8]


def required(text: str, *pieces: int) -> RequiredPhrase:
    phrase = RequiredPhrase.spelt(text, pieces, TEXTS)
    assert phrase is not None
    return phrase


def text_of(pieces: Sequence[int], spellings: Sequence[bytes] = SPELLINGS) -> str:
    return " ".join(b"".join(spellings[piece] for piece in pieces).decode(errors="replace").split())


def stands(phrase: str, text: str) -> bool:
    before, after = (r"(?<!\w)" if phrase[0].isalnum() else "", r"(?!\w)" if phrase[-1].isalnum() else "")
    return re.search(f"{before}{re.escape(phrase)}{after}", text) is not None


def holds(control: LineControl, pieces: Sequence[int], spellings: Sequence[bytes] = SPELLINGS) -> bool:
    """Whether a target is as asked, from its whole text."""
    text, count = text_of(pieces, spellings), len(control.forced)
    rest = b"".join(spellings[piece] for piece in pieces[count:])
    return (
        tuple(pieces[:count]) == control.forced
        and rest.startswith(control.typed)
        and all(stands(phrase.text, text) for phrase in control.required)
        and not any(stands(phrase, text) for phrase in control.avoided)
    )


CONTROLS = {
    "forced": LineControl(forced=(3, 4)),
    "typed": LineControl(typed=b" a"),
    "typed after forced": LineControl(forced=(7,), typed=b" ab"),
    "typed space": LineControl(forced=(3,), typed=b" "),
    "avoided": LineControl(avoided=("a",)),
    "avoided words": LineControl(avoided=("ab", "a a", ".")),
    "required": LineControl(required=(required("b", 6, 4),)),
    "required words": LineControl(required=(required("ab", 5), required("a.", 3, 7))),
    "all": LineControl(typed=b" a", required=(required("b", 6, 4),), avoided=("a", ".")),
}


def run(
    stepper: RecurrentTable | Table,
    controls: Sequence[LineControl | None],
    config: SearchConfig,
    symbols: Symbols = SYMBOLS,
) -> list[list[Hypothesis]]:
    machines = {row: LineMachine(control, TEXTS, EOS) for row, control in enumerate(controls) if control is not None}
    return search(
        stepper,
        tokens(ROWS),
        config,
        symbols,
        line_keys=LINES,
        controls=Controls(machines, config, EOS) if machines else None,
    )


def everything(
    stepper: RecurrentTable,
    row: Sequence[int],
    control: LineControl,
    config: SearchConfig,
    symbols: Symbols = SYMBOLS,
) -> list[Found]:
    options = Options(EOS, frozenset(symbols.forbid), 0, config.max_length_offset, config.length_penalty)
    return [each for each in brute_force(stepper.following(row), options) if holds(control, each.tokens)]


@pytest.mark.parametrize("name", CONTROLS)
def test_a_wide_beam_equals_brute_force(name: str) -> None:
    stepper = RecurrentTable(len(SPELLINGS), seed=3)
    config = SearchConfig(beam_size=230, n_best=30, patience=2.0, max_length_ratio=0.0, max_length_offset=3)
    controls = [CONTROLS[name], None, LineControl(avoided=(".",))]
    found = run(stepper, controls, config)
    for row, control, hypotheses in zip(ROWS, controls, found, strict=True):
        possible = everything(stepper, row, control or LineControl(), config)
        assert [tuple(each.tokens) for each in hypotheses] == [each.tokens for each in possible[:30]]
        for one, other in zip(hypotheses, possible, strict=False):
            assert one.score == pytest.approx(other.score, abs=1e-5)
            assert sum(one.token_log_probs) == pytest.approx(other.log_prob, abs=1e-5)
            torch.testing.assert_close(one.weights, torch.as_tensor(other.weights), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("strategy", ["greedy", "beam", "sampling"])
@pytest.mark.parametrize("seed", range(3))
def test_every_strategy_does_what_is_asked_and_leaves_other_lines_alone(strategy: str, seed: int) -> None:
    stepper = RecurrentTable(len(SPELLINGS), seed=seed, sharp=6, eos=1)
    count = 1 if strategy == "greedy" else 3
    config = SearchConfig(strategy=strategy, beam_size=3, n_best=count, max_length_ratio=0.0, max_length_offset=9)
    free = run(stepper, [None] * 3, config)
    for name, control in CONTROLS.items():
        if control.required and strategy != "beam":
            continue
        found = run(stepper, [None, control, control], config)
        assert found[0] == free[0]
        for hypotheses in found[1:]:
            assert len(hypotheses) >= 1
            assert all(holds(control, each.tokens) and each.finished for each in hypotheses), name


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("longest", [5, 6, 12])
def test_a_narrow_beam_finds_all_that_is_required_even_where_there_is_only_just_room(size: int, longest: int) -> None:
    control = LineControl(required=(required("b", 6, 4), required("ab", 5), required("a.", 3, 7)))
    config = SearchConfig(beam_size=size, max_length_ratio=0.0, max_length_offset=longest)
    for seed in range(4):
        stepper = RecurrentTable(len(SPELLINGS), seed=seed, sharp=6, eos=3)
        for hypotheses in run(stepper, [control] * 3, config):
            assert hypotheses[0].finished
            assert holds(control, hypotheses[0].tokens)


@pytest.mark.parametrize("size", [2, 4])
def test_an_improbable_phrase_is_placed_before_the_limit_forces_it(size: int) -> None:
    """The model would end at once, and the phrase is never among the best continuations."""
    row = [0.0, 0.0, 0.5, 0.35, 0.0, 0.0005, 0.05, 0.05, 0.0495]
    config = SearchConfig(beam_size=size, max_length_ratio=0.0, max_length_offset=12, length_penalty=0.0)
    found = run(Table([row]), [LineControl(required=(required("ab", 5),))] * 3, config)
    assert [hypotheses[0].tokens for hypotheses in found] == [[5]] * 3


def test_a_beam_takes_the_best_of_each_bank_in_turn() -> None:
    machine = LineMachine(LineControl(required=(required("ab", 5), required("b", 6, 4))), TEXTS, EOS)
    states = [0, machine.advance(0, 5)]  # nothing yet, 3 pieces left; and "ab", 2 left
    totals = {(0, 3): -1.0, (0, 7): -1.5, (0, 5): -9.0, (1, 3): -3.0, (1, 7): -2.0, (1, 6): -8.0, (1, 4): -math.inf}
    chosen = _in_turn({choice: (0.0, total) for choice, total in totals.items()}, machine, states, 8)
    assert [choice for choice, _ in chosen][:6] == [(1, 6), (1, 7), (0, 3), (1, 3), (0, 7), (0, 5)]
    assert [values[1] for _, values in chosen][6:] == [-math.inf] * 2


def test_phrases_that_overlap_are_found_in_one_another() -> None:
    control = LineControl(required=(required("a ab", 3, 5), required("ab .", 5, 6, 7)))
    config = SearchConfig(beam_size=600, max_length_ratio=0.0, max_length_offset=5)
    stepper, few = RecurrentTable(len(SPELLINGS), seed=1), Symbols(BOS, EOS, (PAD, BOS, 4, 8))
    best = everything(stepper, ROWS[0], control, config, few)[0]
    assert text_of(best.tokens) == "a ab ."
    assert tuple(run(stepper, [control] * 3, config, few)[0][0].tokens) == best.tokens


@pytest.mark.parametrize("strategy", ["greedy", "sampling"])
def test_required_phrases_need_a_beam(strategy: str) -> None:
    with pytest.raises(ConfigError, match="strategy must be beam where phrases must occur"):
        run(RecurrentTable(len(SPELLINGS)), [CONTROLS["required"]] * 3, SearchConfig(strategy=strategy))


BYTES = [b"", b"", b"", b" a", b" ", b"\xc3", b"\xa9", b"\xe4", b"\xbd", b"\xa0", "你".encode(), b"x"]


@pytest.mark.parametrize(
    "control",
    [
        LineControl(avoided=("é",)),
        LineControl(avoided=("aé", "你")),
        LineControl(typed=" é".encode()),
        LineControl(typed=" a你".encode()),
        LineControl(avoided=("xé", "a")),
    ],
)
def test_characters_spelt_in_bytes(control: LineControl) -> None:
    """Every allowed sequence of pieces is one that the text allows, and every sequence that it allows is allowed."""
    machine = LineMachine(control, PieceTexts(BYTES), EOS)
    told = {True: 0, False: 0}
    for pieces in sequences(len(BYTES), 4):
        data = b"".join(BYTES[piece] for piece in pieces)
        if whole(data):
            allowed = permitted(machine, pieces)
            assert allowed == holds_in_characters(control, data), data
            told[allowed] += 1
    assert min(told.values()) > 4


def sequences(size: int, longest: int) -> list[tuple[int, ...]]:
    found, newest = [()], [()]
    for _ in range(longest):
        newest = [(*each, piece) for each in newest for piece in range(3, size)]
        found += newest
    return found


def whole(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def holds_in_characters(control: LineControl, data: bytes) -> bool:
    """As ``holds``; between Chinese characters words may begin anywhere."""
    text, *phrases = (
        re.sub("[\u3400-\u9fff]", lambda each: "\u2764" if each[0] == "你" else "\u2660", each)
        for each in (" ".join(data.decode().split()), *control.avoided)
    )
    return data.startswith(control.typed) and not any(stands(phrase, text) for phrase in phrases)


def permitted(machine: LineMachine, pieces: Sequence[int]) -> bool:
    number = 0
    for piece in (*pieces, EOS):
        rule = machine.rule(number)
        if rule.allowed is not None and piece not in rule.allowed:
            return False
        if piece in rule.forbidden or (rule.inside_word and piece != EOS and not machine.texts.inside_word[piece]):
            return False
        number = machine.advance(number, piece)
    return True


def test_required_characters_spelt_in_bytes_are_found() -> None:
    texts = PieceTexts(BYTES)
    phrase = RequiredPhrase.spelt("é你", [], texts)
    assert phrase is not None
    assert phrase.needed == (4, 3, 1, 0)
    assert RequiredPhrase.spelt("ö", [], texts) is None
    control = LineControl(required=(phrase,))
    config = SearchConfig(beam_size=2, max_length_ratio=0.0, max_length_offset=6)
    machine = LineMachine(control, texts, EOS)
    controls = Controls(dict.fromkeys(range(len(ROWS)), machine), config, EOS)
    for seed in range(4):
        stepper = RecurrentTable(len(BYTES), seed=seed, sharp=6)
        for found in search(stepper, tokens(ROWS), config, SYMBOLS, line_keys=LINES, controls=controls):
            assert "é你" in text_of(found[0].tokens, BYTES)


@pytest.mark.parametrize(
    ("phrase", "text", "there"),
    [
        ("dog", "A dog.", True),
        ("dog", "dog", True),
        ("dog", "A hotdog runs, dogs too", False),
        ("dog", "hotdog dog", True),
        ("a  dog", "with a\u00a0dog", True),
        (".", "dogs.", True),
        ("你", "我你他", True),
        ("3", "3月", True),
        ("3", "33", False),
        ("e", "e\u0301", False),
    ],
)
def test_occurs(phrase: str, text: str, there: bool) -> None:
    assert occurs(phrase, text) is there


def test_the_usual_segmentation_is_counted_before_the_shortest() -> None:
    assert required("ab", 3, 4).needed == (2, 2, 1, 0)
    assert required("ab", 5).needed == (1, 2, 1, 0)
    assert required("ab").needed == (1, 2, 1, 0)


def free(machine: LineMachine, number: int) -> list[int]:
    """Pieces that may follow, by the rule of the state alone."""
    rule, pieces = machine.rule(number), range(3, len(SPELLINGS))
    return [
        piece for piece in pieces if piece not in rule.forbidden and (not rule.inside_word or TEXTS.inside_word[piece])
    ]


@pytest.mark.parametrize("seed", range(6))
def test_pieces_after_which_there_is_room_are_those_that_each_leave_it(seed: int) -> None:
    """All pieces at once, as of any state, and one after another."""
    draw = random.Random(seed)
    asked = required("ab", 5), required("b", 6, 4), required("a.", 3, 7)
    phrases = tuple(draw.sample(asked, draw.randint(1, 3)))
    machine = LineMachine(LineControl(required=phrases, avoided=("a b",) * draw.randint(0, 1)), TEXTS, EOS)
    sizes = set()
    for _ in range(20):
        number = 0
        for _ in range(draw.randint(0, 4)):
            number = machine.advance(number, draw.choice(free(machine, number)))
        for room in range(max(0, machine.most_left(number) - 1), 6):  # with less, only a match that is followed counts
            found = machine.within(number, room)
            after = {piece: machine.advance(number, piece) for piece in free(machine, number)}
            assert list(found) == [
                piece
                for piece, then in after.items()
                if machine.left(then) <= room and (room > 0 or machine.ends(then))
            ]
            sizes.add(len(found))
    assert len(sizes) > 2


def test_a_hypothesis_with_required_phrases_that_nothing_may_follow_gets_no_forbidden_piece() -> None:
    class Dead:
        def start(self, source: object, lines: object) -> None:
            return None

        def step(self, prefixes: torch.Tensor, lines: torch.Tensor, state: None) -> tuple[torch.Tensor, None]:
            added = torch.zeros(len(prefixes), len(SPELLINGS))
            if prefixes.shape[1] == 2:
                added[:, [*range(3, len(SPELLINGS)), EOS]] = -math.inf
            return added, None

    control = LineControl(required=(required("b", 6, 4),))
    config = SearchConfig(beam_size=3, max_length_ratio=0.0, max_length_offset=6)
    controls = Controls({0: LineMachine(control, TEXTS, EOS)}, config, EOS)
    stepper = RecurrentTable(len(SPELLINGS), seed=1, eos=-9.0)
    (found,) = search(stepper, tokens(ROWS[:1]), config, SYMBOLS, controls=controls, constraint=Dead())
    assert found and not any({PAD, BOS} & {*each.tokens} for each in found)

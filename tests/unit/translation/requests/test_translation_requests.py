"""What is asked of a translation is found in its text, with a real vocabulary, in every strategy and batch."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from tiny_run import SEARCH, make_run, sentences

from nmt.core.errors import DataError
from nmt.data.batch import Tokens
from nmt.search.control.line_control import fewest_pieces
from nmt.search.forced import force
from nmt.text.piece_texts import PieceTexts
from nmt.translation.lines import Translation
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.requests.control_reader import ControlReader
from nmt.translation.requests.request import Request
from nmt.translation.translator import Translator

LINES = sentences(9, seed=9, longest=6)
WORDS = [word for line in sentences(40, seed=3) for word in line.split()]
ROOM = replace(SEARCH, max_length_offset=20)

Strategy = Literal["beam", "greedy", "sampling"]


@pytest.fixture(scope="module")
def bundle(tiny_run: Path) -> Bundle:
    return Bundle.load(tiny_run, device="cpu")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.load(make_run(tmp_path_factory.mktemp("runs") / "other", seed=8), device="cpu")


def translator(bundle: Bundle, *others: Bundle, strategy: Strategy = "beam", n_best: int = 1) -> Translator:
    return Translator([bundle, *others], search=replace(ROOM, strategy=strategy, n_best=n_best))


def stands(phrase: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text) is not None


@pytest.mark.parametrize(("strategy", "n_best"), [("greedy", 1), ("beam", 1), ("beam", 3), ("sampling", 3)])
def test_a_prefix_begins_every_translation_and_other_lines_stay(
    bundle: Bundle, strategy: Strategy, n_best: int
) -> None:
    model = translator(bundle, strategy=strategy, n_best=n_best)
    free = model.translate(LINES)
    asked = [
        line if place % 3 == 0 else Request(line, prefix=f"{WORDS[place]} {WORDS[place + 20][:place]}")
        for place, line in enumerate(LINES)
    ]
    for line, found, wanted in zip(asked, model.translate(asked), free, strict=True):
        if isinstance(line, str):
            assert [each.text for each in found.hypotheses] == [each.text for each in wanted.hypotheses]
            continue
        assert not found.problem
        for each in found.hypotheses:
            assert each.text.startswith(line.prefix)


def test_greedy_search_goes_on_inside_a_word_as_it_would_have(bundle: Bundle) -> None:
    model = translator(bundle, strategy="greedy")
    inside = 0
    for free in model.translate(LINES):
        if not free.best.pieces.pieces[0].startswith("\u2581"):  # which no prefix begins with
            continue
        for end in range(1, min(20, len(free.text)), 3):
            (found,) = model.translate([Request(free.source.text, prefix=free.text[:end])])
            assert found.text == free.text
            inside += free.text[end - 1 : end + 1].isalpha()
    assert inside


def test_forced_pieces_count_in_score_and_attention(bundle: Bundle) -> None:
    model = translator(bundle)
    (found,) = model.translate([Request(LINES[0], prefix=f"{WORDS[0]} {WORDS[1]} ")])
    stepper, vocabularies = model._models.stepper, model._models.vocabularies
    source = Tokens.pad([[*found.source.pieces.ids, vocabularies.source.eos_id]], 0)
    target = Tokens.pad([[*found.best.pieces.ids, vocabularies.target.eos_id]], 0)
    with torch.inference_mode():
        (again,) = force(stepper, source, target, bos_id=vocabularies.target.bos_id)
    assert found.best.hypothesis.token_log_probs == pytest.approx(again.token_log_probs, abs=1e-3)
    assert found.best.hypothesis.weights is not None
    torch.testing.assert_close(found.best.hypothesis.weights, again.weights, atol=1e-3, rtol=1e-3)


def test_a_space_after_a_prefix_ends_its_word(bundle: Bundle) -> None:
    for found in translator(bundle).translate([Request(line, prefix=f"{WORDS[0]} ") for line in LINES]):
        assert found.text.startswith(f"{WORDS[0]} ")


def test_an_ensemble_goes_on_with_a_prefix_and_finds_phrases(bundle: Bundle, other: Bundle) -> None:
    asked = [Request(line, prefix=WORDS[0], constraints=(WORDS[5],), avoid=(WORDS[9],)) for line in LINES]
    for found in translator(bundle, other).translate(asked):
        assert found.text.startswith(WORDS[0])
        assert stands(WORDS[5], found.text)
        assert not stands(WORDS[9], found.text)


@pytest.mark.parametrize("n_best", [1, 3])
def test_phrases_occur_as_asked(bundle: Bundle, n_best: int) -> None:
    model = translator(bundle, n_best=n_best)
    free = model.translate(LINES)
    asked = [
        Request(line, constraints=tuple(WORDS[place : place + place % 4]), avoid=tuple(best.text.split()[:2]))
        for place, (line, best) in enumerate(zip(LINES, free, strict=True))
        if not {*best.text.split()[:2]} & {*WORDS[place : place + place % 4]}
    ]
    assert len(asked) > 4
    for line, found in zip(asked, model.translate(asked), strict=True):
        assert not found.problem
        for each in found.hypotheses:
            assert all(stands(phrase, each.text) for phrase in line.constraints)
            assert not any(stands(phrase, each.text) for phrase in line.avoid)
            assert each.finished


def test_a_request_alone_equals_one_in_a_batch(bundle: Bundle) -> None:
    model = translator(bundle, n_best=2)
    asked = [Request(line, prefix=WORDS[n][:n], constraints=WORDS[n : n + n % 3]) for n, line in enumerate(LINES)]
    for one, found in zip(asked, model.translate([*asked, *LINES]), strict=False):
        (alone,) = model.translate([one])
        assert [each.text for each in found.hypotheses] == [each.text for each in alone.hypotheses]
        assert found.score == pytest.approx(alone.score, abs=2e-3)


def only(bundle: Bundle, request: Request, **changes: object) -> Translation:
    search = replace(ROOM, **changes)  # type: ignore[arg-type]
    first, found, last = Translator([bundle], search=search, max_pieces=40).translate([LINES[0], request, LINES[1]])
    assert (first.text, last.text) != ("", "")
    return found


@pytest.mark.parametrize(
    ("request_", "changes", "message"),
    [
        (Request("ab cd", prefix="a ☃b"), {}, "the vocabulary cannot spell '☃' in 'a ☃b'"),
        (Request("ab cd", constraints=("☃",)), {}, "the vocabulary cannot spell '☃' in '☃'"),
        (Request("ab cd", prefix="a b " * 9), {"max_length_offset": 4}, "its prefix must be at most"),
        (Request("ab", constraints=("ab " * 9,)), {"max_length_offset": 4}, "its constraints must be at most"),
        (Request("ab", constraints=("ab cd",), avoid=("cd",)), {}, "it must have 'ab cd' and avoid 'cd'"),
        (Request("ab", prefix="ab cd e", avoid=("cd",)), {}, "its prefix has 'cd', which it is to avoid"),
        (Request("ab", constraints=("ab",)), {"strategy": "greedy"}, "constraints need the strategy beam"),
        (Request("ab cd. " * 20, prefix="ab"), {}, "translated in parts can have no prefix and no constraints"),
        (Request("ab cd. " * 20, constraints=("ab",)), {}, "translated in parts can have no prefix and no constraints"),
    ],
)
def test_what_cannot_be_is_said_of_its_line_alone(
    bundle: Bundle, request_: Request, changes: dict[str, object], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = only(bundle, request_, **changes)
    assert found.text == ""
    assert message in found.problem
    assert f"line 2 is left untranslated: {found.problem}" in caplog.text


def test_a_line_in_parts_may_have_phrases_to_avoid(bundle: Bundle) -> None:
    line = "ab cd. " * 20
    free = only(bundle, Request(line))
    phrase = free.text.split()[0]
    found = only(bundle, Request(line, avoid=(phrase,)))
    assert free.parts == found.parts > 1
    assert not stands(phrase, found.text)


def test_a_blank_line_stays_empty_whatever_is_asked(bundle: Bundle) -> None:
    found = only(bundle, Request("  ", prefix="ab", constraints=("cd",)))
    assert (found.text, found.problem) == ("", "")


@pytest.mark.parametrize("phrase", ["", "  ", "\u200b"])
def test_a_phrase_must_have_a_character(bundle: Bundle, phrase: str) -> None:
    assert "must have a visible character" in only(bundle, Request("ab", constraints=(phrase,))).problem
    assert "must have a visible character" in only(bundle, Request("ab", avoid=(phrase,))).problem


def test_what_is_asked_is_normalised_as_the_training_text_was(tmp_path: Path) -> None:
    bundle = Bundle.load(make_run(tmp_path / "lower", lowercase=True), device="cpu")
    model = translator(bundle)
    (found,) = model.translate([Request("ab cd", prefix="AB c", constraints=("EF", "g  h"))])
    assert found.text.startswith("ab c")
    assert stands("ef", found.text)
    assert stands("g h", found.text)


def test_characters_are_spelt_in_bytes_where_the_vocabulary_can(tmp_path: Path) -> None:
    bundle = Bundle.load(make_run(tmp_path / "bytes", byte_fallback=True), device="cpu")
    request = Request("ab cd", prefix="a ☃b", constraints=("é你",))
    end = Request("ab cd", prefix="ab ☃", avoid=("☃",))
    found, refused = translator(bundle).translate([request, end])
    assert refused.problem == "its prefix has '☃', which it is to avoid"
    assert found.text.startswith("a ☃b")
    assert "é你" in found.text


def test_a_tab_in_a_prefix_is_a_space(bundle: Bundle) -> None:
    assert only(bundle, Request("ab cd", prefix="ab\tcd")).text.startswith("ab cd")


def test_a_phrase_does_not_go_on_after_an_unknown_piece(bundle: Bundle) -> None:
    model = bundle.vocabularies.target
    machine = ControlReader(model, bundle.normalisations.target).machine(Request("x", constraints=("ab cd",)), 100)
    for between, ends in ([], True), ([model.unk_id], False):
        number = 0
        for piece in (*model.encode("ab"), *between, *model.encode("cd")):
            number = machine.advance(number, piece)
        assert machine.ends(number) is ends


def test_lists_of_phrases_are_no_text() -> None:
    with pytest.raises(TypeError, match="constraints must be several str"):
        Request("ab", constraints="cd")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="prefix must be a str, but is NoneType"):
        Request("ab", prefix=None)  # type: ignore[arg-type]
    assert Request("ab", constraints=["cd"]).constraints == ("cd",)  # type: ignore[arg-type]


def test_the_pieces_before_the_last_word_are_the_usual_ones(bundle: Bundle) -> None:
    model = bundle.vocabularies.target
    reader = ControlReader(model, bundle.normalisations.target)
    control = reader.read(Request("x", prefix=f"{WORDS[0]} {WORDS[1]}"), 100)
    assert list(control.forced) == model.encode(WORDS[0])
    assert control.typed == f" {WORDS[1]}".encode()
    with pytest.raises(DataError, match="must be at most 1 pieces"):
        reader.read(Request("x", prefix=f"{WORDS[0]} {WORDS[1]}"), 1)


def test_a_last_word_counts_as_the_fewest_pieces_that_begin_with_it(bundle: Bundle) -> None:
    texts = PieceTexts.of(bundle.vocabularies.target)
    spelt = [text for text in set(texts.spellings) if text]
    for word in (b" ab", b" abcdefghij", b" jjjjjjjj", b"a", b" "):
        reached, count = {b""}, 0
        while not any(text.startswith(word) for text in reached):
            reached = {one + other for one in reached for other in spelt}
            reached = {text for text in reached if text.startswith(word) or word.startswith(text)}
            count += 1
        assert fewest_pieces(word, texts) == count
    assert fewest_pieces(b"", texts) == 0
    assert fewest_pieces(b" jjjjjjjj", texts) > 2
    reader = ControlReader(bundle.vocabularies.target, bundle.normalisations.target)
    with pytest.raises(DataError, match="its prefix must be at most 2 pieces"):
        reader.read(Request("x", prefix="jjjjjjjj"), 2)

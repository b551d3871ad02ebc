from __future__ import annotations

import copy
import itertools
import pickle
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_run import MODEL_CONFIG, SEARCH, make_run, sentences

from nmt.alignment.soft_alignment import LinkRule
from nmt.core.errors import CheckpointError, ConfigError, DataError
from nmt.data.batch import Tokens
from nmt.search.hypothesis import Hypothesis
from nmt.search.search_config import SearchConfig
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.copying import CopyConfig
from nmt.translation.line_search import Found, Searched
from nmt.translation.lines import Translation
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.translator import Translator

LINES = [*sentences(40, seed=9), "", "   ", "ab ☃ cd", "\u2028", "a\0b", *sentences(3, seed=5)]


@pytest.fixture(scope="module")
def bundle(tiny_run: Path) -> Bundle:
    return Bundle.load(tiny_run, device="cpu")


@pytest.fixture(scope="module")
def alone(bundle: Bundle) -> list[Translation]:
    """Each line translated by itself."""
    translator = Translator([bundle], search=replace(SEARCH, n_best=3))
    return [translation for line in LINES for translation in translator.translate([line])]


def assert_same(found: Translation, wanted: Translation) -> None:
    assert found.source.text == wanted.source.text
    assert [each.text for each in found.hypotheses] == [each.text for each in wanted.hypotheses]
    for one, other in zip(found.hypotheses, wanted.hypotheses, strict=True):
        assert one.score == pytest.approx(other.score, abs=2e-3)
        assert one.confidence == pytest.approx(other.confidence, abs=2e-3)
        assert one.finished == other.finished
        if other.weights is None:
            assert one.weights is None
        else:
            numpy.testing.assert_allclose(one.weights, other.weights, atol=5e-3)


def test_fixture_has_something_to_get_wrong(alone: list[Translation]) -> None:
    texts = [translation.text for translation in alone if translation.source.text.strip()]
    assert len(set(texts)) == len(texts)
    assert {translation.best.cut for translation in alone} == {True, False}


@pytest.mark.costly
@pytest.mark.parametrize("batch_tokens", [1, 60, 700, 100_000])
def test_batch_size_changes_nothing(bundle: Bundle, alone: list[Translation], batch_tokens: int) -> None:
    translator = Translator([bundle], search=replace(SEARCH, n_best=3), batch_tokens=batch_tokens)
    for found, wanted in zip(translator.translate(LINES), alone, strict=True):
        assert_same(found, wanted)


def test_order_of_the_lines_changes_nothing(bundle: Bundle, alone: list[Translation]) -> None:
    order = list(range(len(LINES)))
    random.Random(3).shuffle(order)
    translator = Translator([bundle], search=replace(SEARCH, n_best=3))
    found = translator.translate([LINES[place] for place in order])
    for place, translation in zip(order, found, strict=True):
        assert_same(translation, alone[place])


@pytest.mark.costly
@pytest.mark.parametrize("window", [1, 7, 1000])
def test_windows_change_nothing_and_numbers_go_on(bundle: Bundle, alone: list[Translation], window: int) -> None:
    translator = Translator([bundle], search=replace(SEARCH, n_best=3))
    found = list(translator.translate_lines(LINES, window=window, first=5))
    assert [translation.source.number for translation in found] == list(range(5, 5 + len(LINES)))
    for translation, wanted in zip(found, alone, strict=True):
        assert_same(translation, wanted)


def test_attention_off_gives_the_same_text(bundle: Bundle, alone: list[Translation]) -> None:
    found = Translator([bundle], search=replace(SEARCH, n_best=3), attention=False).translate(LINES)
    assert [t.text for t in found] == [t.text for t in alone]
    assert all(t.best.weights is None and not t.alignment.sure for t in found)


@pytest.mark.parametrize("strategy", ["beam", "greedy"])
def test_fast_paths_change_nothing(bundle: Bundle, tiny_run: Path, strategy: Literal["beam", "greedy"]) -> None:
    wanted = replace(SEARCH, strategy=strategy, n_best=3 if strategy == "beam" else 1)
    plain = Translator.load(tiny_run, device="cpu", search=wanted, fast_paths=False)
    slow = plain.bundles[0].model
    assert plain._models.stepper.model is slow  # type: ignore[attr-defined]
    assert not (slow.encoder.fast or slow.decoder.fast or slow.output.fast)
    fast = Translator([bundle], search=wanted)
    assert fast._models.stepper.model is not bundle.model  # type: ignore[attr-defined]
    same = []
    for found, expected in zip(fast.translate(LINES), plain.translate(LINES), strict=True):
        same.append([each.text for each in found.hypotheses] == [each.text for each in expected.hypotheses])
        # Rounding decides near ties, so that the last of a list may come from another beam; the best must not.
        if same[-1]:
            assert_same(found, expected)
        assert found.text == expected.text
    assert len(same) - sum(same) <= 1


@pytest.mark.costly
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_translator_can_be_sent_to_another_process(bundle: Bundle, precision: Literal["fp32", "bf16"]) -> None:
    translator = Translator([bundle], search=SEARCH, precision=precision)
    wanted = translator.translate(LINES)
    for twin in (pickle.loads(pickle.dumps(translator)), copy.deepcopy(translator)):
        for found, expected in zip(twin.translate(LINES), wanted, strict=True):
            assert_same(found, expected)


def test_weights_that_change_are_arranged_anew(tiny_run: Path) -> None:
    changing = Translator.load(tiny_run, device="cpu", search=SEARCH)
    plain = Translator.load(tiny_run, device="cpu", search=SEARCH, fast_paths=False)
    before = [each.text for each in changing.translate(LINES)]
    for translator in (changing, plain):
        with torch.no_grad():
            for parameter in translator.bundles[0].model.parameters():
                parameter.mul_(-0.7)
    found = changing.translate(LINES)
    assert [each.text for each in found] != before
    for one, other in zip(found, plain.translate(LINES), strict=True):
        assert_same(one, other)


class NotAsBefore:
    """Forbids each line the piece that it began with before; lines are known by their numbers."""

    def __init__(self, begun: dict[int, int], size: int) -> None:
        self._begun, self._size = begun, size

    def start(self, source: Tokens, lines: Sequence[int]) -> None:
        assert set(lines) <= self._begun.keys()
        assert source.rows == len(lines)

    def step(self, prefixes: torch.Tensor, lines: torch.Tensor, state: None) -> tuple[torch.Tensor, None]:
        added = torch.zeros(len(prefixes), self._size)
        if not prefixes.shape[1]:
            added[torch.arange(len(prefixes)), [self._begun[line] for line in lines.tolist()]] = -torch.inf
        return added, state


@pytest.mark.parametrize("strategy", ["beam", "greedy"])
def test_a_constraint_knows_every_line_by_its_number(bundle: Bundle, strategy: Literal["beam", "greedy"]) -> None:
    search = replace(SEARCH, strategy=strategy, n_best=1, min_length=1)
    lines, size = sentences(12, seed=3), bundle.model.output.weight.shape[0]
    free = Translator([bundle], search=search).translate(lines)
    begun = {number: each.best.hypothesis.tokens[0] for number, each in enumerate(free, start=1)}
    assert len(set(begun.values())) > 2  # or it would not matter which line is which
    held = Translator([bundle], search=search, batch_tokens=150, constraint=NotAsBefore(begun, size)).translate(lines)
    for number, (before, found) in enumerate(zip(free, held, strict=True), start=1):
        assert found.best.hypothesis.tokens[0] != begun[number]
        assert found.best.hypothesis.finished
        single = Translator([bundle], search=search, constraint=NotAsBefore({1: begun[number]}, size))
        assert single.translate([lines[number - 1]])[0].text == found.text != before.text


def test_a_model_in_training_does_not_translate(tiny_run: Path) -> None:
    translator = Translator.load(tiny_run, device="cpu", search=SEARCH)
    translator.bundles[0].model.train()
    with pytest.raises(ValueError, match=r"in training mode; call its eval\(\)"):
        translator.translate(LINES[:1])


def test_autocast_around_a_translator_changes_nothing(bundle: Bundle, alone: list[Translation]) -> None:
    translator = Translator([bundle], search=replace(SEARCH, n_best=3))
    with torch.autocast("cpu", torch.bfloat16):
        translations = translator.translate(LINES)
    for found, wanted in zip(translations, alone, strict=True):
        assert_same(found, wanted)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("a line", "is one str; put it into a list"),
        (b"a line", "is one bytes; put it into a list"),
        (["a line", None], "line 2 must be a str or a Request, but is NoneType"),
        ([b"a line"], "line 1 must be a str or a Request, but is bytes"),
    ],
)
def test_lines_must_be_text(bundle: Bundle, lines: Any, told: str) -> None:
    translator = Translator([bundle], search=SEARCH)
    for translate in (translator.translate, lambda lines: list(translator.translate_lines(lines))):
        with pytest.raises(TypeError, match=told):
            translate(lines)


def test_bf16_scores_are_near(bundle: Bundle) -> None:
    low = Translator([bundle], search=SEARCH, precision="bf16").translate(LINES)
    high = Translator([bundle], search=SEARCH).translate(LINES)
    alike = [(one, other) for one, other in zip(low, high, strict=True) if one.text == other.text and one.text]
    assert len(alike) > len(LINES) // 3
    # The weights are four times as large as drawn, and so is what rounding comes to.
    apart = sorted(abs(one.score - other.score) for one, other in alike)
    assert 0 < apart[len(apart) // 2] < 0.2 and apart[-1] < 1.0


def test_a_stream_is_answered_window_by_window(bundle: Bundle) -> None:
    read = []

    def lines() -> Iterator[str]:
        for line in LINES:
            read.append(line)
            yield line

    stream = Translator([bundle]).translate_lines(lines(), window=4)
    assert not read
    next(stream)
    assert len(read) == 4
    for _ in range(4):
        next(stream)
    assert len(read) == 8


def test_blank_lines_meet_no_model(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    translator = Translator([bundle])
    monkeypatch.setattr(translator._search, "_search", lambda *batch: pytest.fail("the model was asked"))
    for translation in translator.translate(
        ["", " ", "\t", "\u3000", "\u2028", "\u200b", "\ufeff \xad", "\u3164", "\x00"]
    ):
        assert translation.text == ""
        assert len(translation.hypotheses) == 1
        assert translation.best.finished
        assert translation.confidence == 1.0
        assert translation.alignment.sure == frozenset()
        assert "<p>" in translation._repr_html_()


def test_n_best_is_sorted_and_distinct(alone: list[Translation]) -> None:
    for translation in alone:
        scores = [each.score for each in translation.hypotheses]
        assert scores == sorted(scores, reverse=True)
        texts = [each.text for each in translation.hypotheses]
        assert len(set(texts)) == len(texts)


def test_how_far_it_is_follows_from_the_pieces(bundle: Bundle) -> None:
    pieces = {line: len(bundle.vocabularies.source.encode(line)) + 1 for line in LINES[:12]}
    told: list[float] = []
    translator = Translator([bundle], search=SearchConfig(strategy="greedy"), batch_tokens=1, attention=False)
    list(translator.translate_lines(pieces, window=6, reached=told.append))
    assert len(told) == 12 and told == sorted(told)
    for first, window in ((0, LINES[:6]), (6, LINES[6:12])):
        whole = sum(pieces[line] for line in window)
        steps = [after - before for before, after in itertools.pairwise([first, *told[first : first + 6]])]
        assert sorted(steps) == pytest.approx(sorted(6 * pieces[line] / whole for line in window))


@pytest.fixture
def spelt(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Let every search find two texts, each in two spellings; gives how many hypotheses were asked for."""
    target = bundle.vocabularies.target
    spellings = [["▁fca"], ["▁", "f", "c", "a"], ["▁ich", "▁fca"], ["▁fca"], ["▁", "i", "c", "h", "▁fca"]]
    asked: list[int | None] = []

    def search(
        _stepper: object, source: Any, config: SearchConfig, _symbols: object, *, n_best: int, **_: object
    ) -> Any:
        asked.append(n_best)
        found = [
            Hypothesis([target.id_of(piece) for piece in pieces], -1.0 - rank, -1.0 - rank, [-1.0 - rank], True)
            for rank, pieces in enumerate(spellings)
        ]
        return [found[:n_best]] * source.rows

    monkeypatch.setattr("nmt.translation.line_search.search", search)
    return asked


@pytest.mark.parametrize(("n_best", "asked", "scores"), [(1, 1, [-1]), (2, 5, [-1, -3]), (5, 5, [-1, -3])])
@pytest.mark.parametrize("parts", [1, 3])
def test_no_two_of_an_n_best_list_say_the_same(
    bundle: Bundle, spelt: list[int | None], n_best: int, asked: int, scores: list[int], parts: int
) -> None:
    translator = Translator(
        [bundle], search=SearchConfig(beam_size=5, n_best=n_best, length_penalty=0), max_pieces=8 // parts
    )
    (translation,) = translator.translate(["ahfga fca fegj giffc iab acjf gbhhb"])
    assert spelt == [asked] and translation.parts == (4 if parts == 3 else 1)
    assert [each.text for each in translation.hypotheses] == [
        " ".join([text] * translation.parts) for text in ("fca", "ich fca")[:n_best]
    ]
    assert [each.score for each in translation.hypotheses] == [score * translation.parts for score in scores]


def test_samples_may_repeat(bundle: Bundle, spelt: list[int | None]) -> None:
    (translation,) = Translator([bundle], search=SearchConfig(strategy="sampling", n_best=4)).translate(["fca"])
    assert spelt == [4]
    assert [each.text for each in translation.hypotheses] == ["fca", "fca", "ich fca", "fca"]


def test_a_beam_that_gives_all_it_finished_begins_with_what_it_would_have_given(bundle: Bundle) -> None:
    wide = Translator([bundle], search=SearchConfig(beam_size=6, n_best=6)).translate(LINES[:6])
    for n_best in (1, 2, 4):
        narrow = Translator([bundle], search=SearchConfig(beam_size=6, n_best=n_best)).translate(LINES[:6])
        for found, wanted in zip(narrow, wide, strict=True):
            assert_same(found, replace(wanted, hypotheses=wanted.hypotheses[:n_best]))


def test_forcing_a_translation_gives_its_score_and_attention(bundle: Bundle) -> None:
    # A translation encoded again may be cut into other pieces; those that are not must agree exactly.
    agreeing = 0
    translations = [t for t in Translator([bundle]).translate(LINES) if t.best.finished and t.text]
    forced = Aligner([bundle]).align([t.source.text for t in translations], [t.text for t in translations])
    for translation, target in zip(translations, forced, strict=True):
        if target.pieces.ids != translation.best.pieces.ids:
            continue
        agreeing += 1
        assert target.score == pytest.approx(translation.score, abs=2e-3)
        assert target.hypothesis.token_log_probs == pytest.approx(translation.best.hypothesis.token_log_probs, abs=2e-3)
        numpy.testing.assert_allclose(target.weights, translation.best.weights, atol=2e-3)
        assert target.alignment == translation.alignment
    assert agreeing >= 3


def test_word_weights_have_the_shape_of_the_words_and_sum_to_one(bundle: Bundle) -> None:
    for translation in Translator([bundle]).translate(LINES):
        if not translation.text:
            continue
        weights = translation.best.weights
        assert weights is not None
        assert weights.shape == (len(translation.text.split()), len(translation.source.text.split()) + 1)
        numpy.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=2e-3)
        words = translation.source.words
        for source, target in translation.alignment.sure:
            assert weights[target, source] == weights[target].max()
            assert source < len(words)


def test_threshold_links_what_reaches_it(bundle: Bundle) -> None:
    best = Translator([bundle]).translate(LINES[:1])[0].best
    assert best.weights is not None
    wanted = {(i, j) for j, i in zip(*numpy.nonzero(best.weights[:, :-1] >= 0.1), strict=True)}
    assert best.links(LinkRule(kind="threshold", threshold=0.1)).sure == wanted
    assert best.links() == best.alignment


@pytest.mark.slow
def test_samples_belong_to_the_line_and_its_number(bundle: Bundle) -> None:
    sampling = SearchConfig(strategy="sampling", n_best=2, max_length_ratio=1.0, max_length_offset=4, temperature=9.0)
    translator = Translator([bundle], search=sampling)
    found = [t.text for t in translator.translate(LINES)]
    again = [t.text for t in translator.translate_lines(LINES, window=3)]
    small = [t.text for t in Translator([bundle], search=sampling, batch_tokens=1).translate(LINES)]
    assert found == again == small
    assert found != [t.text for t in translator.translate_lines(LINES, first=2)]
    assert found != [t.text for t in Translator([bundle], search=replace(sampling, seed=2)).translate(LINES)]


def test_an_ensemble_of_one_model_twice_is_that_model(bundle: Bundle, alone: list[Translation]) -> None:
    translator = Translator([bundle, bundle], search=replace(SEARCH, n_best=3))
    for found, wanted in zip(translator.translate(LINES), alone, strict=True):
        assert_same(found, wanted)


def test_an_ensemble_needs_the_same_vocabulary(tiny_run: Path, tmp_path: Path) -> None:
    same = make_run(tmp_path / "same", seed=4)
    mixed = Translator.load([tiny_run, same])
    texts = [t.text for t in mixed.translate(LINES[:20])]
    assert texts != [t.text for t in Translator.load(tiny_run).translate(LINES[:20])]
    assert texts != [t.text for t in Translator.load(same).translate(LINES[:20])]
    other = make_run(tmp_path / "other", words="bcdefghijk")
    with pytest.raises(CheckpointError, match=r"tiny and .*other: .* must have the same vocabularies"):
        Translator.load([tiny_run, other])
    lower = make_run(tmp_path / "lower", lowercase=True)
    with pytest.raises(CheckpointError, match=r"same data.normalisation"):
        Translator.load([tiny_run, lower])


def test_separate_vocabularies_and_lower_case(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", joint=False, lowercase=True)
    upper, lower = Translator.load(run).translate(["AB CD", "ab cd"])
    assert upper.text == lower.text
    letters = upper.text.replace("<num>", "")  # a symbol is no text to be lower-cased
    assert letters.upper() == letters
    assert upper.source.words == ["AB", "CD"]


def test_a_model_that_spells_bytes_never_breaks_a_line(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", byte_fallback=True)
    bundle = Bundle.load(run)
    translator = Translator([bundle])
    model = bundle.vocabularies.target
    newline = model.id_of("<0x0A>")
    source = translator.translate(["ab"])[0].source
    tokens = [model.id_of("a"), newline, model.id_of("b")]
    hypothesis = Hypothesis(tokens, 0.0, 0.0, [0.0] * 3, finished=False)
    assert translator._search.target(source, hypothesis).text == "a b"


def test_a_batch_that_does_not_fit_into_memory_is_halved(
    bundle: Bundle, alone: list[Translation], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    translator = Translator([bundle], search=replace(SEARCH, n_best=3))
    search, sizes = translator._search._search, []

    def starving(batch: list[Searched]) -> list[Found]:
        sizes.append(len(batch))
        if len(batch) > 4:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
        return search(batch)

    monkeypatch.setattr(translator._search, "_search", starving)
    with caplog.at_level("WARNING", logger="nmt"):
        for found, wanted in zip(translator.translate(LINES), alone, strict=True):
            assert_same(found, wanted)
    assert max(sizes) > 16
    assert caplog.text.count("does not fit into memory") == 1


def test_a_line_that_does_not_fit_by_itself_takes_no_other_with_it(
    bundle: Bundle, alone: list[Translation], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    translator = Translator([bundle], search=replace(SEARCH, n_best=3))
    search = translator._search._search

    def starving(batch: list[Searched]) -> list[Found]:
        if any(source.number == 7 for source, _ in batch):
            raise MemoryError
        return search(batch)

    monkeypatch.setattr(translator._search, "_search", starving)
    with caplog.at_level("WARNING", logger="nmt"):
        found = translator.translate(LINES)
    assert found[6].text == ""
    assert "do not fit into memory" in found[6].problem
    assert "line 7 is left untranslated: its" in caplog.text
    for place, (one, wanted) in enumerate(zip(found, alone, strict=True)):
        if place != 6:
            assert_same(one, wanted)
            assert not one.problem


def test_other_errors_are_not_taken_for_a_lack_of_memory(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    translator = Translator([bundle])

    def broken(batch: list[Searched]) -> list[Found]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(translator._search, "_search", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        translator.translate(LINES)


def test_half_of_a_surrogate_pair_is_a_character_like_another(bundle: Bundle) -> None:
    one, other = Translator([bundle]).translate(["ab \ud800 cd", "ab \ufffd cd"])
    assert one.text == other.text


def test_lines_before_one_that_cannot_be_read_are_translated(bundle: Bundle, alone: list[Translation]) -> None:
    def lines() -> Iterator[str]:
        yield from LINES[:6]
        raise DataError("line 7 is damaged")

    stream = Translator([bundle], search=replace(SEARCH, n_best=3)).translate_lines(lines(), window=4)
    for wanted in alone[:6]:
        assert_same(next(stream), wanted)
    with pytest.raises(DataError, match="line 7 is damaged"):
        next(stream)


def test_without_attention_there_is_text_but_no_alignment(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", model={**MODEL_CONFIG, "attention": "none"})
    bundle = Bundle.load(run)
    translation = Translator([bundle]).translate(["ab cd"])[0]
    assert translation.text
    assert translation.best.weights is None
    assert "ab cd" in translation._repr_html_()
    with pytest.raises(ConfigError, match="coverage_penalty must be 0"):
        Translator([bundle], search=replace(SEARCH, coverage_penalty=0.2))
    with pytest.raises(ConfigError, match=r"nothing can be copied from the source: the model of .* has no attention"):
        Translator([bundle], copying=CopyConfig(replace_unknown=True))
    with pytest.raises(ConfigError, match="nothing can be aligned"):
        Aligner([bundle])


def test_impossible_settings_are_refused(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="n_best"):
        Translator([bundle], search=replace(SEARCH, n_best=9))
    with pytest.raises(ConfigError, match="batch_tokens must be at least 1"):
        Translator([bundle], batch_tokens=0)
    with pytest.raises(ConfigError, match="max_pieces must be at least 1"):
        Translator([bundle], max_pieces=0)
    with pytest.raises(ConfigError, match="window must be at least 1"):
        list(Translator([bundle]).translate_lines(["a"], window=0))


def test_a_translation_draws_itself(bundle: Bundle) -> None:
    translation = Translator([bundle]).translate(["ab <cd>"])[0]
    drawn = translation._repr_html_()
    assert drawn.startswith("<svg")
    assert "&lt;cd&gt;" in drawn
    assert "<cd>" not in drawn
    assert str(translation) == translation.text


@pytest.fixture(scope="module", params=[False, True], ids=["unknown", "bytes"])
def any_translator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Translator:
    """A translator whose vocabulary spells unknown characters as one piece, or in bytes."""
    path = tmp_path_factory.mktemp("any") / "run"
    return Translator([Bundle.load(make_run(path, byte_fallback=request.param))])


@pytest.mark.costly
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_pieces_a_model_writes_become_words_with_weights(
    any_translator: Translator, data: st.DataObject
) -> None:
    model = any_translator.bundles[0].vocabularies.target
    special = {model.pad_id, model.bos_id, model.eos_id}
    ids = data.draw(st.lists(st.sampled_from([i for i in range(model.size) if i not in special]), max_size=12))
    line = data.draw(st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=12))
    source = any_translator._reader.read([line], [1])[0]
    weights = torch.full((len(ids) + 1, len(source.pieces.ids) + 1), 1.0)
    hypothesis = Hypothesis(ids, 0.0, 0.0, [0.0] * (len(ids) + 1), finished=True, weights=weights)
    target = any_translator._search.target(source, hypothesis)
    assert "\n" not in target.text
    assert target.weights is not None
    assert target.weights.shape == (len(target.words), len(line.split()) + 1)
    # Every target word has pieces of its own, and no source piece is lost.
    if source.pieces.ids:
        assert target.weights.sum(axis=1) == pytest.approx(len(source.pieces.ids) + 1)

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_run import PLACEHOLDER, SEARCH, make_run, sentences

from nmt.alignment.links import Links
from nmt.search.hypothesis import Hypothesis
from nmt.search.scorer import Scorer
from nmt.translation import long_lines
from nmt.translation.copying import CopyConfig, Placeholder
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine, Translation
from nmt.translation.long_lines import join_hypotheses, parts_of
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.requests.asked import Asked
from nmt.translation.translator import Translator, _Read

SENTENCES = [f"{line[:1].upper()}{line[1:]} hij." for line in sentences(6, seed=2, longest=5)]
LINE = " ".join(SENTENCES)
NARROW = replace(SEARCH, n_best=3)


@pytest.fixture(scope="module")
def bundle(tiny_run: Path) -> Bundle:
    return Bundle.load(tiny_run, device="cpu")


@pytest.fixture(scope="module")
def limit(bundle: Bundle) -> int:
    return max(len(bundle.vocabularies.source.encode(sentence)) for sentence in SENTENCES)


@pytest.fixture(scope="module")
def apart(bundle: Bundle) -> list[Translation]:
    return Translator([bundle], search=NARROW).translate(SENTENCES)


@pytest.fixture(scope="module")
def joined(bundle: Bundle, limit: int) -> Translation:
    return Translator([bundle], search=NARROW, max_pieces=limit).translate(["ab", LINE, "cd"])[1]


def pieces_of(line: str, *, letters: bool = False) -> Pieces:
    """Cut a line into its words, or each word into its letters."""
    words = line.split()
    found = [(piece, index) for index, word in enumerate(words) for piece in (word if letters else [word])]
    return Pieces(tuple(range(len(found))), tuple(piece for piece, _ in found), tuple(index for _, index in found))


def texts(line: str, limit: int) -> list[str]:
    return [" ".join(line.split()[part]) for part in parts_of(pieces_of(line), line.split(), limit)]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("Das ist gut. Das nicht! Oder?", ["Das ist gut.", "Das nicht!", "Oder?"]),
        ("Am 3. Mai kam J. S. Bach. Er blieb.", ["Am 3. Mai kam J. S. Bach.", "Er blieb."]),
        ("Er sagte: „Geh.“ „Nein…“ Und ging bald.", ["Er sagte: „Geh.“", "„Nein…“", "Und ging bald."]),
        ("ca. hundert usw. und so fort ist gut so", ["ca. hundert usw. und so fort ist gut", "so"]),
        ("a b c d, e f g h i j k", ["a b c d,", "e f g h i j k"]),
        ("a, b c d e f g h i j", ["a, b c d e f g h", "i j"]),
        ("a b", ["a b"]),
    ],
)
def test_sentences_then_clauses_then_words(line: str, parts: list[str]) -> None:
    assert texts(line, 8 if "J." in line or len(line.split()) > 8 else 7) == parts


def test_within_a_word_where_there_is_no_better_place() -> None:
    line = "abcdefghij k"
    parts = parts_of(pieces_of(line, letters=True), line.split(), 4)
    assert [(part.start, part.stop) for part in parts] == [(0, 4), (4, 8), (8, 11)]
    wide = "你好。再见。好，的吗"
    parts = parts_of(pieces_of(wide, letters=True), wide.split(), 3)
    assert [wide[part] for part in parts] == ["你好。", "再见。", "好，", "的吗"]


@given(st.text("ab .,。A1", min_size=1, max_size=60), st.integers(1, 9), st.booleans())
def test_parts_are_every_piece_once_within_the_limit(line: str, limit: int, letters: bool) -> None:
    pieces = pieces_of(line, letters=letters)
    parts = parts_of(pieces, line.split(), limit)
    assert [place for part in parts for place in range(part.start, part.stop)] == list(range(len(pieces.ids)))
    assert all(0 < part.stop - part.start <= limit for part in parts)


def test_a_long_line_is_its_sentences_translated_apart(joined: Translation, apart: list[Translation]) -> None:
    assert joined.parts == len(SENTENCES)
    assert joined.source.text == LINE
    assert joined.text == " ".join(each.text for each in apart if each.text)
    assert not joined.problem
    most = max(len(each.hypotheses) for each in apart)
    assert len(joined.hypotheses) == most > 1
    scores = [each.score for each in joined.hypotheses]
    assert scores == sorted(scores, reverse=True)
    assert joined.best.finished == all(each.best.finished for each in apart)


def test_it_is_scored_as_one_translation_without_the_ends_within(joined: Translation, apart: list[Translation]) -> None:
    inner = [
        log_prob for each in apart for log_prob in each.best.hypothesis.token_log_probs[: len(each.best.pieces.ids)]
    ]
    best = joined.best.hypothesis
    assert best.token_log_probs[: len(inner)] == pytest.approx(inner, abs=2e-3)
    assert len(best.token_log_probs) == len(inner) + best.finished
    assert best.log_prob == pytest.approx(math.fsum(best.token_log_probs))
    assert best.score == pytest.approx(best.log_prob / ((5 + len(best.token_log_probs)) / 6) ** SEARCH.length_penalty)


def test_its_attention_stays_within_the_parts(joined: Translation, apart: list[Translation]) -> None:
    weights = joined.best.weights
    assert weights is not None
    assert weights.shape == (len(joined.text.split()), len(LINE.split()) + 1)
    row = column = 0
    links = set()
    for each in apart:
        own = each.best.weights
        assert own is not None
        rows, columns = own.shape[0], own.shape[1] - 1
        numpy.testing.assert_allclose(weights[row : row + rows, column : column + columns], own[:, :-1], atol=5e-3)
        numpy.testing.assert_allclose(weights[row : row + rows, -1], own[:, -1], atol=5e-3)
        links |= {(source + column, target + row) for source, target in each.alignment.sure}
        row, column = row + rows, column + columns
    numpy.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=2e-3)
    assert joined.alignment == Links(frozenset(links))
    assert joined.best.piece_weights is not None
    assert joined.best.piece_weights.shape[1] == len(joined.source.pieces.ids) + 1


def target_of(source: SourceLine, text: str) -> ScoredTarget:
    """A translation a piece a letter, each of which looks at the first word of the source."""
    pieces = pieces_of(text, letters=True)
    weights = torch.zeros(len(pieces.ids) + 1, len(source.pieces.ids) + 1)
    weights[:, 0] = 1.0
    log_probs = [-0.1] * (len(pieces.ids) + 1)
    return ScoredTarget(
        source, text, pieces, Hypothesis(list(pieces.ids), 0.0, sum(log_probs), log_probs, True, weights=weights)
    )


@pytest.mark.parametrize(
    ("texts", "text", "words"),
    [
        (["你好。", "我们走。", "好"], "你好。我们走。好", 1),
        (["我 走 。", "好"], "我 走 。 好", 4),
        (["ab cd", "", "ef"], "ab cd ef", 3),
        (["", "你好。", "", "走"], "你好。走", 1),
        (["用 Python", "好 的"], "用 Python 好 的", 4),
    ],
)
def test_parts_are_joined_as_their_script_is_written(texts: list[str], text: str, words: int) -> None:
    parts = [SourceLine(1, "ab", pieces_of("ab")) for _ in texts]
    whole = SourceLine(1, " ".join("ab" for _ in texts), pieces_of(" ".join("ab" for _ in texts)))
    found = [[target_of(part, each)] for part, each in zip(parts, texts, strict=True)]
    (joined,) = join_hypotheses(whole, parts, found, Scorer.of(SEARCH))
    assert joined.text == text
    assert len(joined.words) == words
    assert max(joined.pieces.words) == words - 1 and len(joined.pieces.words) == len(joined.pieces.ids)
    assert [joined.words[word][0] for word in dict.fromkeys(joined.pieces.words)] == [word[0] for word in joined.words]
    assert joined.weights is not None and joined.weights.shape == (words, len(texts) + 1)


def part_of(words: Sequence[str], *log_probs: float, **said: Any) -> ScoredTarget:
    """A translation of a part, a piece a word; the last log-probability is that of its end, if it is finished."""
    count = len(words)
    finished = len(log_probs) > count
    hypothesis = Hypothesis([9] * count, 0.0, sum(log_probs), list(log_probs), finished, **said)
    hypothesis = replace(hypothesis, score=hypothesis.log_prob / divisor(len(log_probs)) - 0.125)  # coverage
    pieces = Pieces((9,) * count, tuple(words), tuple(range(count)))
    return ScoredTarget(SourceLine(1, "", Pieces()), " ".join(words), pieces, hypothesis)


def divisor(length: int) -> float:
    return float(((5 + length) / 6) ** 0.5)


@pytest.mark.parametrize("coverage", [0.0, 0.4])
def test_parts_are_joined_by_hand(coverage: float) -> None:
    source = SourceLine(1, "Ab. Cd. Ef.", pieces_of("Ab. Cd. Ef."))
    parts = [replace(source, pieces=pieces_of(word)) for word in ("Ab.", "Cd.", "Ef.")]
    first, last = part_of(["a"], -1.0, -0.5), part_of(["e", "f"], -0.25, -0.25, -0.125)
    middle = [part_of(["c"], -2.0, -1.0, cut=True), part_of(["c", "d"], -0.5, -0.5, -1.0)]
    found = join_hypotheses(source, parts, [[first], middle, [last]], Scorer(0.5, coverage))
    # The ends of the first two parts are no pieces of the whole; each part lost 0.125 for what it did not look at.
    lost = 3 * 0.125 if coverage else 0.0
    expected = {
        "a c e f": ([-1.0, -2.0, -0.25, -0.25, -0.125], True),
        "a c d e f": ([-1.0, -0.5, -0.5, -0.25, -0.25, -0.125], False),
    }
    assert [each.text for each in found] == ["a c d e f", "a c e f"], "the better one of the whole comes first"
    for each in found:
        log_probs, was_cut = expected[each.text]
        assert each.hypothesis.token_log_probs == log_probs and each.finished
        assert each.cut == was_cut, "whichever part was cut"
        assert each.score == pytest.approx(sum(log_probs) / divisor(len(log_probs)) - lost)
        assert each.words == each.text.split() and each.pieces.words == tuple(range(len(each.words)))


def test_there_are_as_many_translations_as_the_part_with_most_has() -> None:
    source = SourceLine(1, "Ab. Cd. Ef.", pieces_of("Ab. Cd. Ef."))
    parts = [replace(source, pieces=pieces_of(word)) for word in ("Ab.", "Cd.", "Ef.")]
    found = [
        [part_of([text], -cost, -0.5) for cost, text in enumerate(texts, 1)] for texts in ("a", ["c", "d", "e"], "fg")
    ]
    whole = join_hypotheses(source, parts, found, Scorer(0.5, 0.0))
    assert [each.text for each in whole] == ["a c f", "a d g", "a e g"]


def test_translations_that_are_joined_to_the_same_text_count_once(bundle: Bundle) -> None:
    translator = Translator([bundle], search=NARROW)
    source = SourceLine(1, "Ab. Cd.", pieces_of("Ab. Cd."))
    parts = [replace(source, pieces=source.pieces.part(slice(place, place + 1))) for place in (0, 1)]
    first = [part_of(["a", "b"], -1.0, -1.0, -0.5), part_of(["a"], -2.0, -0.5), part_of(["e"], -3.0, -0.5)]
    last = [part_of(["c"], -1.0, -0.5), part_of(["b", "c"], -2.0, -1.0, -0.5), part_of(["f"], -3.0, -0.5)]
    whole = translator._joined(_Read(source, parts, Asked(NARROW)), [(first, None), (last, None)])
    assert [each.text for each in whole.hypotheses] == ["a b c", "e f"]
    assert whole.best.log_prob == -3.5, "the better of the two"


def test_all_words_of_a_piece_are_kept_when_parts_are_cut_and_joined() -> None:
    held = ((0,), (1, 2), (3,), (4, 5))
    source = SourceLine(1, "a b c d e f", Pieces((1, 2, 3, 4), ("a", "bc", "d", "ef"), (0, 1, 3, 4), held))
    parts = [replace(source, pieces=source.pieces.part(which)) for which in (slice(0, 2), slice(2, 4))]
    assert [part.pieces.held for part in parts] == [held[:2], held[2:]]
    assert [part.pieces.words for part in parts] == [(0, 1), (3, 4)]

    def copied(part: SourceLine, text: str, words: tuple[tuple[int, ...], ...] | None) -> ScoredTarget:
        """A translation whose pieces each look at the source piece in their place."""
        hypothesis = Hypothesis([7, 8], 0.0, -3.0, [-1.0] * 3, True, weights=torch.eye(3))
        return ScoredTarget(part, text, Pieces((7, 8), ("x", "y"), (0, 1), words), hypothesis)

    targets = [copied(parts[0], "p q", None), copied(parts[1], "r s t", ((0,), (1, 2)))]
    (joined,) = join_hypotheses(source, parts, [[each] for each in targets], Scorer(0.5, 0.0))
    assert joined.words == ["p", "q", "r", "s", "t"]
    assert joined.pieces.held == ((0,), (1,), (2,), (3, 4))
    assert joined.weights is not None
    assert [[int(place) for place in row.nonzero()[0]] for row in joined.weights] == [[0], [1, 2], [3], [4, 5], [4, 5]]
    assert joined.weights.sum(1) == pytest.approx(1.0)


def test_a_part_that_does_not_end_leaves_the_whole_unfinished() -> None:
    source = SourceLine(1, "Ab. Cd.", pieces_of("Ab. Cd."))
    parts = [replace(source, pieces=pieces_of(word)) for word in ("Ab.", "Cd.")]
    (joined,) = join_hypotheses(source, parts, [[part_of(["a"], -1.0)], [part_of(["c"], -2.0, -0.5)]], Scorer(0.5, 0.0))
    assert not joined.finished and joined.hypothesis.token_log_probs == [-1.0, -2.0]


def test_a_huge_line_has_no_matrix(
    bundle: Bundle, limit: int, joined: Translation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_lines, "MOST_WEIGHTS", 100)
    found = Translator([bundle], search=NARROW, max_pieces=limit).translate([LINE])[0]
    assert found.text == joined.text
    assert found.best.weights is None
    assert found.alignment == Links()


def test_without_attention_the_text_is_the_same(bundle: Bundle, limit: int, joined: Translation) -> None:
    found = Translator([bundle], search=NARROW, max_pieces=limit, attention=False).translate([LINE])[0]
    assert [each.text for each in found.hypotheses] == [each.text for each in joined.hypotheses]


def test_placeholders_are_given_back_to_the_part_they_came_from(tiny_run: Path, bundle: Bundle) -> None:
    copying = CopyConfig(placeholders=(Placeholder.parse(f"{PLACEHOLDER}=[0-9]+"),))
    apart = ["gid 12 adif jgae 345 ij.", "12 fgaf 345 cha.", "34 ad 12 j gbihh."]
    whole = Translator([bundle], copying=copying).translate(apart)
    joined = Translator([bundle], copying=copying, max_pieces=24).translate([" ".join(apart)])[0]
    assert joined.parts == 3
    assert joined.text == " ".join(each.text for each in whole)
    assert any(character.isdigit() for character in joined.text)


def test_a_line_as_long_as_allowed_stays_whole(bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    count = len(bundle.vocabularies.source.encode(LINE))
    with caplog.at_level("WARNING", logger="nmt"):
        assert Translator([bundle], max_pieces=count).translate([LINE])[0].parts == 1
        assert not caplog.text
        assert Translator([bundle], max_pieces=count - 1).translate(["a", LINE])[1].parts > 1
    assert f"line 2 has {count} pieces and is translated in" in caplog.text


def test_a_long_line_can_be_reported_instead(bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    translator = Translator([bundle], max_pieces=20, long_lines="report")
    with caplog.at_level("WARNING", logger="nmt"):
        short, long = translator.translate(["ab", LINE])
    assert short.text
    assert not short.problem
    assert long.text == ""
    assert "at most 20 are translated at once" in long.problem
    assert "line 2 is left untranslated: it has" in caplog.text


@pytest.mark.costly
@pytest.mark.parametrize("line", ["a" * 100_000, "ab cd. Ef gh, ij kl? " * 4_762, "\0b" * 50_000, "☃" * 100_000])
def test_lines_of_a_hundred_thousand_characters(tmp_path: Path, bundle: Bundle, line: str) -> None:
    brief = replace(SEARCH, strategy="greedy", max_length_ratio=0.0, max_length_offset=2, min_length=1)
    found = Translator([bundle], search=brief, max_pieces=200).translate(["ab", line])
    assert [translation.source.number for translation in found] == [1, 2]
    assert found[1].text
    assert found[1].parts >= len(found[1].source.pieces.ids) / 200
    assert "\n" not in found[1].text


def test_a_vocabulary_that_spells_bytes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", byte_fallback=True)
    found = Translator.load(run, max_pieces=7).translate(["☃ü" * 12])[0]
    assert found.parts > 3
    assert found.best.weights is not None

from __future__ import annotations

import itertools

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marked_up import translated
from numpy.typing import NDArray

from nmt.text.words import Span
from nmt.translation.markup.document import read_markup
from nmt.translation.markup.placement import HELD, arrange
from nmt.translation.markup.tokens import Aligned, divided, token_spans


def worth(spans: tuple[Span, ...], own: NDArray[numpy.float64], weights: list[NDArray[numpy.float64]]) -> float:
    inside = numpy.zeros(len(own), dtype=bool)
    total = 0.0
    for (begin, end), weight in zip(spans, weights, strict=True):
        inside[begin:end] = True
        total += weight[begin:end].sum() + float(begin < end and weight.max() >= HELD)
    return total + float(own[~inside].sum())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5), st.integers(0, 3), st.integers(0, 10**6))
def test_elements_are_divided_as_well_as_by_trying_everything(words: int, elements: int, seed: int) -> None:
    draw = numpy.random.default_rng(seed)
    own, *weights = draw.dirichlet(numpy.full(elements + 1, 0.3), words).T if words else numpy.zeros((elements + 1, 0))
    spans = tuple(arrange(own, weights))
    assert all(0 <= begin <= end <= words for begin, end in spans)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
    every = itertools.combinations_with_replacement(range(words + 1), 2 * elements)
    best = max(worth(tuple(zip(each[::2], each[1::2], strict=True)), own, weights) for each in every)
    assert worth(spans, own, weights) == pytest.approx(best, abs=1e-4)


def test_of_equally_good_spans_the_shorter_is_taken() -> None:
    own, weight = numpy.array([0.0, 0.0, 0.0, 1.0]), numpy.array([0.0, 1.0, 0.0, 0.0])
    assert arrange(own, [weight]) == [(1, 2)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Ein Hund's-Bein.", ["Ein", "Hund's", "-", "Bein", "."]),
        ("\u00abA 'b' 3,5\u00bb", ["\u00ab", "A", "'", "b", "'", "3", ",", "5", "\u00bb"]),
        ("\u4f60\u597d\u3002", ["\u4f60", "\u597d", "\u3002"]),
        ("e\u0301a\u00adb \U0001f468\u200d\U0001f469", ["e\u0301a\u00adb", "\U0001f468\u200d\U0001f469"]),
        ("  ", []),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert [text[begin:end] for begin, end in token_spans(text)] == tokens


def test_tokens_are_divided_at_places_within_them() -> None:
    assert divided([(0, 4), (5, 9)], [0, 2, 4, 6, 7, 9]) == [(0, 2), (2, 4), (5, 6), (6, 7), (7, 9)]


@pytest.mark.parametrize("seed", range(5))
def test_punctuation_is_aligned_with_its_like_whatever_the_attention(seed: int) -> None:
    source, target = "Ja, (gut).", "Yes, (good)."
    aligned = Aligned(source, [], translated(source, target, seed=seed))
    of = {source[slice(*span)]: index for index, span in enumerate(aligned.source)}
    for index, span in enumerate(aligned.target):
        mark = target[slice(*span)]
        if not mark.isalnum():
            assert aligned.weight(of[mark], of[mark] + 1)[index] == pytest.approx(1.0)


def test_weights_of_a_word_do_not_grow() -> None:
    source, target = "eins zwei drei vier", "one two three"
    aligned = Aligned(source, [6], translated(source, target, seed=3))
    total = aligned.weight(0, len(aligned.source))
    assert (total <= 1 + 1e-9).all()
    parts = [aligned.weight(index, index + 1) for index in range(len(aligned.source))]
    numpy.testing.assert_allclose(sum(parts), total)


def test_without_weights_texts_go_on_at_the_same_pace() -> None:
    document = read_markup("eins <b>zwei</b> drei <x/>vier", "xml")
    target = translated(document.texts[0], "one two three four")
    object.__setattr__(target.hypothesis, "weights", None)
    assert document.restored([target]) == "one <b>two</b> three <x/>four"


SAID = [
    # source, translation, which target word each source word is aligned with, result
    ("Ein <b>Hund</b>.", "A dog.", {0: 0, 1: 1}, "A <b>dog</b>."),
    ("Ein <b>Hund.</b>", "A dog.", {0: 0, 1: 1}, "A <b>dog.</b>"),
    ("<b>Ein Hund</b>", "A dog!", {0: 0, 1: 1}, "<b>A dog!</b>"),
    ("Heute <b>geht</b> er", "He goes today", {0: 2, 1: 1, 2: 0}, "He <b>goes</b> today"),
    ("<i>Heute</i> <b>geht</b> er", "He goes today", {0: 2, 1: 1, 2: 0}, "He <b>goes</b> <i>today</i>"),
    ("a <b> c </b> d", "x y z", {0: 0, 1: 1, 2: 2}, "x <b> y </b> z"),
    ("a<b> c </b>d", "x y z", {0: 0, 1: 1, 2: 2}, "x<b> y </b>z"),
    ("Taste <x id='1'/> halten", "Hold key", {0: 1, 1: 0}, "<x id='1'/> Hold key"),
    ("Taste <x id='1'/> halten", "Key hold", {0: 0, 1: 1}, "Key <x id='1'/> hold"),
    ("Wort<fn/>, und", "Word, and", {0: 0, 1: 1}, "Word<fn/>, and"),
    ("Wort<fn/>, und", "Word and", {0: 0, 1: 1}, "Word<fn/> and"),
    ("Satz eins.<br/>Satz zwei.", "One. Two.", {0: 0, 1: 0, 2: 1, 3: 1}, "One. <br/>Two."),
    ("<b>a</b> <i>c</i>", "x y", {0: 0}, "<b>x</b> <i></i>y"),
    ("<b>der</b> Hund", "dogs", {1: 0}, "<b></b>dogs"),
    ("<b><i>roter</i> Hund</b> da", "there: dog red", {0: 2, 1: 1, 2: 0}, "there: <b>dog <i>red</i></b>"),
    ("A &amp; B &#38; C", "A & B & C", {n: n for n in range(5)}, "A &amp; B &#38; C"),
    ("A &amp; B &#x2014; <![CDATA[<c>]]>", "A & B \u2014 <c>", {0: 0, 1: 1, 2: 2, 3: 3, 4: 4},
     "A &amp; B &#x2014; <![CDATA[<c>]]>"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "translation", "links", "wanted"), SAID)
def test_tags_stand_where_a_translator_would_put_them(
    source: str, translation: str, links: dict[int, int], wanted: str
) -> None:
    document = read_markup(source, "xml")
    target = translated(document.texts[0], translation, longest=40)
    weights = target.hypothesis.weights
    assert weights is not None
    weights[:] = 0.0
    for i, j in links.items():
        weights[j, i] = 1.0
    weights /= weights.sum(1, keepdim=True).clamp(min=1.0)
    assert document.restored([target]) == wanted

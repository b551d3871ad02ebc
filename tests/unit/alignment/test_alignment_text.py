"""Attention on a terminal and in a notebook."""

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.alignment.drawing import colours
from nmt.alignment.drawing.labels import display_width
from nmt.alignment.drawing.svg import svg_heatmap
from nmt.alignment.drawing.terminal import text_heatmap

SVG = "{http://www.w3.org/2000/svg}"
words = st.lists(st.text(max_size=6), min_size=1, max_size=12)
WEIGHTS = np.array([[1.0, 0.0, 0.25], [0.5, 0.74, 0.1]])


def test_terminal_picture():
    assert text_heatmap(["das", "日本", "x"], ["the", "日"], WEIGHTS).split("\n") == [
        "    d",
        "    a 日",
        "    s 本x",
        "the ██  ░░",
        " 日 ▒▒▓▓",
    ]


def test_terminal_picture_in_ascii():
    assert text_heatmap(["é", "日"], ["ab"], WEIGHTS[:1], encoding="ascii").split("\n") == ["   ? ? ?", "ab ##  .."]


def test_a_wide_source_continues_below():
    parts = text_heatmap(list("abcde"), ["x"], np.array([[1, 0, 0.5, 0, 1]]), width=6).split("\n\n")
    assert parts == ["  a b\nx ██", "  c d\nx ▒▒", "  e\nx ██"]


def test_a_terminal_gets_no_commands():
    assert "\x1b" not in text_heatmap(["\x1b[2J"], ["a\rb"], np.ones((1, 1)))
    assert "\r" not in text_heatmap(["a"], ["a\rb"], np.ones((1, 1)))


@given(source=words, target=words, width=st.integers(40, 100), encoding=st.sampled_from(["utf-8", "ascii", "latin-1"]))
def test_terminal_lines_fit_any_words(source, target, width, encoding):
    picture = text_heatmap(source, target, np.full((len(target), len(source)), 0.5), width=width, encoding=encoding)
    picture.encode(encoding)
    assert all(display_width(line) <= width for line in picture.split("\n"))


def test_svg_shows_words_weights_and_shades():
    root = ElementTree.fromstring(svg_heatmap(["das", "Haus"], ["the", "house"], WEIGHTS))
    assert [text.text for text in root.iter(SVG + "text")] == ["das", "Haus", "∅", "the", "house"]
    cells = [cell for cell in root.iter(SVG + "rect") if len(cell)]
    assert [cell.get("fill") for cell in cells] == [colours.shade(weight) for weight in WEIGHTS.flat]
    assert cells[4][0].text == "Haus – house: 0.74"
    assert len({(cell.get("x"), cell.get("y")) for cell in cells}) == 6


@given(source=words, target=words)
def test_svg_holds_any_words_as_text_only(source, target):
    root = ElementTree.fromstring(svg_heatmap(source, target, np.zeros((len(target), len(source)))))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {"svg", "g", "rect", "text", "title"}
    assert len(list(root.iter(SVG + "text"))) == len(source) + len(target)


@pytest.mark.parametrize("word", ["</text><script>", "&amp;", "\"'>", "]]>"])
def test_svg_escapes(word):
    picture = svg_heatmap([word], ["a"], np.ones((1, 1)))
    assert "<script" not in picture
    assert next(ElementTree.fromstring(picture).iter(SVG + "text")).text == word

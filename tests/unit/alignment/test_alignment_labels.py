"""Labels, their widths, and the colours of weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.alignment.drawing import colours
from nmt.alignment.drawing.labels import clean, clusters, display_width, elide, labelled
from nmt.core.errors import DataError


@pytest.mark.parametrize(
    ("text", "width"),
    [("Haus", 4), ("日本語", 6), ("e\u0301te\u0301", 3), ("ｱｲ", 2), ("Ａ", 2), ("", 0), ("\u0301", 1)],
)
def test_display_width(text, width):
    assert display_width(text) == width


def test_clusters_keep_marks_with_their_letter():
    assert clusters("e\u0301a") == ["e\u0301", "a"]


@pytest.mark.slow
@given(text=st.text(max_size=20), limit=st.integers(2, 12))
def test_elided_text_fits(text, limit):
    short = elide(text, limit)
    assert display_width(short) <= limit
    # A mark without a letter is shown on a space of its own.
    assert short == text or (short.endswith("…") and text.lstrip(" ").startswith(short[:-1].lstrip(" ")[:1]))


def test_elide_cuts_no_wide_letter_in_half():
    assert elide("日本語文", 6) == "日本…"
    assert elide("Wirtschaft", 10) == "Wirtschaft"
    assert elide("Wirtschafts", 10) == "Wirtschaf…"


def test_clean_leaves_text_and_removes_commands():
    assert clean("\x1b[31mrot") == "\ufffd[31mrot"
    assert clean("a\u202eb\u00adc") == "abc"  # a direction override and a soft hyphen
    assert clean("می\u200cروم") == "می\u200cروم"  # the joiner of Persian is part of the word
    assert clean("\ud800\uffff\n") == "\ufffd" * 3
    assert clean("<b>$x$ 😀") == "<b>$x$ 😀"


def test_a_wider_matrix_has_the_null_word_last():
    matrix = labelled(["a", "b"], ["c"], np.array([[0.5, 0.25, 0.25]]))
    assert matrix.source == ("a", "b", "∅")
    assert labelled(["a", "b"], ["c"], np.array([[0.5, 0.5]])).source == ("a", "b")


def test_what_cannot_be_drawn_is_drawn_as_zero():
    matrix = labelled(["a", "b", "c", "d"], ["e"], np.array([[np.nan, -0.5, np.inf, 0.25]]))
    assert matrix.weights.tolist() == [[0.0, 0.0, 0.0, 0.25]]


@pytest.mark.parametrize("shape", [(2, 2), (1, 4), (1, 1), (2,)])
def test_weights_must_fit_the_words(shape):
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        labelled(["a", "b"], ["c"], np.zeros(shape))


@pytest.mark.parametrize(("source", "target", "empty"), [([], ["a"], "source"), (["a"], [], "target")])
def test_an_empty_sentence_cannot_be_drawn(source, target, empty):
    with pytest.raises(DataError, match=f"the {empty} has no words"):
        labelled(source, target, np.zeros((len(target), len(source))))


def test_shades_go_from_white_to_dark_without_turning_back():
    levels = [[int(shade[i : i + 2], 16) for i in (1, 3, 5)] for shade in colours.shades()]
    luminance = np.array(levels) @ [0.2126, 0.7152, 0.0722]
    assert colours.shades()[0] == "#ffffff"
    assert luminance[-1] < 60
    assert (np.diff(luminance) < 0).mean() > 0.95
    assert np.diff(luminance).max() <= 0.3  # rounding to bytes only


def test_equal_steps_of_weight_are_equal_steps_to_the_eye():
    steps = np.linalg.norm(np.diff(colours._path(), axis=0), axis=1)
    assert steps.max() / steps.min() < 1.05


def test_shade_cuts_to_the_scale():
    assert colours.shade(-1.0) == colours.shades()[0]
    assert colours.shade(7.0) == colours.shades()[-1]
    assert colours.shade(0.5) == colours.shades()[128]

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nmt.text.normalisation import NormalisationConfig, normalise, raw_offsets

configs = st.builds(NormalisationConfig, unicode=st.sampled_from(["none", "nfc", "nfkc"]), lowercase=st.booleans())


@given(st.text(), configs)
@example("a´b ´ c", NormalisationConfig(unicode="nfkc"))
@example("\ufdfa x", NormalisationConfig(unicode="nfkc"))  # one letter whose NFKC is four words
def test_neither_lines_nor_words_change_in_number(text, config):
    result = normalise(text, config)
    assert len(result.split()) == len(text.split())
    assert result.count("\n") == text.count("\n")


@given(st.text(), configs)
def test_normalising_twice_is_normalising_once_in_number_of_words(text, config):
    once = normalise(text, config)
    assert len(normalise(once, config).split()) == len(once.split())


def test_forms():
    decomposed = unicodedata.normalize("NFD", "für")
    assert normalise(decomposed, NormalisationConfig(unicode="none")) == decomposed
    assert normalise(decomposed, NormalisationConfig()) == "für"
    assert normalise("ﬁne  Ｘ", NormalisationConfig()) == "ﬁne  Ｘ"
    assert normalise("ﬁne  Ｘ", NormalisationConfig(unicode="nfkc")) == "fine  X"


def test_lone_accent_stays_within_its_word():
    assert normalise("don´t", NormalisationConfig(unicode="nfkc")) == "don\u0301t"


@pytest.mark.parametrize("text", ["\u2028", "a\rb", "a\x00b", "  two  spaces  ", ""])
def test_other_characters_stay(text):
    assert normalise(text, NormalisationConfig()) == text


def test_lower_case():
    assert normalise("ÄPFEL und Öl", NormalisationConfig(lowercase=True)) == "äpfel und öl"


@given(st.text(), configs)
@example("a´b ´ c", NormalisationConfig(unicode="nfkc"))
@example("´a \ufdfa x", NormalisationConfig(unicode="nfkc"))
@example("ΟΔΟΣ İ", NormalisationConfig(lowercase=True))
@example("a\ud800", NormalisationConfig())
def test_every_place_of_a_normalised_line_has_one_in_the_raw_line(text, config):
    clean = normalise(text, config)
    places = raw_offsets(text, config)
    assert len(places) == len(clean) + 1
    assert places == sorted(places)
    assert places[-1] == len(text)
    # A word lies in its raw word.
    raws = [match.span() for match in re.finditer(r"\S+", text)]
    for (begin, end), word in zip(raws, re.finditer(r"\S+", clean), strict=True):
        assert begin <= places[word.start()] <= places[word.end() - 1] < end


def test_what_is_normalised_together_has_one_place():
    # e and its accent become one letter; the ligature fi becomes two.
    assert raw_offsets("e\u0301a \ufb01x", NormalisationConfig(unicode="nfkc")) == [0, 2, 3, 4, 4, 5, 6]
    assert raw_offsets("ab", NormalisationConfig()) == [0, 1, 2]

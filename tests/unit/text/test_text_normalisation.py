import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nmt.text.normalisation import NormalisationConfig, normalise

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

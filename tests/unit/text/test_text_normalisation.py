import re
import unicodedata
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nmt.text.normalisation import NormalisationConfig, kept, normalise, raw_offsets

configs = st.builds(
    NormalisationConfig,
    unicode=st.sampled_from(["none", "nfc", "nfkc"]),
    lowercase=st.sampled_from([False, True, "turkic"]),
    accents=st.sampled_from(["keep", "strip"]),
)
SYMBOLS = ("<NUM>", "<NUMBER>", "ﬁX", "e\u0301:", "İ")


@given(st.text(), configs)
@example("a´b ´ c", NormalisationConfig(unicode="nfkc"))
@example("\ufdfa x", NormalisationConfig(unicode="nfkc"))  # one letter whose NFKC is four words
@example("\u0301 a \u0301\u0301 \u0301b", NormalisationConfig(accents="strip"))
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


@pytest.mark.parametrize("symbols", [(), SYMBOLS])
@given(st.text(), configs)
@example("a´b ´ c", NormalisationConfig(unicode="nfkc"))
@example("A<NUM>ﬁXﬁX É<NUMBER>e\u0301: ᎠB", NormalisationConfig(unicode="nfkc", lowercase=True))
@example("´a \ufdfa x", NormalisationConfig(unicode="nfkc"))
@example("ΟΔΟΣ İ", NormalisationConfig(lowercase=True))
@example("ᾧ e\u0301\u0323x \u0301é", NormalisationConfig(accents="strip", unicode="none"))
@example("a\ud800", NormalisationConfig())
def test_every_place_of_a_normalised_line_has_one_in_the_raw_line(symbols, text, config):
    keeping = kept(symbols, config)
    clean = normalise(text, config, keeping)
    places = raw_offsets(text, config, keeping)
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


@pytest.mark.parametrize("unicode", ["none", "nfc", "nfkc"])
@pytest.mark.parametrize("lowercase", [False, True, "turkic"])
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_symbols_survive(unicode, lowercase, symbol):
    config = NormalisationConfig(unicode=unicode, lowercase=lowercase)
    keeping = kept(SYMBOLS, config)
    around = normalise("ÄB ﬁ ", config), normalise(" Ｘy", config)
    assert normalise(f"ÄB ﬁ {symbol} Ｘy", config, keeping) == f"{around[0]}{symbol}{around[1]}"
    assert (
        normalise(f"Q{symbol}{symbol}Q", config, keeping)
        == f"{normalise('Q', config)}{symbol * 2}{normalise('Q', config)}"
    )
    places = raw_offsets(f"ﬁ{symbol}É", config, keeping)
    assert places[-2] == 1 + len(symbol) and places[-1] == 2 + len(symbol)


def test_the_longest_symbol_is_meant():
    config = NormalisationConfig(lowercase=True)
    assert normalise("<NUMBER> <NUMB>", config, kept(("<NUM", "<NUMBER>"), config)) == "<NUMBER> <NUMb>"


def lower(text, lowercase=True):
    config = NormalisationConfig(lowercase=lowercase)
    return normalise(text, config, kept((), config))


def test_lower_case_of_every_letter():
    """As Python has it, but for Cherokee."""
    for point in range(0x110000):
        letter = chr(point)
        if letter != letter.lower() and unicodedata.normalize("NFC", letter) == letter:
            assert lower(letter) == (letter if 0x13A0 <= point <= 0x13F5 else letter.lower()), f"U+{point:04X}"


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("ᏣᎳᎩ Tsalagi ᏴᏫ", "ᏣᎳᎩ tsalagi ᏴᏫ"),
        ("ΟΔΟΣ ΣΟΦΟΣ, ΑΣ.", "οδος σοφος, ας."),  # final sigma
        ("STRASSE STRAẞE", "strasse straße"),
        ("\u1c90\u1c91 \u10d0", "\u10d0\u10d1 \u10d0"),  # Mtavruli is written for emphasis only
        ("𐐀𐐁 𞤀𞤁 Ա Ⲁ", "𐐨𐐩 𞤢𞤣 ա ⲁ"),  # Deseret, Adlam, Armenian, Coptic
    ],
)
def test_scripts_whose_small_letters_people_write(text, small):
    assert lower(text) == small


def test_the_dot_of_turkish():
    assert lower("ISPARTA İZMİR ışık I\u0307", "turkic") == "ısparta izmir ışık i"
    assert lower("ISPARTA", True) == "isparta"
    plain = NormalisationConfig(unicode="none", lowercase="turkic")
    assert normalise("I\u0307zmir", plain) == "izmir"


def test_noncharacters_that_stand_for_marks_are_no_text():
    assert normalise("a\ufdd0b", NormalisationConfig()) == "a\ufffdb"


def test_quotes_are_written_as_in_ascii() -> None:
    config = NormalisationConfig(quotes="straight")
    raw = "\u201ea\u201c \u00abb\u00bb \u2018c\u2019 don\u00b4t it`s \u02bcok"
    assert normalise(raw, config) == "\"a\" \"b\" 'c' don't it's \u02bcok"
    assert raw_offsets(raw, config) == list(range(len(raw) + 1))
    assert normalise("don\u00b4t \uff02", NormalisationConfig(quotes="straight", unicode="nfkc")) == "don't \""
    assert normalise(raw, NormalisationConfig()) == raw
    keeping = kept(("\u201c",), config)
    assert normalise("\u201ea\u201c", config, keeping) == '"a\u201c'


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Ἰησοῦ χριστοῦ, ᾧ Πᾶν ϊ", "Ιησου χριστου, ω Παν ι"),
        ("Tiếng Việt Çé ñ Å", "Tieng Viet Ce n A"),
        ("чей ёлка", "чеи елка"),
        ("øßđł", "øßđł"),  # no marks but other letters
        # Marks of one script alone: voicing, vowels, points, tones.
        ("ガ プ क़ कि שָׁ֑ بَ أ ܐܰ กี่ 한", "ガ プ क़ कि שָׁ֑ بَ أ ܐܰ กี่ 한"),
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("unicode", ["none", "nfc", "nfkc"])
def test_accents_are_stripped(text: str, plain: str, form: Literal["NFC", "NFD"], unicode: Any) -> None:
    config = NormalisationConfig(unicode=unicode, accents="strip")
    assert normalise(unicodedata.normalize(form, text), config) == unicodedata.normalize("NFC", plain)


@given(st.text(), st.sampled_from(["none", "nfc", "nfkc"]), st.sampled_from([False, True, "turkic"]))
@example("a\u00b4b \u00e9\u00b4 \u00a8 x\u1fcdy", "nfkc", False)
@example("\u0130", "nfc", True)
def test_no_accent_is_left_but_the_first_of_a_word(text: str, unicode: Any, lowercase: Any) -> None:
    config = NormalisationConfig(unicode=unicode, lowercase=lowercase, accents="strip")
    once = normalise(text, config)
    assert not re.search("(?<=\\S)[\u0300-\u0314\u0323\u0342-\u0345]", unicodedata.normalize("NFD", once))
    assert normalise(once, config) == once


def test_stripped_letters_keep_their_places() -> None:
    raw = "o\u0301\u0323a ᾧs"
    config = NormalisationConfig(accents="strip", lowercase=True)
    assert normalise(raw, config) == "oa ωs"
    assert raw_offsets(raw, config) == [0, 3, 4, 5, 6, 7]
    keeping = kept(("ᾧ",), config)
    assert normalise(raw, config, keeping) == "oa ᾧs"

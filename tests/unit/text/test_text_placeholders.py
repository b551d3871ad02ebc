"""Nothing is lost by masking a line and restoring it, and symbols stand where strings are copied."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.text.normalisation import NormalisationConfig
from nmt.text.placeholders import ENOUGH, MOST, PatternConfig, Placeholders, learnt_placeholders

RAW = NormalisationConfig(unicode="none")
CODE = PatternConfig(pattern="[A-Z]{2}-[0-9]+", name="code")
KINDS = ("numbers", "urls", "latin", CODE)
NAMES = ("number", "url", "latin", "code")
SYMBOLS = {f"<{name}{number}>" for name in NAMES for number in (1, 2)}
ALL = Placeholders(KINDS, SYMBOLS, RAW)
NUMBERS = Placeholders(("numbers",), SYMBOLS, RAW)

pieces = st.one_of(
    st.sampled_from(
        [*sorted(SYMBOLS), "<number3>", "<number", "1>", "<", "AB-12", "7", "42", "٤٢", "https://x.org/a?b=1"]
    ),
    st.sampled_from(["me@x.org", "кот", "猫", "iPhone14", " ", "\u00a0", "\u202f", ".", "-", "é", "e\u0301", "ß"]),
    st.text(max_size=5),
)
lines = st.lists(pieces, max_size=12).map("".join)


@given(lines)
def test_what_is_masked_is_restored(line: str) -> None:
    for placeholders in (ALL, NUMBERS):
        masked = placeholders.mask(line)
        assert placeholders.restore(masked.text, masked.found) == line
        assert [line[begin:end] for begin, end in masked.spans] == [string for _, string in masked.found]
        assert len(masked.text.split()) == len(line.split())


@given(lines, lines)
def test_pairs_are_masked_by_what_they_share(source: str, target: str) -> None:
    one, other = ALL.mask_pair(source, target)
    known = dict(one.found)
    assert ALL.restore(one.text, one.found) == source
    assert ALL.restore(other.text, one.found) == target
    strings = {string: symbol for symbol, string in one.found if symbol != string}
    assert {symbol for symbol, string in other.found if symbol != string} == set(strings.values())
    assert all(known[symbol] == string for symbol, string in other.found if symbol != string)
    assert len(set(strings.values())) == len(strings)


@given(lines)
def test_offsets_lead_back_to_the_raw_line(line: str) -> None:
    masked = ALL.mask(line)
    offsets = [masked.raw_offset(place) for place in range(len(masked.text) + 1)]
    assert offsets == sorted(offsets)
    assert (offsets[0], offsets[-1]) == (0, len(line))
    places = [match.span() for match in re.finditer("|".join(map(re.escape, SYMBOLS)), masked.text)]
    assert [(offsets[begin], offsets[end]) for begin, end in places] == list(masked.spans)
    inside = {place for begin, end in places for place in range(begin, end)}
    assert all(masked.text[place] == line[offsets[place]] for place in range(len(masked.text)) if place not in inside)


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("Im Jahr 1990 und 1990, 3,5 kg", "Im Jahr <number1> und <number1>, <number2>,5 kg"),
        ("٤٢ und ४२", "<number1> und <number2>"),
        ("42 <number1> 7 <number2>", "42 <number1> 7 <number2>"),  # text that spells a symbol keeps it
        ("42 <number2> 7", "<number1> <number2> 7"),
        ("<number3>", "<number<number1>>"),
        ("AB-12 AB-12x B-7", "<code1> <code1>x B-<number1>"),  # the longest of those that begin at one place
        ("siehe www.x.de/2.", "siehe <url1>."),
        ("2go@x.org", "<url1>"),
        ("(https://x.org/Zürich_(Ort)!", "(<url1>)!"),
        ("请访问https://x.org/a看iPhone14", "请访问<url1>看<latin1>"),
        ("iPhone 14 Pro", "iPhone <number1> Pro"),  # no letter of another script: Latin is what the text is written in
        ("Он купил MP3 и 4K", "Он купил <latin1> и <number1><latin2>"),
        ("5 µm", "<number1> µm"),
    ],
)
def test_what_is_masked(line: str, masked: str) -> None:
    assert ALL.mask(line).text == masked


def test_only_what_stands_on_both_sides_is_masked_in_a_pair() -> None:
    source, target = ALL.mask_pair("2 Hunde im Jahr 1990, um 1990", "two dogs in 1990, 7 times")
    assert source.text == "2 Hunde im Jahr <number1>, um <number1>"
    assert target.text == "two dogs in <number1>, 7 times"
    assert ALL.mask_pair("19", "1990") == (ALL.mask_pair("19", "")[0], ALL.mask_pair("", "1990")[1])
    # Latin words are sought in a target of Latin letters too.
    assert ALL.mask_pair("Он любит Berlin", "He loves Berlin")[1].text == "He loves <latin1>"
    # A symbol that the target spells is not given to a string.
    assert ALL.mask_pair("7", "7 <number1>")[1].text == "<number2> <number1>"


def test_a_target_is_masked_by_what_its_source_has() -> None:
    known = ALL.mask("2 Hunde im Jahr 1990").found
    assert known == (("<number1>", "2"), ("<number2>", "1990"))
    assert ALL.mask_target("in 1990, 20 or 2", known).text == "in <number2>, 20 or <number1>"
    assert ALL.restore("<number2> <number2> <code1>", known) == "1990 1990 <code1>"


def test_strings_are_compared_and_restored_as_the_target_is_written() -> None:
    folded = Placeholders(("numbers", "latin"), SYMBOLS, NormalisationConfig(unicode="nfkc", lowercase=True))
    source, target = folded.mask_pair("犬１２ BBC", "BBC: 12 dogs")
    assert (source.text, target.text) == ("犬<number1> <latin1>", "<latin1>: <number1> dogs")
    assert folded.restore(target.text, source.found) == "bbc: 12 dogs"


def test_symbols_are_those_that_enough_lines_have() -> None:
    pairs = [(f"{n} mal {n + 1} mal", f"{n} times {n + 1} times") for n in range(10, 10 + ENOUGH - 1)]
    pairs += [("7 und 8 und 9", "7 and eight and nine"), ("x@y.de", "x@y.de")]
    (number, url) = learnt_placeholders(("numbers", "urls"), pairs, RAW)
    assert number.symbols == ("<number1>",)
    assert (number.matches, number.copied) == (2 * ENOUGH + 1, 2 * ENOUGH - 1)
    assert str(number).endswith("; in translation up to 1 of a line are copied (<number1>)")
    assert (number.doubtful, url.doubtful) == (False, True)
    spelt = [*pairs, *((f"{n} mal", "often") for n in range(2 * ENOUGH + 2))]
    assert learnt_placeholders(("numbers",), spelt, RAW)[0].doubtful
    assert url.symbols == ()
    assert "1 of 1 strings" in str(url)
    assert "they stay as they are" in str(url)
    assert len(learnt_placeholders(("numbers",), pairs * ENOUGH, RAW)[0].symbols) == 2
    many = " ".join(map(str, range(2 * MOST)))
    assert len(learnt_placeholders(("numbers",), [(many, many)] * ENOUGH, RAW)[0].symbols) == MOST


def test_several_patterns_may_share_a_name() -> None:
    both = (PatternConfig(pattern="a+"), PatternConfig(pattern="^b|b$"))
    placeholders = Placeholders(both, {"<pattern1>", "<pattern2>", "<pattern3>"}, RAW)
    assert placeholders.mask(
        "aab bab aa abb"
    ).text == "<pattern1><pattern2> <pattern2><pattern3><pattern2> <pattern1> " + ("<pattern3>b<pattern2>")


def test_a_pattern_may_look_at_the_ends_of_a_word_and_match_nothing_somewhere() -> None:
    placeholders = Placeholders((PatternConfig(pattern=r"^\d+$|(?=x)|y+"),), {"<pattern1>"}, RAW)
    assert placeholders.mask("12 12a xyyx").text == "<pattern1> 12a xyyx"
    assert placeholders.mask("12a xyyx").text == "12a x<pattern1>x"


def test_other_processes_mask_alike() -> None:
    copy = pickle.loads(pickle.dumps(ALL))
    assert copy == ALL
    assert copy.mask("AB-1 2") == ALL.mask("AB-1 2")
    assert copy != NUMBERS

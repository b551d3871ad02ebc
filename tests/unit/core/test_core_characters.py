"""A line without a visible character is blank."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from nmt.core.characters import is_blank

# Marks that stand around a number or a word and are drawn (Unicode, "prepended concatenation marks").
DRAWN = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}


BLANK = ["", " ", "\t\r", "\u200b", " \u200b\u200d ", "\ufeff", "\xad\xad", "\x00", "\x1b\x07", "\u2800", "\u3164"]
BLANK += ["\xa0\u3000", "\u180e", "\u2060\u2063", "\u202e\u202c", "\ufe0f", "\U000e0041", "\uffa0", "\u115f\u1160"]
BLANK += ["\u034f", "\x85\u2028"]


@pytest.mark.parametrize("line", BLANK)
def test_blank(line: str) -> None:
    assert is_blank(line)


@pytest.mark.parametrize(
    "line", ["a", ".", "\u200ba", "猫", "\u0301", "\ufffd", "\u0600", "\u2581", "🙂", "\ue000", "\ud800"]
)
def test_not_blank(line: str) -> None:
    assert not is_blank(line)


def test_every_character_of_a_kind() -> None:
    for point in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(point))
        if category in ("Cc", "Zs", "Zl", "Zp") or (category == "Cf" and point not in DRAWN):
            assert is_blank(chr(point)), f"U+{point:04X}"
        elif category[0] in "NP" or (category[0] in "LS" and "FILLER" not in unicodedata.name(chr(point), "")):
            assert is_blank(chr(point)) == (point in (0x2800, 0x1D159)), f"U+{point:04X}"

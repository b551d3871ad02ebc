"""Writing systems, with and without spaces between words."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

Writing = Literal["han", "kana", "unspaced", "spaced"]
"""Chinese characters; Japanese syllabaries; other scripts without spaces; scripts with spaces."""

_NAMES: dict[str, Writing] = {
    "CJK": "han",
    "BOPOMOFO": "han",
    "HIRAGANA": "kana",
    "KATAKANA": "kana",
    "KATAKANA-HIRAGANA": "kana",
    "HALFWIDTH KATAKANA": "kana",
    "THAI": "unspaced",
    "LAO": "unspaced",
    "KHMER": "unspaced",
    "MYANMAR": "unspaced",
    "TIBETAN": "unspaced",
    "BALINESE": "unspaced",
    "JAVANESE": "unspaced",
    "NEW TAI": "unspaced",
    "TAI LE": "unspaced",
    "TAI THAM": "unspaced",
    "TAI VIET": "unspaced",
}


@lru_cache(maxsize=1 << 14)
def writing(character: str) -> Writing | None:
    """Return the writing system of a letter; ``None`` for other characters."""
    if not character.isalpha():
        return None
    first, _, rest = unicodedata.name(character, "").partition(" ")
    return _NAMES.get(first) or _NAMES.get(f"{first} {rest.partition(' ')[0]}") or "spaced"


@lru_cache(maxsize=1 << 14)
def script(character: str) -> str | None:
    """Return the script of a letter, such as ``latin``; ``None`` for other characters.

    All that Chinese and Japanese are written in is ``han``.
    """
    how = writing(character)
    if how is None or how in {"han", "kana"}:
        return None if how is None else "han"
    return unicodedata.name(character, "unknown").partition(" ")[0].lower()


@lru_cache(maxsize=1 << 14)
def in_spaced_word(character: str) -> bool:
    """Whether a character belongs to a word of a script with spaces: a letter, a digit, or a mark; not for ``""``."""
    how = writing(character) if character else None
    if how is None:
        return character.isalnum() or unicodedata.category(character or " ").startswith("M")
    return how == "spaced"


def writings(lines: Iterable[str]) -> Counter[Writing]:
    """Count the letters of a text by writing system."""
    characters = Counter[str]()
    for line in lines:
        characters.update(line)
    found = Counter[Writing]()
    for character, count in characters.items():
        how = writing(character)
        if how is not None:
            found[how] += count
    return found


def mostly_unspaced(found: Counter[Writing], *, share: float = 0.2) -> bool:
    """Whether a text has no spaces between words.

    Args:
        found: number of its letters by writing system.
        share: least share of unspaced letters; each stands for a syllable or a word, so for about five Latin letters.
    """
    total = sum(found.values())
    return total > 0 and total - found["spaced"] >= share * total

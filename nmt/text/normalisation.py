"""Normalisation of raw text before subword encoding; the same in training and translation."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from nmt.text.reserved_characters import ESCAPES
from nmt.text.words import clusters

SINGLE_QUOTES = "\u2018\u2019\u201a\u201b\u2039\u203a\u2032\uff07\u00b4`"
DOUBLE_QUOTES = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02"

_STRAIGHT = str.maketrans({**dict.fromkeys(SINGLE_QUOTES, "'"), **dict.fromkeys(DOUBLE_QUOTES, '"')})
_WORD = re.compile(r"\S+")
_ABOVE_OR_BELOW = 200  # combining classes from here on
_NONCHARACTERS = dict.fromkeys(map(ord, ESCAPES), "\ufffd")


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisationConfig:
    """How raw text is normalised.

    Args:
        unicode: Unicode normalisation form; ``nfkc`` also folds compatibility characters such as ligatures and
            full-width letters.
        lowercase: map to lower case, except Cherokee, whose small letters are hardly in use; ``turkic`` maps I to
            dotless i, and I with a dot to i. A lower-cased target makes the model write lower case.
        quotes: ``straight`` writes all quotes and apostrophes as in ASCII, lone accents (U+00B4, U+0060) too.
        accents: ``strip`` leaves out the marks above and below letters, such as Greek accents and breathings: letters
            that differ by them alone become one (é and e, й and и). Marks of one script alone stay, as the vowel signs
            and tones of Hebrew, Arabic, Devanagari and Thai. The text is composed then, also with ``unicode: none``. A
            stripped target makes the model write no accents.
    """

    unicode: Literal["none", "nfc", "nfkc"] = "nfc"
    lowercase: bool | Literal["turkic"] = False
    quotes: Literal["keep", "straight"] = "keep"
    accents: Literal["keep", "strip"] = "keep"


@lru_cache
def kept(symbols: tuple[str, ...], config: NormalisationConfig) -> re.Pattern[str] | None:
    """Return a pattern that matches the parts of a line that are not normalised; ``None`` if there can be none.

    Args:
        symbols: pieces of the vocabulary that are never split; where two match, the longer one wins.
        config: with ``lowercase``, Cherokee is kept: its small letters date from 2014, and hardly any font has them.
    """
    parts = [*map(re.escape, sorted(symbols, key=len, reverse=True))]
    parts += ["[\u13a0-\u13f5]+"] if config.lowercase else []
    return re.compile(f"({'|'.join(parts)})") if parts else None


def normalise(text: str, config: NormalisationConfig, keeping: re.Pattern[str] | None = None) -> str:
    """Normalise one line, without its line end; ``keeping`` matches what stays as it is, see ``kept``.

    The number of lines and the number of white-space words never change, so an alignment of the words of the normalised
    text also holds for the raw text. White space is not collapsed. A lone surrogate, which a Python string can contain
    but a file cannot, becomes U+FFFD; so do the noncharacters of ``nmt.text.reserved_characters``.
    """
    if not text.isascii():
        text = _sound(text)
    normalised = _apply(text, config, keeping)
    if config.unicode == "nfkc" and len(normalised.split()) != len(text.split()):
        # NFKC writes a lone accent (U+00B4) as a space and a combining accent, which adds a word.
        normalised = _WORD.sub(lambda word: "".join(_apply(word[0], config, keeping).split()) or word[0], text)
    return normalised


def raw_offsets(text: str, config: NormalisationConfig, keeping: re.Pattern[str] | None = None) -> list[int]:
    """Map character offsets of a normalised line to offsets of the raw line; arguments as for ``normalise``.

    Returns:
        The raw offset for each offset 0..n of the normalised line of n characters, never falling. Characters that are
        normalised together (a letter and its accents) share the offset of the first one. Where a word cannot be
        normalised letter by letter, its offsets are interpolated.
    """
    normalised = normalise(text, config, keeping)
    if normalised == text or text.isascii():
        return list(range(len(text) + 1))
    offsets: list[int] = []
    end = 0
    for raw, clean in zip(_WORD.finditer(text), _WORD.finditer(normalised), strict=True):
        # White space is mapped from left to right, up to the next word.
        offsets += [min(end + place, raw.start()) for place in range(clean.start() - len(offsets))]
        offsets += [raw.start() + place for place in _places(raw[0], clean[0], config, keeping)]
        end = raw.end()
    return offsets + [min(end + place, len(text)) for place in range(len(normalised) - len(offsets))] + [len(text)]


def _places(raw: str, clean: str, config: NormalisationConfig, keeping: re.Pattern[str] | None) -> list[int]:
    """The offset in the raw word of each character of the normalised word."""
    parts: list[tuple[int, str]] = []
    begin = 0
    for stays, part in _divided(raw, keeping):
        if stays:
            parts += ((begin + place, letter) for place, letter in enumerate(part))
        else:
            parts += ((begin + first, _plain(part[first:last], config)) for first, last in clusters(part))
        begin += len(part)
    if sum(len(part) for _, part in parts) == len(clean):
        return [begin for begin, part in parts for _ in part]
    return [place * len(raw) // len(clean) for place in range(len(clean))]


def _apply(text: str, config: NormalisationConfig, keeping: re.Pattern[str] | None) -> str:
    if keeping is None:
        return _plain(text, config)
    return "".join(part if stays else _plain(part, config) for stays, part in _divided(text, keeping))


def _divided(text: str, keeping: re.Pattern[str] | None) -> Iterator[tuple[bool, str]]:
    """Split a text into parts that are kept (true) and parts that are normalised (false)."""
    parts = [text] if keeping is None else keeping.split(text)
    return ((place % 2 == 1, part) for place, part in enumerate(parts))


def _plain(text: str, config: NormalisationConfig) -> str:
    if config.quotes == "straight":  # before NFKC, which takes an accent apart
        text = text.translate(_STRAIGHT)
    if config.accents == "strip" and config.unicode == "nfkc":  # which writes a lone accent as a space and a mark
        text = text.translate(_lone_accents())
    if config.unicode != "none" and not text.isascii():
        text = unicodedata.normalize("NFC" if config.unicode == "nfc" else "NFKC", text)
    if config.lowercase == "turkic":
        text = text.replace("I\u0307", "i").replace("\u0130", "i").replace("I", "\u0131")
    if config.lowercase:
        text = text.lower()
    if config.accents == "strip" and not text.isascii():
        return unicodedata.normalize("NFC", _accents().sub("", unicodedata.normalize("NFD", text)))
    return text


@cache
def _accents() -> re.Pattern[str]:
    """Matches marks above and below letters, of any script; not the first of a word, which might vanish."""
    return re.compile(rf"(?<=\S)[{''.join(filter(_is_accent, map(chr, range(sys.maxunicode))))}]+")


def _is_accent(mark: str) -> bool:
    """Whether it is such a mark: Unicode names those of one script alone by the script, except for Cyrillic."""
    return unicodedata.combining(mark) >= _ABOVE_OR_BELOW and unicodedata.name(mark).startswith("COMBINING ")


@cache
def _lone_accents() -> dict[int, str]:
    """The marks of characters that are a space with marks for NFKC, such as U+00B4."""
    parts = {point: unicodedata.normalize("NFKD", chr(point)) for point in range(0x80, 0x10000)}
    lone = {point: part[1:] for point, part in parts.items() if part[0] == " " and len(part) > 1}
    return {point: marks for point, marks in lone.items() if all(map(_is_accent, marks))}


def _sound(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.translate(_NONCHARACTERS) if any(each in text for each in ESCAPES) else text

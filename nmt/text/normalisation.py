"""Normalisation of raw text before it meets a subword model; the same in training and translation."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from nmt.text.words import clusters

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisationConfig:
    """How raw text is made uniform.

    Args:
        unicode: Unicode normalisation form; ``nfkc`` also folds compatibility characters such as ligatures and
            full-width letters.
        lowercase: map to lower case (the model then writes lower case too, if used for the target).
    """

    unicode: Literal["none", "nfc", "nfkc"] = "nfc"
    lowercase: bool = False


def normalise(text: str, config: NormalisationConfig) -> str:
    """Normalise one line.

    Neither the number of lines nor the number of white-space words ever changes, so that an alignment over words of
    the normalised text is one over words of the raw text. White space is not collapsed. Half of a surrogate pair, which
    no file holds but a Python string may, becomes U+FFFD.

    Args:
        text: one line without its line end.
        config: what to do.

    Returns:
        The normalised line.
    """
    if not text.isascii():
        text = _without_surrogates(text)
    normalised = _apply(text, config)
    if config.unicode == "nfkc" and len(normalised.split()) != len(text.split()):
        # NFKC writes a lone accent (U+00B4) as space plus combining accent: a word more.
        normalised = _WORD.sub(lambda word: "".join(_apply(word[0], config).split()) or word[0], text)
    return normalised


def raw_offsets(text: str, config: NormalisationConfig) -> list[int]:
    """Map places of a normalised line to places of the raw one.

    Args:
        text: the raw line.
        config: how it is normalised.

    Returns:
        For every offset 0..n of the normalised line of n characters the offset in the raw one, rising. Characters that
        are normalised together (a letter and its accents) have the same place, that of the first; where a word cannot
        be normalised letter by letter, its letters are placed in proportion.
    """
    normalised = normalise(text, config)
    if normalised == text or text.isascii():
        return list(range(len(text) + 1))
    offsets: list[int] = []
    end = 0
    for raw, clean in zip(_WORD.finditer(text), _WORD.finditer(normalised), strict=True):
        # White space between words is placed from left to right, as far as there is any.
        offsets += [min(end + place, raw.start()) for place in range(clean.start() - len(offsets))]
        offsets += [raw.start() + place for place in _places(raw[0], clean[0], config)]
        end = raw.end()
    return offsets + [min(end + place, len(text)) for place in range(len(normalised) - len(offsets))] + [len(text)]


def _places(raw: str, clean: str, config: NormalisationConfig) -> list[int]:
    """Place each character of a normalised word in the raw one."""
    parts = [(begin, _apply(raw[begin:end], config)) for begin, end in clusters(raw)]
    if sum(len(part) for _, part in parts) == len(clean):
        return [begin for begin, part in parts for _ in part]
    return [place * len(raw) // len(clean) for place in range(len(clean))]


def _apply(text: str, config: NormalisationConfig) -> str:
    if config.unicode != "none" and not text.isascii():
        text = unicodedata.normalize("NFC" if config.unicode == "nfc" else "NFKC", text)
    return text.lower() if config.lowercase else text


def _without_surrogates(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text

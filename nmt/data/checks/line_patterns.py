"""Checks within a line: letters and words that a model would misread."""

from __future__ import annotations

import re
from typing import TypeAlias

from nmt.core.storage.files import path_below
from nmt.data.corpus import Pairs
from nmt.data.corpus.pairs import LINKS
from nmt.data.data_config import DataConfig
from nmt.text.subword import SubwordModel
from nmt.text.vocabularies import Vocabularies
from nmt.text.words import counts_differ

Patterns: TypeAlias = list[tuple[str, re.Pattern[str]]]
"""Kinds of problems within a line, each with a function or pattern that finds it."""

# Shares of pairs above which a finding is a warning instead of a note.
FEW = 0.001
MANY = 0.01

_INVISIBLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
_DAMAGED = re.compile("[\ufffd\ufdd0-\ufdef]|\u00c3[\u0080-\u00bf]|\u00e2\u20ac[\u0080-\u2122]")
_MARKERS = re.compile("[\u2581\u2585]")
_CAPITAL_I = re.compile("[I\u0130]")
TURKIC = ("tr", "az", "crh", "gag")  # languages in which the lower case of I has no dot


# For each mark of a pair: the limit of its share, the message, and advice.
MARKS = {
    "copies": (
        MANY,
        "both sides are equal in {}",
        (
            "this is normal for names and numbers, but more than a few untranslated "
            "lines teach a model to copy: remove them"
        ),
    ),
    "invisible": (
        FEW,
        "there are control or invisible characters in {}",
        "remove them, or the vocabulary spends pieces on them",
    ),
    "markers": (
        FEW,
        "the given vocabulary takes characters in {} for markers of its own (U+2581, U+2585)",
        "U+2581 is read as a space and never written: remove them, or train the vocabulary here",
    ),
    "dotted": (
        0.0,
        "lower-casing turns I into i in {}, but this language has a dotless i",
        "set data.normalisation.lowercase (of the target: data.target_normalisation.lowercase) to turkic",
    ),
    "words": (
        0.0,
        "the words of {} with links can be counted in two ways: split at any white space, or at spaces only",
        "links count the first way; set tokenized: true in the corpus if its links were made over tokens",
    ),
    "damaged": (
        FEW,
        "{} seem to be wrongly decoded (U+FFFD, or UTF-8 read as Latin-1)",
        "convert the original file again, from its true encoding",
    ),
    "form": (
        FEW,
        "the target has characters in another form than data.normalisation gives (unicode, quotes, accents) in {}",
        "no translation can contain them, and each counts as an error in every score: convert the targets to that form",
    ),
}


def patterns_of(data: DataConfig, side: int, vocabularies: Vocabularies | None = None) -> Patterns:
    """Return the patterns of harmful content in the lines of a side (0 is the source).

    Raises:
        DataError: a vocabulary that the recipe names is missing or damaged.
    """
    model = vocabulary_of(data, side, vocabularies)
    language = data.source_language if side == 0 else data.target_language
    normalisation = data.normalisation if side == 0 else data.written
    turkic = re.split("[-_]", language.lower())[0] in TURKIC and normalisation.lowercase is True
    patterns = [("invisible", _INVISIBLE), ("damaged", _DAMAGED)]
    patterns += [("markers", _MARKERS)] if model is not None and not model.escapes else []
    return patterns + ([("dotted", _CAPITAL_I)] if turkic else [])


def vocabulary_of(data: DataConfig, side: int, vocabularies: Vocabularies | None) -> SubwordModel | None:
    """The vocabulary of a side, among given ones or as the recipe names it; ``None`` if it is yet to be trained."""
    if vocabularies is not None:
        return vocabularies.source if side == 0 else vocabularies.target
    subword = data.subword
    path = subword.source_model if side == 0 or subword.joint else subword.target_model
    return None if path is None else SubwordModel.load(path_below(data.root, path))


def counted_in_two_ways(pairs: Pairs) -> list[int]:
    """Rows with links for which splitting at white space and splitting at spaces give different words.

    Empty if all corpora of the pairs specify this (``tokenized``).
    """
    corpora = pairs.identity.get("corpora", [pairs.identity])
    if not pairs.aligned or all(corpus.get("tokenized") for corpus in corpora):
        return []
    rows = [row for row, pair in enumerate(pairs) if counts_differ(*pair)]
    links = pairs.dataset.select_columns(LINKS.name).select(rows)[:][LINKS.name]
    return [row for row, each in zip(rows, links, strict=True) if len(each)]

"""Checks within a line: letters and words that a model would misread."""

from __future__ import annotations

import re
from typing import TypeAlias

from nmt.core.storage.files import path_below
from nmt.data.corpus import Pairs
from nmt.data.corpus.pairs import LINKS
from nmt.data.pipeline import DataConfig
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
        "names and numbers may be; but more than a few untranslated lines teach a model to copy: take them out",
    ),
    "invisible": (
        FEW,
        "there are control or invisible characters in {}",
        "take them out, or the vocabulary spends pieces on them",
    ),
    "markers": (
        FEW,
        "there are letters in {} that the given vocabulary takes for marks of its own (U+2581, U+2585)",
        "U+2581 is read as a space and never written: take them out, or train the vocabulary here",
    ),
    "dotted": (
        0.0,
        "lower case makes i of I in {}, where this language writes the dotless one",
        "set data.normalisation.lowercase (of the target: data.target_normalisation.lowercase) to turkic",
    ),
    "words": (
        0.0,
        "the words of {} with links can be counted in two ways: between white space of any kind, and between spaces",
        "links count the first, unless the corpus says tokenized: true; say so where they were made over tokens",
    ),
    "damaged": (
        FEW,
        "{} look wrongly decoded (U+FFFD, or UTF-8 read as Latin-1)",
        "convert the original file again, as what it is",
    ),
    "form": (
        FEW,
        "a target has characters in another form than data.normalisation.unicode writes them in, in {}",
        "no translation can have them, and each counts as wrong in every score: write the targets in that form",
    ),
}


def patterns_of(data: DataConfig, side: int, vocabularies: Vocabularies | None = None) -> Patterns:
    """Return the patterns of harmful content in the lines of a side (0 is the source).

    Args:
        data: the recipe's ``data`` section.
        side: 0 or 1.
        vocabularies: those of the recipe, if they exist already.

    Raises:
        DataError: a vocabulary that the recipe names is missing or damaged.
    """
    subword = data.subword
    path = subword.source_model if side == 0 or subword.joint else subword.target_model
    model: SubwordModel | None
    if vocabularies is not None:
        model = vocabularies.source if side == 0 else vocabularies.target
    else:
        model = None if path is None else SubwordModel.load(path_below(data.root, path))
    language = data.source_language if side == 0 else data.target_language
    normalisation = data.normalisation if side == 0 else data.target_normalisation or data.normalisation
    turkic = re.split("[-_]", language.lower())[0] in TURKIC and normalisation.lowercase is True
    patterns = [("invisible", _INVISIBLE), ("damaged", _DAMAGED)]
    patterns += [("markers", _MARKERS)] if model is not None and not model.escapes else []
    return patterns + ([("dotted", _CAPITAL_I)] if turkic else [])


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

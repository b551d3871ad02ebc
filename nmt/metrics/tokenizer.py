"""The tokenizer for BLEU, by script: BLEU counts n-grams of words, and many scripts put no spaces between words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from nmt.core.writing_systems import mostly_unspaced, writings

Tokenizer: TypeAlias = Literal["auto", "13a", "none", "zh", "ja-mecab", "ko-mecab", "intl", "char"]
_KANA = 0.05  # with at least this share of kana, a text in Chinese characters is Japanese
_NEEDS_SPACES = ("13a", "intl")


def fitting_tokenizer(references: Iterable[str]) -> Tokenizer:
    """Choose a tokenizer by the script of the references alone, so that every machine chooses the same.

    Returns:
        ``zh`` for Chinese; ``char`` for Japanese, Thai, Lao, Khmer, Burmese, Tibetan and other scripts without spaces;
        ``13a`` for all others, including Korean.
    """
    found = writings(references)
    if not mostly_unspaced(found):
        return "13a"
    chinese = found["han"] > found["unspaced"] and found["kana"] < _KANA * (found["han"] + found["kana"])
    return "zh" if chinese else "char"


def misfit(tokenizer: Tokenizer, references: Iterable[str]) -> str | None:
    """Say why a chosen tokenizer does not suit the references; ``None`` if it does."""
    if tokenizer not in (*_NEEDS_SPACES, "zh"):
        return None
    fitting = fitting_tokenizer(references)
    if fitting in {"13a", tokenizer}:
        return None
    return (
        f"the references are in a script without spaces, which the tokenizer {tokenizer} does not cut into words: BLEU "
        f"treats whole sentences as words, and is 0 for nearly all translations; use auto, which is {fitting} here"
    )

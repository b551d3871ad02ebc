"""Signs that translations and references are not the same kind of text, which a score alone does not show."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

_LEAST = 0.05  # share of the lines of one side that must have a sign before it is reported

_SIGNS: tuple[tuple[Callable[[str], object], str, str], ...] = (
    (
        lambda line: not unicodedata.is_normalized("NFC", line),
        "are not in Unicode's form NFC",
        "the same letter in another form counts as an error: write both in NFC",
    ),
    (re.compile(r"@@(?: |$)|\u2581").search, "are cut into subwords", "join them to words first"),
    (re.compile(r"&(?:amp|apos|quot|lt|gt|#[0-9]+);").search, "have escapes such as &quot;", "write the characters"),
    (
        re.compile(r"\S [.!?] *$").search,
        "have a space before their final punctuation mark, like tokenised text",
        "score detokenised text, or tokenise both sides in the same way",
    ),
)


def mismatches(hypotheses: Sequence[str], references: Sequence[str]) -> Iterator[str]:
    """Yield the signs, each a sentence with advice, that many lines of one text have and hardly any of the other."""
    for has, what, advice in _SIGNS:
        counts = sum(bool(has(line)) for line in hypotheses), sum(bool(has(line)) for line in references)
        if max(counts) >= _LEAST * max(1, len(hypotheses)) and max(counts) > 4 * min(counts):
            yield (
                f"{counts[0]} of {len(hypotheses)} translations and {counts[1]} of {len(references)} references "
                f"{what}; {advice}"
            )

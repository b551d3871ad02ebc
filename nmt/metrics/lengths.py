"""BLEU by source length, which attention was introduced to improve (Bahdanau et al., 2015, figure 2)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from nmt.core.errors import DataError
from nmt.metrics.score import References, Score, bleu, reference_streams, resolved_tokenizer
from nmt.metrics.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class LengthBucket:
    """The sentences of a range of source lengths.

    Args:
        shortest: lower end of the range.
        longest: upper end, inclusive; ``None`` for the last bucket, which has none.
        sentences: how many there are.
        score: their BLEU; ``None`` if there are none.
    """

    shortest: int
    longest: int | None
    sentences: int
    score: Score | None

    @property
    def label(self) -> str:
        """The range as text, such as ``11–20`` or ``51+``."""
        return f"{self.shortest}+" if self.longest is None else f"{self.shortest}–{self.longest}"


def bleu_by_length(
    hypotheses: Sequence[str],
    references: References,
    lengths: Sequence[int],
    edges: Sequence[int],
    *,
    tokenize: Tokenizer = "auto",
    lowercase: bool = False,
) -> list[LengthBucket]:
    """Score the sentences of each range of source lengths separately.

    Args:
        hypotheses: one translation a line.
        references: one list of as many lines, or several.
        lengths: of the source sentences, in any unit (words, pieces).
        edges: upper end of each bucket but the last, rising: ``(10, 20)`` gives 0 to 10, 11 to 20, and 21 or more.
        tokenize: tokeniser of BLEU.
        lowercase: whether case is ignored.

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
        ValueError: ``edges`` does not rise.
    """
    if any(after <= before for before, after in itertools.pairwise(edges)):
        raise ValueError(f"edges must rise, but are {list(edges)}")
    streams = reference_streams(hypotheses, references)
    if len(lengths) != len(hypotheses):
        raise DataError(f"there are {len(hypotheses)} translations, but {len(lengths)} source lengths")
    tokenize = resolved_tokenizer(tokenize, streams)  # one for all buckets
    buckets = []
    for shortest, longest in zip([0, *(edge + 1 for edge in edges)], [*edges, None], strict=True):
        rows = [k for k, n in enumerate(lengths) if shortest <= n and (longest is None or n <= longest)]
        score = None
        if rows:
            chosen = [[stream[k] for k in rows] for stream in streams]
            score = bleu([hypotheses[k] for k in rows], chosen, tokenize=tokenize, lowercase=lowercase)
        buckets.append(LengthBucket(shortest, longest, len(rows), score))
    return buckets

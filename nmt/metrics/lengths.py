"""BLEU by the length of the source: what attention was invented for (Bahdanau et al., 2015, figure 2)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from nmt.core.errors import DataError
from nmt.metrics.score import References, Score, bleu, reference_streams, resolved_tokenizer
from nmt.metrics.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class LengthBucket:
    """The sentences of some source lengths.

    Args:
        shortest: least length in the bucket.
        longest: greatest length in it; ``None`` for the last bucket, which has no upper end.
        sentences: how many there are.
        score: their BLEU; ``None`` if there are none.
    """

    shortest: int
    longest: int | None
    sentences: int
    score: Score | None

    @property
    def label(self) -> str:
        """The lengths in words, such as ``11–20`` or ``51+``."""
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
    """Score the sentences of each range of source lengths by themselves.

    Args:
        hypotheses: one translation a line.
        references: one list of as many lines, or several.
        lengths: of each source sentence, in whatever unit (words, pieces).
        edges: the longest length of each bucket but the last, rising: ``(10, 20)`` gives 0 to 10, 11 to 20, 21 and
            more.
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

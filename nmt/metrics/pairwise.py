"""chrF of every text of a list against every other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy
from numpy.typing import NDArray


def pairwise_chrf(texts: Sequence[str]) -> NDArray[numpy.float64]:
    """Score n texts against each other by sacreBLEU's chrF2 of sentences.

    The n-grams of each text are counted once. The second occurrence of an n-gram in a text is a feature besides the
    first, so the n-grams that two texts share are the product of two binary vectors.

    Returns:
        (n, n), 0 to 100: ``[i, j]`` is ``sacrebleu.sentence_chrf(texts[i], [texts[j]])``.
    """
    from sacrebleu.metrics.chrf import CHRF  # takes long to import, and most searches need no risk
    from sacrebleu.metrics.helpers import extract_all_char_ngrams

    ngrams = [extract_all_char_ngrams(text, CHRF.CHAR_ORDER) for text in texts]
    precision, recall, orders = numpy.zeros((3, len(texts), len(texts)))
    for order in range(CHRF.CHAR_ORDER):
        counts = [each[order] for each in ngrams]
        sizes = numpy.array([sum(each.values()) for each in counts], dtype=numpy.float64)
        matches = _matches(counts)
        both = (sizes[:, None] > 0) & (sizes > 0)
        # Where a text has no n-grams of this size, there are no matches either.
        precision += matches / numpy.maximum(sizes, 1)[:, None]
        recall += matches / numpy.maximum(sizes, 1)
        orders += both
    precision, recall = precision / numpy.maximum(orders, 1), recall / numpy.maximum(orders, 1)
    factor = CHRF.BETA**2
    total = factor * precision + recall
    scores: NDArray[numpy.float64] = 100 * (1 + factor) * precision * recall / numpy.where(total > 0, total, 1)
    return scores


def _matches(counts: Sequence[Counter[str]]) -> NDArray[numpy.float32]:
    """Return how many n-grams, counted as often as in both, each two of n texts share: (n, n)."""
    features: dict[tuple[str, int], int] = {}
    rows: list[int] = []
    columns: list[int] = []
    for row, counted in enumerate(counts):
        for ngram, count in counted.items():
            for time in range(count):
                rows.append(row)
                columns.append(features.setdefault((ngram, time), len(features)))
    present = numpy.zeros((len(counts), len(features)), dtype=numpy.float32)
    present[rows, columns] = 1
    return present @ present.T

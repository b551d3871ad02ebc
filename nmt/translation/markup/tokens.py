"""What a tag may stand between: words without their punctuation, and single characters; and their alignment."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy
from numpy.typing import NDArray

from nmt.core.characters import is_blank
from nmt.core.writing_systems import in_spaced_word
from nmt.text.words import Span, clusters, surfaces, word_spans
from nmt.translation.lines import Pieces, ScoredTarget

MOST_LINKS = 2**22  # of a denser alignment, only the diagonal is kept

_APOSTROPHES = "'\u2019"
_COPIED = 4.0  # factor of the weight between two words that are the same
_LIKELY = 0.2  # weight that two occurrences of a character have by being both the k-th of as many


def token_spans(text: str) -> list[Span]:
    """Find the tokens of a text: words of scripts with spaces, and every other visible character by itself.

    >>> [text[begin:end] for text in ["Hund's (你好)."] for begin, end in token_spans(text)]
    ["Hund's", '(', '你', '好', ')', '.']
    """
    found: list[Span] = []
    inside = False  # whether the last token is a word
    for begin, end in clusters(text):
        if text[begin].isspace():
            continue
        adjacent = bool(found) and found[-1][1] == begin
        word = in_spaced_word(text[begin]) or (
            inside and adjacent and text[begin] in _APOSTROPHES and in_spaced_word(text[end : end + 1])
        )
        if adjacent and ((word and inside) or is_blank(text[begin:end])):
            found[-1] = found[-1][0], end
        else:
            found.append((begin, end))
            inside = word
    return found


def divided(spans: Iterable[Span], places: Sequence[int]) -> list[Span]:
    """Divide spans at the places (sorted, distinct) within them."""
    found: list[Span] = []
    for begin, end in spans:
        inner = places[bisect_right(places, begin) : bisect_left(places, end)]
        found += pairwise([begin, *inner, end])
    return found


class Aligned:
    """Which target tokens translate which source tokens.

    Args:
        source: the source text.
        places: where its tags stand; tokens are divided there.
        target: its translation, of the same words.
    """

    def __init__(self, source: str, places: Sequence[int], target: ScoredTarget) -> None:
        words = token_spans(source)
        self.source = divided(words, sorted(set(places)))
        self.target = token_spans(target.text)
        weights = self._weights(source, target)
        self._cumulated: NDArray[numpy.float64] | None = None
        if weights is not None:
            _align_alike(weights, [source[slice(*each)] for each in self.source], self._texts(target.text))
            weights = self._divide_copies(weights, source, words, target.text)
            self._cumulated = numpy.pad(weights.cumsum(axis=1), ((0, 0), (1, 0)))

    def weight(self, begin: int, end: int) -> NDArray[numpy.float64]:
        """How much each target token translates the source tokens from ``begin`` to ``end``, in [0, 1]."""
        if self._cumulated is not None:
            return numpy.asarray(self._cumulated[:, end] - self._cumulated[:, begin])
        # Without weights, the texts are taken to go on at the same pace.
        edges = numpy.linspace(0, len(self.source), len(self.target) + 1)
        left, right = edges[:-1], edges[1:]
        return numpy.asarray((numpy.clip(right, begin, end) - numpy.clip(left, begin, end)) / (right - left + 1e-12))

    def _texts(self, text: str) -> list[str]:
        return [text[begin:end] for begin, end in self.target]

    def _weights(self, source: str, target: ScoredTarget) -> NDArray[numpy.float64] | None:
        weights = target.piece_weights
        if weights is None or len(self.source) * len(self.target) > MOST_LINKS:
            return None
        rows, columns = len(target.pieces.ids), len(target.source.pieces.ids)
        of_source = _overlaps(_piece_spans(source, target.source.pieces), self.source)
        of_target = _overlaps(_piece_spans(target.text, target.pieces), self.target).T
        sums = numpy.maximum(of_target.sum(axis=1, keepdims=True), 1e-12)
        found = (of_target / sums) @ weights[:rows, :columns].astype(numpy.float64) @ of_source
        totals = found.sum(axis=1, keepdims=True)
        # A source word to which little is attended has a translation too: a step towards equal columns.
        found /= numpy.sqrt(numpy.maximum(found.sum(axis=0), 1e-6))
        return numpy.asarray(found * (totals / numpy.maximum(found.sum(axis=1, keepdims=True), 1e-12)))

    def _divide_copies(
        self, weights: NDArray[numpy.float64], source: str, words: Sequence[Span], target: str
    ) -> NDArray[numpy.float64]:
        """Divide a target token like the source token that it copies, so that tags can stand at the same place."""
        parts: dict[str, list[range]] = {}
        first = 0
        for begin, end in words:
            count = sum(begin <= part[0] and part[1] <= end for part in self.source[first : first + end - begin])
            if count > 1:
                parts.setdefault(source[begin:end], []).append(range(first, first + count))
            first += count
        if not parts:
            return weights
        spans, rows = [], []
        for (begin, end), row in zip(self.target, weights, strict=True):
            copied = max(parts.get(target[begin:end], ()), key=lambda part: float(row[part].sum()), default=None)
            if copied is None or row[copied].sum() < row.max():
                spans.append((begin, end))
                rows.append(row)
                continue
            moved = begin - self.source[copied[0]][0]
            for part in copied:
                own = row.copy()
                own[copied] = 0.0
                own[part] = row[copied].sum()
                spans.append((self.source[part][0] + moved, self.source[part][1] + moved))
                rows.append(own)
        self.target = spans
        return numpy.array(rows)


def _piece_spans(text: str, pieces: Pieces) -> list[Span]:
    """Where each piece stands in a raw text: its share of its word, by the letters of all pieces of the word."""
    words = word_spans(text)
    letters = [len(surface.strip()) for surface in surfaces(pieces.pieces)]
    whole = Counter[int]()
    for held, count in zip(pieces.held, letters, strict=True):
        if len(held) == 1:
            whole[held[0]] += count
    read = Counter[int]()
    spans = []
    for held, count in zip(pieces.held, letters, strict=True):
        if not 0 <= held[0] <= held[-1] < len(words):
            spans.append((0, 0))
        elif len(held) > 1:
            spans.append((words[held[0]][0], words[held[-1]][1]))
        else:
            (word,) = held
            begin, end = words[word]
            places = (begin + (end - begin) * each // max(whole[word], 1) for each in (read[word], read[word] + count))
            read[word] += count
            spans.append((next(places), next(places)))
    return spans


def _overlaps(pieces: Sequence[Span], tokens: Sequence[Span]) -> NDArray[numpy.float64]:
    """The share of each piece that is in each token, (pieces, tokens); white space does not count."""
    if not pieces or not tokens:
        return numpy.zeros((len(pieces), len(tokens)))
    one, other = numpy.array(pieces), numpy.array(tokens)
    common = numpy.minimum(one[:, None, 1], other[None, :, 1]) - numpy.maximum(one[:, None, 0], other[None, :, 0])
    common = numpy.maximum(common, 0).astype(numpy.float64)
    return numpy.asarray(common / numpy.maximum(common.sum(axis=1, keepdims=True), 1e-12))


def _align_alike(weights: NDArray[numpy.float64], source: Sequence[str], target: Sequence[str]) -> None:
    """Align punctuation with the same punctuation, else with what is of its kind, else with nothing.

    Attention tells which of several; where as many stand in both texts, each also leans to the one of its rank. A word
    leans to the same word.
    """
    alike: dict[str, list[int]] = {}
    for index, text in enumerate(source):
        alike.setdefault(text, []).append(index)
        if not text[0].isalnum():
            alike.setdefault(unicodedata.category(text[0]), []).append(index)
    counts, ranks = Counter(target), Counter[str]()
    for row, text in zip(weights, target, strict=True):
        if text[0].isalnum():
            total = row.sum()
            row[alike.get(text, [])] *= _COPIED
            row[:] = row * (total / max(row.sum(), 1e-12))
            continue
        same = alike.get(text) or alike.get(unicodedata.category(text[0]), [])
        own = row[same] + 1e-3
        if len(same) == counts[text]:
            own[ranks[text]] += _LIKELY
        ranks[text] += 1
        row[:] = 0.0
        row[same] = own / own.sum()

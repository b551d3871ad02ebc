"""Alignment error rate of the attention in a validation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy
from numpy.typing import NDArray

from nmt.alignment.links import Links
from nmt.alignment.pieces_to_words import word_weights
from nmt.alignment.soft_alignment import argmax_links
from nmt.data.encoded import EncodedCorpus
from nmt.data.gold_links import read_gold, require_links
from nmt.metrics.aer import AlignmentScore, alignment_error_rate
from nmt.text.normalisation import NormalisationConfig
from nmt.text.subword import SubwordModel
from nmt.text.vocabularies import Vocabularies
from nmt.text.words import WordKind, words_in_spans, words_of_tokens


class GoldAlignment:
    """Gold links of a corpus, and the words that its pieces belong to.

    Args:
        path: a file of links in Pharaoh or TALP format.
        corpus: the sentence pairs.
        vocabularies: of both sides.
        normalisations: of source and target.
        first_index: index of the first word of a sentence in the file.
        tokenized: whether words in the file are separated by spaces only.

    Raises:
        DataError: the file is missing or damaged, does not match the corpus, or has no link.
    """

    def __init__(
        self,
        path: Path,
        corpus: EncodedCorpus,
        vocabularies: Vocabularies,
        normalisations: tuple[NormalisationConfig, NormalisationConfig],
        *,
        first_index: Literal[0, 1] = 0,
        tokenized: bool = False,
    ) -> None:
        rows = range(len(corpus))

        def kept(links: list[Links]) -> list[Links]:  # pairs with an empty side are not in the corpus
            return [links[corpus.line(row)] for row in rows] if len(links) == corpus.report.lines else links

        pairs = [corpus.texts(row) for row in rows]
        texts = [source for source, _ in pairs], [target for _, target in pairs]
        kind: WordKind = "tokens" if tokenized else "whitespace"
        self.links = read_gold(path, pairs, first_index=first_index, words=kind, select=kept, warn=False)
        require_links(self.links, path)
        sides = zip(texts, (vocabularies.source, vocabularies.target), normalisations, strict=True)
        self._words = [
            [_words(text, model, normalisation, tokenized=tokenized) for text in side]
            for side, model, normalisation in sides
        ]

    def score(self, weights: Mapping[int, NDArray[Any]]) -> AlignmentScore:
        """Compare arg-max links with the gold links.

        Args:
            weights: (T, S) attention between the pieces of each sentence pair, eos last on both sides.
        """
        found = []
        for row in range(len(self.links)):
            (source, source_count), (target, target_count) = (side[row] for side in self._words)
            matrix = numpy.asarray(weights[row])
            words = word_weights(matrix, source, target, source_count=source_count, target_count=target_count)
            found.append(argmax_links(words, null=-1).sure)
        return alignment_error_rate(found, [each.sure for each in self.links], [each.possible for each in self.links])


def _words(
    text: str, model: SubwordModel, normalisation: NormalisationConfig, *, tokenized: bool
) -> tuple[list[tuple[int, ...]], int]:
    """Return the words of each piece of a line, and the number of words."""
    normalised = model.normalise(text, normalisation)
    spans = model.encode_with_offsets(normalised)
    words = words_in_spans(normalised, spans) or [()] * len(spans)
    if not tokenized:
        return words, len(text.split())
    tokens = words_of_tokens(text)
    token_of = {word: token for token, held in enumerate(tokens) for word in held}
    return [tuple(dict.fromkeys(token_of[word] for word in each)) for each in words], len(tokens)

"""A source line and a target text as the model knows them, with attention told in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

import numpy
from numpy.typing import NDArray

from nmt.alignment.links import Links
from nmt.alignment.soft import argmax_links, threshold_links
from nmt.alignment.svg import svg_heatmap
from nmt.alignment.words import word_weights
from nmt.search.hypothesis import Hypothesis
from nmt.text.normalisation import NormalisationConfig, normalise
from nmt.text.subword import SubwordModel
from nmt.text.words import words_of_spans


@dataclass(frozen=True, slots=True)
class Pieces:
    """A line cut into pieces.

    Args:
        ids: piece ids, without bos and eos.
        pieces: the pieces in letters.
        words: for each piece the index of its white-space word.
    """

    ids: tuple[int, ...] = ()
    pieces: tuple[str, ...] = ()
    words: tuple[int, ...] = ()


def cut(text: str, model: SubwordModel, normalisation: NormalisationConfig) -> Pieces:
    """Normalise and encode a raw line, keeping track of its words.

    Args:
        text: the raw line.
        model: vocabulary of its side.
        normalisation: of its side.
    """
    normalised = normalise(text, normalisation)
    spans = model.encode_with_offsets(normalised)
    return Pieces(
        tuple(span.id for span in spans),
        tuple(span.piece for span in spans),
        tuple(words_of_spans(normalised, spans)),
    )


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line to be translated.

    Args:
        number: its number in its stream, from 1.
        text: the raw line.
        pieces: what the model reads; eos follows. Its letters and words are left out where no alignment is wanted.
        placeholders: symbol and original text of each placeholder, in order (``nmt.translation.copying``).
    """

    number: int
    text: str
    pieces: Pieces
    placeholders: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> list[str]:
        """White-space words of the raw line."""
        return self.text.split()


@dataclass(frozen=True, slots=True)
class ScoredTarget:
    """A target text with its score and with what the model looked at: a translation, or a given text that was forced.

    Args:
        source: the line it translates.
        text: the text, on one line.
        pieces: its pieces.
        hypothesis: what search or forced decoding gave.
    """

    source: SourceLine = field(repr=False)
    text: str
    pieces: Pieces = field(repr=False)
    hypothesis: Hypothesis = field(repr=False)

    @property
    def score(self) -> float:
        """What hypotheses are ranked by: ``log_prob`` over the length penalty, plus the coverage penalty."""
        return self.hypothesis.score

    @property
    def log_prob(self) -> float:
        """Log-probability under the model, in nats."""
        return self.hypothesis.log_prob

    @property
    def confidence(self) -> float:
        """Geometric mean of the probabilities of its pieces, in (0, 1]."""
        return self.hypothesis.confidence

    @property
    def finished(self) -> bool:
        """Whether the model ended it; ``False`` if it was cut at the length limit."""
        return self.hypothesis.finished

    @property
    def words(self) -> list[str]:
        """White-space words of the text."""
        return self.text.split()

    @property
    def piece_weights(self) -> NDArray[numpy.float32] | None:
        """Attention between pieces: a row a target piece (eos last if finished), a column a source piece (eos last)."""
        weights = self.hypothesis.weights
        return None if weights is None else numpy.asarray(weights.numpy(), dtype=numpy.float32)

    @property
    def weights(self) -> NDArray[numpy.float64] | None:
        """Attention between words: (target words, source words + 1), source pieces summed and target pieces averaged.

        The last column is the null word, which is the source's eos. A row sums to 1 for attention that is a softmax
        over the source. ``None`` where there is no attention, or none was asked for.
        """
        weights = self.piece_weights
        if weights is None:
            return None
        return word_weights(
            weights,
            self.source.pieces.words,
            self.pieces.words,
            source_count=len(self.source.words),
            target_count=len(self.words),
        )

    @property
    def alignment(self) -> Links:
        """Each target word linked to the source word it attends to most; no link where that is the null word."""
        weights = self.weights
        return Links() if weights is None else argmax_links(weights, null=-1)

    def links(self, threshold: float | None = None) -> Links:
        """Link words by the most attended, or all pairs of words whose weight reaches a threshold."""
        weights = self.weights
        if weights is None or threshold is None:
            return self.alignment
        return threshold_links(weights, threshold, null=-1)

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """Draw the attention, for a notebook."""
        weights = self.weights
        words = self.source.words, self.words
        if weights is None or not all(words):
            return f"<p>{escape(self.source.text)}</p><p>{escape(self.text)}</p>"
        return svg_heatmap(*words, weights) + f"<p>score {self.score:.3f}, confidence {self.confidence:.3f}</p>"


def unseen(source: SourceLine, text: str = "", pieces: Pieces | None = None) -> ScoredTarget:
    """Give the target of a line that no model needs to see: of a blank one, or to a blank one."""
    nothing = Hypothesis(tokens=[], score=0.0, log_prob=0.0, token_log_probs=[], finished=True)
    return ScoredTarget(source, text, pieces or Pieces(), nothing)

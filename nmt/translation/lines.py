"""Source lines, target texts and translations in words and pieces, with attention between words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Literal, TypeAlias

import numpy
from numpy.typing import NDArray

from nmt.alignment.drawing.svg import svg_heatmap
from nmt.alignment.links import Links
from nmt.alignment.pieces_to_words import word_weights
from nmt.alignment.report.entries import Tree
from nmt.alignment.soft_alignment import LinkRule
from nmt.search.hypothesis import Hypothesis
from nmt.text.normalisation import NormalisationConfig
from nmt.text.placeholders import Masked
from nmt.text.subword import SubwordModel
from nmt.text.words import Span, WordKind, word_spans, words_in_spans, words_within

END = "</s>"
"""Label of eos."""

Unit: TypeAlias = WordKind | Literal["pieces"]
"""Unit of alignment: a word as in ``WordKind``, or a piece of the vocabulary."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A line segmented into pieces.

    Args:
        ids: piece ids, without bos and eos.
        pieces: the pieces as text.
        words: index of the word of each piece.
        units: indices of all words in each piece, if words are not white-space words or a piece contains several.
        spans: (start, end) of these words in the raw line.
    """

    ids: tuple[int, ...] = ()
    pieces: tuple[str, ...] = ()
    words: tuple[int, ...] = ()
    units: tuple[tuple[int, ...], ...] | None = None
    spans: tuple[Span, ...] | None = None

    @property
    def held(self) -> Sequence[tuple[int, ...]]:
        """Indices of all words in each piece."""
        return [(word,) for word in self.words] if self.units is None else self.units

    def part(self, which: slice) -> Pieces:
        """Return a slice of the pieces; words keep their numbers in the line."""
        units = None if self.units is None else self.units[which]
        return Pieces(self.ids[which], self.pieces[which], self.words[which], units, self.spans)

    def after(self, tag: Pieces) -> Pieces:
        """Put the pieces of a tag, which belong to no word, before these."""
        if not self.pieces:  # texts and words are left out
            return Pieces(tag.ids + self.ids)
        count = len(tag.ids)
        units = None if self.units is None else ((-1,),) * count + self.units
        return Pieces(tag.ids + self.ids, tag.pieces + self.pieces, (-1,) * count + self.words, units, self.spans)


def cut(
    text: str,
    model: SubwordModel,
    normalisation: NormalisationConfig,
    unit: Unit = "whitespace",
    masked: Masked | None = None,
) -> Pieces:
    """Normalise and encode a raw line of a side, masked if so given, keeping track of its words in a unit."""
    masked = masked or Masked(text)
    normalised = model.normalise(masked.text, normalisation)
    found = model.encode_with_offsets(normalised)
    ids, letters = tuple(span.id for span in found), tuple(span.piece for span in found)
    if unit == "whitespace":
        return pieces_of_words(ids, letters, words_in_spans(normalised, found))
    places = [masked.raw_offset(place) for place in model.raw_offsets(masked.text, normalisation)]
    pieces = [(places[span.begin + _blanks(normalised[span.begin : span.end])], places[span.end]) for span in found]
    if unit == "pieces":
        numbers = tuple(range(len(pieces)))
        return Pieces(ids, letters, numbers, tuple((number,) for number in numbers), tuple(pieces))
    words = word_spans(text, unit)
    units = words_within(pieces, words) if words else []
    if unit == "tokens":  # a token that only partly overlaps a piece belongs to another one
        units = [each[:1] for each in units]
    return Pieces(ids, letters, tuple(each[0] for each in units), tuple(units), tuple(words))


def pieces_of_words(ids: Sequence[int], letters: Sequence[str], held: Sequence[tuple[int, ...]]) -> Pieces:
    """Return pieces with their white-space words; ``units`` is set only if a piece contains several words."""
    several = tuple(held) if any(len(each) > 1 for each in held) else None
    return Pieces(tuple(ids), tuple(letters), tuple(each[0] for each in held), several)


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line to be translated.

    Args:
        number: its number in its stream, from 1.
        text: the raw line; the path of a file, if sources are no text.
        pieces: what the model reads; eos follows. Texts and words of the pieces are left out if no alignment is wanted.
            Of a file: the names of the positions of its memory, each a word; ids are those of the words beside it.
        placeholders: each placeholder with the text that it stands for, in order (``nmt.translation.copying``).
        tag: what the model reads before the text, such as the target language (``nmt.translation.requests.tags``).
        lead: number of its pieces, which belong to no word.
        features: what the model reads of a file, (L, ...).
        shape: of the memory of a file, (S,) or (height, width).
        extent: of a file of frames, what its positions cover together, in ``extent_unit``; empty for a grid.
        extent_unit: such as seconds.
        units: of a file, what limits of the target length are multiples of.
        problem: why it cannot be read: a file, or a line without the tag that it needs.
    """

    number: int
    text: str
    pieces: Pieces
    placeholders: tuple[tuple[str, str], ...] = ()
    tag: str = ""
    lead: int = 0
    features: NDArray[Any] | None = field(default=None, repr=False, compare=False)
    shape: tuple[int, ...] = ()
    extent: tuple[float, ...] = ()
    extent_unit: str = ""
    units: int = 0
    problem: str = ""

    @property
    def readable(self) -> bool:
        """Whether there is anything for a model to read."""
        return bool(self.pieces.ids) or self.features is not None

    @property
    def tagged_text(self) -> str:
        """The text after its tag."""
        return f"{self.tag} {self.text}" if self.tag else self.text

    @property
    def is_picture(self) -> bool:
        """Whether its features are pixels (H, W, 3) of red, green and blue in bytes, with a memory that is a grid."""
        found = self.features
        return found is not None and len(self.shape) == 2 and found.shape[2:] == (3,) and found.dtype == numpy.uint8

    @property
    def is_frames(self) -> bool:
        """Whether its features are vectors (L, D) along one axis, such as time."""
        return self.features is not None and self.features.ndim == 2 and len(self.extent) == 2

    @property
    def file_columns(self) -> int:
        """Number of positions of a file's memory; columns of words beside it follow."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Number of positions that a model reads: pieces with eos, or L."""
        return len(self.pieces.ids) + 1 if self.features is None else len(self.features) + len(self.pieces.ids)

    @property
    def target_units(self) -> int:
        """What limits of the target length are multiples of: pieces without eos, or the units of a file."""
        return len(self.pieces.ids) if self.features is None else self.units

    @property
    def spans(self) -> list[Span]:
        """Start and end of each word in the raw line, in characters; none in a path."""
        return [] if self.features is not None or self.problem else _spans(self.text, self.pieces)

    @property
    def words(self) -> list[str]:
        """Words of the raw line; of a file, the names of the positions of its memory."""
        if self.features is not None:
            return list(self.pieces.pieces)
        return [self.text[begin:end] for begin, end in self.spans]


@dataclass(frozen=True, slots=True)
class ScoredTarget:
    """A target text with its score and attention: a translation, or a given text by forced decoding.

    Args:
        source: the line it translates.
        text: the text, on one line.
        pieces: its pieces.
        hypothesis: result of search or forced decoding.
        utility: expected chrF where it was chosen by minimum Bayes risk (``nmt.translation.least_risk``).
    """

    source: SourceLine = field(repr=False)
    text: str
    pieces: Pieces = field(repr=False)
    hypothesis: Hypothesis = field(repr=False)
    utility: float | None = None

    @property
    def score(self) -> float:
        """Score for ranking: ``log_prob`` divided by the length penalty, plus the coverage penalty."""
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
        """Whether it ends in eos, which then has a log-probability and a row of weights."""
        return self.hypothesis.finished

    @property
    def cut(self) -> bool:
        """Whether it was ended by the length limit and not by the model."""
        return self.hypothesis.cut

    @property
    def spans(self) -> list[Span]:
        """Start and end of each word in the text, in characters."""
        return _spans(self.text, self.pieces)

    @property
    def words(self) -> list[str]:
        """Words of the text."""
        return [self.text[begin:end] for begin, end in self.spans]

    @property
    def piece_weights(self) -> NDArray[numpy.float32] | None:
        """Weights between pieces, (target, source): eos is the last column, and the last row if finished."""
        weights = self.hypothesis.weights
        return None if weights is None else numpy.asarray(weights.numpy(), dtype=numpy.float32)

    @property
    def weights(self) -> NDArray[numpy.float64] | None:
        """Weights between words: (target words, source words + 1), summed over source and averaged over target pieces.

        They are attention, or other evidence from ``nmt.translation.aligning.evidence``. The last column is the null
        word, which is the source's eos. A row sums to 1 for attention that is a softmax over the source
        (docs/alignment.md gives the other sums). ``None`` if there are no weights or none were requested. In a file
        there is no null word, and the last column is 0.
        """
        weights = self.piece_weights
        if weights is None:
            return None
        if self.source.features is not None:
            weights = numpy.pad(weights, ((0, 0), (0, 1)))
        source = self.source.pieces
        return word_weights(
            weights,
            source.held,
            self.pieces.held,
            source_count=len(self.source.words),
            target_count=len(self.words),
        )

    @property
    def alignment(self) -> Links:
        """Links from each target word to its most attended source word; none where that is the null word."""
        return self.links()

    def links(self, rule: LinkRule | None = None) -> Links:
        """Derive links between words from weights; by default each target word to its heaviest source word."""
        weights = self.weights
        return Links() if weights is None else (rule or LinkRule()).links(weights, null=-1)

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """Draw the attention, for a notebook."""
        weights = self.weights
        words = self.source.words, self.words
        if weights is None or not all(words):
            return f"<p>{escape(self.source.text)}</p><p>{escape(self.text)}</p>"
        return svg_heatmap(*words, weights) + f"<p>score {self.score:.3f}, confidence {self.confidence:.3f}</p>"


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated line.

    Args:
        source: the line.
        hypotheses: one or more translations, best first; a blank line has an empty one. Their texts are distinct unless
            they were sampled: of several segmentations of one text, the best is kept.
        parts: number of parts it was translated in; more than 1 if the line was too long.
        problem: why the line has no translation (its text is then empty); empty if it has one.
        tree: all hypotheses that the beam ranked, if recorded; ``None`` for a line translated in parts.
        extra: plain values of its request, passed through by JSON lines.
    """

    source: SourceLine
    hypotheses: tuple[ScoredTarget, ...]
    parts: int = 1
    problem: str = ""
    tree: Tree | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def best(self) -> ScoredTarget:
        """The first hypothesis."""
        return self.hypotheses[0]

    @property
    def text(self) -> str:
        """The best translation, on one line."""
        return self.best.text

    @property
    def score(self) -> float:
        """Score of the best translation."""
        return self.best.score

    @property
    def confidence(self) -> float:
        """Confidence of the best translation."""
        return self.best.confidence

    @property
    def alignment(self) -> Links:
        """Links between source words and words of the best translation."""
        return self.best.alignment

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """Draw the attention of the best translation, for a notebook."""
        return self.best._repr_html_()


def _spans(text: str, pieces: Pieces) -> list[Span]:
    return word_spans(text) if pieces.spans is None else list(pieces.spans)


def _blanks(text: str) -> int:
    """Count the leading white space of a text; 0 if it is blank."""
    return len(text) - len(text.lstrip()) if text.strip() else 0


def led(source: SourceLine, tag: str, pieces: Pieces) -> SourceLine:
    """Put the pieces of a tag, if there is one, before those of a line, unless that is blank."""
    if not tag or not source.pieces.ids:
        return source
    return replace(source, pieces=source.pieces.after(pieces), tag=tag, lead=len(pieces.ids))


def unseen(source: SourceLine, text: str = "", pieces: Pieces | None = None) -> ScoredTarget:
    """Return a target of score 0 without weights, for a line or pair that no model reads."""
    nothing = Hypothesis(tokens=[], score=0.0, log_prob=0.0, token_log_probs=[], finished=True)
    return ScoredTarget(source, text, pieces or Pieces(), nothing)

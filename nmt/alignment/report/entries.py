"""Content of a report: for each sentence its targets, named soft alignments, and the tree of a beam search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nmt.alignment.links import Links
from nmt.alignment.soft_alignment import Weights


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence in words and in pieces.

    Args:
        words: the units that links refer to; for a source that is a file, the names of its positions.
        pieces: the pieces as text, without eos; may be empty.
        words_of_pieces: for each piece the index of its word; negative if it has none.
        file: path of a source that is a file; shown in lists in place of the words.
    """

    words: tuple[str, ...]
    pieces: tuple[str, ...] = ()
    words_of_pieces: tuple[int, ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A source that is a picture.

    Args:
        pixels: (H, W, 3), red, green and blue.
        shape: (height, width) of the grid over it, whose cells, row by row, are the words of the source.
    """

    pixels: NDArray[np.uint8]
    shape: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layer:
    """A soft alignment under a name, such as ``attention`` or ``gradient-x-input``.

    Args:
        name: as displayed; layers of the same name belong together across sentences.
        words: (T, S) between words, or (T, S + 1) with the null word last; negative or non-finite values count as 0.
        pieces: (T', S') between pieces, or one longer with eos last; ``None`` if not known.
        relative: whether the layer has no absolute scale, so that the darkest shade is its largest value in the
            sentence instead of 1.
    """

    name: str
    words: Weights
    pieces: Weights | None = None
    relative: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A target sentence and its annotations.

    Args:
        text: its words and pieces.
        layers: soft alignments; the first is shown initially.
        links: links between words, by name, such as ``links``.
        gold: gold links.
        measures: numbers by name, to sort and filter by; ``None`` if there is none.
        log_probs: log-probability of each piece, in nats, eos last; may be empty.
        boxes: what words name in a picture, by their index: left, top, right and bottom as fractions of it.
    """

    text: Text
    layers: tuple[Layer, ...] = ()
    links: Mapping[str, Links] = field(default_factory=dict)
    gold: Links | None = None
    measures: Mapping[str, float | None] = field(default_factory=dict)
    log_probs: tuple[float, ...] = ()
    boxes: Mapping[int, Sequence[Sequence[float]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Branch:
    """A continuation that beam search ranked.

    Args:
        parent: index of the preceding branch, or -1.
        piece: the added piece as text; empty for eos.
        log_prob: log-probability of the piece, in nats.
        total: cumulative log-probability, in nats.
        score: its ranking score.
        fate: ``kept`` (continued), ``finished`` (ended in eos), ``pruned``, or ``stopped`` (live at the end).
    """

    parent: int
    piece: str
    log_prob: float
    total: float
    score: float
    fate: str


@dataclass(frozen=True, slots=True)
class Tree:
    """All continuations that beam search ranked.

    Args:
        branches: parents before their children.
        returned: last branch of each hypothesis, best first; ``None`` if it is not in the tree.
    """

    branches: tuple[Branch, ...]
    returned: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A sentence of a report.

    Args:
        number: line number, from 1.
        source: the source sentence.
        targets: one, or an n-best list, best first.
        tree: of the search, if recorded.
        note: a remark on the line; empty if there is none.
        picture: the source, if it is a picture.
    """

    number: int
    source: Text
    targets: tuple[Target, ...]
    tree: Tree | None = None
    note: str = ""
    picture: Picture | None = None

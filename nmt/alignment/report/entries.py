"""What a report shows of a sentence: its targets, named layers over them, and the tree that a beam grew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from nmt.alignment.links import Links
from nmt.alignment.soft_alignment import Weights

Fate: TypeAlias = Literal["kept", "finished", "pruned", "stopped"]
"""What became of a branch: it lived on, ended in eos, fell out of the beam, or was in it when the search ended."""


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence in words and in pieces.

    Args:
        words: what links count.
        pieces: the pieces in letters, eos not among them; may be empty.
        words_of_pieces: for each piece the index of its word; negative where it belongs to none.
    """

    words: tuple[str, ...]
    pieces: tuple[str, ...] = ()
    words_of_pieces: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """A soft alignment under a name, such as ``attention`` or ``gradient-x-input``.

    Args:
        name: as the page shows it; layers of one name belong together across sentences.
        words: (T, S) between words, or (T, S + 1) with the null word last; what is negative or not finite counts as 0.
        pieces: (T', S') between pieces, or one longer with eos last; ``None`` if not known.
        relative: whether the layer has no scale of its own, so that it is shaded by its largest value in the sentence
            in place of 1.
    """

    name: str
    words: Weights
    pieces: Weights | None = None
    relative: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A target sentence and what is known of it.

    Args:
        text: its words and pieces.
        layers: soft alignments; the first is shown first.
        links: links between words under names, such as ``links``.
        gold: known links.
        measures: numbers under names, to sort and filter by; ``None`` where there is none.
        log_probs: of each piece, in nats, that of eos last; may be empty.
    """

    text: Text
    layers: tuple[Layer, ...] = ()
    links: Mapping[str, Links] = field(default_factory=dict)
    gold: Links | None = None
    measures: Mapping[str, float | None] = field(default_factory=dict)
    log_probs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """A continuation that a beam ranked.

    Args:
        parent: index of the branch that it continues, or -1.
        piece: what it adds, in letters; empty for eos.
        log_prob: of that piece, in nats.
        total: log-probability up to it, in nats.
        score: what it would be ranked by.
        fate: what became of it.
    """

    parent: int
    piece: str
    log_prob: float
    total: float
    score: float
    fate: Fate


@dataclass(frozen=True, slots=True)
class Tree:
    """What a beam search ranked.

    Args:
        branches: parents before their children.
        returned: the branch that each hypothesis ends in, best first; ``None`` where it is not in the tree.
    """

    branches: tuple[Branch, ...]
    returned: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A sentence of a report.

    Args:
        number: of the line, from 1.
        source: the source sentence.
        targets: one, or an n-best list, best first.
        tree: of the search, if it was recorded.
        note: what a reader should know of the line; empty where all is well.
    """

    number: int
    source: Text
    targets: tuple[Target, ...]
    tree: Tree | None = None
    note: str = ""

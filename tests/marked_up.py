"""Translations made by hand, of given texts and weights, to test markup without a model."""

from __future__ import annotations

import random

import numpy
import torch

from nmt.search.hypothesis import Hypothesis
from nmt.text.words import words_in_pieces
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine, pieces_of_words


def pieces_of(text: str, *, longest: int = 3, seed: int = 0) -> Pieces:
    """Cut each word of a text into pieces of up to so many characters."""
    draw = random.Random(seed)
    letters: list[str] = []
    for word in text.split():
        rest = f"\u2581{word}"
        while rest:
            size = draw.randint(1, longest) + (rest[0] == "\u2581")
            letters.append(rest[:size])
            rest = rest[size:]
    return pieces_of_words(range(len(letters)), letters, words_in_pieces(letters, bytes_fall_back=False))


def translated(source: str, text: str, *, seed: int = 0, copied: bool = False, longest: int = 3) -> ScoredTarget:
    """A translation with random weights, or (``copied``) of a text by itself, piece by piece."""
    pieces = [pieces_of(each, longest=longest, seed=seed) for each in (source, text)]
    count = [len(each.ids) for each in pieces]
    draw = numpy.random.default_rng(seed)
    weights = draw.dirichlet(numpy.full(count[0] + 1, draw.choice([0.02, 0.3, 3.0])), count[1] + 1)
    if copied:
        assert source.split() == text.split()
        weights = numpy.eye(count[1] + 1)
    tokens = list(pieces[1].ids)
    found = Hypothesis(tokens, -1.0, -1.0, [-0.1] * (len(tokens) + 1), True, weights=torch.tensor(weights))
    return ScoredTarget(SourceLine(1, source, pieces[0]), text, pieces[1], found)

"""Distinct sentence pairs of the wanted lengths, in parts that share no source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tools.corpus.draws import Draws
from tools.corpus.sentences import draw_sentence
from tools.corpus.words import Pair

SHORTEST, LONGEST = 5, 40
# (weight, shortest, longest) in German words
_LENGTHS = ((24, 5, 8), (33, 9, 12), (25, 13, 18), (10, 19, 25), (8, 26, 40))
_PATIENCE = 20_000


class ExhaustedError(Exception):
    """The grammar gives no further sentence that differs from those before."""


class Generator:
    """An endless stream of distinct pairs.

    Args:
        seed: The same seed gives the same pairs everywhere.
        shortest: Words that both sides have at least.
        longest: Words that both sides have at most.
    """

    def __init__(self, seed: int, shortest: int = SHORTEST, longest: int = LONGEST) -> None:
        self._draws = Draws(seed)
        self._shortest, self._longest = shortest, longest
        self._bands = tuple(
            (weight, (max(low, shortest), min(high, longest)))
            for weight, low, high in _LENGTHS
            if low <= longest and high >= shortest
        )
        self._seen: set[bytes] = set()

    def pairs(self, count: int) -> Iterator[Pair]:
        """Yield `count` further pairs.

        Raises:
            ExhaustedError: If thousands of draws in a row bring nothing new.
        """
        for done in range(count):
            yield self._next(done)

    def _next(self, done: int) -> Pair:
        low, high = self._draws.weighted(self._bands)
        for _ in range(_PATIENCE):
            sentence = draw_sentence(self._draws, self._draws.between(low, high))
            words, english = sentence.lengths()
            if not (low <= words <= high and self._shortest <= english <= self._longest):
                continue
            pair = sentence.pair()
            key = hashlib.blake2b(pair.source.encode(), digest_size=8).digest()
            if key not in self._seen:
                self._seen.add(key)
                return pair
        raise ExhaustedError(
            f"the grammar gave no new sentence of {low} to {high} words in {_PATIENCE} draws, after"
            " {len(self._seen)}"
            f" distinct ones; ask for fewer than {done} pairs in this part, or allow other lengths"
        )

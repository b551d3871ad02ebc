"""Random draws that come out the same on every machine and Python version."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """A stream of draws from one seed.

    Built on `random.Random(seed).random()` alone: the standard library promises that this sequence never changes, which
    it does not promise of `choice`, `shuffle` or `sample`.

    Args:
        seed: Any integer.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, bound: int) -> int:
        """Return an integer from 0 up to, but not including, `bound`."""
        return int(self._random() * bound)

    def between(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included."""
        return low + int(self._random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self._random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """Return one of `items`, all equally likely."""
        return items[int(self._random() * len(items))]

    def weighted(self, items: Sequence[tuple[int, T]]) -> T:
        """Return one of `(weight, item)`, each as likely as its integer weight says."""
        mark = int(self._random() * sum(weight for weight, _ in items))
        for weight, item in items:
            if mark < weight:
                return item
            mark -= weight
        raise ValueError("the weights must sum to more than 0")

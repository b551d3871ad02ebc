"""Lines of all clients that wait to be translated, and which of them are translated together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from nmt.search.search_config import SearchConfig
from nmt.translation.lines import Translation
from nmt.translation.requests.request import Request

SHARE = 32
"""Lines of a call that have their turn at once; the following ones come later, so that long calls leave room."""
ALIKE = 3
"""Times that a line may be as long as another in its batch."""
SHORT = 16
"""Pieces up to which lines are alike in any case."""
_BYTES = 4  # of a piece, in scripts of all kinds at least


class Caller(Protocol):
    """Whoever asked for lines."""

    @property
    def waits(self) -> bool:
        """Whether it still wants to know."""
        ...

    def deliver(self, place: int, translation: Translation) -> None:
        """Take the translation of its line in a place."""

    def fail(self, error: BaseException) -> None:
        """Take an error in place of translations."""


@dataclass(eq=False, slots=True)
class Waiting:
    """A line that waits.

    Args:
        request: the line.
        search: how to search for it.
        caller: who asked for it.
        place: in the call, from 0.
        grows: whether its text is wanted while it grows.
    """

    request: Request
    search: SearchConfig
    caller: Caller
    place: int = 0
    grows: bool = False
    pieces: int = field(init=False)

    def __post_init__(self) -> None:
        self.pieces = len(self.request.text.encode("utf-8", "surrogatepass")) // _BYTES + 1

    def fits(self, other: Waiting) -> bool:
        """Whether both can be translated in one batch, without much padding."""
        short, long = sorted((self.pieces, other.pieces))
        return self.grows == other.grows and self.search == other.search and (long <= SHORT or long <= ALIKE * short)


class Queue:
    """Lines in the order of their turns: the oldest first, and of a long call ``SHARE`` lines a turn."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, int, Waiting]] = []
        self._tickets = itertools.count()
        self._turn = 0

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def callers(self) -> set[Caller]:
        """Who has lines in it."""
        return {line.caller for _, _, line in self._lines}

    def add(self, lines: Iterable[Waiting]) -> None:
        """Append the lines of a call."""
        for line in lines:
            self._lines.append((self._turn + line.place // SHARE, next(self._tickets), line))

    def remove(self, caller: Caller) -> None:
        """Take out the lines of a caller."""
        self._lines = [each for each in self._lines if each[2].caller is not caller]

    def take(self, batch_tokens: int, lines: int) -> list[Waiting]:
        """Take the next line and those that fit to it, in the order of their turns, up to a budget.

        Args:
            batch_tokens: pieces, including padding and the hypotheses of the beam.
            lines: most lines.
        """
        self._turn += 1
        taken: list[Waiting] = []
        left: list[tuple[int, int, Waiting]] = []
        longest = 0
        for each in sorted(self._lines, key=lambda each: each[:2]):
            line = each[2]
            padded = max(longest, line.pieces) * (len(taken) + 1) * line.search.width
            if taken and (len(taken) == lines or padded > batch_tokens or not line.fits(taken[0])):
                left.append(each)
            else:
                taken.append(line)
                longest = max(longest, line.pieces)
        self._lines = left
        return taken

"""Spoken commands: sentences by a small grammar, in which no word tells the next; those of the tests are kept apart."""

from __future__ import annotations

from random import Random
from zlib import crc32

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACTIONS = ("bring", "take", "place", "hide", "move", "count")
COLOURS = ("red", "green", "blue", "white", "yellow", "black")
THINGS = ("lamp", "box", "ball", "chair", "window", "garden")
SIDES = ("left", "right", "under", "behind")
TIMES = ("now", "again", "soon", "later")
PATTERNS = (
    (ACTIONS, COLOURS, THINGS, TIMES),
    (ACTIONS, DIGITS, THINGS, SIDES, COLOURS, THINGS),
    (ACTIONS, COLOURS, THINGS, SIDES, DIGITS),
    (ACTIONS, DIGITS, DIGITS, COLOURS, TIMES),
    (DIGITS, DIGITS, DIGITS, DIGITS, DIGITS),
    (TIMES, ACTIONS, THINGS, DIGITS, DIGITS),
)
WORDS = tuple(sorted({word for pattern in PATTERNS for choices in pattern for word in choices}))
"""Every word that a sentence can have."""


def draw_sentence(random: Random, *, for_test: bool) -> list[str]:
    """Draw the words of a sentence; one in five sentences is for tests, and never drawn otherwise."""
    while True:
        words = [random.choice(choices) for choices in random.choice(PATTERNS)]
        if (crc32(" ".join(words).encode()) % 5 == 0) == for_test:
            return words

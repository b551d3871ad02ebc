"""What speaks: a voice gives the samples of a sentence and tells when each word is heard."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple, Protocol

import numpy
from numpy.typing import NDArray

RATE = 22_050
"""Samples a second, those of espeak-ng."""


class Spoken(NamedTuple):
    """A sentence as sound.

    Args:
        samples: (N,) between -1 and 1.
        spans: begin and end of each word in seconds; ``None`` for a word that has no time of its own.
    """

    samples: NDArray[Any]
    spans: list[tuple[float, float] | None]


class Voice(Protocol):
    """A speaker."""

    def say(self, words: list[str], random: Random) -> Spoken:
        """Say a sentence."""
        ...


def recorded(spoken: Spoken, random: Random) -> Spoken:
    """Put silence around a sentence, and noise and another loudness over it, as a microphone does."""
    noise = numpy.random.default_rng(random.getrandbits(64))
    before, after = (random.uniform(0.05, 0.3) for _ in range(2))
    samples = numpy.concatenate([numpy.zeros(int(before * RATE)), spoken.samples, numpy.zeros(int(after * RATE))])
    samples = samples * (random.uniform(0.2, 0.8) / numpy.abs(samples).max())
    samples = samples + noise.normal(scale=10 ** random.uniform(-4, -2.5), size=len(samples))
    shift = int(before * RATE) / RATE
    spans = [None if span is None else (span[0] + shift, span[1] + shift) for span in spoken.spans]
    return Spoken(samples, spans)

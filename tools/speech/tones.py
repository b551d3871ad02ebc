"""Voices that need no synthesiser: every word is three tones with overtones."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy

from tools.speech.sentences import WORDS
from tools.speech.voices import RATE, Spoken

STEP = 3.0  # semitones between two tones of the scale; voices differ by less
LOWEST = 220.0
SCALE = 5


@dataclass(frozen=True)
class ToneVoice:
    """A timbre.

    Args:
        transposition: semitones above the lowest voice.
        decay: how much softer each overtone is.
        tempo: tones a second.
    """

    transposition: float
    decay: float
    tempo: float

    def say(self, words: list[str], random: Random) -> Spoken:
        """Play three tones a word, and silence after it."""
        parts, spans, reached = [], [], 0
        for word in words:
            number = WORDS.index(word)
            tones = [number // SCALE**place % SCALE for place in range(3)]
            sound = numpy.concatenate([self._tone(tone, random) for tone in tones])
            spans.append((reached / RATE, (reached + len(sound)) / RATE))
            pause = numpy.zeros(int(random.uniform(0.03, 0.1) * RATE))
            parts += [sound, pause]
            reached += len(sound) + len(pause)
        return Spoken(numpy.concatenate(parts), list(spans))

    def _tone(self, place: int, random: Random) -> numpy.ndarray:
        frequency = LOWEST * 2 ** ((STEP * place + self.transposition) / 12)
        time = numpy.arange(int(random.uniform(0.9, 1.1) / self.tempo * RATE)) / RATE
        overtones = sum(self.decay**n * numpy.sin(2 * numpy.pi * frequency * (n + 1) * time) for n in range(4))
        return numpy.asarray(overtones) * numpy.sin(numpy.pi * numpy.arange(len(time)) / len(time))


def tone_voices(*, seen: bool) -> list[ToneVoice]:
    """Return the voices for training, or others that lie between them."""
    shift = 0.0 if seen else 0.15
    return [
        ToneVoice(transposition=pitch + shift, decay=decay + shift / 2, tempo=tempo + 10 * shift)
        for pitch in (0.0, 0.4, 0.8, 1.2)
        for decay in (0.3, 0.5, 0.7)
        for tempo in (9.0, 12.0)
    ]

"""Voices of espeak-ng, by its library, which tells when each word begins."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import itertools
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy

from tools.speech.voices import RATE, Spoken

ACCENTS = ("en-us", "en", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
SEEN = ("m1", "m2", "m3", "m4", "m5", "m6", "f1", "f2", "f3", "f4", "Andy", "Annie", "edward", "linda", "steph", "paul")
UNSEEN = ("m7", "m8", "f5", "belinda", "john", "Denis")

# From speak_lib.h
_SYNCHRONOUS, _UTF8, _POSITION_BY_CHARACTER = 2, 1, 1
_RATE, _PITCH = 1, 3
_LIST_TERMINATED, _WORD, _END = 0, 1, 5


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_uint64),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Synthesiser:
    """The library, started once; the bytes of a sentence depend on those before it too."""

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, 0)
        if rate != RATE:
            raise OSError(f"espeak-ng gives {rate} samples a second, not {RATE}")
        self._sound: list[bytes] = []
        self._events: list[tuple[int, int, float]] = []
        self._callback = _Callback(self._heard)  # kept, as the library keeps only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def _heard(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._sound.append(ctypes.string_at(samples, 2 * count))
        for event in itertools.takewhile(lambda each: each.type != _LIST_TERMINATED, iter_events(events)):
            self._events.append((event.type, event.text_position, event.audio_position / 1000))
        return 0

    def say(self, words: list[str], voice: str, *, speed: int, pitch: int) -> Spoken:
        """Say a sentence, with words a minute and a pitch from 0 to 99."""
        self._sound.clear()
        self._events.clear()
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise OSError(f"espeak-ng has no voice {voice}")
        self._library.espeak_SetParameter(_RATE, speed, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        text = " ".join(words).encode() + b"\0"
        self._library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, _POSITION_BY_CHARACTER, 0, _UTF8, None, None)
        samples = numpy.frombuffer(b"".join(self._sound), "<i2") / 2.0**15
        return Spoken(samples, word_spans(words, self._events))


def iter_events(events: Any) -> Any:
    """Yield the events of an array without an end."""
    return (events[index] for index in itertools.count())


def word_spans(words: list[str], events: list[tuple[int, int, float]]) -> list[tuple[float, float] | None]:
    """Return the span of each word from kinds, positions in the text (from 1) and times of events.

    A word ends where the next one begins, or the sentence ends. Words that espeak-ng joins, such as "in the", have no
    time of their own.
    """
    begins = {position - 1: time for kind, position, time in events if kind == _WORD}
    end = max((time for kind, _, time in events if kind == _END), default=0.0)
    places = list(itertools.accumulate((len(word) + 1 for word in words), initial=0))
    times = [begins.get(place) for place in places[:-1]] + [end]
    return [
        (begin, after) if begin is not None and after is not None and begin < after else None
        for begin, after in itertools.pairwise(times)
    ]


@dataclass(frozen=True)
class EspeakVoice:
    """A voice of an accent and a variant, such as ``en-us+f2``."""

    synthesiser: Synthesiser
    name: str

    def say(self, words: list[str], random: Random) -> Spoken:
        """Say a sentence at some speed and pitch."""
        return self.synthesiser.say(words, self.name, speed=random.randint(140, 200), pitch=random.randint(35, 65))


@functools.cache
def find_synthesiser() -> Synthesiser | None:
    """Start the library, or return ``None`` where it is not installed."""
    path = ctypes.util.find_library("espeak-ng")
    return None if path is None else Synthesiser(path)


def espeak_voices(synthesiser: Synthesiser, *, seen: bool) -> list[EspeakVoice]:
    """Return the voices for training, or others."""
    variants = SEEN if seen else UNSEEN
    return [EspeakVoice(synthesiser, f"{accent}+{variant}") for accent in ACCENTS for variant in variants]

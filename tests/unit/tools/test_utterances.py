"""Generated recordings: the words are heard when they are said to be, and a seed tells every byte."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy
import pytest

from tools.speech.espeak import word_spans
from tools.speech.sentences import PATTERNS, WORDS, draw_sentence
from tools.speech.tones import tone_voices
from tools.speech.voices import RATE, recorded
from tools.utterances import main

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "utterances.py"
SMALL = ["--tones", "--train", "4", "--validation", "2", "--test", "12", "--unseen", "3"]


def lines(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text(encoding="utf-8").splitlines()


def recordings(folder: Path, part: str) -> Iterator[tuple[numpy.ndarray, list[str], list[dict]]]:
    names = (lines(folder, f"{part}.{name}") for name in ("sounds", "en", "regions"))
    for path, text, regions in zip(*names, strict=True):
        with wave.open(str(folder / path)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
            samples = numpy.frombuffer(file.readframes(file.getnframes()), "<i2") / 2**15
        yield samples, text.split(), json.loads(regions)


def test_it_runs_from_anywhere_and_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "one", *SMALL]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
    assert "4 for train, 2 for validation, 12 for test, 3 for unseen: in one, by 24 voices of tones" in done.stdout
    assert main([str(tmp_path / "other"), *SMALL[:-1], "1"]) == 0
    assert main([str(tmp_path / "third"), *SMALL, "--seed", "2"]) == 0
    for path in [*(tmp_path / "one").glob("test/*.wav"), *(tmp_path / "one").glob("test.*")]:
        name = path.relative_to(tmp_path / "one")
        assert path.read_bytes() == (tmp_path / "other" / name).read_bytes()
        if path.suffix != ".sounds":
            assert path.read_bytes() != (tmp_path / "third" / name).read_bytes()


def test_words_are_loud_and_the_silence_around_them_is_not(tmp_path: Path) -> None:
    main([str(tmp_path), *SMALL])
    for samples, words, regions in recordings(tmp_path, "test"):
        assert [region["word"] for region in regions] == list(range(len(words)))
        heard = numpy.zeros(len(samples), dtype=bool)
        for begin, end in (region["span"] for region in regions):
            part = slice(int(begin * RATE), int(end * RATE))
            assert not heard[part].any() and end <= len(samples) / RATE
            heard[part] = True
            assert numpy.abs(samples[part]).max() > 0.05
        margin = numpy.convolve(heard, numpy.ones(2 * int(0.002 * RATE) + 1), "same") > 0  # times are rounded
        assert numpy.abs(samples[~margin]).max() < 0.03


def test_a_word_sounds_alike_in_every_sentence_and_another_word_does_not() -> None:
    voice = tone_voices(seen=True)[0]

    def spectrum(word: str, seed: int) -> numpy.ndarray:
        samples, ((begin, end),) = voice.say([word], Random(seed))
        part = numpy.abs(numpy.fft.rfft(samples[int(begin * RATE) : int(end * RATE)], 8192))
        return part / numpy.linalg.norm(part)

    assert spectrum("red", 1) @ spectrum("red", 2) > 0.8
    assert len({tuple(WORDS.index(word) // 5**place % 5 for place in range(3)) for word in WORDS}) == len(WORDS)
    assert spectrum(WORDS[0], 1) @ spectrum(WORDS[31], 1) < 0.5


def test_no_sentence_of_a_test_is_drawn_for_training_and_no_word_tells_the_next() -> None:
    sides = [{" ".join(draw_sentence(Random(seed), for_test=side)) for seed in range(300)} for side in (False, True)]
    assert not sides[0] & sides[1] and min(map(len, sides)) > 200
    assert {word for side in sides for text in side for word in text.split()} == set(WORDS)
    assert all(len(choices) >= 4 for pattern in PATTERNS for choices in pattern)


def test_unseen_voices_are_others_and_noise_is_each_recordings_own() -> None:
    assert not set(tone_voices(seen=True)) & set(tone_voices(seen=False))
    spoken = tone_voices(seen=False)[0].say(["now"], Random(1))
    one, other = (recorded(spoken, Random(seed)) for seed in (1, 2))
    assert len(one.samples) != len(other.samples)
    ((begin, end),), ((before, after),) = one.spans, spoken.spans
    assert end - begin == pytest.approx(after - before) and 0.05 <= begin - before <= 0.3


def test_words_that_a_synthesiser_joins_have_no_time_of_their_own() -> None:
    events = [(1, 1, 0.0), (1, 4, 0.2), (7, 4, 0.25), (1, 11, 0.6), (5, 14, 0.9)]
    assert word_spans(["go", "on", "the", "way"], events) == [(0.0, 0.2), None, None, (0.6, 0.9)]


def test_wrong_options_and_folders_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--train", "-1"])
    assert "must be 0 or more, but is -1" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file"), *SMALL]) == 1
    assert "utterances.py: error: " in capsys.readouterr().err

"""Write recordings of spoken commands with their words and the time of each word, by espeak-ng or as tones."""

from __future__ import annotations

import argparse
import json
import sys
import wave
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from tools.speech.espeak import espeak_voices, find_synthesiser
from tools.speech.sentences import draw_sentence
from tools.speech.tones import tone_voices
from tools.speech.voices import RATE, Voice, recorded

PARTS = {"train": 4_000, "validation": 200, "test": 500, "unseen": 500}

_EXAMPLES = """\
examples:
  python tools/utterances.py utterances --seed 1
      4,000 recordings for training, 200 for validation, 500 for the test, and 500 by voices that training has not
  python tools/utterances.py small --tones --train 200 --validation 20 --test 20 --unseen 20

For each part, such as test, it writes test/*.wav (22,050 samples a second, 16 bits, one channel) and
  test.sounds   paths of the recordings, one a line
  test.en       what is said, such as: take green lamp right five
  test.regions  a JSON list a line, of words, from 0, and begin and end in seconds of what is heard of them, such as:
                [{"word": 0, "span": [0.21, 0.52]}]
No sentence of a test is in training. Without espeak-ng, or with --tones, every word is three tones, and voices differ
by pitch, timbre and tempo. The same arguments give the same files (with the same version of espeak-ng).
"""


def _number(text: str) -> int:
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, but is {text}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="utterances.py",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where the files go; created if missing")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random draws (default: %(default)s)")
    parser.add_argument("--tones", action="store_true", help="tones, also where espeak-ng is installed")
    for part, count in PARTS.items():
        parser.add_argument(
            f"--{part}", type=_number, default=count, metavar="N", help="recordings (default: %(default)s)"
        )
    return parser


def write_wav(path: Path, samples: NDArray[Any]) -> None:
    """Write samples between -1 and 1 as 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples.clip(-1, 1) * (2**15 - 1)).round().astype("<i2").tobytes())


def write_part(folder: Path, part: str, count: int, *, seed: int, voices: Sequence[Voice]) -> None:
    """Write the recordings and the files of a part."""
    (folder / part).mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = {name: [] for name in ("sounds", "en", "regions")}
    for number in range(count):
        random = Random(f"{seed} {part} {number}")
        words, path = draw_sentence(random, for_test=part in ("test", "unseen")), f"{part}/{number:05}.wav"
        spoken = recorded(random.choice(voices).say(words, random), random)
        write_wav(folder / path, spoken.samples)
        regions = [
            {"word": place, "span": [round(edge, 3) for edge in span]}
            for place, span in enumerate(spoken.spans)
            if span is not None
        ]
        lines["sounds"].append(path)
        lines["en"].append(" ".join(words))
        lines["regions"].append(json.dumps(regions))
    for name, texts in lines.items():
        (folder / f"{part}.{name}").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        synthesiser = None if options.tones else find_synthesiser()
        voices: dict[bool, Sequence[Voice]] = {}
        for seen in (True, False):
            voices[seen] = tone_voices(seen=seen) if synthesiser is None else espeak_voices(synthesiser, seen=seen)
        for part in PARTS:
            write_part(options.folder, part, getattr(options, part), seed=options.seed, voices=voices[part != "unseen"])
    except OSError as error:
        print(f"utterances.py: error: {error}", file=sys.stderr)
        return 1
    if synthesiser is None and not options.tones:
        print("espeak-ng is not installed, so that words are tones; apt-get install espeak-ng", file=sys.stderr)
    written = ", ".join(f"{getattr(options, part):,} for {part}" for part in PARTS)
    kind = "tones" if synthesiser is None else "espeak-ng"
    print(
        f"{written}: in {options.folder}, by {len(voices[True])} voices of {kind} and {len(voices[False])} unseen ones"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

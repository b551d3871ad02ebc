"""Write pictures of coloured shapes with captions, the boxes of what each word names, and questions with answers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from tools.scenery.captions import Word, caption, some_questions
from tools.scenery.drawing import draw_picture
from tools.scenery.layout import draw_scene

PARTS = {"train": 12_000, "validation": 500, "test": 1_000}

_EXAMPLES = """\
examples:
  python tools/scenes.py scenes --seed 1
      12,000 pictures for training, 500 for validation and 1,000 for the test into the folder scenes
  python tools/scenes.py small --train 200 --validation 50 --test 50

For each part, such as test, it writes test/*.png and
  test.images     paths of the pictures, one a line
  test.en         their captions, such as: a red star left of a blue ring
  test.regions    a JSON list a line, of the words that name a shape, from 0, and its box in pixels: left, top, right,
                  bottom, such as: [{"word": 1, "box": [8, 30, 40, 62]}]
  test.questions  a picture and a question about it, with a tabulator between them
  test.answers    the answers, of a word each
The same arguments give the same scenes on every machine, and each scene depends on the seed, its part and its number
alone. Paths are relative to the folder.
"""


def _at_least(least: int) -> type[int]:
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be {least:,} or more, but is {text}")
        return int(text)

    return number  # type: ignore[return-value]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scenes.py",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where the files go; created if missing")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random draws (default: %(default)s)")
    for part, count in PARTS.items():
        parser.add_argument(
            f"--{part}", type=_at_least(0), default=count, metavar="N", help="pictures (default: %(default)s)"
        )
    parser.add_argument(
        "--size", type=_at_least(32), default=128, metavar="N", help="pixels on a side (default: %(default)s)"
    )
    parser.add_argument(
        "--questions", type=_at_least(1), default=2, metavar="N", help="for each picture (default: %(default)s)"
    )
    return parser


def write_part(folder: Path, part: str, count: int, *, seed: int, size: int, questions: int) -> None:
    """Write the pictures and the files of a part."""
    (folder / part).mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = {name: [] for name in ("images", "en", "regions", "questions", "answers")}
    for number in range(count):
        random = Random(f"{seed} {part} {number}")
        scene, path = draw_scene(random), f"{part}/{number:05}.png"
        draw_picture(scene, size, random).save(folder / path)
        words = caption(scene)
        lines["images"].append(path)
        lines["en"].append(" ".join(word.text for word in words))
        lines["regions"].append(json.dumps(list(_regions(words, size))))
        for question, answer in some_questions(scene, questions, random):
            lines["questions"].append(f"{path}\t{question}")
            lines["answers"].append(answer)
    for name, content in lines.items():
        text = "".join(line + "\n" for line in content)
        (folder / f"{part}.{name}").write_text(text, encoding="utf-8", newline="\n")


def _regions(words: Iterable[Word], size: int) -> Iterable[dict[str, object]]:
    for index, word in enumerate(words):
        if word.thing is not None:
            yield {"word": index, "box": [round(edge * size, 1) for edge in word.thing.box]}


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        for part in PARTS:
            write_part(
                arguments.folder,
                part,
                getattr(arguments, part),
                seed=arguments.seed,
                size=arguments.size,
                questions=arguments.questions,
            )
    except OSError as error:
        print(f"scenes.py: error: {error}", file=sys.stderr)
        return 1
    print(f"{', '.join(f'{getattr(arguments, part):,} for {part}' for part in PARTS)}: in {arguments.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

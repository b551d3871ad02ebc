"""Write pictures of coloured shapes with captions, the boxes of what each word names, and questions with answers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from tools.scenery.captions import Word, caption, requests, some_questions
from tools.scenery.drawing import draw_picture
from tools.scenery.layout import draw_scene
from tools.scenery.parts import at_least, generate, parser_of, write_lists

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
  test.requests   a picture and what teaches to see: a request to describe it, or where a thing stands in it
  test.replies    the replies
The same arguments give the same scenes on every machine, and each scene depends on the seed, its part and its number
alone. Paths are relative to the folder.
"""


def write_part(options: argparse.Namespace, part: str, count: int) -> None:
    """Write the pictures and the files of a part."""
    lists: dict[str, list[str]] = {
        name: [] for name in ("images", "en", "regions", "questions", "answers", "requests", "replies")
    }
    for number in range(count):
        random = Random(f"{options.seed} {part} {number}")
        scene, path = draw_scene(random), f"{part}/{number:05}.png"
        draw_picture(scene, options.size, random).save(options.folder / path)
        words = caption(scene)
        lists["images"].append(path)
        lists["en"].append(" ".join(word.text for word in words))
        lists["regions"].append(json.dumps(list(_regions(words, options.size))))
        for question, answer in some_questions(scene, options.questions, random):
            lists["questions"].append(f"{path}\t{question}")
            lists["answers"].append(answer)
        for request, reply in requests(scene):
            lists["requests"].append(f"{path}\t{request}")
            lists["replies"].append(reply)
    write_lists(options.folder, part, lists)


def _regions(words: Iterable[Word], size: int) -> Iterable[dict[str, object]]:
    for index, word in enumerate(words):
        if word.thing is not None:
            yield {"word": index, "box": [round(edge * size, 1) for edge in word.thing.box]}


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = parser_of("scenes.py", __doc__, _EXAMPLES, parts=PARTS, size=128)
    parser.add_argument(
        "--questions", type=at_least(1), default=6, metavar="N", help="for each picture (default: %(default)s)"
    )
    return generate(parser, argv, PARTS, write_part)


if __name__ == "__main__":
    sys.exit(main())

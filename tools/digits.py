"""Write pictures of two digits among clutter, what they are from left to right, and the box of each."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from tools.scenery.clutter import draw_digits
from tools.scenery.parts import at_least, generate, parser_of, write_lists

PARTS = {"train": 8_000, "validation": 500, "test": 1_000}

_EXAMPLES = """\
examples:
  python tools/digits.py digits --seed 1
      8,000 pictures for training, 500 for validation and 1,000 for the test into the folder digits
  python tools/digits.py small --train 200 --validation 50 --test 50 --fragments 0

For each part, such as test, it writes test/*.png and
  test.images     paths of the pictures, one a line
  test.digits     their digits from left to right, such as: 3 7
  test.regions    a JSON list a line, of the box of each digit in pixels: left, top, right, bottom, such as:
                  [{"word": 0, "box": [8, 30, 20, 47]}, {"word": 1, "box": [35, 4, 47, 20]}]
Digits are of the DejaVu and STIX fonts that matplotlib brings along, and clutter is made of pieces of other digits. The
same arguments give the same digits, and each picture depends on the seed, its part and its number alone. Paths are
relative to the folder.
"""


def write_part(options: argparse.Namespace, part: str, count: int) -> None:
    """Write the pictures and the files of a part."""
    lists: dict[str, list[str]] = {name: [] for name in ("images", "digits", "regions")}
    for number in range(count):
        path = f"{part}/{number:05}.png"
        picture, digits = draw_digits(Random(f"{options.seed} {part} {number}"), options.size, options.fragments)
        picture.save(options.folder / path)
        lists["images"].append(path)
        lists["digits"].append(" ".join(digit.text for digit in digits))
        lists["regions"].append(
            json.dumps([{"word": index, "box": list(digit.box)} for index, digit in enumerate(digits)])
        )
    write_lists(options.folder, part, lists)


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = parser_of("digits.py", __doc__, _EXAMPLES, parts=PARTS, size=64)
    parser.add_argument(
        "--fragments",
        type=at_least(0),
        default=8,
        metavar="N",
        help="pieces of other digits in each picture (default: %(default)s)",
    )
    return generate(parser, argv, PARTS, write_part)


if __name__ == "__main__":
    sys.exit(main())

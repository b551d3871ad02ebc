"""What generators of pictures share: their arguments, and the lists that they write beside the pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

PartWriter = Callable[[argparse.Namespace, str, int], None]
"""Writes so many pictures of a part, such as ``test``, and its lists."""


def at_least(least: int) -> type[int]:
    """Type of an argument that is a whole number with a lower bound."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be {least:,} or more, but is {text}")
        return int(text)

    return number  # type: ignore[return-value]


def parser_of(
    name: str, description: str | None, examples: str, *, parts: Mapping[str, int], size: int
) -> argparse.ArgumentParser:
    """Make the parser of a generator.

    Args:
        name: of the script.
        description: what it does.
        examples: printed below the options.
        parts: how many pictures each part has by default.
        size: pixels on a side by default.
    """
    parser = argparse.ArgumentParser(
        prog=name, description=description, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where the files go; created if missing")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random draws (default: %(default)s)")
    for part, count in parts.items():
        parser.add_argument(
            f"--{part}", type=at_least(0), default=count, metavar="N", help="pictures (default: %(default)s)"
        )
    parser.add_argument(
        "--size", type=at_least(32), default=size, metavar="N", help="pixels on a side (default: %(default)s)"
    )
    return parser


def write_lists(folder: Path, part: str, lists: Mapping[str, Sequence[str]]) -> None:
    """Write the lines of each list into a file such as ``test.images``."""
    for name, lines in lists.items():
        text = "".join(line + "\n" for line in lines)
        (folder / f"{part}.{name}").write_text(text, encoding="utf-8", newline="\n")


def generate(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, parts: Iterable[str], write: PartWriter
) -> int:
    """Write all parts; returns the exit code."""
    options = parser.parse_args(argv)
    try:
        for part in parts:
            (options.folder / part).mkdir(parents=True, exist_ok=True)
            write(options, part, getattr(options, part))
    except OSError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    print(f"{', '.join(f'{getattr(options, part):,} for {part}' for part in parts)}: in {options.folder}")
    return 0

"""Cut slices of growing size out of two parallel files, each a prefix of the next, always the same for a seed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from nmt.core.errors import DataError
from nmt.core.seeding import derive_seed
from nmt.core.storage.files import reporting_os_errors, write_lines
from nmt.data.corpus import read_pairs
from nmt.data.corpus.text import TextCorpusConfig
from tools.running import count, status_of

SIZES = (5_000, 10_000, 20_000, 40_000)

_EXAMPLES = """\
examples:
  python tools/slices.py tatoeba/train.de tatoeba/train.en slices
      slices/5000/train.de, slices/5000/train.en, slices/10000/train.de, ...
  python tools/slices.py train.de train.en slices --sizes 2000 4000 --seed 2

Pairs are drawn at random, and stand in the order in which they are drawn, so that a slice is the first lines of every
larger one. The same files and seed give the same bytes on every machine.
"""


def drawn(pairs: int, size: int, seed: int) -> list[int]:
    """Return the numbers of the pairs of a slice, from 0, in the order in which they are drawn.

    Raises:
        DataError: there are not that many pairs.
    """
    if size > pairs:
        raise DataError(f"a slice must have at most as many pairs as the files, {pairs}, but should have {size}")
    # By a hash, not by a generator of random numbers, which may draw others in the next version of its library.
    return sorted(range(pairs), key=lambda pair: (derive_seed(seed, "slice", pair), pair))[:size]


def _main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="slices.py", description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="source sentences, one a line")
    parser.add_argument("target", type=Path, help="their translations")
    parser.add_argument("folder", type=Path, help="where the slices go, each in a folder named by its size")
    parser.add_argument("--sizes", type=count, nargs="+", default=SIZES, help="pairs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the draw (default: %(default)s)")
    options = parser.parse_args(arguments)
    corpus = TextCorpusConfig(source=str(options.source.absolute()), target=str(options.target.absolute()))
    pairs = read_pairs(corpus, Path())
    sides = {options.source: list(pairs.sources()), options.target: list(pairs.targets())}
    order = drawn(len(pairs), max(options.sizes), options.seed)
    with reporting_os_errors("write the slices"):
        for size in options.sizes:
            folder = options.folder / str(size)
            folder.mkdir(parents=True, exist_ok=True)
            for path, lines in sides.items():
                write_lines(folder / path.name, [lines[pair] for pair in order[:size]])
            print(f"{size} pairs: {folder}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit code."""
    return status_of(lambda: _main(arguments))


if __name__ == "__main__":
    sys.exit(main())

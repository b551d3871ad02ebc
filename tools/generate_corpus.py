"""Write the quickstart corpus: German-English sentence pairs of a synchronous grammar, with gold word alignments."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from tools.corpus.files import write_part
from tools.corpus.generator import LONGEST, SHORTEST, ExhaustedError, Generator
from tools.corpus.statistics import Statistics
from tools.corpus.words import Pair

_EXAMPLES = """\
examples:
  python tools/generate_corpus.py corpus
      30,000 training, 1,000 validation and 1,000 test pairs into the folder corpus
  python tools/generate_corpus.py small --seed 7 --train 2000 --validation 100 --test 100
      a small one from another seed
  python tools/generate_corpus.py long --min-words 20 --max-words 40
      long sentences only

It writes train.de, train.en, train.align and likewise validation and test. Line k of the three belongs together;
a line of .align holds sure links i-j (Pharaoh): word i of the German and word j of the English line, counted from 0
over white-space words. The same arguments give the same bytes on every machine. Test and validation are drawn first,
so they do not change with --train.
"""


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, but is {number}")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="generate_corpus.py",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="OUTPUT_DIR", type=Path, help="folder for the nine files; created if missing")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random draws (default: %(default)s)")
    parser.add_argument(
        "--train", type=_count, default=30_000, metavar="N", help="training pairs (default: %(default)s)"
    )
    parser.add_argument(
        "--validation", type=_count, default=1_000, metavar="N", help="validation pairs (default: %(default)s)"
    )
    parser.add_argument("--test", type=_count, default=1_000, metavar="N", help="test pairs (default: %(default)s)")
    parser.add_argument(
        "--min-words", type=int, default=SHORTEST, metavar="N", help="fewest words per side (default: %(default)s)"
    )
    parser.add_argument(
        "--max-words", type=int, default=LONGEST, metavar="N", help="most words per side (default: %(default)s)"
    )
    return parser


def _generate(arguments: argparse.Namespace) -> tuple[Statistics, list[Pair]]:
    generator = Generator(arguments.seed, arguments.min_words, arguments.max_words)
    statistics, samples = Statistics(), []
    for name in ("test", "validation", "train"):
        for pair in write_part(arguments.output, name, generator.pairs(getattr(arguments, name))):
            statistics.add(pair)
            if len(samples) < 5:
                samples.append(pair)
    return statistics, samples


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not SHORTEST <= arguments.min_words <= arguments.max_words <= LONGEST:
        parser.error(
            f"--min-words and --max-words must satisfy {SHORTEST} <= min <= max <= {LONGEST},"
            f" but are {arguments.min_words} and {arguments.max_words}"
        )
    began = time.perf_counter()
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
        statistics, samples = _generate(arguments)
    except (OSError, ExhaustedError) as error:
        print(f"generate_corpus.py: error: {error}", file=sys.stderr)
        return 1
    try:
        _report(statistics, samples, arguments.output, time.perf_counter() - began)
    except BrokenPipeError:
        sys.stdout = None  # the reader of the report is gone; the files are complete
    return 0


def _report(statistics: Statistics, samples: list[Pair], output: Path, seconds: float) -> None:
    print(*statistics.lines(), sep="\n")
    print(f"seconds                    {seconds:.1f}")
    print(f"written to                 {output}")
    for pair in samples:
        print("", pair.source, pair.target, pair.pharaoh, sep="\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""Check that translations do not depend on batch sizes, threads, processes or windows.

Translates the same lines in several ways in float32 and compares them with the first way, line by line. A line may
differ only if two hypotheses tie within 1e-4 of their score, and at most one line in 5,000 may. Prints a table.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

from nmt.core.storage.files import read_text_lines  # noqa: E402
from nmt.search.search_config import SearchConfig  # noqa: E402
from nmt.translation.model_files.bundle import open_model  # noqa: E402
from nmt.translation.output.rendering import Plan, Rendering, RenderingPool  # noqa: E402
from nmt.translation.windows import WINDOW, numbered, windows  # noqa: E402
from tools.running import count, status_of  # noqa: E402

TIE = 1e-4
ALLOWED = 1 / 5000


@dataclass(frozen=True)
class Way:
    """One way to translate."""

    name: str
    batch_tokens: int = 8192
    window: int = WINDOW
    threads: int = 1
    processes: int = 1


WAYS = (
    Way("as usual"),
    Way("batches of 2,000 pieces", batch_tokens=2000),
    Way("2 processes", processes=2),
    Way("windows of 137 lines", window=137),
    Way("batches of 65,536 pieces", batch_tokens=65_536),
    Way("2 threads", threads=2),
)


@dataclass
class Difference:
    """How a way differs from the first: lines that tie, and lines that do not."""

    ties: int = 0
    others: int = 0
    seconds: float = 0.0


def translated(plan: Plan, lines: Sequence[str], way: Way) -> list[tuple[str, float]]:
    """Translate, and return text and score of each line."""
    threads = torch.get_num_threads()
    torch.set_num_threads(way.threads)
    plan = replace(plan, batch_tokens=way.batch_tokens, format="tsv")
    try:
        with RenderingPool(plan, Rendering(plan.translator(), plan), processes=way.processes) as pool:
            stream = numbered(windows(lines, way.window), 1)
            written = b"".join(each.output for _, each in pool.translate(stream))
    finally:
        torch.set_num_threads(threads)
    rows = [row.split("\t") for row in written.decode().split("\n")[:-1]]
    return [(row[4], float(row[2])) for row in rows if row[1] == "1"]


def compared(plan: Plan, lines: Sequence[str], ways: Sequence[Way] = WAYS) -> Iterator[tuple[Way, Difference]]:
    """Translate in every way, and compare with the first one."""
    first: list[tuple[str, float]] = []
    for way in ways:
        began = time.monotonic()
        found = translated(plan, lines, way)
        first = first or found
        difference = Difference(seconds=time.monotonic() - began)
        for (text, score), (usual, usual_score) in zip(found, first, strict=True):
            if text != usual:
                tied = abs(score - usual_score) <= TIE
                difference.ties += tied
                difference.others += not tied
        yield way, difference


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/same_output.py",
        description=__doc__,
        epilog="example:\n  python tools/same_output.py runs/quickstart quickstart/corpus/train.de --lines 10000",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("input", type=Path, help="lines to translate")
    parser.add_argument("--lines", type=count, default=10_000, help="how many of them (default: 10,000)")
    parser.add_argument("--beam-size", type=count, default=5, help="(default: 5)")
    options = parser.parse_args()
    open_model(options.run)
    lines = [line for line, _ in zip(read_text_lines(options.input), range(options.lines), strict=False)]
    plan = Plan(runs=(options.run,), device="cpu", search=SearchConfig(beam_size=options.beam_size))
    print(f"{len(lines):,} lines, {options.run}, beam {options.beam_size}, float32\n")
    print("| way | lines that differ in a tie | other lines that differ | lines/s |\n|---|---|---|---|")
    sound = True
    for way, difference in compared(plan, lines):
        rate = len(lines) / difference.seconds
        print(f"| {way.name} | {difference.ties} | {difference.others} | {rate:,.0f} |", flush=True)
        sound &= not difference.others and difference.ties <= ALLOWED * len(lines)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(status_of(main))

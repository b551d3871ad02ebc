"""Measure translation: several ways of translating the same lines take turns, so that other load slows all alike.

Every way has its own processes, which load the model, translate once to warm up, and then take turns with those of the
other ways. Prints a JSON line for each way, and one with the ratios of medians to the first way of its group. The
seconds of a way are those of its slowest process: processor time with --clock cpu (for a machine with other load),
wall-clock time with --clock wall.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nmt.core.errors import DataError
from nmt.core.machine.allocator import keep_freed_memory, memory_variables
from nmt.core.storage.files import read_text_lines
from nmt.metrics.score import bleu
from nmt.search.search_config import SearchConfig
from nmt.translation.model_files.bundle import open_model
from nmt.translation.translator import BATCH_TOKENS, Translator
from tools.gemm import gemm_gflops
from tools.measuring import commit, machine, memory, print_line
from tools.running import count, status_of


@dataclass(frozen=True)
class Way:
    """One way to translate.

    Args:
        name: of the way.
        beam: beam size; 1 is greedy search.
        precision: of products.
        fast: whether weights are packed for search.
        batch_tokens: see ``Translator``.
        threads: of each process.
        processes: number of processes, which share the lines.
        repeat: how often every line is repeated in itself, for longer sentences.
    """

    name: str
    beam: int = 5
    precision: Literal["fp32", "bf16"] = "fp32"
    fast: bool = True
    batch_tokens: int = BATCH_TOKENS
    threads: int = 1
    processes: int = 1
    repeat: int = 1

    def search(self) -> SearchConfig:
        """Search of this width."""
        return SearchConfig(strategy="greedy" if self.beam == 1 else "beam", beam_size=self.beam)


GROUPS: dict[str, tuple[Way, ...]] = {
    "beam5": (Way("plain", fast=False), Way("fast"), Way("fast, bf16", precision="bf16")),
    "greedy": (
        Way("plain", beam=1, fast=False),
        Way("fast", beam=1),
        Way("fast, bf16", beam=1, precision="bf16"),
    ),
    "cores": (Way("2 threads", threads=2), Way("2 processes", processes=2), Way("1 thread")),
    "beam": tuple(Way(f"beam {beam}", beam=beam) for beam in (1, 2, 5, 10, 20)),
    "batch": tuple(Way(f"batches of {size:,}", batch_tokens=size) for size in (16384, 1024, 4096, 8192, 65536)),
    "length": tuple(Way(f"{repeat} x the length", repeat=repeat) for repeat in (1, 2, 4)),
}


@dataclass(frozen=True)
class Turn:
    """One turn of one process: processor and wall-clock seconds, peak MiB, and the translations."""

    cpu: float
    wall: float
    peak_mib: float
    texts: list[str]


def serve(connection: Connection, run: Path, way: Way, lines: Sequence[str]) -> None:
    """Translate the lines on every request; the main loop of a process."""
    keep_freed_memory()
    torch.set_num_threads(way.threads)
    translator = Translator.load(
        run,
        device="cpu",
        search=way.search(),
        attention=False,
        batch_tokens=way.batch_tokens,
        precision=way.precision,
        fast_paths=way.fast,
    )
    with contextlib.suppress(EOFError, OSError):  # the parent process is gone
        while connection.recv():
            cpu, wall = time.process_time(), time.perf_counter()
            texts = [each.text for each in translator.translate(lines)]
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            connection.send(Turn(cpu, wall, memory()["peak_mib"], texts))


class Runner:
    """The processes of one way; a context manager.

    Args:
        run: the run folder.
        way: the way.
        lines: what all of them translate together.
    """

    def __init__(self, run: Path, way: Way, lines: Sequence[str]) -> None:
        self.way = way
        self._work = [lines[first :: way.processes] for first in range(way.processes)]
        self._run = run
        self._processes: list[tuple[BaseProcess, Connection]] = []

    def __enter__(self) -> Runner:
        context = get_context("spawn")
        for lines in self._work:
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, self._run, self.way, lines), daemon=True)
            process.start()
            theirs.close()
            self._processes.append((process, ours))
        return self

    def __exit__(self, *exception: object) -> None:
        for process, connection in self._processes:
            process.terminate()
            process.join()
            connection.close()

    def turn(self) -> list[Turn]:
        """Let all processes translate their share at the same time."""
        for _, connection in self._processes:
            connection.send(True)
        return [connection.recv() for _, connection in self._processes]


def gemm_peak() -> float:
    """GFLOP/s of large float32 products on one thread, the best of ten."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    peak = max(gemm_gflops(torch.float32, torch.device("cpu"), time.process_time) for _ in range(10))
    torch.set_num_threads(threads)
    return peak


def flops_of(run: Path, way: Way, lines: Sequence[str]) -> float:
    """GFLOP of the products of one sentence, counted over the plain model."""
    from torch.utils.flop_counter import FlopCounterMode

    translator = Translator.load(run, device="cpu", search=way.search(), attention=False, fast_paths=False)
    with FlopCounterMode(display=False) as counter:
        translator.translate(lines)
    return float(counter.get_total_flops()) / len(lines) / 1e9


def measure(run: Path, group: str, lines: Sequence[str], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure the ways of a group; yield a record for each, and their ratios."""
    ways = GROUPS[group]
    where = {"bench": "translation", "group": group, "commit": commit(), "machine": machine()}
    turns: dict[Way, list[list[Turn]]] = {way: [] for way in ways}
    with ExitStack() as stack:
        runners = [stack.enter_context(Runner(run, way, repeated(lines, way.repeat))) for way in ways]
        for _ in range(options.rounds + 1):  # the first warms up
            for runner in runners:
                turns[runner.way].append(runner.turn())
    counted = lines[:: max(1, len(lines) // 32)]
    flops: dict[tuple[int, int], float] = {}
    medians: dict[str, float] = {}
    first: list[str] | None = None
    for way in ways:
        taken = [max(getattr(each, options.clock) for each in turn) for turn in turns[way][1:]]
        medians[way.name] = statistics.median(taken)
        texts = joined([each.texts for each in turns[way][-1]])
        first = texts if first is None else first
        rate = len(lines) / medians[way.name]
        shape = way.beam, way.repeat
        if shape not in flops:
            flops[shape] = flops_of(run, way, repeated(counted, way.repeat))
        record = {
            **where,
            "way": asdict(way),
            "clock": options.clock,
            "sentences": len(lines),
            "seconds": round(medians[way.name], 3),
            "slowest": round(max(taken), 3),
            "sentences_per_second": round(rate, 1),
            "peak_mib": round(sum(each.peak_mib for each in turns[way][-1])),
            "gflop_per_sentence": round(flops[shape], 3),
            "gemm_share": round(flops[shape] * rate / options.peak, 3),
        }
        if way.repeat == 1 and way.beam == ways[0].beam:
            record["lines_unlike_the_first_way"] = sum(a != b for a, b in zip(texts, first, strict=True))
        if options.reference is not None and way.repeat == 1:
            references = list(read_text_lines(options.reference))[: len(lines)]
            record["bleu"] = round(bleu(texts, references).value, 2)
        yield record
    base = medians[ways[0].name]
    yield {**where, "ratios": {name: round(base / seconds, 2) for name, seconds in medians.items()}}


def repeated(lines: Sequence[str], times: int) -> list[str]:
    """Every line repeated several times in itself."""
    return [" ".join([line] * times) for line in lines]


def joined(shares: Sequence[Sequence[str]]) -> list[str]:
    """Put the lines of several processes back in order."""
    whole = [""] * sum(map(len, shares))
    for first, share in enumerate(shares):
        whole[first :: len(shares)] = share
    return whole


@memory_variables()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="tools/bench_translate.py",
        description=__doc__,
        epilog="example:\n  python tools/bench_translate.py runs/deen multi30k/test_2016_flickr.de "
        "--reference multi30k/test_2016_flickr.en --groups beam5 greedy",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, help="run folder or model file")
    parser.add_argument("input", type=Path, help="lines to translate")
    parser.add_argument("--reference", type=Path, help="their translations, for BLEU")
    parser.add_argument("--lines", type=count, default=1000, help="how many of them (default: %(default)s)")
    parser.add_argument("--rounds", type=count, default=5, help="measured turns (default: %(default)s)")
    parser.add_argument("--clock", choices=["cpu", "wall"], default="wall", help="(default: %(default)s)")
    parser.add_argument("--groups", nargs="+", choices=list(GROUPS), default=list(GROUPS), help="(default: all)")
    options = parser.parse_args(argv)
    lines = [line for line, _ in zip(read_text_lines(options.input), range(options.lines), strict=False)]
    if not lines:
        raise DataError(f"{options.input}: must have a line or more to translate, but is empty")
    open_model(options.run)  # fails here, and not in a process whose error is hard to read
    options.peak = gemm_peak()
    print_line({"bench": "translation", "gemm_gflop_per_second": round(options.peak, 1), "machine": machine()})
    for group in options.groups:
        for record in measure(options.run, group, lines, options):
            print_line(record)
    return 0


if __name__ == "__main__":
    sys.exit(status_of(main))

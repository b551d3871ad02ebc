"""Measure training on several processes against one, and work out on paper what links and many GPUs make of it.

Processes of one thread each take turns in one run, so that other load slows all ways alike: ``one`` process, as many
``independent`` ones as are compared (what the machine gives, without any exchange), ``flat`` (as the toolkit trains:
one sum of the whole gradient at the end of an update), and ``ddp`` (torch's DistributedDataParallel, which exchanges
parts during the backward pass). The model, its batches and the update are those of ``bench_train.py``. Speed is
target tokens of all processes per second of wall-clock time. ``exchange`` is the sum of a gradient alone.

``--simulate`` measures nothing: it prints tables of how much of the time is left for computing, for a ring of GPUs
with a gradient of so many numbers, by the speed of the slowest link and the length of an update.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

from nmt.core.machine.allocator import keep_freed_memory, memory_variables  # noqa: E402
from nmt.core.machine.distributed import joined, rank, sum_in_place  # noqa: E402
from nmt.core.machine.launch import launch  # noqa: E402
from nmt.training.objective.likelihood import LikelihoodConfig  # noqa: E402
from nmt.training.objective.training_module import TrainingModule  # noqa: E402
from nmt.training.optimisation.accumulation import Accumulation  # noqa: E402
from nmt.training.optimisation.optimiser import OptimiserConfig  # noqa: E402
from tools.bench_train import BOS, drawn_batches, parsed  # noqa: E402
from tools.measuring import commit, machine, print_line  # noqa: E402
from tools.running import count, status_of  # noqa: E402

WAYS = ("one", "independent", "flat", "ddp", "exchange")
# Of links: bytes a second in each direction, and seconds until the first byte arrives.
LINKS = {
    "1 Gbit/s": (1e9 / 8, 50e-6),
    "10 Gbit/s": (10e9 / 8, 30e-6),
    "100 Gbit/s": (100e9 / 8, 10e-6),
    "NVLink, 300 GB/s": (300e9, 5e-6),
}
SECONDS = (0.1, 0.3, 1.0, 3.0)
BACKWARD = 2 / 3  # share of an update in which an exchange can be hidden, at most


@memory_variables()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", type=count, default=2, help="how many are compared with one")
    parser.add_argument("--rounds", type=count, default=5, help="turns of each way")
    parser.add_argument("--updates", type=count, default=2, help="updates in a turn")
    parser.add_argument("--tokens", type=count, default=1024, help="target tokens of a batch, including padding")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--model", nargs="*", default=[], metavar="a.b=c", help="of the model section")
    parser.add_argument("--simulate", action="store_true", help="print the tables on paper, and measure nothing")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.simulate:
        print("\n\n".join(tables()))
        return 0
    return work(options) if options.work else measure(options)


# ---------------------------------------------------------------- the processes


class Update:
    """An update as the trainer makes it, of a model of its own."""

    def __init__(self, options: argparse.Namespace, *, ddp: bool = False) -> None:
        reference = parsed([*options.model, "--tokens", str(options.tokens), "--batches", "4"])
        torch.manual_seed(1)
        model = reference.config.build(reference.vocabulary, reference.vocabulary).train()
        objective = LikelihoodConfig().build(reference.config, vocabulary_size=reference.vocabulary, smoothing=0.1)
        self.module = TrainingModule(model, objective, {})
        self.batches = drawn_batches(reference, torch.device("cpu"))
        self._optimiser = OptimiserConfig().build(model)
        self._ddp = DistributedDataParallel(self.module) if ddp else None
        self._accumulate = Accumulation(
            self.module, lambda batch: self.module(batch, BOS, 0), device=torch.device("cpu")
        )

    def __call__(self, number: int) -> int:
        """Make an update; return its target tokens in this process."""
        batch = self.batches[number % len(self.batches)]
        if self._ddp is None:
            self._accumulate([batch])
        else:
            (self._ddp(batch, BOS, 0).loss / batch.target_tokens).backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0).item()
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return batch.target_tokens


def work(options: argparse.Namespace) -> int:
    """Obey the lines of standard input, in one of the processes."""
    torch.set_num_threads(1)
    keep_freed_memory()
    with joined(launch()) as group:
        update = Update(options)
        several = Update(options, ddp=True) if group is not None and "ddp" in options.ways else update
        gradient = [torch.zeros_like(each) for each in update.module.parameters()]
        print("ready", flush=True)
        for line in sys.stdin:
            way, first = line.split()
            tokens = 0
            began = time.perf_counter()
            for number in range(int(first), int(first) + options.updates):
                if way == "exchange":
                    sum_in_place(gradient)
                else:
                    tokens += (several if way == "ddp" else update)(number + 2 * rank())
            print(json.dumps({"tokens": tokens, "seconds": time.perf_counter() - began}), flush=True)
    return 0


# ---------------------------------------------------------------- taking turns


class Worker:
    """One process, which does what it is told."""

    def __init__(self, arguments: Sequence[str], variables: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--work", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **variables},
            text=True,
        )

    def tell(self, line: str) -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)

    def answer(self) -> str:
        """Wait for a line of it."""
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a process ended with status {self._process.wait()}")
        return answer

    def end(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def workers(options: argparse.Namespace) -> Iterator[tuple[list[Worker], list[Worker]]]:
    """Start processes that are alone, and as many that have joined each other."""
    arguments = ["--updates", str(options.updates), "--tokens", str(options.tokens)]
    arguments += ["--ways", *options.ways, "--model", *options.model]
    store = torch.distributed.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    together = {
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(store.port),
        "WORLD_SIZE": str(options.processes),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    places = [{**together, "RANK": str(each), "LOCAL_RANK": str(each)} for each in range(options.processes)]
    alone = [Worker(arguments, {}) for _ in places]
    joint = [Worker(arguments, place) for place in places]
    try:
        for each in (*alone, *joint):
            each.answer()
        yield alone, joint
    finally:
        for each in (*alone, *joint):
            each.end()


def measure(options: argparse.Namespace) -> int:
    """Take turns, and print a line for each way and one with ratios."""
    turns: dict[str, list[tuple[float, float]]] = {way: [] for way in options.ways}
    with workers(options) as (alone, joint):
        for turn in range(-1, options.rounds):  # the first warms up
            for way in options.ways:
                chosen = alone[:1] if way == "one" else alone if way == "independent" else joint
                found = timed_turn(chosen, way, options.updates * max(0, turn))
                if turn >= 0:
                    turns[way].append(found)
    for way, found in turns.items():
        speeds = [tokens / seconds for tokens, seconds in found]
        print_line(
            {
                "bench": "scale",
                "way": way,
                "processes": 1 if way == "one" else options.processes,
                "tokens_per_second": round(statistics.median(speeds)),
                "milliseconds_per_update": round(1e3 * statistics.median(s for _, s in found) / options.updates, 1),
                "commit": commit(),
                "machine": machine(),
                "torch": torch.__version__,
            }
        )
    print_line({"bench": "scale", "ratios": ratios(turns)})
    return 0


def timed_turn(chosen: Sequence[Worker], way: str, first: int) -> tuple[float, float]:
    """Tokens of all chosen processes, and wall-clock seconds until the last is done."""
    began = time.perf_counter()
    for each in chosen:
        each.tell(f"{way} {first}")
    answers = [json.loads(each.answer()) for each in chosen]
    return float(sum(each["tokens"] for each in answers)), time.perf_counter() - began


def ratios(turns: dict[str, list[tuple[float, float]]]) -> dict[str, float]:
    """Speeds relative to ``one`` and ``independent``, and the share of an exchange: medians of what the turns give."""

    def paired(one: str, other: str, of: Callable[[Any, Any], float]) -> float:
        return round(statistics.median(of(a, b) for a, b in zip(turns[one], turns[other], strict=True)), 3)

    found = {}
    for base in ("one", "independent"):
        for way in ("independent", "flat", "ddp"):
            if way != base and way in turns and base in turns:
                found[f"speed {way} / {base}"] = paired(way, base, lambda a, b: (a[0] / a[1]) / (b[0] / b[1]))
    if "exchange" in turns and "flat" in turns:
        found["share of the exchange in flat"] = paired("exchange", "flat", lambda a, b: a[1] / b[1])
    return found


# ---------------------------------------------------------------- on paper


def exchange_seconds(parameters: float, link: str, processes: int) -> float:
    """A ring sends every number twice, in parts, around all processes: Patarasu and Yuan (2009)."""
    speed, delay = LINKS[link]
    return 2 * (processes - 1) * (4 * parameters / processes / speed + delay)


def shares(parameters: float, link: str, processes: int, seconds: float) -> tuple[float, float]:
    """Share of the time left for computing: one exchange at the end, and exchanges hidden as far as can be."""
    exchange = exchange_seconds(parameters, link, processes)
    return seconds / (seconds + exchange), seconds / (seconds + max(0.0, exchange - BACKWARD * seconds))


def tables() -> list[str]:
    """A table for each size of the gradient and number of GPUs; cells show both shares, in per cent."""
    found = []
    for parameters in (6e6, 100e6):
        for processes in (8, 64):
            heads = [f"{seconds:g} s" for seconds in SECONDS]
            lines = [
                f"{parameters / 1e6:.0f} M parameters, {processes} GPUs; at the end / hidden in the backward pass",
                "",
                f"| link, exchange | {' | '.join(heads)} |",
                f"|---|{'---|' * len(heads)}",
            ]
            for link in LINKS:
                pairs = [shares(parameters, link, processes, seconds) for seconds in SECONDS]
                cells = [f"{end:.0%} / {hidden:.0%}" for end, hidden in pairs]
                exchange = 1e3 * exchange_seconds(parameters, link, processes)
                lines.append(f"| {link}, {exchange:,.0f} ms | {' | '.join(cells)} |")
            found.append("\n".join(lines))
    return found


if __name__ == "__main__":
    sys.exit(status_of(main))

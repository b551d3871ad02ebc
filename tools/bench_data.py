"""Measure time and memory of every step from corpus files to batches, for corpora of growing size.

Every step runs in its own process and prints a JSON line: wall-clock and CPU seconds (including child processes), peak
memory (`own_peak_mib` without what is mapped from files), and the memory at the end, private and mapped from files.
`base_mib` and `base_own_mib` are the memory before the step, after all imports.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

import yaml  # noqa: E402

from nmt.core import config as configs  # noqa: E402
from nmt.data.checks.corpora import warn_of  # noqa: E402
from nmt.data.data_config import DataConfig  # noqa: E402
from nmt.data.encoded import EncodedCorpus  # noqa: E402
from nmt.data.loader import Position  # noqa: E402
from nmt.data.pipeline import (  # noqa: E402
    encode_corpus,
    prepare_vocabulary,
    read_training_pairs,
    training_loader,
)
from nmt.text.vocabularies import Vocabularies  # noqa: E402
from tools.corpus.files import write_part  # noqa: E402
from tools.corpus.generator import Generator  # noqa: E402
from tools.measuring import commit, machine, memory, print_line  # noqa: E402
from tools.running import count, status_of  # noqa: E402

SEED = 1
STEPS = (
    *("read", "vocabulary", "encode-1", "encode-2", "check", "plan", "batch"),
    *("epoch", "epoch-sampled", "train-cold", "train-warm"),
)
UPDATES = 40
DISTINCT = 1_000_000  # pairs that are generated; a larger corpus repeats them


class Data:
    """One size of corpus in a folder, and what earlier steps have made of it.

    Args:
        folder: holds everything.
        pairs: number of pairs.
        vocabulary_size: pieces, joint.
    """

    def __init__(self, folder: Path, pairs: int, vocabulary_size: int) -> None:
        self.folder = folder
        self.parts = folder / f"{pairs}"
        self._vocabulary_size = vocabulary_size

    def section(self, **fields: Any) -> dict[str, Any]:
        """The ``data`` section of a recipe."""
        return {
            "root": str(self.parts),
            "cache": str(self.parts / "cache"),
            "train": [{"source": "train.de", "target": "train.en"}],
            "subword": {"size": self._vocabulary_size, **fields.pop("subword", {})},
            "batch": {"size": 4096},
            **fields,
        }

    def config(self, **fields: Any) -> DataConfig:
        """The same section, parsed."""
        return configs.from_mapping(DataConfig, self.section(**fields), name="bench_data")

    def vocabularies(self) -> Vocabularies:
        """The output of the step ``vocabulary``."""
        return Vocabularies.load(self.parts / "vocabulary")

    def encoded(self, **fields: Any) -> EncodedCorpus:
        """The output of the step ``encode-1``."""
        config, cache = self.config(**fields), self.parts / "cache"
        return encode_corpus(read_training_pairs(config, cache=cache), self.vocabularies(), config, cache=cache)

    # ------------------------------------------------ steps: each returns the measured function, after its preparation

    def read(self) -> Callable[[], dict[str, Any]]:
        """Hash the files, read them, and write the table that is memory-mapped from then on."""
        config = self.config()
        return lambda: {"pairs": len(read_training_pairs(config, cache=self.parts / "cache"))}

    def vocabulary(self) -> Callable[[], dict[str, Any]]:
        """Train the vocabulary."""
        config = self.config()
        pairs = read_training_pairs(config, cache=self.parts / "cache")
        return lambda: {"pieces": prepare_vocabulary(config, pairs, self.parts / "vocabulary").source.size}

    def encode(self, processes: int) -> Callable[[], dict[str, Any]]:
        """Encode, and hash what was written."""
        config, vocabularies = self.config(processes=processes), self.vocabularies()
        pairs = read_training_pairs(config, cache=self.parts / "cache")
        cache = self.parts / ("cache" if processes == 1 else f"cache-{processes}")

        def encode() -> dict[str, Any]:
            report = encode_corpus(pairs, vocabularies, config, cache=cache).report
            return {"source_tokens": report.source_tokens, "target_tokens": report.target_tokens}

        return encode

    def check(self) -> Callable[[], dict[str, Any]]:
        """Look for what is wrong with the corpus, as every training does once."""
        config, vocabularies = self.config(), self.vocabularies()
        pairs = read_training_pairs(config, cache=self.parts / "cache")

        def check() -> dict[str, Any]:
            warn_of(config, pairs, None, vocabularies, cache=None)
            return {"pairs": len(pairs)}

        return check

    def batch(self) -> Callable[[], dict[str, Any]]:
        """Open what is encoded already, and build the first batch."""

        def first() -> dict[str, Any]:
            loader = training_loader(self.encoded(), self.vocabularies(), self.config(), seed=SEED)
            batch, _ = next(loader.batches(Position()))
            return {"target_tokens": batch.target_tokens}

        return first

    def plan(self) -> Callable[[], dict[str, Any]]:
        """Plan the batches of an epoch."""
        loader = training_loader(self.encoded(), self.vocabularies(), self.config(), seed=SEED)
        return lambda: {"batches": loader.epoch_batches(0)}

    def epoch(self, *, sampled: bool) -> Callable[[], dict[str, Any]]:
        """Build every batch of an epoch, including its plan."""
        config = self.config(subword={"sampling": {"alpha": 0.1} if sampled else None})
        loader = training_loader(self.encoded(), self.vocabularies(), config, seed=SEED)

        def iterate() -> dict[str, Any]:
            batches = tokens = 0
            for batch, position in loader.batches(Position()):
                batches += 1
                tokens += batch.target_tokens
                if position.epoch:
                    break
            return {"batches": batches, "target_tokens": tokens}

        return iterate

    def train(self) -> Callable[[], dict[str, Any]]:
        """Train a small model for a few updates, in this process, by the command itself."""
        from nmt.cli.train import main

        run = tempfile.mkdtemp(dir=self.parts)
        recipe = {
            "name": "bench-data",
            "data": self.section(subword={"sampling": {"alpha": 0.1}}),
            "model": {"embedding": {"size": 32}, "encoder": {"size": 32}, "decoder": {"size": 32}},
            "training": {"max_steps": UPDATES, "log_interval": UPDATES, "device": "cpu", "precision": "fp32"},
        }
        path = Path(run) / "recipe.yaml"
        path.write_text(yaml.safe_dump(recipe), encoding="utf-8")

        def train() -> dict[str, Any]:
            status = main([str(path), "--output", str(Path(run) / "run"), "--quiet"])
            records = (Path(run) / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
            waiting = json.loads(records[-1])["waiting"]
            return {"status": status, "updates": UPDATES, "waiting_of_a_tiny_model": waiting}

        return train

    def step(self, name: str) -> Callable[[], dict[str, Any]]:
        """Prepare a step."""
        if name.startswith("encode-"):
            return self.encode(int(name.removeprefix("encode-")))
        if name.startswith("epoch"):
            return self.epoch(sampled=name == "epoch-sampled")
        if name.startswith("train"):
            return self.train()
        prepared: Callable[[], dict[str, Any]] = getattr(self, name)()
        return prepared


def measured(data: Data, name: str) -> dict[str, Any]:
    """Run one step in this process."""
    work = data.step(name)
    base = memory()
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    with _own_peak() as peak:
        found = work()
    times = {"seconds": round(time.perf_counter() - wall, 6), "cpu_seconds": round(sum(os.times()[:4]) - cpu, 3)}
    before = {"base_mib": base["peak_mib"], "base_own_mib": base["own_mib"], "own_peak_mib": max(peak)}
    return {**times, **before, **memory(), **found}


@contextmanager
def _own_peak() -> Iterator[list[float]]:
    """Collect the private memory of this process, in MiB, fifty times a second: the kernel keeps no peak of it."""
    found = [memory()["own_mib"]]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            found.append(memory()["own_mib"])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def write_corpora(folder: Path, sizes: list[int], distinct: int = DISTINCT) -> None:
    """Generate the largest corpus; the others are its first lines. Existing files are kept.

    Args:
        folder: gets a folder for each size.
        sizes: numbers of pairs.
        distinct: pairs generated; those that follow repeat them, with a number that differs on both sides.
    """
    largest = folder / f"{max(sizes)}"
    if not (largest / "whole").exists():
        largest.mkdir(parents=True, exist_ok=True)
        for _ in write_part(largest, "train", Generator(SEED).pairs(min(distinct, max(sizes)))):
            pass
        for name in ("train.de", "train.en"):
            lines = (largest / name).read_text(encoding="utf-8").splitlines()
            with (largest / name).open("a", encoding="utf-8", newline="\n") as file:
                for begin in range(len(lines), max(sizes), len(lines)):
                    numbers = range(begin, min(begin + len(lines), max(sizes)))
                    file.writelines(f"{line} {number}\n" for number, line in zip(numbers, lines, strict=False))
        (largest / "whole").touch()
    for size in sizes:
        part = folder / f"{size}"
        part.mkdir(exist_ok=True)
        for name in ("train.de", "train.en"):
            if part != largest and not (part / name).exists():
                with (largest / name).open("rb") as whole, (part / name).open("wb") as first:
                    first.writelines(islice(whole, size))


def bench(folder: Path, sizes: list[int], steps: list[str], vocabulary_size: int) -> Iterator[dict[str, Any]]:
    """Run every step for every size, whose corpora are there, in its own process.

    Yields:
        The record of each, with the fields common to all.
    """
    where = {"commit": commit(), "machine": machine()}
    for pairs in sizes:
        data = Data(folder, pairs, vocabulary_size)
        for name in steps:
            if name == "train-cold":
                for derived in sorted((data.parts / "cache").glob("*/*"), reverse=True):
                    derived.unlink()
            command = [sys.executable, str(Path(__file__)), "--folder", str(folder), "--one", name]
            command += ["--pairs", str(pairs), "--vocabulary-size", str(vocabulary_size)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"bench_data.py: {name} with {pairs} pairs ended with status {done.returncode}\n{done.stderr}")
            found = json.loads(done.stdout.splitlines()[-1])
            yield {"bench": "data", "step": name, "corpus": pairs, **found, **where}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/bench_data.py",
        description=__doc__,
        epilog="example:\n  python tools/bench_data.py --pairs 10000 100000 1000000 | tee data.jsonl",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pairs", type=count, nargs="+", default=[10_000, 100_000], help="sizes (default: 10^4 10^5)")
    several = "pairs that are generated; a larger corpus repeats them, numbered (default: %(default)s)"
    parser.add_argument("--distinct", type=count, default=DISTINCT, help=several)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS, help="which steps (default: all, in order)")
    parser.add_argument("--vocabulary-size", type=count, default=3000, help="(default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where corpora and caches are kept (default: a temporary folder)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.one:
        print_line(measured(Data(options.folder, options.pairs[0], options.vocabulary_size), options.one))
        return 0
    with tempfile.TemporaryDirectory(prefix="nmt-bench-") as temporary:
        folder = options.folder or Path(temporary)
        write_corpora(folder, options.pairs, options.distinct)
        for line in bench(folder, options.pairs, list(options.steps), options.vocabulary_size):
            print_line(line)
    return 0


if __name__ == "__main__":
    sys.exit(status_of(main))

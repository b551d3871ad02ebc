"""A tiny corpus, one undisturbed training, and other trainings for fault injection.

A training is the real command in its own process, forked from this one, which has already imported everything. So it
takes a second or two, and a signal affects it as it would any other.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import datasets
import matplotlib.backends.backend_agg
import torch
import torch._dynamo  # which the first optimiser of a process imports
import yaml

from nmt.cli.train import main as nmt_train
from nmt.core.errors import NmtError
from nmt.core.storage.run_folder import MODEL, OPTIMISER, STATE, RunFolder, checkpoint_path, checkpoint_steps
from nmt.model.weights import read_tensors

# Imported by trainings where they need them; here, so that a forked one finds them.
IMPORTED = (datasets, matplotlib.backends.backend_agg)
TIMES = {"seconds", "tokens_per_second", "validation_seconds", "waiting"}
STEPS = 24


@dataclass(frozen=True)
class Outcome:
    """The result of one kind of fault.

    Args:
        tried: how often it was injected.
        failures: what was wrong afterwards.
        seen: what the user sees, in a few words.
    """

    tried: int
    failures: tuple[str, ...]
    seen: str


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Args:
        name: short, for ``--only``.
        title: for the table.
        inflict: injects it; returns ``None`` if this machine does not allow it.
    """

    name: str
    title: str
    inflict: Callable[[Workshop], Outcome | None]


class Process:
    """A command in a forked process.

    Args:
        command: returns the exit status.
        log: file for its output.
    """

    def __init__(self, command: Callable[[], int], log: Path) -> None:
        self.log = log
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._become(command)

    def _become(self, command: Callable[[], int]) -> None:
        status = 70
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            status = command()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def ended(self) -> bool:
        """Whether it has ended."""
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is not None

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end; return its exit status, or minus the signal that killed it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def output(self) -> str:
        """Its output."""
        return self.log.read_text(encoding="utf-8", errors="replace")


class Workshop:
    """A folder with a corpus and runs.

    Args:
        folder: for everything; empty.
        kills: how often to repeat faults at random moments.
        seed: of these moments.
        lines: number of lines that are translated under fault.
    """

    def __init__(self, folder: Path, *, kills: int, seed: int, lines: int) -> None:
        torch.set_num_threads(1)
        self.folder = folder
        self.kills = kills
        self.lines = lines
        self.draw = random.Random(seed)
        self._runs = 0
        write_corpus(folder / "corpus")
        self.recipe = folder / "recipe.yaml"
        self.recipe.write_text(yaml.safe_dump(recipe(folder / "corpus"), sort_keys=False), encoding="utf-8")

    @cached_property
    def whole(self) -> Path:
        """The undisturbed run."""
        run = self.new_run()
        process = self.train(run)
        if process.wait() != 0:
            raise RuntimeError(process.output())
        return run

    @cached_property
    def seconds(self) -> float:
        """Duration of a whole run."""
        self.whole  # noqa: B018 - fills the cache of encoded corpora
        began = time.monotonic()
        self.train(self.new_run()).wait()
        return time.monotonic() - began

    def new_run(self) -> Path:
        """A path for a new run."""
        self._runs += 1
        return self.folder / f"run-{self._runs}"

    def train(self, run: Path, *overrides: str, before: Callable[[], None] | None = None) -> Process:
        """Start a training, or resume the one in the folder.

        Args:
            run: its folder.
            overrides: ``a.b=c``.
            before: called in its process first.
        """
        resume = (run / "recipe.yaml").exists()
        arguments = [*([] if resume else [str(self.recipe)]), *overrides, "--output", str(run)]

        def command() -> int:
            if before is not None:
                before()
            return nmt_train([*arguments, *(["--resume"] if resume else [])])

        return Process(command, self.folder / "log")

    def finish(self, run: Path, *overrides: str) -> list[str]:
        """Resume until the end; return the differences from the undisturbed run."""
        process = self.train(run, *overrides)
        status = process.wait()
        if status != 0:
            return [f"--resume ended with status {status}: {process.output().strip()[-300:]}"]
        return differences(run, self.whole)


def differences(run: Path, other: Path) -> list[str]:
    """The differences between two finished runs: weights, moments, random states, run state, metrics, the best."""
    found = []
    folders = RunFolder(run), RunFolder(other)
    try:
        ends = [checkpoint_path(each.checkpoints, checkpoint_steps(each.checkpoints)[-1]) for each in folders]
        for name in (MODEL, OPTIMISER):
            one, two = (read_tensors(end / name) for end in ends)
            same = one.keys() == two.keys() and all(torch.equal(one[each], two[each]) for each in one)
            found += [] if same else [f"{run.name}: {name} differs"]
        states = [_without_times(json.loads((end / STATE).read_text())) for end in ends]
        found += [] if states[0] == states[1] else [f"{run.name}: the run state differs"]
        metrics = [[_without_times(json.loads(line)) for line in each.metrics.open()] for each in folders]
        found += [] if metrics[0] == metrics[1] else [f"{run.name}: metrics.jsonl differs"]
        best = [json.loads(each.best.read_text()) for each in folders]
        found += [] if best[0] == best[1] else [f"{run.name}: best.json differs"]
    except (NmtError, OSError, ValueError, IndexError) as error:
        found.append(f"{run.name}: {error}")
    left = [str(path) for path in run.rglob(".*") if "cache" not in path.parts]
    return found + [f"{path} is left over" for path in left]


def _without_times(record: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in TIMES}
    if "window" in kept:
        kept["window"] = _without_times(kept["window"])
    return kept


def write_corpus(root: Path) -> None:
    """Write a tiny parallel corpus of reversed words."""
    draw = random.Random(4)
    root.mkdir(parents=True)
    words = ["".join(draw.choices("abcdefghij", k=draw.randint(2, 5))) for _ in range(40)]
    for name, count in (("train", 300), ("validation", 10)):
        sources = [draw.choices(words, k=draw.randint(1, 7)) for _ in range(count)]
        for suffix, rows in (("xx", sources), ("yy", [[word.upper() for word in reversed(row)] for row in sources])):
            text = "".join(" ".join(row) + "\n" for row in rows)
            (root / f"{name}.{suffix}").write_text(text, encoding="utf-8")


def recipe(root: Path) -> dict[str, Any]:
    """A recipe with all kinds of dropout, accumulation, and checkpoints as often as possible."""
    return {
        "name": "faults",
        "seed": 5,
        "data": {
            "root": str(root),
            "cache": str(root / "cache"),
            "train": [{"source": "train.xx", "target": "train.yy"}],
            "validation": {"source": "validation.xx", "target": "validation.yy"},
            "subword": {"algorithm": "bpe", "size": 80, "sampling": {"alpha": 0.2}},
            "batch": {"size": 100},
        },
        "model": {
            "embedding": {"size": 8, "tied": "all"},
            "encoder": {"size": 8},
            "decoder": {"size": 12},
            "dropout": {"embedding": 0.3, "layers": 0.3, "readout": 0.3, "word": 0.1},
        },
        "training": {
            "max_steps": STEPS,
            "validation_interval": 8,
            "checkpoint_interval": 2,
            "log_interval": 1,
            "optimiser": {"learning_rate": 0.01, "weight_decay": 0.01},
            "schedule": {"type": "plateau", "patience": 1},
            "label_smoothing": 0.1,
            "accumulation": 2,
            "device": "cpu",
            "precision": "fp32",
            "keep_best": 2,
            "average": 2,
            "validation": {
                "samples": 0,
                "search": {"strategy": "greedy", "max_length_ratio": 1.0, "max_length_offset": 2, "min_length": 1},
            },
        },
    }

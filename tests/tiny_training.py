"""A generated corpus and a recipe so small that a training takes a second."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from nmt import experiment
from nmt.assembly import build_trainer, prepare_corpora
from nmt.core import config
from nmt.core.storage.run_folder import RunFolder
from nmt.model.weights import read_tensors
from nmt.recipe import Recipe
from nmt.training.trainer import Trainer, TrainingResult

WORDS = {
    "der": "the",
    "hund": "dog",
    "sieht": "sees",
    "ein": "a",
    "haus": "house",
    "und": "and",
    "die": "this",
    "katze": "cat",
    "mag": "likes",
    "den": "that",
    "baum": "tree",
    "nicht": "never",
    "grün": "green",
    "heute": "today",
    "schnell": "fast",
}
TIMES = {"seconds", "tokens_per_second", "validation_seconds", "waiting"}


def write_corpus(root: Path, *, train: int = 200, held_out: int = 12) -> Path:
    """Write ``train``, ``validation`` and ``test`` with the suffixes ``.xx`` and ``.yy``."""
    draw = random.Random(4)
    root.mkdir(parents=True, exist_ok=True)
    for name, count in (("train", train), ("validation", held_out), ("test", held_out)):
        sources = [draw.choices(sorted(WORDS), k=draw.randint(1, 7)) for _ in range(count)]
        targets = [[WORDS[word] for word in reversed(row)] for row in sources]
        for suffix, rows in (("xx", sources), ("yy", targets)):
            text = "".join(" ".join(row) + "\n" for row in rows)
            (root / f"{name}.{suffix}").write_text(text, encoding="utf-8")
    return root


def recipe_text(root: Path) -> str:
    """Give the YAML of a recipe with dropout of every kind, sampling and accumulation."""
    recipe: dict[str, Any] = {
        "name": "tiny",
        "seed": 5,
        "data": {
            "root": str(root),
            "cache": str(root / "cache"),
            "train": [{"source": "train.xx", "target": "train.yy"}],
            "validation": {"source": "validation.xx", "target": "validation.yy"},
            "subword": {"algorithm": "bpe", "size": 70, "sampling": {"alpha": 0.2}},
            "batch": {"size": 100},
        },
        "model": {
            "embedding": {"size": 8, "tied": "all"},
            "encoder": {"size": 8, "layers": 2},
            "decoder": {"size": 12},
            "dropout": {"embedding": 0.3, "layers": 0.3, "readout": 0.3, "word": 0.1},
        },
        "training": {
            "max_steps": 12,
            "validation_interval": 5,
            "checkpoint_interval": 2,
            "log_interval": 3,
            "optimiser": {"learning_rate": 0.01, "weight_decay": 0.01},
            "schedule": {"type": "linear", "warmup_steps": 3},
            "label_smoothing": 0.1,
            "accumulation": 2,
            "device": "cpu",
            "precision": "fp32",
            "validation": {
                "samples": 0,
                "search": {"strategy": "greedy", "max_length_ratio": 1.0, "max_length_offset": 2, "min_length": 1},
            },
        },
        "search": {"beam_size": 2, "max_length_ratio": 1.0, "max_length_offset": 2},
    }
    return yaml.safe_dump(recipe, sort_keys=False)


def make_recipe(root: Path, *overrides: str) -> Recipe:
    return config.load(Recipe, recipe_text(root), name="tiny", overrides=overrides)


def build(recipe: Recipe, path: Path, *, resume: bool = False) -> Trainer:
    """Do all that ``nmt-train`` does before the first update."""
    experiment.check(path, resume=resume)
    folder = experiment.open_run(recipe, path, resume=resume)
    trainer = build_trainer(recipe, folder, prepare_corpora(recipe, folder))
    if resume:
        trainer.resume()
    return trainer


@dataclass
class Trained:
    """A training and what was seen on its way."""

    trainer: Trainer
    result: TrainingResult
    batches: list[list[list[int]]] = field(default_factory=list)

    @property
    def folder(self) -> RunFolder:
        return self.trainer.folder


def train(
    recipe: Recipe,
    path: Path,
    *,
    resume: bool = False,
    interrupt_at: int | None = None,
    before: Callable[[Trainer], None] = lambda trainer: None,
) -> Trained:
    """Train; with ``interrupt_at`` this process gets a SIGINT within that update."""
    trainer = build(recipe, path, resume=resume)
    seen: list[list[list[int]]] = []
    update = trainer._update

    def watched(batches: Any) -> None:
        if trainer.state.step + 1 == interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        seen.extend(batch.target.ids.tolist() + batch.source.ids.tolist() for batch in batches)
        update(batches)

    trainer._update = watched  # type: ignore[method-assign]
    before(trainer)
    return Trained(trainer, trainer.run(), seen)


def records(folder: RunFolder, kind: str | None = None) -> list[dict[str, Any]]:
    """Give the lines of ``metrics.jsonl`` but for their times."""
    lines = [json.loads(line) for line in folder.metrics.read_text(encoding="utf-8").splitlines()]
    return [
        {key: value for key, value in line.items() if key not in TIMES}
        for line in lines
        if kind is None or line["kind"] == kind
    ]


def assert_same_tensors(left: Path, right: Path) -> None:
    """See that two safetensors files hold the same bits under the same names."""
    one, other = read_tensors(left), read_tensors(right)
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype
        assert torch.equal(tensor, other[name]), name


def make_losses_bad(monkeypatch: pytest.MonkeyPatch, trainer: Trainer, bad: Callable[[int], float | None]) -> None:
    """Multiply the loss of the updates for which ``bad`` gives a factor, such as NaN."""
    loss = trainer.model.loss

    def broken(output: Any, target: Any, *, smoothing: float = 0.0) -> Any:
        found = loss(output, target, smoothing=smoothing)
        factor = bad(trainer.state.step + 1) if trainer.model.training else None
        return found if factor is None else type(found)(found.loss * factor, found.nll, found.tokens)

    monkeypatch.setattr(trainer.model, "loss", broken)

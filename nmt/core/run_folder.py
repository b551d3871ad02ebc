"""Where things lie in a run folder; training writes it, translation reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.core.errors import CheckpointError

MODEL, OPTIMISER, STATE = "model.safetensors", "optimiser.safetensors", "state.json"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths inside a run folder.

    Args:
        path: the folder.
    """

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def vocabulary(self) -> Path:
        """Folder of the SentencePiece models."""
        return self.path / "vocabulary"

    @property
    def cache(self) -> Path:
        """Encoded corpora; may be deleted at any time."""
        return self.path / "cache"

    @property
    def corpus(self) -> Path:
        """Counts of the corpora: lines, tokens, what was dropped and why."""
        return self.path / "corpus.json"

    @property
    def versions(self) -> Path:
        """Versions of this package and of what it stands on, and the machine."""
        return self.path / "versions.json"

    @property
    def metrics(self) -> Path:
        """One JSON object a line for every logged step and validation."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """Names the checkpoint that translates."""
        return self.path / "best.json"

    @property
    def plots(self) -> Path:
        """Folder of the pictures."""
        return self.path / "plots"

    @property
    def test(self) -> Path:
        """Scores on the test set."""
        return self.path / "test.json"


def checkpoint_path(folder: Path, step: int) -> Path:
    """Path of the checkpoint of an update."""
    return folder / f"step-{step:08d}"


def checkpoint_steps(folder: Path) -> list[int]:
    """Updates of which a checkpoint is there, ascending."""
    names = (path.name for path in folder.glob("step-*") if path.is_dir())
    return sorted(int(name[5:]) for name in names if name[5:].isdigit())


def resumable_checkpoint(folder: RunFolder) -> Path | None:
    """Path of the newest checkpoint, from which a run goes on; ``None`` if it has not come to its first.

    Raises:
        CheckpointError: there are checkpoints, but none with the optimiser's state.
    """
    steps = checkpoint_steps(folder.checkpoints)
    for step in reversed(steps):
        if (checkpoint_path(folder.checkpoints, step) / OPTIMISER).exists():
            return checkpoint_path(folder.checkpoints, step)
    if steps or folder.best.exists():
        raise CheckpointError(
            f"{folder.path}: cannot be resumed: no checkpoint has {OPTIMISER}; begin a new run from its weights with "
            f"training.init_from={folder.path}"
        )
    return None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no such file") from error
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON; the file is damaged ({error})") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: must hold a JSON object")
    return value


def best_checkpoint(folder: RunFolder) -> Path:
    """Path of the checkpoint that translates.

    Raises:
        CheckpointError: the folder is missing, or training has not come to its first checkpoint.
    """
    if not folder.path.is_dir():
        raise CheckpointError(f"{folder.path}: there is no such run folder")
    if not folder.best.exists():
        raise CheckpointError(
            f"{folder.path}: has no model; it is not a run folder, or training has not come to its first checkpoint"
        )
    name = read_json(folder.best).get("checkpoint")
    if not isinstance(name, str) or Path(name).name != name or not (folder.checkpoints / name).is_dir():
        raise CheckpointError(f"{folder.best}: must name a checkpoint under {folder.checkpoints}, but names {name!r}")
    return folder.checkpoints / name

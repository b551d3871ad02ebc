"""The layout of a run folder, which training writes and translation reads."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.core.errors import CheckpointError

MODEL, OPTIMISER, STATE = "model.safetensors", "optimiser.safetensors", "state.json"
# Far more than any file here needs; a larger one is not read.
MOST_JSON_BYTES = 2**24
_CHECKPOINT_NAME = re.compile(r"step-[0-9]{1,18}|averaged")


class _Inside:
    """Path of a file or folder inside a run folder, as an attribute of that."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: RunFolder, _owner: type) -> Path:
        return folder.path / self._name


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths inside a run folder.

    Args:
        path: the folder.
    """

    path: Path

    recipe = _Inside("recipe.yaml")
    """The resolved recipe."""
    vocabulary = _Inside("vocabulary")
    """Folder of the SentencePiece models."""
    cache = _Inside("cache")
    """Encoded corpora; may be deleted at any time."""
    data = _Inside("data")
    """The splits of a corpus that was given as two files without a recipe."""
    corpus = _Inside("corpus.json")
    """Statistics of the corpora: lines, tokens, dropped pairs by reason."""
    versions = _Inside("versions.json")
    """Versions of this package and its dependencies, and the machine."""
    metrics = _Inside("metrics.jsonl")
    """JSON lines, one for every logged step and validation."""
    events = _Inside("tensorboard")
    """Folder of event files for TensorBoard, if the recipe asks for them."""
    checkpoints = _Inside("checkpoints")
    """Folder of the checkpoints."""
    best = _Inside("best.json")
    """Names the checkpoint used for translation."""
    search = _Inside("search.json")
    """The search tuned at the end of training, and all that were tried."""
    average = _Inside("average.json")
    """The checkpoints averaged at the end, their scores, the score of the average, and whether it is kept."""
    plots = _Inside("plots")
    """Folder of the plots."""
    test = _Inside("test.json")
    """Scores on the test set."""


def checkpoint_path(folder: Path, step: int) -> Path:
    """Path of the checkpoint of an update."""
    return folder / f"step-{step:08d}"


def checkpoint_steps(folder: Path) -> list[int]:
    """Update numbers of the existing checkpoints, ascending."""
    names = (path.name for path in folder.glob("step-*") if path.is_dir())
    return sorted(int(name[5:]) for name in names if name[5:].isdigit())


def resumable_checkpoints(folder: RunFolder) -> list[Path]:
    """Paths of the checkpoints from which a run can resume, newest first; none before its first.

    Raises:
        CheckpointError: there are checkpoints, but none with an optimiser state.
    """
    steps = checkpoint_steps(folder.checkpoints)
    paths = [checkpoint_path(folder.checkpoints, step) for step in reversed(steps)]
    found = [path for path in paths if (path / OPTIMISER).exists()]
    if not found and (steps or folder.best.exists()):
        raise CheckpointError(
            f"{folder.path}: cannot be resumed: no checkpoint has {OPTIMISER}; start a new run from its weights "
            f"with training.init_from={folder.path}"
        )
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        if path.stat().st_size > MOST_JSON_BYTES:
            raise CheckpointError(f"{path}: must have at most {MOST_JSON_BYTES} bytes, but has {path.stat().st_size}")
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no such file") from error
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON; the file is damaged ({error})") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: must hold a JSON object")
    return value


def best_checkpoint(folder: RunFolder) -> Path:
    """Path of the checkpoint used for translation.

    Raises:
        CheckpointError: the folder is missing, or has no checkpoint yet.
    """
    if not folder.path.is_dir():
        raise CheckpointError(f"{folder.path}: there is no such run folder")
    if not folder.best.exists():
        raise CheckpointError(
            f"{folder.path}: has no model; it is not a run folder, or training has not reached its first checkpoint"
        )
    best = read_json(folder.best)
    name = best.get("checkpoint")
    if not isinstance(name, str) or not _CHECKPOINT_NAME.fullmatch(name) or not (folder.checkpoints / name).is_dir():
        raise CheckpointError(f"{folder.best}: must name a checkpoint under {folder.checkpoints}, but names {name!r}")
    if name.startswith("step-") and best.get("step", int(name[5:])) != int(name[5:]):
        raise CheckpointError(f"{folder.best}: names {name} and update {best['step']}; the file is damaged")
    return folder.checkpoints / name

"""Checkpoints: safetensors and JSON with checksums, written next to their final place and then renamed."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from nmt.core.errors import CheckpointError, NmtError
from nmt.core.logging import logger
from nmt.core.machine.distributed import first_only, from_first, rank
from nmt.core.storage.checksums import verify_checksums, write_checksums
from nmt.core.storage.files import atomic_write
from nmt.core.storage.run_folder import (
    MODEL,
    OPTIMISER,
    STATE,
    RunFolder,
    checkpoint_path,
    checkpoint_steps,
    read_json,
    resumable_checkpoints,
)
from nmt.model.weights import read_tensors, write_tensors
from nmt.training.checkpoints.run_state import RunState

RANDOM_CPU, RANDOM_CUDA, RANDOM_MPS = "random/cpu", "random/cuda", "random/mps"
# Leftovers of a killed process beside a file or folder: half written, replaced, or being removed.
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.(?P<kind>part|old|gone)(\.\w+)?")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that a run can be resumed from.

    Args:
        path: its folder.
        model: named weights.
        optimiser: named tensors of the optimiser.
        random: states of the random generators.
        state: the run state.
    """

    path: Path
    model: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    random: dict[str, Tensor]
    state: RunState


def save_checkpoint(
    target: Path,
    *,
    model: dict[str, Tensor],
    optimiser: dict[str, Tensor],
    state: dict[str, Any],
) -> None:
    """Write one checkpoint into a new folder, atomically; an older one of the same name is replaced.

    The tensors of optimiser and random state are empty for a checkpoint that is only for translation.

    Raises:
        NmtError: the tensors cannot be written.
        OSError: the folder or the state cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    older = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old")
    try:
        with atomic_write(target) as partial:
            partial.mkdir()
            _save_tensors(model, partial / MODEL)
            if optimiser:
                _save_tensors(optimiser, partial / OPTIMISER)
            (partial / STATE).write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
            write_checksums(partial)
            if target.exists():  # a folder cannot be renamed onto another, so the old one is moved away last
                target.replace(older)
    except BaseException:
        if older.exists() and not target.exists():
            older.replace(target)
        raise
    shutil.rmtree(older, ignore_errors=True)


def newest_whole(folder: RunFolder) -> Checkpoint | None:
    """Read the newest intact checkpoint; ``None`` if the run has none yet.

    Of several processes, all read the one that the first finds: on a shared file system each might see other files.

    Raises:
        CheckpointError: there are checkpoints, but all are damaged.
    """
    found = _newest_whole(folder) if rank() == 0 else None
    step = from_first(lambda: None if found is None else found.state.step)
    return found if rank() == 0 or step is None else _read(checkpoint_path(folder.checkpoints, step))


def _newest_whole(folder: RunFolder) -> Checkpoint | None:
    faults: list[CheckpointError] = []
    for path in resumable_checkpoints(folder):
        try:
            return _read(path)
        except CheckpointError as error:
            logger.warning("%s", error)
            faults.append(error)
    if faults:
        raise CheckpointError(f"{faults[0]}; there is no intact older checkpoint, so the run cannot be resumed")
    return None


def _read(path: Path) -> Checkpoint:
    verify_checksums(path, (MODEL, OPTIMISER, STATE))
    tensors = read_tensors(path / OPTIMISER)
    state = RunState.from_mapping(read_json(path / STATE), str(path / STATE))
    if checkpoint_path(path.parent, state.step) != path:
        raise CheckpointError(f"{path / STATE}: must be the state of {path.name}, but is that of update {state.step}")
    return Checkpoint(
        path,
        model=read_tensors(path / MODEL),
        optimiser={name: tensor for name, tensor in tensors.items() if not name.startswith("random/")},
        random={name: tensor for name, tensor in tensors.items() if name.startswith("random/")},
        state=state,
    )


@first_only
def set_newer_aside(folder: RunFolder, step: int) -> None:
    """Rename damaged checkpoints of later updates, which will be written again."""
    for newer in checkpoint_steps(folder.checkpoints):
        if newer > step:
            path = checkpoint_path(folder.checkpoints, newer)
            aside = path.with_name(f"damaged-{path.name}")
            if aside.exists():
                _remove(aside)
            path.replace(aside)
            logger.warning("%s: set aside as %s, which may be deleted", path, aside.name)


def prune_checkpoints(folder: Path, *, resumable: int) -> None:
    """Remove checkpoints of a folder, and optimiser states, that are no longer needed.

    Kept are the ``resumable`` newest checkpoints with an optimiser's state and, since the run may be resumed from any
    of them, the best checkpoints according to each of their run states. All others lose their optimiser's state.
    """
    steps = checkpoint_steps(folder)
    whole = [step for step in steps if (checkpoint_path(folder, step) / OPTIMISER).exists()][-resumable:]
    kept = set(whole)
    for step in whole:
        path = checkpoint_path(folder, step) / STATE
        with suppress(CheckpointError):  # a damaged one may be ignored: no run is resumed from it
            kept.update(best.step for best in RunState.from_mapping(read_json(path), str(path)).kept)
    for step in steps:
        path = checkpoint_path(folder, step)
        if step not in kept:
            _remove(path)
        elif step not in whole:
            (path / OPTIMISER).unlink(missing_ok=True)


def _remove(path: Path) -> None:
    """Remove a folder atomically for other processes."""
    gone = path.with_name(f".{path.name}.{secrets.token_hex(4)}.gone")
    path.replace(gone)
    shutil.rmtree(gone)


def being_written(name: str) -> str | None:
    """Name of the file that a leftover was to become when its process was killed; ``None`` for other files."""
    found = _LEFTOVER.fullmatch(name)
    return found["name"] if found is not None and found["kind"] == "part" else None


def sweep_leftovers(folder: RunFolder) -> None:
    """Remove leftovers of a killed process; a checkpoint that was about to be replaced is restored.

    The caller must hold the run folder's lock.
    """
    for place in (folder.path, folder.data, folder.vocabulary, folder.checkpoints, folder.plots):
        for path in sorted(place.glob(".*")):
            found = _LEFTOVER.fullmatch(path.name)
            if found is None:
                continue
            target = place / found["name"]
            if found["kind"] == "old" and not target.exists():
                path.replace(target)
            elif path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def random_tensors(device: torch.device) -> dict[str, Tensor]:
    """State of the random generators used in training (dropout)."""
    tensors = {RANDOM_CPU: torch.get_rng_state()}
    if device.type == "cuda":
        tensors[RANDOM_CUDA] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        tensors[RANDOM_MPS] = torch.mps.get_rng_state()
    return tensors


def restore_random(tensors: dict[str, Tensor], device: torch.device, source: str) -> None:
    """Restore the states from ``random_tensors``; those of another kind of device are ignored.

    Raises:
        CheckpointError: the states are missing or of another shape.
    """
    try:
        torch.set_rng_state(tensors[RANDOM_CPU])
        if device.type == "cuda" and RANDOM_CUDA in tensors:
            torch.cuda.set_rng_state(tensors[RANDOM_CUDA], device)
        elif device.type == "mps" and RANDOM_MPS in tensors:
            torch.mps.set_rng_state(tensors[RANDOM_MPS])
    except (KeyError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{source}: holds no usable state of the random generators ({error})") from error


def _save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    try:
        write_tensors(tensors, path)
    except SafetensorError as error:
        raise NmtError(
            f"{path.parent.parent}: cannot save a checkpoint: {error}; earlier checkpoints are kept"
        ) from error

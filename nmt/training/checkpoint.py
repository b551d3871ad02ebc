"""Checkpoints: safetensors and JSON, written beside their place and renamed into it."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from nmt.core.errors import CheckpointError, NmtError
from nmt.core.files import atomic_write
from nmt.core.run_folder import MODEL, OPTIMISER, STATE, checkpoint_path, checkpoint_steps

RANDOM_CPU, RANDOM_CUDA = "random/cpu", "random/cuda"


def save_checkpoint(
    target: Path,
    *,
    model: dict[str, Tensor],
    optimiser: dict[str, Tensor],
    state: dict[str, Any],
) -> None:
    """Write one checkpoint whole or not at all; an older one of the same name is replaced.

    Args:
        target: its folder, made here.
        model: named weights.
        optimiser: named tensors of optimiser and random state; none for a checkpoint that only translates.
        state: the run state.

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
            if target.exists():  # a folder cannot be renamed onto another; so out of its way at the last moment
                target.replace(older)
    except BaseException:
        if older.exists() and not target.exists():
            older.replace(target)
        raise
    shutil.rmtree(older, ignore_errors=True)


def prune_checkpoints(folder: Path, *, keep: Iterable[int], resumable: int) -> None:
    """Remove checkpoints that are not to be kept, and the optimiser's tensors of all but the resumable one."""
    kept = {*keep, resumable}
    for step in checkpoint_steps(folder):
        path = checkpoint_path(folder, step)
        if step not in kept:
            shutil.rmtree(path)
        elif step != resumable:
            (path / OPTIMISER).unlink(missing_ok=True)


def random_tensors(device: torch.device) -> dict[str, Tensor]:
    """State of the random generators that training draws from (dropout)."""
    tensors = {RANDOM_CPU: torch.get_rng_state()}
    if device.type == "cuda":
        tensors[RANDOM_CUDA] = torch.cuda.get_rng_state(device)
    return tensors


def restore_random(tensors: dict[str, Tensor], device: torch.device, source: str) -> None:
    """Put back what ``random_tensors`` gave; a state of another kind of device is left out.

    Raises:
        CheckpointError: the states are missing or of another shape.
    """
    try:
        torch.set_rng_state(tensors[RANDOM_CPU])
        if device.type == "cuda" and RANDOM_CUDA in tensors:
            torch.cuda.set_rng_state(tensors[RANDOM_CUDA], device)
    except (KeyError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{source}: holds no usable state of the random generators ({error})") from error


def _save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    try:
        save_file(tensors, path)
    except SafetensorError as error:  # which is no OSError, also when the disk is full
        raise NmtError(
            f"{path.parent.parent}: cannot save a checkpoint: {error}; what was saved before stays"
        ) from error

"""Checkpoints: safetensors and JSON, written beside their place and renamed into it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

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
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    with atomic_write(target) as partial:
        partial.mkdir()
        save_file(model, partial / MODEL)
        if optimiser:
            save_file(optimiser, partial / OPTIMISER)
        (partial / STATE).write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")


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


def restore_random(tensors: dict[str, Tensor], device: torch.device) -> None:
    """Put back what ``random_tensors`` gave; a state of another kind of device is left out."""
    torch.set_rng_state(tensors[RANDOM_CPU])
    if device.type == "cuda" and RANDOM_CUDA in tensors:
        torch.cuda.set_rng_state(tensors[RANDOM_CUDA], device)

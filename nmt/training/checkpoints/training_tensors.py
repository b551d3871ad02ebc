"""What ``optimiser.safetensors`` holds: moments of the optimiser, what objective and terms learn, random states."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from nmt.core.storage.run_folder import MODEL, OPTIMISER
from nmt.model.weights import load_model_tensors, model_tensors
from nmt.training.checkpoints.checkpoint import Checkpoint, random_tensors, restore_random
from nmt.training.checkpoints.run_state import Origin
from nmt.training.objective.training_module import TrainingModule
from nmt.training.optimisation.optimiser import load_optimiser_tensors, optimiser_tensors

# Begins the names of what objective and terms learn or carry. It stands in this file since a checkpoint that only
# translates does without it.
BESIDE = "beside/"


def training_tensors(
    module: TrainingModule, optimiser: torch.optim.Optimizer, device: torch.device
) -> dict[str, Tensor]:
    """Name all that a training needs besides the model's weights to go on as if nothing had happened."""
    beside = {f"{BESIDE}{name}": tensor for name, tensor in model_tensors(module.auxiliary).items()}
    return optimiser_tensors(optimiser, module.parts) | random_tensors(device) | beside


def differences(checkpoint: Checkpoint, module: TrainingModule, origin: Origin | None) -> list[str]:
    """Say why a training cannot go on from a checkpoint; nothing where it can.

    Args:
        checkpoint: of the run.
        module: what is to be module now.
        origin: what it is module on now.
    """
    found = list[str]()
    if origin is not None and checkpoint.state.origin is not None:
        found += checkpoint.state.origin.changes(origin)
    before, now = _learners(_beside(checkpoint)), _learners(model_tensors(module.auxiliary))
    if before != now:
        found.append(f"training.terms that learn are {now}, but were {before}")
    return found


def restore(
    checkpoint: Checkpoint, module: TrainingModule, optimiser: torch.optim.Optimizer, device: torch.device
) -> None:
    """Put weights, optimiser and random states back to those of a checkpoint.

    Raises:
        CheckpointError: they belong to another model or optimiser.
    """
    source = str(checkpoint.path / OPTIMISER)
    load_model_tensors(module.model, checkpoint.model, str(checkpoint.path / MODEL))
    moments = {name: tensor for name, tensor in checkpoint.optimiser.items() if not name.startswith(BESIDE)}
    load_optimiser_tensors(optimiser, module.parts, moments, source)
    load_model_tensors(module.auxiliary, _beside(checkpoint), source)
    restore_random(checkpoint.random, device, source)


def _beside(checkpoint: Checkpoint) -> dict[str, Tensor]:
    tensors = checkpoint.optimiser.items()
    return {name.removeprefix(BESIDE): tensor for name, tensor in tensors if name.startswith(BESIDE)}


def _learners(beside: Iterable[str]) -> str:
    """Names of the terms that have tensors of their own, by the names of these; ``none`` without any."""
    names = (name.split(".") for name in beside)
    return ", ".join(sorted({name for part, name, *_ in names if part == "terms"})) or "none"

"""Content of ``optimiser.safetensors``: optimiser moments, tensors of objective and terms, random states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from nmt.core.machine.distributed import rank
from nmt.core.storage.run_folder import MODEL, OPTIMISER
from nmt.model.weights import load_model_tensors, model_tensors
from nmt.training.checkpoints.checkpoint import Checkpoint, random_tensors, restore_random
from nmt.training.checkpoints.run_state import Origin
from nmt.training.objective.training_module import TrainingModule
from nmt.training.optimisation.optimiser import load_optimiser_tensors, optimiser_tensors

# Prefix of parameters and buffers of objective and terms. They are stored in this file because translation does not
# need them.
BESIDE = "beside/"
# Prefix of the model's weights where the checkpoint's model is their moving average.
LAST = "last/"


def training_tensors(
    module: TrainingModule,
    optimiser: torch.optim.Optimizer,
    random: Sequence[dict[str, Tensor]],
    *,
    averaged: bool = False,
) -> dict[str, Tensor]:
    """Return all named tensors besides the model's weights that exact resumption needs.

    Args:
        module: what is trained.
        optimiser: its optimiser.
        random: states of the random generators of each process.
        averaged: whether the checkpoint's model is an average, so that the weights themselves belong here.
    """
    last = {f"{LAST}{name}": tensor for name, tensor in model_tensors(module.model).items()} if averaged else {}
    beside = {f"{BESIDE}{name}": tensor for name, tensor in model_tensors(module.auxiliary).items()}
    drawn = {_of_process(name, each): tensor for each, states in enumerate(random) for name, tensor in states.items()}
    return optimiser_tensors(optimiser, module.parts) | drawn | beside | last


def _of_process(name: str, number: int) -> str:
    """Name of a random state of a process: ``random/cpu`` of the first is ``random/2/cpu`` of the third."""
    return name if number == 0 else name.replace("/", f"/{number}/", 1)


def differences(checkpoint: Checkpoint, module: TrainingModule, origin: Origin | None) -> list[str]:
    """List the reasons why training of a module on an origin cannot be resumed from a checkpoint; empty if it can."""
    found = list[str]()
    if origin is not None and checkpoint.state.origin is not None:
        found += checkpoint.state.origin.changes(origin)
    before, now = _learners(_below(BESIDE, checkpoint)), _learners(model_tensors(module.auxiliary))
    if before != now:
        found.append(f"training.terms that learn are {now}, but were {before}")
    return found


def restore(
    checkpoint: Checkpoint, module: TrainingModule, optimiser: torch.optim.Optimizer, device: torch.device
) -> None:
    """Restore weights, optimiser and random states from a checkpoint.

    A process that the checkpoint does not know draws as if it began: ``assembly`` has seeded it.

    Raises:
        CheckpointError: they belong to another model or optimiser.
    """
    source = str(checkpoint.path / OPTIMISER)
    load_model_tensors(module.model, _below(LAST, checkpoint) or checkpoint.model, str(checkpoint.path / MODEL))
    moments = {name: tensor for name, tensor in checkpoint.optimiser.items() if not name.startswith((BESIDE, LAST))}
    load_optimiser_tensors(optimiser, module.parts, moments, source)
    load_model_tensors(module.auxiliary, _below(BESIDE, checkpoint), source)
    states = {name: checkpoint.random.get(_of_process(name, rank())) for name in random_tensors(device)}
    found = {name: tensor for name, tensor in states.items() if tensor is not None}
    if found or rank() == 0:
        restore_random(found, device, source)


def _below(prefix: str, checkpoint: Checkpoint) -> dict[str, Tensor]:
    tensors = checkpoint.optimiser.items()
    return {name.removeprefix(prefix): tensor for name, tensor in tensors if name.startswith(prefix)}


def _learners(beside: Iterable[str]) -> str:
    """Names of the terms with tensors of their own, from the tensor names; ``none`` if there are none."""
    names = (name.split(".") for name in beside)
    return ", ".join(sorted({name for part, name, *_ in names if part == "terms"})) or "none"

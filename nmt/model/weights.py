"""A model's weights by name, and their way into a model."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from nmt.core.errors import CheckpointError


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """A model's parameters and buffers by name; a tied one once, under its first name."""
    return {name: tensor.contiguous() for name, tensor in _own_tensors(model).items()}


def load_model_tensors(model: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Copy tensors into a model.

    Raises:
        CheckpointError: names are missing or left over, or shapes differ; all are listed.
    """
    wanted = _own_tensors(model)
    problems = [f"{name} is missing" for name in wanted if name not in tensors]
    problems += [f"{name} is not a part of this model" for name in tensors if name not in wanted]
    problems += [
        f"{name} must have shape {tuple(wanted[name].shape)}, but has {tuple(tensor.shape)}"
        for name, tensor in tensors.items()
        if name in wanted and tensor.shape != wanted[name].shape
    ]
    if problems:
        listed = "\n  ".join(problems[:10]) + (f"\n  and {len(problems) - 10} more" if len(problems) > 10 else "")
        raise CheckpointError(f"{source}: the weights do not fit the model of this recipe\n  {listed}")
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(tensors[name])


def _own_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The very storage of a model: what is written here is in the model."""
    return {name: tensor.detach() for name, tensor in [*model.named_parameters(), *model.named_buffers()]}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no such file") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as safetensors; the file is damaged ({error})") from error

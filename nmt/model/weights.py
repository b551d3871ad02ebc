"""Saving, loading and checking the named weights of a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nmt.core.errors import CheckpointError
from nmt.core.storage.git_lfs import what_is_wrong

NEW_ROW_NOISE = 0.1  # fraction of the standard deviation of the other rows


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """A model's parameters and buffers by name; tied ones once, under the first name."""
    return {name: tensor.contiguous() for name, tensor in _own_tensors(model).items()}


def load_model_tensors(model: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Copy tensors into a model.

    Raises:
        CheckpointError: names are missing or unknown, or shapes differ; all are listed.
    """
    check_shapes(model, {name: tuple(tensor.shape) for name, tensor in tensors.items()}, source)
    foreign = [f"{name} ({tensor.dtype})" for name, tensor in tensors.items() if not tensor.is_floating_point()]
    if foreign:
        raise CheckpointError(f"{source}: weights must be floating point, but are not: {', '.join(foreign[:10])}")
    with torch.no_grad():
        for name, tensor in _own_tensors(model).items():
            tensor.copy_(tensors[name])


def with_new_rows(
    tensors: Mapping[str, Tensor], model: nn.Module, names: Collection[str], generator: torch.Generator
) -> dict[str, Tensor]:
    """Extend named weights to a model with more pieces; existing rows are kept. ``names`` have one row per piece.

    A new row is drawn around the mean of the others (Hewitt, 2021), with a tenth of their standard deviation in every
    dimension. So the model finds it no more or less probable than known pieces, and no two new rows are equal.
    """
    grown = dict(tensors)
    for name, own in _own_tensors(model).items():
        old = tensors.get(name)
        if name not in names or old is None or old.dim() != own.dim() or old.shape[0] >= own.shape[0]:
            continue
        noise = torch.randn((own.shape[0] - old.shape[0], *old.shape[1:]), generator=generator)
        values = old.float()
        new = values.mean(0) + NEW_ROW_NOISE * values.std(0, correction=0) * noise
        grown[name] = torch.cat([old, new.to(old.dtype)])
    return grown


def check_shapes(model: nn.Module, shapes: Mapping[str, tuple[int, ...]], source: str) -> None:
    """Check that names and shapes of weights match a model, which may be on the ``meta`` device.

    Raises:
        CheckpointError: names are missing or unknown, or shapes differ; all are listed.
    """
    wanted = _own_tensors(model)
    problems = [f"{name} is missing" for name in wanted if name not in shapes]
    problems += [f"{name} is not a part of this model" for name in shapes if name not in wanted]
    problems += [
        f"{name} must have shape {tuple(wanted[name].shape)}, but has {shape}"
        for name, shape in shapes.items()
        if name in wanted and shape != tuple(wanted[name].shape)
    ]
    if problems:
        listed = "\n  ".join(problems[:10]) + (f"\n  and {len(problems) - 10} more" if len(problems) > 10 else "")
        raise CheckpointError(f"{source}: the weights do not fit the model of this recipe\n  {listed}")


def _own_tensors(model: nn.Module) -> dict[str, Tensor]:
    """A model's tensors by name, sharing its storage: writing to them changes the model."""
    return {name: tensor.detach() for name, tensor in [*model.named_parameters(), *model.named_buffers()]}


def write_tensors(tensors: Mapping[str, Tensor], path: Path, *, metadata: dict[str, str] | None = None) -> None:
    """Write named tensors as safetensors, with the default permissions of a new file.

    Raises:
        SafetensorError: the file cannot be written (not an ``OSError``, even when the disk is full).
    """
    save_file(dict(tensors), path, metadata=metadata)
    # safetensors makes files readable by the owner only; the rest of a run folder is readable by others.
    mask = os.umask(0o077)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def read_tensors(path: Path, wanted: Callable[[str], bool] | None = None) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, by default all of them.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys() if wanted is None or wanted(name)}  # noqa: SIM118


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Read the names and shapes in a safetensors file, without its tensors.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    with _opened(path) as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no such file") from error
    # The library reports some kinds of damage by errors other than its own (an unknown dtype, for example).
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        unreadable = f"cannot be read as safetensors; the file is damaged ({error})"
        raise CheckpointError(f"{path}: {what_is_wrong(path, unreadable)}") from error

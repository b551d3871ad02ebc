"""Where to compute, and in which precision."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from nmt.core.errors import ConfigError, Problem

Precision = Literal["auto", "fp32", "bf16"]


def resolve_device(name: str, *, path: str = "device") -> torch.device:
    """Return the device of a name.

    Args:
        name: ``auto`` (the first CUDA device if there is one, else the CPU), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        path: what to call the setting in messages.

    Raises:
        ConfigError: the name is unknown or this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (":" in name and not (index.isascii() and index.isdigit())):
        message = f"must be auto, cpu, cuda, mps or one of several such as cuda:1, but is {name!r}"
        raise ConfigError([Problem(path, message)])
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[kind]
    if len(index) > 3 or int(index or 0) >= count:
        found = {0: f"there is no {kind} device here", 1: f"there is only one {kind} device here"}
        counted = found.get(count, f"there are only {count} {kind} devices here, counted from 0")
        raise ConfigError([Problem(path, f"must be a device of this machine, but is {name!r}: {counted}; try auto")])
    return torch.device(name)


def resolve_precision(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """Return what ``auto`` means on a device: bf16 where the hardware has bf16 products of its own, else fp32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        with torch.cuda.device(device):
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type == "cpu":
        # AVX512-bf16 or AMX tiles, without which bf16 is emulated. Torch has no public name for the question, so that a
        # version without these two counts as a no.
        names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return "bf16" if any(getattr(torch.cpu, name, bool)() for name in names) else "fp32"
    return "fp32"


def use_deterministic_kernels() -> None:
    """Let this process compute only with kernels that give the same bits every time.

    On a GPU sums over many threads come in any order otherwise (the gradient of an embedding, for one), cuBLAS chooses
    its workspace as it likes, and cuDNN its fastest kernel. An operation without such a kernel is an error from
    here on.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read at the first product on a GPU
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Return a context in which matrix products run in the given precision and parameters stay float32."""
    if resolve_precision(precision, device) == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)

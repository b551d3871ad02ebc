"""Device and precision of the computation."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Literal

import torch

from nmt.core.errors import ConfigError, Problem
from nmt.core.logging import logger
from nmt.core.machine.distributed import own_device

Precision = Literal["auto", "fp32", "bf16"]


def resolve_device(name: str, *, path: str = "device") -> torch.device:
    """Return the device with a name.

    Args:
        name: ``auto`` (the first CUDA device if there is one, else the CPU), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        path: of the setting in messages.

    Raises:
        ConfigError: the name is unknown, or this machine has no such device, or not one for each process.
    """
    if name == "auto":
        return own_device(torch.device("cuda" if torch.cuda.is_available() else "cpu"), path)
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (":" in name and not (index.isascii() and index.isdigit())):
        message = f"must be auto, cpu, cuda, mps or one of several such as cuda:1, but is {name!r}"
        raise ConfigError([Problem(path, message)])
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[kind]
    if len(index) > 3 or int(index or 0) >= count:
        found = {0: f"there is no {kind} device here", 1: f"there is only one {kind} device here"}
        counted = found.get(count, f"there are only {count} {kind} devices here, counted from 0")
        raise ConfigError([Problem(path, f"must be a device of this machine, but is {name!r}: {counted}; try auto")])
    return own_device(torch.device(name), path)


def resolve_precision(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """Resolve ``auto`` for a device: bf16 if the hardware supports bf16 products, else fp32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        with torch.cuda.device(device):
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type == "cpu":
        # AVX512-bf16 or AMX tiles, without which bf16 is emulated. Torch has no public function for this, so a version
        # without these two counts as unsupported.
        names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return "bf16" if any(getattr(torch.cpu, name, bool)() for name in names) else "fp32"
    return "fp32"


def warn_of_emulation(precision: Precision, device: torch.device) -> None:
    """Warn if bf16 is requested of a CPU or a GPU without it (before Ampere), which is slower than fp32."""
    if precision == "bf16" and device.type != "mps" and resolve_precision("auto", device) == "fp32":
        logger.warning(
            "precision is bf16, which %s only emulates: slowly, or not at all; auto would choose fp32", device
        )


@contextmanager
def kernels(*, threads: int | None = None, deterministic: bool = False) -> Iterator[None]:
    """Context that sets threads and determinism of the whole process.

    Args:
        threads: number of CPU threads; ``None`` keeps it.
        deterministic: use only kernels that give the same bits every time. Otherwise, on a GPU, the order of parallel
            sums varies (as in the gradient of an embedding), and so do the workspace of cuBLAS and the kernel that
            cuDNN picks as fastest. An operation without a deterministic kernel raises an error.
    """
    with ExitStack() as stack:
        if threads is not None:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(threads)
        if deterministic:
            stack.enter_context(_deterministic())
        yield


@contextmanager
def _deterministic() -> Iterator[None]:
    variable = "CUBLAS_WORKSPACE_CONFIG"  # read at the first matrix product on a GPU
    mode, own = torch.get_deterministic_debug_mode(), variable not in os.environ
    places = [
        (torch.utils.deterministic, "fill_uninitialized_memory", False),
        (torch.backends.cudnn, "deterministic", True),
        (torch.backends.cudnn, "benchmark", False),
    ]
    before = [getattr(place, name) for place, name, _ in places]
    os.environ.setdefault(variable, ":4096:8")
    torch.use_deterministic_algorithms(True)
    for place, name, value in places:
        setattr(place, name, value)
    try:
        yield
    finally:
        for (place, name, _), value in zip(places, before, strict=True):
            setattr(place, name, value)
        torch.set_deterministic_debug_mode(mode)
        if own:
            os.environ.pop(variable, None)


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Return a context in which matrix products run in the given precision and parameters stay float32."""
    if resolve_precision(precision, device) == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def takes_fast_paths(device: torch.device) -> bool:
    """Whether a device supports the fast paths, some of which need float64; ``mps`` lacks it."""
    return device.type != "mps"


@contextmanager
def full_float32(device: torch.device) -> Iterator[None]:
    """Context that computes float32 products in full float32, whatever the surrounding settings.

    Disables autocast and TF32. By default, cuDNN's recurrent layers round to TF32 (10 bits), and the translation of a
    line would depend on its batch.
    """
    with torch.autocast(device.type, enabled=False), _UNROUNDED if device.type == "cuda" else nullcontext():
        yield


class _Unrounded:
    """Disables TF32 for the whole process, as torch allows nothing finer. The last of several threads restores it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[Any] = []

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = [getattr(place, name) for place, name, _ in self._switches()]
                for place, name, off in self._switches():
                    setattr(place, name, off)
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                for (place, name, _), value in zip(self._switches(), self._before, strict=True):
                    setattr(place, name, value)

    @staticmethod
    def _switches() -> list[tuple[Any, str, Any]]:
        """Objects, attributes and values that disable TF32; torch 2.9 has new ones, which exclude the old ones."""
        matmul, recurrent = torch.backends.cuda.matmul, torch.backends.cudnn
        if hasattr(matmul, "fp32_precision"):
            return [(matmul, "fp32_precision", "ieee"), (recurrent.rnn, "fp32_precision", "ieee")]
        return [(matmul, "allow_tf32", False), (recurrent, "allow_tf32", False)]


_UNROUNDED = _Unrounded()

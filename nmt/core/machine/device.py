"""Where to compute, and in which precision."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Literal

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


@contextmanager
def kernels(*, threads: int | None = None, deterministic: bool = False) -> Iterator[None]:
    """Change how the whole process computes, within the context.

    Args:
        threads: of the CPU; ``None`` leaves their number as it is.
        deterministic: only with kernels that give the same bits every time. On a GPU sums over many threads come in any
            order otherwise (the gradient of an embedding, for one), cuBLAS chooses its workspace as it likes, and cuDNN
            its fastest kernel. An operation without such a kernel is an error meanwhile.
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
    variable = "CUBLAS_WORKSPACE_CONFIG"  # read at the first product on a GPU
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
    """Whether a device runs the fast paths: some need float64, which ``mps`` lacks."""
    return device.type != "mps"


@contextmanager
def full_float32(device: torch.device) -> Iterator[None]:
    """Compute float32 products in full float32, whatever the surroundings ask for.

    Autocast and TF32 are off meanwhile. By default cuDNN's recurrent layers round to TF32 (10 bits), and the
    translation of a line would depend on its batch.
    """
    with torch.autocast(device.type, enabled=False), _UNROUNDED if device.type == "cuda" else nullcontext():
        yield


class _Unrounded:
    """TF32 switched off, for the whole process: torch has no other switch. The last of several threads puts it back."""

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
        """Places, names, and what switches TF32 off; torch 2.9 has new ones, and refuses to mix them with the old."""
        matmul, recurrent = torch.backends.cuda.matmul, torch.backends.cudnn
        if hasattr(matmul, "fp32_precision"):
            return [(matmul, "fp32_precision", "ieee"), (recurrent.rnn, "fp32_precision", "ieee")]
        return [(matmul, "allow_tf32", False), (recurrent, "allow_tf32", False)]


_UNROUNDED = _Unrounded()

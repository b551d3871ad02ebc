"""How the process keeps its memory, and what it does where there is too little."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from nmt.core.errors import is_out_of_memory
from nmt.core.logging import logger

Result = TypeVar("Result")

# Numbers of mallopt's parameters, from glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed, for the next tensors, instead of giving it back to the system.

    Every update allocates and frees the same large tensors. By default glibc maps each anew, and the system hands it
    over page by page, zeroed: a fifth to a third of a training's time on the machines where it was measured. The
    process then holds what it ever needed at once, and the gaps between tensors of other sizes, which grow: 3.7 GB
    after 3,000 updates of Multi30k, against 1.1 GB that were in use. ``give_back_freed_memory`` now and then ends that.

    Returns:
        Whether it was arranged: on glibc, unless ``MALLOC_TRIM_THRESHOLD_`` or ``MALLOC_MMAP_MAX_`` say otherwise.
    """
    if not _is_glibc() or {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_"} & set(os.environ):
        return False
    library = ctypes.CDLL(None)
    return bool(library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) and library.mallopt(_M_MMAP_MAX, 0))


def give_back_freed_memory() -> bool:
    """Give what is free to the system now: a tenth of a second, and half a second more for what comes next to get it.

    Returns:
        Whether there was anything to give; only glibc can.
    """
    return _is_glibc() and bool(ctypes.CDLL(None).malloc_trim(0))


class Halving:
    """Computes by batches; one that memory does not hold in halves, down to single rows. The first time is reported.

    Args:
        device: type of the device that computes, such as ``cuda``, whose unused memory is given back before a half.
        warning: what is said, with ``%d`` for the number of rows.
    """

    def __init__(self, device: str, warning: str) -> None:
        self._device = device
        self._warning = warning
        self._reported = False

    def __call__(
        self, batches: Iterable[Iterable[int]], compute: Callable[[list[int]], Result]
    ) -> Iterator[tuple[list[int], Result | None]]:
        """Compute all batches.

        Args:
            batches: rows of each.
            compute: what is asked of one.

        Yields:
            Rows and what came of them; ``None`` for a row that memory does not hold by itself.
        """
        waiting = [[int(row) for row in rows] for rows in batches][::-1]
        while waiting:
            rows = waiting.pop()
            try:
                result = compute(rows)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            else:
                yield rows, result
                continue
            # Outside, where the error no longer holds what was being computed with.
            if len(rows) > 1:
                self._report(len(rows))
                waiting += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
            else:
                yield rows, None

    def _report(self, rows: int) -> None:
        if self._device == "cuda":
            import torch  # commands import this before they need torch

            torch.cuda.empty_cache()
        if not self._reported:
            self._reported = True
            logger.warning(self._warning, rows)


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, OSError, ValueError):
        return False

"""Computes batches, and halves those that do not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from nmt.core.errors import is_out_of_memory
from nmt.core.logging import logger

Result = TypeVar("Result")


class Halving:
    """Computes batches; halves one that does not fit into memory, down to single rows. Logs the first time.

    Args:
        device: type of the device, such as ``cuda``; its unused memory is released before each half.
        warning: the message, with ``%d`` for the number of rows.
    """

    def __init__(self, device: str, warning: str) -> None:
        self._device = device
        self._warning = warning
        self._reported = False

    def __call__(
        self, batches: Iterable[Iterable[int]], compute: Callable[[list[int]], Result]
    ) -> Iterator[tuple[list[int], Result | None]]:
        """Compute batches of rows.

        Yields:
            Rows and their result; ``None`` for a single row that does not fit.
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
            # Outside the handler, where the error no longer keeps tensors alive.
            if len(rows) > 1:
                self._report(len(rows))
                waiting += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
            else:
                yield rows, None

    def _report(self, rows: int) -> None:
        if self._device == "cuda":
            import torch  # commands import this module before they need torch

            torch.cuda.empty_cache()
        if not self._reported:
            self._reported = True
            logger.warning(self._warning, rows)

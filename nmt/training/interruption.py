"""Ctrl-C and SIGTERM while training: the first asks for a stop after the current update, the second stops at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from nmt.core.logging import logger


class Interruption:
    """Context in which the first SIGINT or SIGTERM only sets ``requested``.

    The second one of either kind raises ``KeyboardInterrupt``. Outside the main thread signals cannot be caught and
    stay as they are.
    """

    def __init__(self) -> None:
        self.requested: signal.Signals | None = None
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.requested is not None:
            raise KeyboardInterrupt
        self.requested = signal.Signals(number)
        logger.warning("%s: stopping after this update, with a checkpoint; again to stop at once", self.requested.name)

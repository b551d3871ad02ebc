"""Ctrl-C and SIGTERM while training: the first asks for a stop after the current update, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from nmt.core.logging import logger


class Interrupted(Exception):  # noqa: N818 - nothing is wrong
    """Raised by the first signal inside ``Interruption.leaving``."""


class Interruption:
    """Context in which the first SIGINT or SIGTERM only sets ``requested``.

    The second one of either kind raises ``KeyboardInterrupt``, with the signal's number. Outside the main thread
    signals cannot be caught and stay as they are.
    """

    def __init__(self) -> None:
        self.requested: signal.Signals | None = None
        self._leaving = False
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

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Mark work that may be left in the middle and done again: in it the first signal raises ``Interrupted``."""
        try:
            self._leaving = True
            if self.requested is not None:  # before the line above
                raise Interrupted
            yield
        finally:
            self._leaving = False

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.requested is not None:
            raise KeyboardInterrupt(signal.Signals(number))
        self.requested = signal.Signals(number)
        logger.warning("%s: stopping after this update, with a checkpoint; again to stop at once", self.requested.name)
        if self._leaving:
            raise Interrupted

"""Signals during training: some stop it after the current update, another only requests a checkpoint."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType, TracebackType
from typing import Self

from nmt.core.logging import logger
from nmt.core.machine.signals import HANGING_UP, SAVING, STOPPING, handling


class Interrupted(Exception):  # noqa: N818 - nothing is wrong
    """Raised by the first signal inside ``Interruption.leaving``."""


class Interruption:
    """Context in which the first SIGINT, SIGTERM or SIGHUP only sets ``requested``, and SIGUSR1 ``saving``.

    A second stop signal raises ``KeyboardInterrupt`` with the signal's number, unless it is SIGHUP: when a terminal is
    closed, it and its shell send one each. Outside the main thread signals cannot be caught and keep their default
    handling.
    """

    def __init__(self) -> None:
        self.requested: signal.Signals | None = None
        self.saving = False  # whether a checkpoint was requested; cleared when one is written
        self._leaving = False
        self._handling = ExitStack()

    def __enter__(self) -> Self:
        self._handling.enter_context(handling(STOPPING, self._receive))
        self._handling.enter_context(handling(SAVING, self._note))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handling.close()

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Mark work that may be aborted and repeated: inside, the first stop signal raises ``Interrupted``."""
        try:
            self._leaving = True
            if self.requested is not None:  # before the line above
                raise Interrupted
            yield
        finally:
            self._leaving = False

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.requested is not None:
            if number in HANGING_UP:
                return
            raise KeyboardInterrupt(signal.Signals(number))
        self.requested = signal.Signals(number)
        logger.warning(
            "%s: stopping after this update with a checkpoint; send it again to stop at once", self.requested.name
        )
        if self._leaving:
            raise Interrupted

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.saving = True
        logger.info("%s: saving a checkpoint after this update; training continues", signal.Signals(number).name)

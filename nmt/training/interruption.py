"""Signals during training: some stop it after the current update, another only requests a checkpoint."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType, TracebackType
from typing import Self

from nmt.core.logging import logger
from nmt.core.machine.distributed import in_own_part, rank, summed, world_size
from nmt.core.machine.signals import HANGING_UP, SAVING, STOPPING, handling


class Interrupted(Exception):  # noqa: N818 - nothing is wrong
    """Raised by the first signal inside ``Interruption.leaving``."""


class Interruption:
    """Context in which the first SIGINT, SIGTERM or SIGHUP only sets ``requested``, and SIGUSR1 ``saving``.

    A second stop signal raises ``KeyboardInterrupt`` with the signal's number, unless it is SIGHUP: when a terminal is
    closed, it and its shell send one each. Outside the main thread signals cannot be caught and keep their default
    handling. Where several processes train, a signal to any of them counts from the next ``agree`` on.
    """

    def __init__(self) -> None:
        self.requested: signal.Signals | None = None
        self.saving = False  # whether a checkpoint was requested; cleared when one is written
        self._received: signal.Signals | None = None
        self._noted = False
        self._leaving = False
        self._alone = world_size() == 1
        self._handling = ExitStack()

    def __enter__(self) -> Self:
        self._handling.enter_context(handling(STOPPING, self._receive))
        self._handling.enter_context(handling(SAVING, self._note))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handling.close()

    def agree(self) -> None:
        """Set ``requested`` and ``saving`` to the same in all processes."""
        if self._alone:
            return
        noted = self._noted
        if noted:  # before the exchange: a request that comes while it waits is for the next one
            self._noted = False
        *stops, saves = summed([*(float(self._received is each) for each in STOPPING), float(noted)])
        if saves and not self.saving:
            self.saving = True
            self._tell_saving(SAVING[0])
        if any(stops) and self.requested is None:
            self.requested = next(each for each, sent in zip(STOPPING, stops, strict=True) if sent)
            self._tell_stopping(self.requested)

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Mark work that may be aborted and repeated: inside, the first stop signal raises ``Interrupted``.

        Where several processes train, only in the part that each computes by itself (``distributed.gathered``).
        """
        try:
            self._leaving = True
            if self.requested is not None:  # since before the line above
                raise Interrupted
            yield
        finally:
            self._leaving = False

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._received is not None:
            if number in HANGING_UP:
                return
            raise KeyboardInterrupt(signal.Signals(number))
        self._received = signal.Signals(number)
        if self._alone:
            self.requested = self._received
            self._tell_stopping(self._received)
        if self._leaving and in_own_part():
            raise Interrupted

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._noted = True
        if self._alone:
            self.saving = True
            self._tell_saving(signal.Signals(number))

    @staticmethod
    def _tell_stopping(number: signal.Signals) -> None:
        if rank() == 0:
            logger.warning(
                "%s: stopping after this update with a checkpoint; send it again to stop at once", number.name
            )

    @staticmethod
    def _tell_saving(number: signal.Signals) -> None:
        logger.info("%s: saving a checkpoint after this update; training continues", number.name)

"""Signals that ask a program to stop or to save, where the system has them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object]


def _there(*names: str) -> tuple[signal.Signals, ...]:
    return tuple(signal.Signals(getattr(signal, name)) for name in names if hasattr(signal, name))


# A closed terminal sends SIGHUP; a scheduler sends SIGUSR1 some time before it ends a job.
INTERRUPTING = _there("SIGINT")
HANGING_UP = _there("SIGHUP")
STOPPING = (*INTERRUPTING, *_there("SIGTERM"), *HANGING_UP)
SAVING = _there("SIGUSR1")

_settled = False


def settle(settled: bool = True) -> None:
    """Note that the process ends by itself: from here on the handlers of ``handling`` ignore every signal.

    Then a signal cannot replace the message that says why it ends; torchrun sends one as soon as a process has died.
    """
    global _settled  # noqa: PLW0603 - handlers are of the whole process
    _settled = settled


def end_by(number: int) -> None:
    """End the process at once, as the signal does that nothing handles."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(128 + number)  # the first process of a container has no default action


@contextmanager
def handling(numbers: Sequence[signal.Signals], handler: Handler) -> Iterator[None]:
    """Context in which signals go to a handler; restores the previous handlers afterwards.

    An ignored SIGHUP stays ignored, as ``nohup`` asks. Outside the main thread signals cannot be caught, and nothing
    changes.

    Args:
        numbers: the signals.
        handler: called with the number of a received signal.
    """

    def receive(number: int, frame: FrameType | None) -> None:
        if not _settled:
            handler(number, frame)

    before = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in numbers:
                if not (number in HANGING_UP and signal.getsignal(number) is signal.SIG_IGN):
                    before[number] = signal.signal(number, receive)
        yield
    finally:
        for number, previous in before.items():
            if previous is not None:  # a handler that was not set from Python cannot be restored
                signal.signal(number, previous)

"""Several processes that translate the windows of one stream, and give them back in its order.

Two processes of one thread each translate more than one process of two threads: steps of a search are too small to be
shared. Each process loads the models once. They are new processes, not forks, since the libraries below have threads;
and they end when the pipe to the one that began them closes, however that one ended.
"""

from __future__ import annotations

import functools
import itertools
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Protocol, TypeVar

from nmt.core.errors import NmtError
from nmt.core.signals import HANGING_UP, INTERRUPTING, SAVING, handling

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

AHEAD = 2  # windows a process that are read, being translated, or waiting for an earlier one


class Work(Protocol[T_co]):
    """Translates windows; made once in each process."""

    def __call__(self, lines: list[str], first: int) -> T_co:
        """Give what is to be written for the lines, which are numbered from ``first``."""


@dataclass(slots=True)
class _Shared(Generic[T]):
    """What the threads share; everything is read and changed under ``changed``."""

    windows: Iterator[tuple[list[str], int]]
    room: threading.Semaphore
    reading: threading.Lock = field(default_factory=threading.Lock)
    changed: threading.Condition = field(default_factory=threading.Condition)
    given_out: int = 0
    results: dict[int, T] = field(default_factory=dict)
    ended: bool = False
    failure: BaseException | None = None
    failed_at: int = 0
    closed: bool = False


class Pool(Generic[T]):
    """Processes that translate windows side by side.

    Use as a context manager; leaving it ends the processes, whatever they are doing.

    Args:
        build: makes the work of a process, there; must be importable by name, as its arguments must be plain.
        processes: how many, 1 or more.
    """

    def __init__(self, build: Callable[[], Work[T]], processes: int) -> None:
        self._build = build
        self._count = processes
        self._workers: list[tuple[BaseProcess, Connection]] = []
        self._shared: _Shared[T] | None = None

    def __enter__(self) -> Pool[T]:
        context = get_context("spawn")
        with _ignoring_interrupts():  # Ctrl-C reaches all processes of a terminal, but is the business of this one
            for _ in range(self._count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs, self._build), daemon=True)
                process.start()
                theirs.close()
                self._workers.append((process, ours))
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shared is not None:
            self._shared.closed = True
            self._shared.room.release(self._count)
        for process, _ in self._workers:
            process.terminate()
        for process, connection in self._workers:
            process.join()
            connection.close()
        self._workers.clear()

    def translate(self, windows: Iterator[tuple[list[str], int]]) -> Iterator[T]:
        """Translate windows, each as soon as it is read and a process is free.

        Args:
            windows: lines, and the number of the first of them; read by threads, a few windows ahead.

        Yields:
            What the work gives for each window, in their order.

        Raises:
            NmtError: a window cannot be read or translated (what comes before it is yielded first), or a process died.
        """
        shared: _Shared[T] = _Shared(windows, threading.Semaphore(AHEAD * self._count))
        self._shared = shared
        for process, connection in self._workers:
            # Daemons, since a read from a pipe that stays open cannot be given up.
            threading.Thread(target=_tend, args=(shared, process, connection), daemon=True).start()
        for place in itertools.count():
            with shared.changed:
                while place not in shared.results and not _is_over(shared, place):
                    shared.changed.wait()
                if place not in shared.results:
                    break
                result = shared.results.pop(place)
            yield result
            shared.room.release()
        if shared.failure is not None:
            raise shared.failure


def _is_over(shared: _Shared[Any], place: int) -> bool:
    """Whether no result will come for a place."""
    if shared.failure is not None and place >= shared.failed_at:
        return True
    return shared.ended and place >= shared.given_out


def _tend(shared: _Shared[T], process: BaseProcess, connection: Connection) -> None:
    """Give one process window after window."""
    while not shared.closed:
        shared.room.acquire()
        place = _next_place(shared)
        if place is None:
            return
        number, lines, first = place
        try:
            result = _ask(process, connection, lines, first)
        except BaseException as error:
            _fail(shared, error, number)
            return
        with shared.changed:
            shared.results[number] = result
            shared.changed.notify_all()


def _next_place(shared: _Shared[Any]) -> tuple[int, list[str], int] | None:
    """Read the next window; ``None`` at the end, or where something failed before it."""
    with shared.reading:
        if shared.ended or shared.failure is not None or shared.closed:
            shared.room.release()  # so that the next thread that waits for room sees the end too
            return None
        number = shared.given_out
        try:
            window = next(shared.windows, None)
        except BaseException as error:
            _fail(shared, error, number)
            return None
        with shared.changed:
            if window is None:
                shared.ended = True
                shared.changed.notify_all()
                shared.room.release()
                return None
            shared.given_out += 1
        return number, *window


def _fail(shared: _Shared[Any], error: BaseException, number: int) -> None:
    """Note the failure of the earliest window."""
    with shared.changed:
        if shared.failure is None or number < shared.failed_at:
            shared.failure, shared.failed_at = error, number
        shared.changed.notify_all()
    shared.room.release()


def _ask(process: BaseProcess, connection: Connection, lines: list[str], first: int) -> Any:
    """Have a process translate a window.

    Raises:
        NmtError: it could not, or died.
        RuntimeError: it met a mistake of ours, whose traceback is the message.
    """
    try:
        connection.send((lines, first))
        answer, failure = connection.recv()
    except (EOFError, OSError):
        process.join(timeout=5)
        code = process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"
        raise NmtError(
            f"a translating process {how}; if the machine ran out of memory, give fewer --processes or a smaller "
            "--batch-tokens"
        ) from None
    if isinstance(failure, NmtError):
        raise failure
    if failure is not None:
        raise RuntimeError(f"in a translating process:\n{failure}")
    return answer


def _serve(connection: Connection, build: Callable[[], Work[Any]]) -> None:
    """Translate what comes through the pipe until it closes; the life of a process."""
    with connection:
        work, failure = _attempt(build)
        while True:
            try:
                lines, first = connection.recv()
            except (EOFError, OSError):
                return
            answer = None
            if work is not None:
                answer, failure = _attempt(functools.partial(work, lines, first))
            try:
                connection.send((answer, failure))
            except OSError:  # whoever asked is gone
                return


def _attempt(call: Callable[[], T]) -> tuple[T | None, NmtError | str | None]:
    """Call, and give the result or what went wrong: a message to the user, or the traceback of a mistake of ours."""
    try:
        return call(), None
    except NmtError as error:
        return None, error
    except Exception:
        return None, traceback.format_exc()


def _ignoring_interrupts() -> AbstractContextManager[None]:
    """Let what is started within ignore signals that a terminal or a scheduler sends to all processes of a command."""
    return handling((*INTERRUPTING, *HANGING_UP, *SAVING), signal.SIG_IGN)

"""Worker processes that handle the pieces of a stream in parallel, and return the results in order.

They are new Python processes: not forks, since the libraries below use threads, and not processes of
``multiprocessing``, which run the main module again, and that may be any script. Each ends when its pipe closes,
however its parent process ended.
"""

from __future__ import annotations

import functools
import os
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Generic, Self, TypeVar

from nmt.core.errors import NmtError
from nmt.core.machine.signals import HANGING_UP, INTERRUPTING, SAVING
from nmt.core.own_parts import own_errors_told

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")

POSSIBLE = os.name == "posix"  # elsewhere a process cannot inherit a pipe
AHEAD = 2  # pieces per process that are read, in progress, or waiting for an earlier one

_PROGRAM = """
import sys
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
sys.path[:] = connection.recv()
from nmt.core.machine.processes import serve
serve(connection)
"""


def usable_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes(Generic[P, R]):
    """Worker processes, each handling one piece at a time.

    Use as a context manager; leaving it kills the processes.

    Args:
        build: called once in each process; returns the function that handles a piece. Pickled, as are pieces and
            results.
        count: number of processes, at least 1; only if ``POSSIBLE``.
        each: name of one of them in messages, such as ``a translating process``.
        advice: what to do if the machine runs out of memory.
    """

    def __init__(self, build: Callable[[], Callable[[P], R]], count: int, *, each: str, advice: str) -> None:
        self._build = build
        self._count = count
        self._names = each, advice
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(count)  # one waits for each process
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            processes = [stack.enter_context(_Process(*self._names)) for _ in range(self._count)]
            stack.callback(self._threads.shutdown)  # after all processes have ended
            for process in processes:
                stack.callback(process.kill)
            stack.callback(self._threads.shutdown, wait=False, cancel_futures=True)
            for process in processes:
                process.send(sys.path)
                process.send(self._build)
                self._idle.put(process)
            self._ending = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ending.close()

    def map(self, pieces: Iterable[P]) -> Iterator[R]:
        """Handle every piece as soon as a process is free; a thread reads a few pieces ahead.

        Yields:
            The results, in the order of the pieces.

        Raises:
            NmtError: a piece failed (earlier results are yielded first), or a process died.
            RuntimeError: a bug in the work; the message is its traceback.
            Exception: an error of reading, after the results of all pieces read before.
        """
        room = threading.Semaphore(AHEAD * self._count)
        answers: queue.SimpleQueue[Future[R] | None] = queue.SimpleQueue()
        left = threading.Event()

        def read() -> None:
            stream = iter(pieces)
            try:
                while room.acquire() and not left.is_set():
                    answers.put(self._threads.submit(self._do, next(stream)))
            except StopIteration:
                answers.put(None)
            except BaseException as error:
                failed: Future[R] = Future()
                failed.set_exception(error)
                answers.put(failed)

        # A daemon, since a blocking read from an open pipe cannot be cancelled.
        threading.Thread(target=read, daemon=True).start()
        try:
            while (answer := answers.get()) is not None:
                yield answer.result()
                room.release()
        finally:
            left.set()
            room.release()

    def _do(self, piece: P) -> R:
        process = self._idle.get()
        try:
            done: R = process.ask(piece)
            return done
        finally:
            self._idle.put(process)


class _Process:
    """One process, and the pipe to it."""

    def __init__(self, name: str, advice: str) -> None:
        self._name, self._advice = name, advice
        self._pipe, theirs = Pipe()
        with theirs:
            # In its own session: only this process handles Ctrl-C, and then ends that one. -P prevents the import of
            # a file in the working directory, such as socket.py, until sys.path is the same as here.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()
        self._process.wait()
        self._pipe.close()

    def send(self, value: Any) -> None:
        """Send a value to it.

        Raises:
            NmtError: it died.
        """
        try:
            self._pipe.send(value)
        except OSError:
            raise self._death() from None

    def ask(self, piece: Any) -> Any:
        """Have it handle a piece.

        Raises:
            NmtError: the piece is at fault, or the process died.
            RuntimeError: a bug in the work.
        """
        self.send(piece)
        try:
            result, failure = self._pipe.recv()
        except (EOFError, OSError):
            raise self._death() from None
        if isinstance(failure, NmtError):
            raise failure
        if failure is not None:
            raise RuntimeError(f"in {self._name}:\n{failure}")
        return result

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()

    def _death(self) -> NmtError:
        code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        return NmtError(f"{self._name} {how}; if the machine ran out of memory, {self._advice}")


def serve(connection: Connection) -> None:
    """Main loop of a worker: handle pieces from a pipe until it closes."""
    for number in (*INTERRUPTING, *HANGING_UP, *SAVING):  # meant for the parent process
        signal.signal(number, signal.SIG_IGN)
    with connection:
        try:
            work, failure = _attempt(connection.recv())
            while True:
                piece = connection.recv()
                answer = None
                if work is not None:
                    answer, failure = _attempt(functools.partial(work, piece))
                connection.send((answer, failure))
        except (EOFError, OSError):  # the parent is gone
            return


def _attempt(call: Callable[[], T]) -> tuple[T | None, NmtError | str | None]:
    """Call a function; return its result, or its error: a message for the user, or the traceback of a bug."""
    try:
        with own_errors_told():
            return call(), None
    except NmtError as error:
        return None, error
    except Exception:
        return None, traceback.format_exc()

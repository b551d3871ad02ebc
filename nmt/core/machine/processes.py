"""Several processes that do the pieces of a stream side by side, and give the results back in its order.

They are new processes of Python. They are neither forks, since the libraries below have threads, nor processes of
``multiprocessing``, which run the main module again, and that may be any script. Each ends when the pipe to it closes,
however the process that began it ended.
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

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")

POSSIBLE = os.name == "posix"  # elsewhere a process cannot be given a pipe
AHEAD = 2  # pieces a process that are read, being done, or waiting for an earlier one

_PROGRAM = """
import sys
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
sys.path[:] = connection.recv()
from nmt.core.machine.processes import serve
serve(connection)
"""


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes(Generic[P, R]):
    """Processes that each do one piece at a time.

    Use as a context manager; leaving it ends the processes, whatever they are doing.

    Args:
        build: called once in each process; gives the function that does a piece. It is pickled, as are pieces and
            results.
        count: how many, 1 or more; only where ``POSSIBLE``.
        each: what a message calls one of them, such as ``a translating process``.
        advice: what a message advises in case the machine ran out of memory.
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
            stack.callback(self._threads.shutdown)  # once no process answers any more
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
        """Do every piece, as soon as it is read and a process is free.

        Args:
            pieces: read by a thread, a few pieces ahead.

        Yields:
            The results, in the order of the pieces.

        Raises:
            NmtError: a piece could not be done (what comes before it is yielded first), or a process died.
            RuntimeError: the work met a mistake of ours; the message is its traceback.
            Exception: what reading raised, after the results of all that was read before.
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

        # A daemon, since a read from a pipe that stays open cannot be given up.
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
            # In a session of its own: Ctrl-C is the business of this process, which then ends that one. By -P a file
            # in the working directory, such as socket.py, is not imported before sys.path is what it is here.
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
        """Give it something.

        Raises:
            NmtError: it died.
        """
        try:
            self._pipe.send(value)
        except OSError:
            raise self._death() from None

    def ask(self, piece: Any) -> Any:
        """Have a piece done.

        Raises:
            NmtError: the piece is at fault, or the process died.
            RuntimeError: the work met a mistake of ours.
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
    """Do what comes through a pipe until it closes; the life of a process."""
    for number in (*INTERRUPTING, *HANGING_UP, *SAVING):  # meant for the process that began this one
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
        except (EOFError, OSError):  # whoever asked is gone
            return


def _attempt(call: Callable[[], T]) -> tuple[T | None, NmtError | str | None]:
    """Call, and give the result or what went wrong: a message to the user, or the traceback of a mistake of ours."""
    try:
        return call(), None
    except NmtError as error:
        return None, error
    except Exception:
        return None, traceback.format_exc()

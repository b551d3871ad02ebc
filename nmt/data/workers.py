"""Several processes that each do every n-th piece of a stream, and give the results back in its order."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from nmt.core.errors import NmtError

P = TypeVar("P")
R = TypeVar("R")

# Neither forks, since the libraries below have threads, nor processes of `multiprocessing`, which run the main module
# again, and that may be any script. A process ends when the pipe to it closes, however the one that began it ended.
_PROGRAM = """
import sys
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
sys.path[:] = connection.recv()
from nmt.data.workers import serve
serve(connection)
"""


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_turn(work: Callable[[P], R], pieces: Iterable[P], *, processes: int) -> Iterator[R]:
    """Do the same with every piece of a stream; a piece is read when a process is free for it.

    Args:
        work: what is done; with more than one process it is pickled, and so are pieces and results.
        pieces: the stream.
        processes: how many; with 1, and where processes cannot be given a pipe (Windows), it is done here.

    Yields:
        The results, in the order of the pieces.

    Raises:
        NmtError: a process died.
        RuntimeError: the work failed in a process; the message is its traceback.
    """
    if processes == 1 or os.name != "posix":
        yield from map(work, pieces)
        return
    workers: deque[_Worker[P, R]] = deque()  # the one that began first on the left
    with ExitStack() as stack:
        for piece in pieces:
            if len(workers) < processes:
                workers.append(stack.enter_context(_Worker(work)))
            else:
                # A process is sent to only when it waits: so neither side of a pipe waits for the other to read.
                workers.rotate(-1)
                yield workers[-1].receive()
            workers[-1].send(piece)
        for worker in workers:
            yield worker.receive()


class _Worker(Generic[P, R]):
    """One process, and the pipe to it."""

    def __init__(self, work: Callable[[P], R]) -> None:
        self._pipe, theirs = Pipe()
        with theirs:
            # In a session of its own: Ctrl-C is the business of this process, which then ends that one.
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._put(sys.path)
        self._put(work)

    def __enter__(self) -> _Worker[P, R]:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def send(self, piece: P) -> None:
        """Give it a piece."""
        self._put(piece)

    def receive(self) -> R:
        """Wait for the result of the piece."""
        with self._noticing_death():
            result, failure = self._pipe.recv()
        if failure is not None:
            raise RuntimeError(f"in another process:\n{failure}")
        done: R = result
        return done

    def _put(self, value: Any) -> None:
        with self._noticing_death():
            self._pipe.send(value)

    @contextmanager
    def _noticing_death(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError):
            code = self._process.wait()
            how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
            raise NmtError(
                f"one of several processes {how}; if the machine ran out of memory, let fewer of them work at once"
            ) from None


def serve(connection: Connection) -> None:
    """Work on what comes through a pipe until it closes; the life of a process."""
    with connection, suppress(EOFError, OSError):
        work = connection.recv()
        while True:
            piece = connection.recv()
            answer: tuple[Any, str | None]
            try:
                answer = work(piece), None
            except Exception:
                answer = None, traceback.format_exc()
            connection.send(answer)

"""Threads that compute for an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class _Thread(threading.Thread):
    """That of a worker, to tell it from others."""


class Worker:
    """Calls functions one after another in a thread of its own.

    It is a daemon, which those of ``concurrent.futures`` are not: what hangs in it must not keep the process from
    ending.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        _Thread(target=self._run, name=name, daemon=True).start()

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in the thread; its error is raised here."""
        future: Future[T] = Future()
        self._calls.put((future, partial(function, *arguments)))
        return await asyncio.wrap_future(future)

    def end(self) -> None:
        """Let the thread end after the calls that it has."""
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
            del call, future, function  # results are large, and the next call may not come for long


def all_ended(patience: float) -> bool:
    """Wait until the threads of all workers have ended, and tell whether they have.

    Args:
        patience: seconds to wait at most.
    """
    until = time.monotonic() + patience
    threads = [each for each in threading.enumerate() if isinstance(each, _Thread)]
    for each in threads:
        each.join(max(0.0, until - time.monotonic()))
    return not any(each.is_alive() for each in threads)

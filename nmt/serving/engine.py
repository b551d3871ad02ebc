"""A model behind a queue: lines of all clients are translated together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from nmt.core.errors import NmtError
from nmt.translation.lines import Translation
from nmt.translation.requests.request import Request
from nmt.translation.translator import Translator


class Busy(NmtError):  # noqa: N818
    """The queue is full.

    Args:
        retry_after: seconds after which there may be room.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the server has too much to do; try again in {retry_after:.0f} seconds")
        self.retry_after = retry_after


class Stopped(NmtError):  # noqa: N818
    """The engine is ending, or has not been started."""


class Expired(NmtError):  # noqa: N818
    """A translation was not done in time."""


@dataclass(eq=False, slots=True)
class _Waiting:
    lines: Sequence[Request]
    done: asyncio.Future[list[Translation]]


class Engine:
    """One model, or an ensemble, shared by all clients.

    Args:
        translator: translates.
        queue_lines: most lines that wait or are being translated.
        patience: seconds to wait for further lines before a batch is translated.
        timeout: seconds after which a translation that is not done is given up.
    """

    def __init__(
        self, translator: Translator, *, queue_lines: int = 1024, patience: float = 0.004, timeout: float = 60.0
    ) -> None:
        self.translator = translator
        self._queue_lines = queue_lines
        self._patience = patience
        self._timeout = timeout
        self._waiting: deque[_Waiting] = deque()
        self._lines = 0
        self._arrived = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def lines(self) -> int:
        """Number of lines that wait or are being translated."""
        return self._lines

    async def start(self) -> None:
        """Begin to translate."""
        self._stopping = False
        self._serving = asyncio.create_task(self._serve())

    async def stop(self) -> None:
        """Finish what was taken, and refuse what comes."""
        self._stopping = True
        self._arrived.set()
        if self._serving is not None:
            await self._serving
            self._serving = None

    async def translate(self, lines: Sequence[Request]) -> list[Translation]:
        """Translate lines, in order; a caller that is cancelled takes its waiting lines out of the queue.

        Raises:
            Busy: the queue is full.
            Stopped: the engine is ending.
            Expired: it was not done in time.
            NmtError: the model is damaged.
        """
        if self._serving is None or self._stopping:
            raise Stopped("the server is ending; ask another one, or try again later")
        if self._lines + len(lines) > self._queue_lines and self._lines:
            raise Busy(1.0)
        mine = _Waiting(lines, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        self._lines += len(lines)
        self._arrived.set()
        try:
            return await asyncio.wait_for(mine.done, self._timeout)
        except TimeoutError:
            raise Expired(f"the translation was not done within {self._timeout:g} seconds") from None
        finally:
            self._lines -= len(lines)

    async def stream(self, line: Request) -> AsyncIterator[str]:
        """Translate a line by greedy search, and yield its text as it grows.

        Raises:
            NmtError: as ``translate``.
        """
        search = replace(line.search or self.translator.search, strategy="greedy", n_best=1)
        (translation,) = await self.translate([replace(line, search=search)])
        yield translation.text

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="nmt-engine") as thread:
            while True:
                if not self._waiting:
                    if self._stopping:
                        return
                    self._arrived.clear()
                    await self._arrived.wait()
                    continue
                taken = [each for each in self._waiting if not each.done.done()]
                self._waiting.clear()
                lines = [line for each in taken for line in each.lines]
                try:
                    found = iter(await loop.run_in_executor(thread, self.translator.translate, lines))
                except Exception as error:
                    for each in taken:
                        if not each.done.done():
                            each.done.set_exception(error)
                    continue
                for each in taken:
                    own = [next(found) for _ in each.lines]
                    if not each.done.done():
                        each.done.set_result(own)

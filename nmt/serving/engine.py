"""A model behind a queue: lines of all clients are translated together."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace

import torch

from nmt.core.errors import DataError, NmtError
from nmt.serving.callers import Call, Group, Stream
from nmt.serving.queue import Caller, Queue, Waiting
from nmt.serving.worker import Worker
from nmt.translation.lines import Translation
from nmt.translation.requests.request import Request
from nmt.translation.translator import Translator

QUEUE_LINES = 1024
PATIENCE = 0.004
TIMEOUT = 120.0
_ENOUGH = 32  # clients in a batch, from which on it gains little by more
_PAUSE = 0.1  # longest wait for further lines, as a share of the time of a batch
_NEWEST = 0.2  # weight of the newest batch in the rate


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


class Engine:
    """One model, or an ensemble, shared by all clients.

    Lines of similar length that have the same search are translated together, the oldest first. Where several clients
    ask one line after another, the next batch waits a few milliseconds for those just answered, but never for one
    client alone. A batch that fails is halved, so that a line that cannot be translated fails alone.

    Args:
        translator: translates; its ``batch_tokens`` bound a batch.
        queue_lines: most lines that wait or are being translated.
        patience: seconds without a further line after which a batch begins.
        timeout: seconds after which a translation that is not done is given up.
        workers: batches that are computed at the same time, each by a thread of its own; they share the waiting lines.
        threads: torch's threads of those workers together that compute at the moment; ``None`` leaves them as they are.

    Attributes:
        on_batch: called with the number of lines of each batch.
    """

    def __init__(
        self,
        translator: Translator,
        *,
        queue_lines: int = QUEUE_LINES,
        patience: float = PATIENCE,
        timeout: float = TIMEOUT,
        workers: int = 1,
        threads: int | None = None,
    ) -> None:
        self.translator = translator
        self.on_batch: Callable[[int], object] = lambda _lines: None
        self._queue_lines = queue_lines
        self._patience = patience
        self._timeout = timeout
        self._queue = Queue()
        self._workers = workers
        self._threads = threads
        self._busy = 0
        self._lines = 0
        self._rate = 0.0
        self._arrived, self._released = asyncio.Event(), asyncio.Event()
        self._serving: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def lines(self) -> int:
        """Number of lines that wait or are being translated."""
        return self._lines

    async def start(self) -> None:
        """Begin to translate."""
        self._stopping = False
        self._serving = [asyncio.create_task(self._serve()) for _ in range(self._workers)]

    async def stop(self) -> None:
        """Refuse what comes, and return when all that was taken is answered or given up."""
        self._stopping = True
        while self._lines:
            self._released.clear()
            await self._released.wait()
        for each in self._serving:
            each.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self._serving = []

    async def translate(self, lines: Sequence[Request]) -> list[Translation]:
        """Translate lines, in order, as ``Translator.translate`` does.

        A caller that is cancelled takes its waiting lines out of the queue.

        Raises:
            Busy: the queue is full.
            Stopped: the engine is ending.
            Expired: it was not done in time.
            DataError: there are more lines than the queue ever holds.
            NmtError: the model is damaged.
        """
        if not lines:
            return []
        call, usual = Call(len(lines)), self.translator.search
        self._take([Waiting(line, line.search or usual, call, place) for place, line in enumerate(lines)])
        try:
            async with asyncio.timeout(self._timeout):
                return await call.done
        except TimeoutError:
            raise self._expired() from None
        finally:
            self._release(call, len(lines))

    async def stream(self, line: Request) -> AsyncGenerator[str]:
        """Translate a line by greedy search, and yield its text as it grows.

        What comes so is the translation of ``translate`` with strategy ``greedy``. It comes in one piece if the line
        is translated in parts, and from the first word on that may be copied from the source.

        Raises:
            DataError: the line has no translation, for a reason that the message tells.
            NmtError: as ``translate``.
        """
        search = replace(line.search or self.translator.search, strategy="greedy", n_best=1, mbr="none")
        stream, told = Stream(), ""
        self._take([Waiting(replace(line, search=search, tree=False), search, stream, grows=True)])
        end = asyncio.get_running_loop().time() + self._timeout
        try:
            while True:
                async with asyncio.timeout_at(end):
                    event = await stream.events.get()
                if isinstance(event, BaseException):
                    raise event
                if isinstance(event, Translation) and event.problem:
                    raise DataError(event.problem)
                text = event if isinstance(event, str) else event.text
                if len(text) > len(told):
                    yield text[len(told) :]
                    told = text
                if isinstance(event, Translation):
                    return
        except TimeoutError:
            raise self._expired() from None
        finally:
            stream.waits = False
            self._release(stream, 1)

    def _take(self, lines: list[Waiting]) -> None:
        count = len(lines)
        if not self._serving or self._stopping:
            raise Stopped("the server is ending; ask another one, or try again later")
        if count > self._queue_lines:
            raise DataError(f"at most {self._queue_lines} lines are translated at once, but there are {count}")
        if self._lines + count > self._queue_lines:
            raise Busy(min(max(1.0, self._lines / self._rate), self._timeout) if self._rate else 1.0)
        self._lines += count
        self._queue.add(lines)
        self._arrived.set()

    def _release(self, caller: Caller, count: int) -> None:
        self._queue.remove(caller)
        self._lines -= count
        self._released.set()

    def _expired(self) -> Expired:
        return Expired(f"the translation was not done within {self._timeout:g} seconds")

    async def _serve(self) -> None:
        """Translate batch after batch; between two of them, streamed translations have a slice of time each."""
        worker, growing = Worker("nmt-engine"), list[Group]()
        company, spent, threads = 0, 0.0, None
        self._busy += 1
        try:
            while True:
                if not growing:
                    await self._gather(company, spent)
                growing = [group for group in growing if await self._slice(worker, group)]
                # Other workers that are idle have their share.
                batch = self._queue.take(
                    self.translator.batch_tokens, math.ceil(len(self._queue) / (self._workers - self._busy + 1))
                )
                if batch:
                    self.on_batch(len(batch))
                if self._threads is not None and threads != (threads := self._share(self._threads)):
                    await worker.call(torch.set_num_threads, threads)
                if batch and batch[0].grows:
                    growing.append(Group(batch, self.translator))
                elif batch:
                    began = time.monotonic()
                    await self._translate(worker, batch)
                    spent = time.monotonic() - began
                    self._rate += _NEWEST * (self._workers * len(batch) / max(spent, 1e-6) - self._rate)
                    company = len({each.caller for each in batch} | self._queue.callers)
        finally:
            self._busy -= 1
            worker.end()

    def _share(self, threads: int) -> int:
        """What one of the workers that compute has of all threads."""
        return max(1, threads // self._busy)

    async def _gather(self, company: int, spent: float) -> None:
        """Wait for lines, and a little for those of other clients.

        Args:
            company: clients that had or awaited the last batch, and may ask for more.
            spent: seconds that it took.
        """
        self._busy -= 1
        try:
            if not len(self._queue) and not await self._arrival(self._patience):
                company = 0
            while not len(self._queue):
                await self._arrival(None)
            end = time.monotonic() + _PAUSE * spent
            while len(self._queue.callers) < min(company, _ENOUGH) and not self._stopping:
                if not await self._arrival(min(self._patience, end - time.monotonic())):
                    return
        finally:
            self._busy += 1

    async def _arrival(self, patience: float | None) -> bool:
        """Wait for the next line; ``False`` if none came within the patience."""
        self._arrived.clear()
        try:
            async with asyncio.timeout(patience):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True

    async def _translate(self, worker: Worker, lines: list[Waiting]) -> None:
        """Translate lines in one batch, or in halves if that fails: one that cannot be translated fails alone."""
        lines = [line for line in lines if line.caller.waits]
        if not lines:
            return
        requests, numbers = [line.request for line in lines], [line.place + 1 for line in lines]
        try:
            found = await worker.call(self.translator.translate_numbered, requests, numbers)
        except Exception as error:
            if len(lines) == 1:
                lines[0].caller.fail(error)
                return
            half = len(lines) // 2
            await self._translate(worker, lines[:half])
            await self._translate(worker, lines[half:])
            return
        for line, translation in zip(lines, found, strict=True):
            line.caller.deliver(line.place, translation)

    async def _slice(self, worker: Worker, group: Group) -> bool:
        """Let streamed translations grow for a while, and tell whether there is more to come.

        If that fails, they are translated as other lines are.
        """
        try:
            found = await worker.call(group.grow, asyncio.get_running_loop())
        except Exception:
            await self._translate(worker, group.lines)
            return False
        if found is None:
            return group.awaited
        for line, translation in zip(group.lines, found, strict=True):
            line.caller.deliver(line.place, translation)
        return False

"""Those who wait for the translations of an engine: for all at once, or for the text as it grows."""

from __future__ import annotations

import asyncio
import time

from nmt.serving.queue import Waiting
from nmt.translation.lines import Translation
from nmt.translation.translator import Translator

SLICE = 0.05
"""Seconds after which streamed translations pause for other lines."""


class Call:
    """A caller that waits for all of its lines."""

    def __init__(self, count: int) -> None:
        self.done: asyncio.Future[list[Translation]] = asyncio.get_running_loop().create_future()
        self._found: dict[int, Translation] = {}
        self._count = count

    @property
    def waits(self) -> bool:
        """See ``Caller``."""
        return not self.done.done()

    def deliver(self, place: int, translation: Translation) -> None:
        """See ``Caller``."""
        self._found[place] = translation
        if self.waits and len(self._found) == self._count:
            self.done.set_result([self._found[each] for each in range(self._count)])

    def fail(self, error: BaseException) -> None:
        """See ``Caller``."""
        if self.waits:
            self.done.set_exception(error)


class Stream:
    """A caller that is told how its line grows."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[str | Translation | BaseException] = asyncio.Queue()
        self.waits = True

    def grow(self, text: str) -> None:
        """Take the beginning of its translation."""
        self.events.put_nowait(text)

    def deliver(self, place: int, translation: Translation) -> None:  # noqa: ARG002
        """See ``Caller``."""
        self.events.put_nowait(translation)

    def fail(self, error: BaseException) -> None:
        """See ``Caller``."""
        self.events.put_nowait(error)


class Group:
    """Streamed translations that began together."""

    def __init__(self, lines: list[Waiting], translator: Translator) -> None:
        self.lines = lines
        self._steps = translator.grow([line.request for line in lines], [line.place + 1 for line in lines])

    @property
    def awaited(self) -> bool:
        """Whether anybody still wants to know."""
        return any(line.caller.waits for line in self.lines)

    def grow(self, loop: asyncio.AbstractEventLoop) -> list[Translation] | None:
        """Take steps, and tell the texts to the loop; returns the translations if this was the end."""
        end = time.monotonic() + SLICE
        while self.awaited:
            try:
                texts = next(self._steps)
            except StopIteration as done:
                found: list[Translation] = done.value
                return found
            loop.call_soon_threadsafe(self._tell, texts)
            if time.monotonic() > end:
                break
        return None

    def _tell(self, texts: list[str]) -> None:
        for line, text in zip(self.lines, texts, strict=True):
            if isinstance(line.caller, Stream):
                line.caller.grow(text)

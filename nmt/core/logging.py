"""Messages and progress, always on standard error: standard output carries only results."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from tqdm import tqdm

T = TypeVar("T")

logger = logging.getLogger("nmt")


class _StandardErrorHandler(logging.Handler):
    """Writes to the standard error of the moment, above a progress bar if one is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:
            self.handleError(record)


class _Formatter(logging.Formatter):
    """A plain message, with its level before it where that matters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for one record."""
        text = super().format(record)
        return f"{record.levelname.lower()}: {text}" if record.levelno >= logging.WARNING else text


def configure_logging(*, quiet: bool = False, verbose: bool = False) -> None:
    """Send the messages of ``nmt`` to standard error; a second call replaces the first.

    Args:
        quiet: warnings and errors only; no progress.
        verbose: details too.
    """
    for handler in list(logger.handlers):
        if isinstance(handler, _StandardErrorHandler):
            logger.removeHandler(handler)
    handler = _StandardErrorHandler()
    handler.setFormatter(_Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)


@contextmanager
def logging_kept() -> Iterator[None]:
    """Context after which messages go where they went before it."""
    level, handlers = logger.level, list(logger.handlers)
    try:
        yield
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)


class Progress:
    """How far a piece of work has come: a bar on a terminal, elsewhere a line now and then and one at the end.

    Silent where the logger does not pass messages of level INFO. Use as a context manager.

    Args:
        description: what is being done, such as ``"translating"``.
        unit: what is counted, in the plural, such as ``"sentences"``.
        total: how many there will be, if that is known.
        start: how many were done before.
        interval: seconds between two lines where there is no terminal.
    """

    def __init__(
        self, description: str, *, unit: str, total: int | None = None, start: int = 0, interval: float = 30.0
    ) -> None:
        self.description = description
        self.unit = unit
        self.total = total
        self.done = start
        self._start = start
        self._interval = interval
        self._note = ""
        self._began = self._reported = time.monotonic()
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Self:
        self._began = self._reported = time.monotonic()
        if logger.isEnabledFor(logging.INFO) and sys.stderr is not None and sys.stderr.isatty():
            sized = all(os.get_terminal_size(sys.stderr.fileno()))  # some terminals do not tell their size
            self._bar = tqdm(
                desc=self.description,
                total=self.total,
                initial=self.done,
                unit=f" {self.unit}",
                file=sys.stderr,
                dynamic_ncols=sized,
                ncols=None if sized else 80,
                nrows=None if sized else 24,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        elif kind is None:
            logger.info("%s", self._summary())

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """Count what was done.

        Args:
            count: how many more.
            note: a few words to show with it, such as ``"loss 3.21"``; ``None`` keeps the last ones.
        """
        self.done += count
        if note is not None:
            self._note = note
        if self._bar is not None:
            if note is not None:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
            return
        now = time.monotonic()
        if now - self._reported >= self._interval:
            self._reported = now
            logger.info("%s", self._line(now))

    def _rate(self, now: float) -> float:
        return (self.done - self._start) / max(now - self._began, 1e-9)

    def _line(self, now: float) -> str:
        rate = self._rate(now)
        parts = [f"{self.description}: {self.done} {self.unit}", f"{rate:.1f} {self.unit}/s"]
        if self.total:
            parts[0] = f"{self.description}: {self.done}/{self.total} {self.unit} ({self.done / self.total:.0%})"
            if rate > 0 and self.total > self.done:
                parts.append(f"{_clock((self.total - self.done) / rate)} left")
        return ", ".join([*parts, *([self._note] if self._note else [])])

    def _summary(self) -> str:
        now = time.monotonic()
        seconds = now - self._began
        count = self.done - self._start
        text = f"{self.description}: {count} {self.unit} in {seconds:.1f} s ({self._rate(now):.1f} {self.unit}/s)"
        return f"{text}, {self._note}" if self._note else text


def progress(items: Iterable[T], description: str, *, unit: str, total: int | None = None) -> Iterator[T]:
    """Pass items through and show how far they have come.

    Args:
        items: the work.
        description: what is being done.
        unit: what is counted, in the plural.
        total: how many items there are; by default their ``len`` if they have one.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(description, unit=unit, total=total) as shown:
        for item in items:
            yield item
            shown.advance()


def few(items: Sequence[object], most: int = 10) -> str:
    """Name the first few of many things, with commas between them."""
    return ", ".join(map(str, items[:most])) + (", ..." if len(items) > most else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

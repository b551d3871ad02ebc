"""Messages and progress, always on standard error: standard output carries only results."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from operator import mul
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

from tqdm import tqdm

from nmt.core.terminal_bar import Bar, on_screen

T = TypeVar("T")

logger = logging.getLogger("nmt")


class _StandardErrorHandler(logging.Handler):
    """Writes to the current standard error, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:
            self.handleError(record)


class _Formatter(logging.Formatter):
    """Plain messages; warnings and errors begin with their level.

    Args:
        process: name of this process, shown after the level; empty if it need not be told.
    """

    def __init__(self, process: str = "") -> None:
        super().__init__("%(message)s")
        self._process = f"{process}: " if process else ""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for one record."""
        text = super().format(record)
        return f"{record.levelname.lower()}: {self._process}{text}" if record.levelno >= logging.WARNING else text


def configure_logging(*, quiet: bool = False, verbose: bool = False, process: str = "") -> None:
    """Send the messages of ``nmt`` to standard error; a second call replaces the first.

    Warnings and errors only if ``quiet``, and no progress; details too if ``verbose``. Warnings and errors name the
    ``process``, if it is given.
    """
    for handler in list(logger.handlers):
        if isinstance(handler, _StandardErrorHandler):
            logger.removeHandler(handler)
    handler = _StandardErrorHandler()
    handler.setFormatter(_Formatter(process))
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)


@contextmanager
def errors_only(wanted: bool = True) -> Iterator[None]:
    """Context without warnings, for what another process says; nothing changes if it is not ``wanted``."""
    with logging_kept():
        if wanted:
            logger.setLevel(logging.ERROR)
        yield


@contextmanager
def logging_kept() -> Iterator[None]:
    """Context that restores the level and the handlers of the logger when it ends."""
    level, handlers = logger.level, list(logger.handlers)
    try:
        yield
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)


Reached: TypeAlias = Callable[[float], None]
"""Receives the number of items done so far, including those not yet passed on; may be fractional."""

# Passing work is shown when it takes longer; how often a bar is drawn at least. In seconds.
PATIENCE = 1.0
TICK = 0.5
# Early estimates mean nothing: models warm up, and the first batch may be the longest.
LEAST_SECONDS = 10.0
LEAST_REPORTS = 3


class Progress:
    """Progress of some work: a bar on a terminal, elsewhere an occasional line and one at the end.

    Items are often done in batches of similar length, and passed on later. In between, ``reach`` reports progress in
    items weighted by their work, which keeps rate and remaining time meaningful. The remaining time is shown after
    ``LEAST_SECONDS`` and ``LEAST_REPORTS``. Silent if the logger drops messages of level INFO. Use as a context
    manager.

    Args:
        description: what is being done, such as ``"translating"``.
        unit: what is counted, in the plural, such as ``"sentences"``; empty if nothing is.
        total: number of items, if known.
        start: number of items done earlier.
        interval: seconds between two lines if there is no terminal.
        passing: only on a terminal, if it takes longer than ``PATIENCE``, and gone at the end.
    """

    def __init__(
        self,
        description: str,
        *,
        unit: str,
        total: int | None = None,
        start: int = 0,
        interval: float = 30.0,
        passing: bool = False,
    ) -> None:
        self.description = description
        self.unit = unit
        self.total = total
        self.done = start
        self._start = start
        self._reached = float(start)
        self._reports = 0
        self._interval = math.inf if passing else interval
        self._passing = passing
        self._note = ""
        self._began = self._reported = time.monotonic()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        self._began = self._reported = time.monotonic()
        if _on_terminal():
            timed = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{left}, {rate_fmt}{postfix}]"
            self._bar = Bar(
                desc=self.description,
                total=self.total,
                initial=self.done,
                unit=f" {self.unit}",
                bar_format=timed if self.total else None if self.unit else "{desc} ... {elapsed}",
                **on_screen() | ({"delay": PATIENCE} if self._passing else {"leave": True}),
            )
            self._bar.start(TICK)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        elif kind is None and not self._passing:
            logger.info("%s", self._summary())
        if self._passing:
            logger.debug("%s", self._summary())

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """Count items that are done and passed on.

        Args:
            count: how many more.
            note: a few words to show, such as ``"loss 3.21"``; ``None`` keeps the previous ones.
        """
        self.done += count
        if note is not None:
            self._note = note
            if self._bar is not None:
                self._bar.set_postfix_str(note, refresh=False)
        if self.done > self._reached:
            self.reach(self.done - self._start)

    def skip(self, count: int) -> None:
        """Count items that an earlier run did, which this one resumes."""
        self.done += count
        self._start += count
        self._reached += count
        if self._bar is not None:
            self._bar.initial += count
            self._bar.n += count

    def reach(self, items: float) -> None:
        """Report how many items are done since the start, including those not yet passed on; see ``Reached``."""
        self._reached = max(self._reached, self._start + items)
        self._reports += 1
        now = time.monotonic()
        left = self._left(now)
        if self._bar is not None:
            self._bar.left = "?" if left is None else _clock(left)
            with suppress(OSError):  # the terminal was closed; the work continues until it can be resumed
                self._bar.update(int(self._reached + 1e-6) - self._bar.n)
        elif now - self._reported >= self._interval:
            self._reported = now
            logger.info("%s", self._line(now, left))

    def passes(self, weights: Sequence[float]) -> list[Reached]:
        """Divide the work into interleaved passes over the same items, given the relative amount of work of each.

        Returns:
            For each pass, the function to which it reports the number of items done.
        """
        reached = [0.0] * len(weights)

        def told(place: int) -> Reached:
            def tell(items: float) -> None:
                reached[place] = items
                self.reach(sum(map(mul, weights, reached)) / sum(weights))

            return tell

        return [told(place) for place in range(len(weights))]

    def _rate(self, now: float) -> float:
        return (self._reached - self._start) / max(now - self._began, 1e-9)

    def _left(self, now: float) -> float | None:
        """Remaining seconds, or ``None`` if it is too early to estimate."""
        if not self.total or now - self._began < LEAST_SECONDS or self._reports < LEAST_REPORTS:
            return None
        rate = self._rate(now)
        return max(0.0, self.total - self._reached) / rate if rate > 0 else None

    def _line(self, now: float, left: float | None) -> str:
        reached = int(self._reached + 1e-6)  # a sum of fractions may miss a whole number by rounding
        parts = [f"{self.description}: {reached} {self.unit}", f"{self._rate(now):.1f} {self.unit}/s"]
        if self.total:
            parts[0] = f"{self.description}: {reached}/{self.total} {self.unit} ({self._reached / self.total:.0%})"
            if left:
                parts.append(f"{_clock(left)} left")
        return ", ".join([*parts, *([self._note] if self._note else [])])

    def _summary(self) -> str:
        seconds = time.monotonic() - self._began
        if not self.unit:
            return f"{self.description}: {seconds:.1f} s"
        count = self.done - self._start
        rate = count / max(seconds, 1e-9)
        text = f"{self.description}: {count} {self.unit} in {seconds:.1f} s ({rate:.1f} {self.unit}/s)"
        return f"{text}, {self._note}" if self._note else text


def waiting(description: str) -> Progress:
    """Context of work of unknown length: a passing ``Progress`` that tells only the time."""
    return Progress(description, unit="", passing=True)


def _on_terminal() -> bool:
    return logger.isEnabledFor(logging.INFO) and sys.stderr is not None and sys.stderr.isatty()


@dataclass(slots=True)
class Shares:
    """Reports how many items are done while some of them are processed in batches.

    Args:
        reached: receives the number, if given.
        before: number of items done earlier.
        count: number of these items.
        done: work done on them, in any unit.
    """

    reached: Reached | None
    before: int
    count: int
    done: float = 0.0

    def add(self, work: float, *, of: float) -> None:
        """Add the work of a batch; ``of`` is the work of all these items."""
        self.done += work
        if self.reached is not None:
            self.reached(self.before + self.count * self.done / of)


def progress(
    items: Iterable[T] | Callable[[Reached], Iterable[T]],
    description: str,
    *,
    unit: str,
    total: int | None = None,
    passing: bool = False,
) -> Iterator[T]:
    """Pass items through and show the progress.

    Args:
        items: the items; or a function that yields them and is given ``Progress.reach`` to report to.
        description: what is being done.
        unit: what is counted, in the plural.
        total: number of items; by default their ``len`` if they have one.
        passing: as for ``Progress``.
    """
    if total is None and not callable(items) and isinstance(items, Sized):
        total = len(items)
    with Progress(description, unit=unit, total=total, passing=passing) as shown:
        for item in items(shown.reach) if callable(items) else items:
            yield item
            shown.advance()


def few(items: Sequence[object], most: int = 10) -> str:
    """List the first few of many things, separated by commas."""
    return ", ".join(map(str, items[:most])) + (", ..." if len(items) > most else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

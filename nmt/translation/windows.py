"""Windows of lines: consecutive lines of a stream that are sorted by length and processed together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from nmt.core.errors import ConfigError, NmtError, Problem
from nmt.translation.requests.request import Line

WINDOW = 1024

Window: TypeAlias = tuple[list[Line], int]
"""Lines, and the number of the first of them."""


def windows(lines: Iterable[Line], size: int) -> Iterator[list[Line]]:
    """Divide a stream of lines into windows, reading at most one window ahead.

    Raises:
        ConfigError: the size is below 1.
        NmtError: a line cannot be read; the lines before it are yielded first.
    """
    if size < 1:
        raise ConfigError([Problem("window", f"must be at least 1, but is {size}")])
    stream = iter(lines)
    failure: NmtError | None = None
    while failure is None:
        several: list[Line] = []
        try:
            for line in itertools.islice(stream, size):
                several.append(line)
        except NmtError as error:
            failure = error
        if several:
            yield several
        if failure is None and len(several) < size:
            return
    raise failure


def numbered(windows: Iterator[list[Line]], first: int) -> Iterator[Window]:
    """Pair windows with the number of their first line."""
    for lines in windows:
        yield lines, first
        first += len(lines)

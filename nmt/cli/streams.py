"""Input and output files and standard streams of the commands."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import IO

from nmt.cli.run import COMMAND_LINE
from nmt.core.errors import ConfigError, DataError, NmtError
from nmt.core.storage.compression import check_name
from nmt.core.storage.files import packing, read_text_lines, reporting_os_errors
from nmt.core.storage.output_place import check_place


def standard_input() -> IO[bytes]:
    """Return standard input as a binary stream.

    It is a separate stream, since Python fails at exit if a thread is still reading ``sys.stdin``.

    Raises:
        NmtError: it is closed.
    """
    if sys.stdin is None:
        raise NmtError("standard input is closed; give --input FILE")
    try:
        descriptor = sys.stdin.fileno()
    except OSError:  # no file descriptor
        return sys.stdin.buffer
    return open(descriptor, "rb", closefd=False)


def standard_output() -> IO[bytes]:
    """Return standard output as a binary stream.

    Raises:
        NmtError: it is closed.
    """
    if sys.stdout is None:
        raise NmtError("standard output is closed; give --output FILE")
    return sys.stdout.buffer


@contextlib.contextmanager
def opened(path: Path | None, what: str) -> Iterator[IO[bytes] | None]:
    """Open an output file, if one is given; it is compressed if its name says so.

    Raises:
        NmtError: it cannot be written.
    """
    if path is None:
        yield None
        return
    check_place(path, what)
    action = f"write the {what}"
    with contextlib.ExitStack() as stack:
        with reporting_os_errors(action):
            stream = stack.enter_context(packing(stack.enter_context(path.open("wb")), path))
        try:
            yield stream
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is reported
                stack.close()
            raise
        with reporting_os_errors(action, path):  # writes the last lines
            stack.close()


def check_outputs(outputs: Sequence[tuple[str, Path | None]], inputs: Iterable[Path | None]) -> None:
    """Refuse outputs that would overwrite an input or each other, or cannot be compressed as their names say.

    Args:
        outputs: each option with its file; ``None`` if not given.
        inputs: input files, and runs, which may be model files; ``None`` if not given.

    Raises:
        ConfigError: with the file, or both options.
        NmtError: an output cannot be compressed.
    """
    given = [(option, path) for option, path in outputs if path is not None]
    for _, output in given:
        check_name(output)
    read = [path for path in inputs if path is not None]
    for _, output in given:
        for path in read:
            if _same_file(output, path):
                raise ConfigError(f"{path}: is an input and would be overwritten; choose another output", COMMAND_LINE)
    for (one, path), (other, second) in combinations(given, 2):
        if _same_file(path, second):
            raise ConfigError(f"{one} and {other} must be two files, but both are {second}", COMMAND_LINE)


def _same_file(one: Path, other: Path) -> bool:
    """Whether writing to one would overwrite the other; devices such as ``/dev/null`` never do."""
    if one.exists() and other.exists():
        return one.is_file() and one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def read_sides(*paths: Path) -> list[list[str]]:
    """Read parallel text files.

    Raises:
        DataError: a file is missing, unreadable or empty, or they differ in length.
    """
    streams = [read_text_lines(path) for path in paths]  # missing files are found before any is read
    sides = [list(stream) for stream in streams]
    for path, side in zip(paths, sides, strict=True):
        if len(side) != len(sides[0]):
            raise DataError(
                f"{paths[0]} has {len(sides[0])} lines, but {path} has {len(side)}; line k of one belongs to line k of "
                "the other"
            )
        if not side:
            raise DataError(f"{path}: must have one line or more, but is empty")
    return sides

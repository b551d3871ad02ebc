"""Files and standard streams that the commands read and write."""

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
from nmt.core.storage.files import missing_hint, packing, read_text_lines, reporting_os_errors


def standard_input() -> IO[bytes]:
    """Return the bytes of standard input.

    The stream is one of its own, since Python ends in an error if a thread still reads ``sys.stdin`` then.

    Raises:
        NmtError: whoever called the command closed it.
    """
    if sys.stdin is None:
        raise NmtError("standard input is closed; give --input FILE")
    try:
        descriptor = sys.stdin.fileno()
    except OSError:  # not a file of the system
        return sys.stdin.buffer
    return open(descriptor, "rb", closefd=False)


def standard_output() -> IO[bytes]:
    """Return standard output for bytes.

    Raises:
        NmtError: whoever called the command closed it.
    """
    if sys.stdout is None:
        raise NmtError("standard output is closed; give --output FILE")
    return sys.stdout.buffer


@contextlib.contextmanager
def opened(path: Path | None, what: str) -> Iterator[IO[bytes] | None]:
    """Open a file to be written, if one is asked for; what is written is packed, if its name says so.

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
            with contextlib.suppress(OSError):  # what went wrong first is what is told
                stack.close()
            raise
        with reporting_os_errors(action, path):  # the last lines may not be on the disk before
            stack.close()


def check_place(path: Path, what: str) -> None:
    """Refuse an output that is a folder, or whose folder is missing.

    Args:
        path: the output.
        what: what is written there, for the message.

    Raises:
        NmtError: nothing can be written there.
    """
    if path.is_dir() or not path.parent.is_dir():
        why = "it is a folder" if path.is_dir() else missing_hint(path).removeprefix("; ")
        raise NmtError(f"{path}: cannot write the {what}; {why}")


def check_outputs(outputs: Sequence[tuple[str, Path | None]], inputs: Iterable[Path | None]) -> None:
    """Refuse outputs that would overwrite an input, or one another, or cannot be packed as their names say.

    Args:
        outputs: each option with its file; ``None`` is not asked for.
        inputs: files that are read, runs too: one may be a model file. ``None`` is not given.

    Raises:
        ConfigError: names the file, or both options.
        NmtError: an output cannot be packed.
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
    """Whether what is written to one would overwrite the other; a device, such as ``/dev/null``, overwrites nothing."""
    if one.exists() and other.exists():
        return one.is_file() and one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def read_sides(*paths: Path) -> list[list[str]]:
    """Read text files that belong together line by line.

    Raises:
        DataError: a file is missing, unreadable or empty, or they differ in length.
    """
    streams = [read_text_lines(path) for path in paths]  # whether all are there is known before one is read
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

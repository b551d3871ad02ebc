"""Reading lines and writing files so that a mistake is named and nothing finished is lost."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

from nmt.core.errors import DataError, NmtError
from nmt.core.registry import nearest
from nmt.core.storage.compression import COMPRESSIONS, Compression, by_name, damaged, unpacked

DecodingErrors: TypeAlias = Literal["strict", "replace"]
"""What becomes of bytes that are not UTF-8: an error, or U+FFFD in their place."""


@dataclass(slots=True)
class LineCount:
    """What was read so far from one stream of lines.

    Args:
        lines: lines given.
        carriage_returns: carriage returns removed before a line feed.
        replaced: lines with bytes that were not UTF-8 and gave way to U+FFFD.
        first_replaced: the first of them, from 1.
    """

    lines: int = 0
    carriage_returns: int = 0
    replaced: int = 0
    first_replaced: int = 0


def iter_lines(
    stream: Iterable[bytes], name: str, *, count: LineCount | None = None, errors: DecodingErrors = "strict"
) -> Iterator[str]:
    r"""Decode the lines of a binary stream as they arrive.

    Only ``\n`` ends a line (never ``\r``, ``\x85`` or U+2028); one ``\r`` directly before it is removed. A last line
    without ``\n`` is a line like any other. A byte order mark at the very beginning is no part of the text.

    Args:
        stream: a binary file, or anything that yields pieces ending in ``\n``.
        name: what to call it in messages.
        count: updated with each line.
        errors: ``replace`` puts U+FFFD in the place of bytes that are not UTF-8, and counts such lines.

    Raises:
        DataError: with ``strict``, a line is not UTF-8; names the line and the byte in it (both from 1).
    """
    count = count if count is not None else LineCount()
    for place, raw in enumerate(stream):
        line = raw
        if line.endswith(b"\n"):
            line = line[:-1]
            if line.endswith(b"\r"):
                line = line[:-1]
                count.carriage_returns += 1
        count.lines += 1
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            if errors == "strict":
                shown = " ".join(f"0x{byte:02x}" for byte in line[error.start : error.end])
                raise DataError(
                    f"{name}: line {count.lines}, byte {error.start + 1}: must be UTF-8, but has {shown} "
                    f"({error.reason}); convert the file to UTF-8"
                ) from None
            text = line.decode("utf-8", errors="replace")
            count.replaced += 1
            count.first_replaced = count.first_replaced or count.lines
        yield text if place else text.removeprefix("\ufeff")


def read_text_lines(
    path: Path | str, *, count: LineCount | None = None, errors: DecodingErrors = "strict", what: str = "file"
) -> Iterator[str]:
    """Read the lines of a text file, plain or packed, one at a time.

    Whether the file is there is checked at once, before the first line is asked for.

    Args:
        path: the file; gzip, xz, bzip2 and Zstandard are recognised by its content, whatever the name.
        count: updated with each line.
        errors: see ``iter_lines``.
        what: what the file is to the reader of a message, such as ``"gold alignment"``.

    Raises:
        DataError: the file is missing, a folder, unreadable, damaged, no text or not UTF-8.
        NmtError: the package that unpacks it is missing.
    """
    return _lines_of(existing_file(path, what), count, errors)


def _lines_of(path: Path, count: LineCount | None, errors: DecodingErrors) -> Iterator[str]:
    with open_binary(path) as stream:
        yield from iter_lines(stream, str(path), count=count, errors=errors)


def read_stream_lines(
    stream: IO[bytes], name: str, *, count: LineCount | None = None, errors: DecodingErrors = "strict"
) -> Iterator[str]:
    """Read the lines of a stream that is open, such as standard input, plain or packed; as ``read_text_lines``.

    Args:
        stream: where it begins.
        name: what to call it in messages.
        count: updated with each line.
        errors: see ``iter_lines``.
    """
    inner, compression = unpacked(stream, name)
    yield from iter_lines(_sound_pieces(inner, compression, name), name, count=count, errors=errors)


def _sound_pieces(stream: IO[bytes], compression: Compression | None, name: str) -> Iterator[bytes]:
    try:
        yield from stream
    except Exception as error:
        told = error if compression is None else damaged(error, compression, name)
        if isinstance(told, OSError):
            raise DataError(f"{name}: cannot be read: {os_reason(told)}") from None
        raise told from None


@contextlib.contextmanager
def open_binary(path: Path | str) -> Iterator[Iterator[bytes]]:
    """Open a file for reading, unpacking what is packed; gives its lines.

    Raises:
        DataError: the file is missing, a folder, unreadable, no text, or not packed as its name says.
        NmtError: the package that unpacks it is missing.
    """
    path = existing_file(path)
    try:
        plain = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {os_reason(error)}") from None
    with plain:
        stream, compression = unpacked(plain, str(path))
        said = next((each for each in COMPRESSIONS if each.suffix == path.suffix), None)
        if said is not None and compression is None and stream.peek(1):  # type: ignore[attr-defined]
            raise DataError(f"{path}: must be packed by {said.name}, as its name says, but is not; rename or pack it")
        yield _sound_pieces(stream, compression, str(path))


def count_lines(path: Path) -> int | None:
    """Count the lines of a plain file; ``None`` of what is packed, cannot be read, or could not be read again."""
    if not path.is_file():
        return None
    lines, block = 0, b"\n"
    with contextlib.suppress(OSError, NmtError), path.open("rb") as plain:
        stream, compression = unpacked(plain, str(path))
        if compression is not None:
            return None
        while piece := stream.read(2**20):
            lines, block = lines + piece.count(b"\n"), piece
        return lines + (not block.endswith(b"\n"))
    return None


def existing_file(path: Path | str, what: str = "file") -> Path:
    """Return the path of a file that is there.

    Args:
        path: the file.
        what: what the file is to the reader of the message, such as ``"gold alignment"``.

    Raises:
        DataError: it is missing (with the sibling that looks most like it) or a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: must be a {what}, but is a folder")
    if path.exists():
        return path
    raise DataError(f"{path}: there is no such {what}{missing_hint(path)}")


def home_expanded(path: Path | str) -> Path:
    """Return a path with the home folder in the place of a leading ``~``."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no such user: a name that begins so
        return Path(path)


def path_below(root: Path | str, path: str) -> Path:
    """Return the path of a file as a recipe names it: from a root, from ``/`` or from ``~``."""
    return Path(root) / home_expanded(path)


def missing_hint(path: Path) -> str:
    """Return a hint, to be put after a message, at what stands where a file is missing; empty if there is none."""
    folder = path.parent
    if not folder.is_dir():
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return f"; the folder {path.parent} does not exist ({folder} does)"
    try:
        siblings = sorted(sibling.name for sibling in folder.iterdir())
    except OSError:
        return ""
    close = nearest(path.name, siblings)
    return f"; did you mean {folder / close}?" if close is not None else ""


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Write a file or a folder whole or not at all, even if power fails.

    The block writes to the path it is given, which is next to the final one and has its suffix. When the block ends
    well, everything is flushed to the disk and renamed; when it fails, it is removed and what was there before stays.
    A folder can only take the place of an empty one. A device or a pipe, such as ``/dev/stdout``, is written directly.

    Args:
        path: the final place; its folder must exist.

    Yields:
        The path to write to.

    Raises:
        OSError: of the block too; it names the final place.
    """
    wanted = Path(path)
    if wanted.exists() and not wanted.is_file() and not wanted.is_dir():
        try:
            yield wanted
        except OSError as error:
            _name_wanted(error, wanted, wanted)
            raise
        return
    path = wanted.resolve() if wanted.is_symlink() else wanted
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        yield temporary
        if temporary.is_dir():
            for inner in sorted(temporary.rglob("*"), reverse=True):
                _sync(inner)
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except BaseException as error:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            _name_wanted(error, temporary, wanted)
        raise


def _name_wanted(error: OSError, temporary: Path, wanted: Path) -> None:
    """Let an error name the file that was asked for: a full disk names none, and nobody knows the temporary one."""
    name = error.filename
    if name is None and error.strerror is not None:
        error.filename = str(wanted)
    elif name is not None and str(name).startswith(str(temporary)):
        error.filename = f"{wanted}{str(name).removeprefix(str(temporary))}"


@contextlib.contextmanager
def packing(stream: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """Pack what is written to a stream as the name of its file says; give the stream itself for a plain name.

    Raises:
        NmtError: the name asks for what cannot be written here, or the package that packs it is missing.
    """
    compression = by_name(path)
    if compression is None:
        yield stream
        return
    with compression.open(stream, "wb") as packed:
        yield packed


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file, a line feed after every line, whole or not at all; packed, if its name says so."""
    with atomic_write(path) as partial, partial.open("wb") as file, packing(file, path) as stream:
        stream.writelines(f"{line}\n".encode() for line in lines)


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people to read, whole or not at all; packed, if its name says so."""
    write_lines(path, [json.dumps(value, indent=1, ensure_ascii=False)])


def _sync(path: Path) -> None:
    """Flush a file or a folder to the disk, where the system can."""
    if path.is_dir() and os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def reporting_os_errors(action: str, path: Path | None = None) -> Iterator[None]:
    """Turn an error of the operating system into one clear message.

    A closed pipe passes unchanged: it is no error of the user's.

    Args:
        action: what is being done, completing "cannot ...", such as ``"save the checkpoint"``.
        path: the file it is done to, where the error names none: one of writing to an open file does not.

    Raises:
        NmtError: the operating system refused; names the file and the reason.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        name = path if error.filename is None else error.filename
        where = f"{name}: " if name is not None else ""
        raise NmtError(f"{where}cannot {action}: {os_reason(error)}") from error


def os_reason(error: OSError) -> str:
    """Return the reason of an operating system's error in words, with what to do where that is known."""
    reason = error.strerror or str(error) or type(error).__name__
    hints = {
        errno.ENOSPC: "free some space or write elsewhere",
        errno.EDQUOT: "free some space or write elsewhere",
        errno.EACCES: "check its permissions",
        errno.EROFS: "write elsewhere",
        errno.EMFILE: "raise the limit with `ulimit -n`",
    }
    hint = hints.get(error.errno or 0)
    return f"{reason}; {hint}" if hint else reason

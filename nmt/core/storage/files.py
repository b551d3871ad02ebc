"""Reads lines with precise error messages, and writes files atomically."""

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
"""Treatment of bytes that are not UTF-8: an error, or replacement by U+FFFD."""


@dataclass(slots=True)
class LineCount:
    """Counts of what was read from one stream of lines.

    Args:
        lines: lines read.
        carriage_returns: carriage returns removed before a line feed.
        replaced: lines in which bytes that are not UTF-8 became U+FFFD.
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
    without ``\n`` counts too. A byte order mark at the very beginning is not part of the text.

    Args:
        stream: a binary file, or anything that yields pieces ending in ``\n``.
        name: what to call it in messages.
        count: updated with each line; says how many lines lie before the first of these.
        errors: ``replace`` turns bytes that are not UTF-8 into U+FFFD, and counts such lines.

    Raises:
        DataError: a line is not UTF-8, with ``strict``; names the line and the byte in it (both from 1).
    """
    count = count if count is not None else LineCount()
    for raw in stream:
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
        yield text if count.lines > 1 else text.removeprefix("\ufeff")


def read_text_lines(
    path: Path | str,
    *,
    count: LineCount | None = None,
    errors: DecodingErrors = "strict",
    what: str = "file",
    offset: int = 0,
) -> Iterator[str]:
    """Read the lines of a text file, plain or compressed, one at a time; arguments as for ``iter_lines``.

    Checks that the file exists when called, before the first line is requested. gzip, xz, bzip2 and Zstandard are
    recognised by content, whatever the name; ``what`` is the kind of file in messages, such as ``"gold alignment"``.
    ``offset`` is the byte of the decompressed text at which to begin, where a line begins.

    Raises:
        DataError: the file is missing, a folder, unreadable, damaged, not text or not UTF-8.
        NmtError: the package that decompresses it is missing.
    """
    return _lines_of(existing_file(path, what), count, errors, offset)


def _lines_of(path: Path, count: LineCount | None, errors: DecodingErrors, offset: int) -> Iterator[str]:
    with open_binary(path, offset) as stream:
        yield from iter_lines(stream, str(path), count=count, errors=errors)


def read_stream_lines(
    stream: IO[bytes], name: str, *, count: LineCount | None = None, errors: DecodingErrors = "strict"
) -> Iterator[str]:
    """Read the lines of an open stream, such as standard input, as ``read_text_lines`` reads those of a file."""
    inner, compression = unpacked(stream, name)
    yield from iter_lines(_sound_pieces(inner, compression, name), name, count=count, errors=errors)


def _sound_pieces(stream: IO[bytes], compression: Compression | None, name: str) -> Iterator[bytes]:
    with _reporting_damage(compression, name):
        yield from stream


@contextlib.contextmanager
def _reporting_damage(compression: Compression | None, name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        told = error if compression is None else damaged(error, compression, name)
        if isinstance(told, OSError):
            raise DataError(f"{name}: cannot be read: {os_reason(told)}") from None
        raise told from None


@contextlib.contextmanager
def _opened(path: Path | str) -> Iterator[tuple[IO[bytes], Compression | None]]:
    """Open a file for reading, plain or compressed; yields a stream of its text, and how it is compressed."""
    path = existing_file(path)
    with _reporting_damage(None, str(path)):
        plain = path.open("rb")
    with plain:
        stream, compression = unpacked(plain, str(path))
        said = next((each for each in COMPRESSIONS if each.suffix == path.suffix), None)
        if said is not None and compression is None and stream.peek(1):  # type: ignore[attr-defined]
            raise DataError(
                f"{path}: must be compressed by {said.name}, as its name says, but is not; rename or compress it"
            )
        yield stream, compression


@contextlib.contextmanager
def open_binary(path: Path | str, offset: int = 0) -> Iterator[Iterator[bytes]]:
    """Open a file for reading, plain or compressed; yields its lines, from a byte of its text on.

    Raises:
        DataError: the file is missing, a folder, unreadable, not text, or not compressed as its name says.
        NmtError: the package that decompresses it is missing.
    """
    with _opened(path) as (stream, compression):
        if offset:
            with _reporting_damage(compression, str(path)):
                stream.seek(offset)  # a compressed stream is decompressed up to there
        yield _sound_pieces(stream, compression, str(path))


def read_blocks(path: Path | str) -> Iterator[bytes]:
    """Read the bytes of a text file, plain or compressed, in blocks; raises as ``open_binary``."""
    with _opened(path) as (stream, compression), _reporting_damage(compression, str(path)):
        while block := stream.read(2**20):
            yield block


def count_lines(path: Path) -> int | None:
    """Count the lines of a plain file; ``None`` if it is packed, unreadable, or can only be read once."""
    if not path.is_file():
        return None
    lines, block = 0, b"\n"
    with contextlib.suppress(OSError, NmtError), _opened(path) as (stream, compression):
        if compression is not None:
            return None
        while piece := stream.read(2**20):
            lines, block = lines + piece.count(b"\n"), piece
        return lines + (not block.endswith(b"\n"))
    return None


def existing_file(path: Path | str, what: str = "file") -> Path:
    """Return the path of a file if it exists; ``what`` is its kind in the message, such as ``"gold alignment"``.

    Raises:
        DataError: it is missing (suggests the sibling with the closest name) or a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: must be a {what}, but is a folder")
    if path.exists():
        return path
    raise DataError(f"{path}: there is no such {what}{missing_hint(path)}")


def home_expanded(path: Path | str) -> Path:
    """Return a path with a leading ``~`` replaced by the home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no such user: the name really begins with ~
        return Path(path)


def path_below(root: Path | str, path: str) -> Path:
    """Return the path of a file as a recipe names it: from a root, from ``/`` or from ``~``."""
    return Path(root) / home_expanded(path)


def missing_hint(path: Path) -> str:
    """Return a hint at existing files for the end of a message about a missing one; empty if there is none."""
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
    """Write a file or a folder atomically, even if power fails; the folder that it is in must exist.

    The block writes to a temporary path next to the final one, with the same suffix, which is yielded. If the block
    succeeds, everything is flushed to the disk and renamed; if it fails, it is removed and previous content stays.
    A folder can only replace an empty one. A device or a pipe, such as ``/dev/stdout``, is written directly.

    Raises:
        OSError: also from the block; names the final path.
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
    """Let an error name the requested file; a full disk names none, and the temporary one is unknown to users."""
    name = error.filename
    if name is None and error.strerror is not None:
        error.filename = str(wanted)
    elif name is not None and str(name).startswith(str(temporary)):
        error.filename = f"{wanted}{str(name).removeprefix(str(temporary))}"


@contextlib.contextmanager
def packing(stream: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """Pack the data written to a stream as the name of its file says; yields the stream itself for a plain name.

    Raises:
        NmtError: this compression cannot be written here, or the package for it is missing.
    """
    compression = by_name(path)
    if compression is None:
        yield stream
        return
    with compression.open(stream, "wb") as packed:
        yield packed


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file atomically, a line feed after every line; packed if its name says so."""
    with atomic_write(path) as partial, partial.open("wb") as file, packing(file, path) as stream:
        stream.writelines(f"{line}\n".encode() for line in lines)


def write_json(path: Path, value: Any) -> None:
    """Write human-readable JSON atomically; packed if its name says so."""
    write_lines(path, [json.dumps(value, indent=1, ensure_ascii=False)])


def _sync(path: Path) -> None:
    """Flush a file or a folder to the disk, if the system can."""
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
    """Turn an operating system error into one clear message.

    A broken pipe passes unchanged: it is not the user's error.

    Args:
        action: what is being done, completing "cannot ...", such as ``"save the checkpoint"``.
        path: the file concerned, for errors that name none, as when writing to an open file.

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
    """Return the reason of an operating system error in words, with advice if there is any."""
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

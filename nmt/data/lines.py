"""Reading lines of text: only a line feed ends a line; everything else (lone CR, U+2028, NUL) stays inside."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from nmt.core.errors import DataError


@dataclass(slots=True)
class LineCounts:
    """What was seen while reading.

    Args:
        lines: lines read.
        carriage_returns: lines whose CR before the line feed was removed.
        line_feeds: fields of structured records whose line feeds became spaces.
    """

    lines: int = 0
    carriage_returns: int = 0
    line_feeds: int = 0


def read_lines(path: Path, counts: LineCounts) -> Iterator[str]:
    """Read the lines of a UTF-8 file, plain or ``.gz``, one by one.

    Args:
        path: the file.
        counts: counted into.

    Yields:
        Lines without their ends.

    Raises:
        DataError: missing, unreadable, a damaged archive, or bytes that are not UTF-8 (naming file, line and byte).
    """
    offset = 0
    try:
        with _open(path) as stream:
            for number, raw in enumerate(stream, start=1):
                line = raw.removesuffix(b"\n")
                if len(line) < len(raw) and line.endswith(b"\r"):
                    line = line[:-1]
                    counts.carriage_returns += 1
                counts.lines += 1
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{path}: line {number}, byte {error.start + 1} (byte {offset + error.start + 1} of the "
                        f"file): must be UTF-8, but byte 0x{line[error.start]:02x} is not ({error.reason}); "
                        "convert the file, for instance with iconv"
                    ) from error
                offset += len(raw)
                yield text
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: must be a complete gzip file, but is damaged: {error}") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal.

    Raises:
        DataError: missing or unreadable.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _open(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read: {error.strerror or error}; paths are relative to data.root")

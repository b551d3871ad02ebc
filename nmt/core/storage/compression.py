"""Compressed text, recognised by content when read and by name when written; detects files that are not text."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from nmt.core.errors import DataError, NmtError
from nmt.core.storage import git_lfs

_HEAD = 512  # bytes that identify a file type; a tar archive needs this many


@dataclass(frozen=True, slots=True)
class Compression:
    """A compression format; concatenated packed pieces are the packed whole.

    Args:
        name: for messages.
        suffix: of the names of packed files.
        start: first bytes of a packed file.
        open: wraps a stream to pack (``wb``) or unpack (``rb``) it.
        pack: packs bytes at once.
    """

    name: str
    suffix: str
    start: re.Pattern[bytes]
    open: Callable[[Any, str], Any]
    pack: Callable[[bytes], bytes]


def _zstd() -> ModuleType:
    """The Zstandard library: Python's own from 3.14 on, else the package with the same functions.

    Raises:
        NmtError: neither is there.
    """
    try:
        from compression import zstd
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            raise NmtError(
                "Zstandard (.zst) needs Python 3.14 or the package backports.zstd, and there is neither; install it "
                "with: pip install 'nmt[zstd]'"
            ) from None
    library: ModuleType = zstd
    return library


def _open_gzip(stream: IO[bytes], mode: str) -> Any:
    # Neither name nor time: equal content gives equal files.
    return gzip.GzipFile(filename="", mode=mode, fileobj=stream, mtime=0)


def _open_bzip2(stream: IO[bytes], mode: str) -> Any:
    return bz2.BZ2File(stream, "wb" if mode == "wb" else "rb")


COMPRESSIONS = (
    Compression("gzip", ".gz", re.compile(rb"\x1f\x8b"), _open_gzip, lambda content: gzip.compress(content, mtime=0)),
    Compression("xz", ".xz", re.compile(rb"\xfd7zXZ\x00|\x5d\x00\x00.{6}", re.DOTALL), lzma.LZMAFile, lzma.compress),
    Compression("bzip2", ".bz2", re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), _open_bzip2, bz2.compress),
    Compression(
        "Zstandard",
        ".zst",
        re.compile(rb"(?:\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)"),
        lambda stream, mode: _zstd().ZstdFile(stream, mode),
        lambda content: bytes(_zstd().compress(content)),
    ),
)

# Suffixes of formats that cannot be written here.
_UNWRITABLE = (".zip", ".7z", ".rar", ".tar", ".tgz", ".tbz", ".txz", ".lzma", ".lz", ".lz4", ".lzo", ".br", ".z")
# The first read from a pipe may give too few bytes to identify the type.
_BEGINNINGS = (
    *(b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x5d\x00\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"\xff\xfe"),
    *(b"BZh%d%s" % (level, block) for level in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90")),
)

# First bytes of files that are neither text nor packed text, what they are, and what to do.
_UNPACK = "unpack it, and give the text file in it"
_SAVE = "save its text as a plain text file in UTF-8"
_ENCODED = "convert it to UTF-8, for instance with: iconv -f {} -t UTF-8"
_FOREIGN = tuple(
    (re.compile(start, re.DOTALL), kind, advice)
    for start, kind, advice in (
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a zip archive (or a document or a table that is one)", _UNPACK),
        (rb".{257}ustar[\x00 ]", "a tar archive", _UNPACK),
        (rb"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
        (rb"Rar!\x1a\x07", "a RAR archive", _UNPACK),
        (rb"\x1f[\x9d\xa0]", "a file compressed by compress (.Z)", _UNPACK),
        (rb"\x04\x22\x4d\x18", "a file compressed by LZ4", _UNPACK),
        (rb"LZIP[\x00\x01]", "a file compressed by lzip", _UNPACK),
        (rb"\x89LZO\x00", "a file compressed by lzop", _UNPACK),
        (rb"%PDF-", "a PDF document", _SAVE),
        (rb"\{\\rtf", "an RTF document", _SAVE),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of an office program", _SAVE),
        (rb"PAR1[\x00-\x1f]", "a Parquet table", _SAVE),
        (rb"ARROW1\x00\x00", "an Arrow table", _SAVE),
        (rb"SQLite format 3\x00", "an SQLite database", _SAVE),
        (rb"\x93NUMPY|\x89HDF\r\n", "an array of numbers", "give a text file"),
        (rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a", "a picture", "give a text file"),
        (rb"\x7fELF", "a program", "give a text file"),
        (re.escape(git_lfs.POINTER), git_lfs.KIND, git_lfs.ADVICE),
        (rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff", "text in UTF-32", _ENCODED.format("UTF-32")),
        (rb"\xff\xfe|\xfe\xff", "text in UTF-16", _ENCODED.format("UTF-16")),
        # Without a byte order mark: European letters have a zero in every other byte.
        (rb"(?:[^\x00]\x00){4,}", "text in UTF-16", _ENCODED.format("UTF-16LE")),
        (rb"(?:\x00[^\x00]){4,}", "text in UTF-16", _ENCODED.format("UTF-16BE")),
    )
)

DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)
"""Errors of unpacking a damaged file, besides those of the operating system and of Zstandard."""


def by_name(path: Path | str) -> Compression | None:
    """Return the compression that the name of an output file asks for; ``None`` for a plain file.

    Raises:
        NmtError: it cannot be written here.
    """
    suffix = Path(path).suffix.lower()
    if suffix in _UNWRITABLE:
        known = ", ".join(each.suffix for each in COMPRESSIONS)
        raise NmtError(
            f"{path}: cannot be compressed as its name says; choose a name that ends in {known}, or a plain one"
        )
    return next((each for each in COMPRESSIONS if each.suffix == suffix), None)


def check_name(path: Path | str) -> None:
    """Check, before writing, that a file can be packed as its name says.

    Raises:
        NmtError: as for ``by_name``, or the package for it is missing.
    """
    compression = by_name(path)
    if compression is not None:
        compression.pack(b"")


def without_suffix(name: str) -> str:
    """Return the name of the unpacked file."""
    suffix = next((each.suffix for each in COMPRESSIONS if name.lower().endswith(each.suffix)), "")
    return name[: len(name) - len(suffix)]


def unpacked(stream: IO[bytes], name: str) -> tuple[IO[bytes], Compression | None]:
    """Identify the content of a stream at its beginning by its first bytes; blocks until a pipe has these.

    Returns:
        A stream of its text (the same one if not compressed), and its compression.

    Raises:
        DataError: it is not text, or its decompressed content is not.
        NmtError: the package that decompresses it is missing.
    """
    stream, head = _begun(stream)
    compression = next((each for each in COMPRESSIONS if each.start.match(head)), None)
    if compression is None:
        _refuse_foreign(head, name)
        return stream, None
    try:
        inner, head = _begun(compression.open(stream, "rb"))
    except NmtError as error:
        raise NmtError(f"{name}: {error}") from error
    except Exception as error:
        raise damaged(error, compression, name) from None
    if any(each.start.match(head) for each in COMPRESSIONS):
        raise DataError(f"{name}: is compressed twice; decompress it once")
    _refuse_foreign(head, f"{name}, decompressed")
    return inner, compression


def damaged(error: Exception, compression: Compression, name: str) -> Exception:
    """Return the exception for an unpacking error: a message if the file is at fault, else the error itself."""
    ours = isinstance(error, DAMAGE) or type(error).__name__ == "ZstdError"
    # bz2 raises an OSError without a number.
    if ours or (isinstance(error, OSError) and error.errno is None):
        return DataError(f"{name}: the {compression.name} file is damaged or truncated: {error}")
    return error


def _refuse_foreign(head: bytes, name: str) -> None:
    for start, kind, advice in _FOREIGN:
        if start.match(head):
            raise DataError(f"{name}: must be a text file in UTF-8, plain or compressed, but is {kind}; {advice}")


def _begun(stream: Any) -> tuple[Any, bytes]:
    """Return a stream and its first bytes, not consumed; reads only as many as identify its type."""
    if not hasattr(stream, "peek"):
        stream = io.BufferedReader(stream)
    head: bytes = stream.peek(_HEAD)[:_HEAD]
    if _is_torn(head):
        stream, head = _rejoined(stream)
    return stream, head


def _is_torn(head: bytes) -> bool:
    return any(head and head != start and start.startswith(head) for start in _BEGINNINGS)


def _rejoined(stream: Any) -> tuple[Any, bytes]:
    """Read until the type is identified, and put the bytes back before the rest."""
    head = more = stream.read1(_HEAD)
    while more and _is_torn(head):
        more = stream.read1(_HEAD)
        head += more
    return io.BufferedReader(_Chain(head, stream)), head


class _Chain(io.RawIOBase):
    """Some bytes, followed by those of a stream as they arrive.

    Args:
        head: the bytes.
        rest: the stream.
    """

    def __init__(self, head: bytes, rest: Any) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the available bytes."""
        if not self._head:
            return int(self._rest.readinto1(buffer))
        count = min(len(buffer), len(self._head))
        buffer[:count], self._head = self._head[:count], self._head[count:]
        return count

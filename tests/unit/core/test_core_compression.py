"""Packed text: told by its content, written by its name; and what is no text is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nmt.core.errors import DataError, NmtError
from nmt.core.storage import compression
from nmt.core.storage.compression import COMPRESSIONS, by_name, check_name, without_suffix
from nmt.core.storage.files import packing, read_stream_lines, read_text_lines, write_json, write_lines

TEXT = "grün\r\nblau\n\nrot".encode()
LINES = ["grün", "blau", "", "rot"]


def has_zstd() -> bool:
    try:
        compression._zstd()
    except NmtError:
        return False
    return True


needs_zstd = pytest.mark.skipif(not has_zstd(), reason="needs Python 3.14 or backports.zstd")
kinds = pytest.mark.parametrize(
    "kind",
    [pytest.param(each, id=each.suffix, marks=needs_zstd if each.suffix == ".zst" else ()) for each in COMPRESSIONS],
)


class TestReading:
    @kinds
    def test_by_content_whatever_the_name(self, kind: compression.Compression, tmp_path: Path) -> None:
        for name in (f"x{kind.suffix}", "x.txt", "x"):
            (tmp_path / name).write_bytes(kind.pack(TEXT))
            assert list(read_text_lines(tmp_path / name)) == LINES

    @kinds
    def test_members_one_after_the_other(self, kind: compression.Compression, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(kind.pack(TEXT[:7]) + kind.pack(b"") + kind.pack(TEXT[7:]))
        assert list(read_text_lines(tmp_path / "x")) == LINES

    @kinds
    def test_more_than_a_buffer(self, kind: compression.Compression, tmp_path: Path) -> None:
        lines = [f"{number} {os.urandom(20).hex()}" for number in range(20_000)]
        (tmp_path / "x").write_bytes(kind.pack("".join(f"{line}\n" for line in lines).encode()))
        assert list(read_text_lines(tmp_path / "x")) == lines

    @kinds
    def test_nothing_packed(self, kind: compression.Compression, tmp_path: Path) -> None:
        (tmp_path / f"x{kind.suffix}").write_bytes(kind.pack(b""))
        assert list(read_text_lines(tmp_path / f"x{kind.suffix}")) == []
        (tmp_path / f"y{kind.suffix}").touch()
        assert list(read_text_lines(tmp_path / f"y{kind.suffix}")) == []

    @kinds
    @pytest.mark.parametrize("errors", ["strict", "replace"])
    def test_cut_off(self, kind: compression.Compression, errors: str, tmp_path: Path) -> None:
        packed = kind.pack(os.urandom(500).hex().encode() + b"\n")
        for keep in (len(kind.pack(b"")) - 1, len(packed) // 2, len(packed) - 3):
            (tmp_path / "x").write_bytes(packed[:keep])
            with pytest.raises(DataError, match=rf"x: the {kind.name} file is damaged or truncated"):
                list(read_text_lines(tmp_path / "x", errors=errors))

    @kinds
    def test_not_packed_in_spite_of_its_name(self, kind: compression.Compression, tmp_path: Path) -> None:
        (tmp_path / f"x{kind.suffix}").write_bytes(b"plain")
        with pytest.raises(DataError, match=rf"must be compressed by {kind.name}, as its name says, but is not"):
            list(read_text_lines(tmp_path / f"x{kind.suffix}"))

    @kinds
    def test_packed_twice(self, kind: compression.Compression, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(kind.pack(gzip.compress(TEXT)))
        with pytest.raises(DataError, match="x: is compressed twice"):
            list(read_text_lines(tmp_path / "x"))

    def test_a_byte_order_mark_within(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(lzma.compress(b"\xef\xbb\xbfa\n"))
        assert list(read_text_lines(tmp_path / "x")) == ["a"]

    def test_xz_of_old(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(lzma.compress(TEXT, format=lzma.FORMAT_ALONE))
        assert list(read_text_lines(tmp_path / "x")) == LINES

    @pytest.mark.parametrize("text", ["BZh is no bzip2\n", "PK 12\n", "]\n", "B", "(\n", "LZIP\n", "%PDF\n"])
    def test_text_that_begins_alike(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "x").write_text(text)
        assert list(read_text_lines(tmp_path / "x")) == text.splitlines()

    def test_without_the_package_one_message(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("compression", "compression.zstd", "backports", "backports.zstd"):
            monkeypatch.setitem(__import__("sys").modules, name, None)
        (tmp_path / "x").write_bytes(b"\x28\xb5\x2f\xfd....")
        with pytest.raises(NmtError, match=r"/x: Zstandard .* needs .* pip install 'nmt\[zstd\]'"):
            list(read_text_lines(tmp_path / "x", errors="replace"))
        with pytest.raises(NmtError, match=r"pip install 'nmt\[zstd\]'"):
            check_name("out.zst")


class Trickle(io.RawIOBase):
    """Gives one byte at a time."""

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        byte = self._rest.read(1)
        buffer[: len(byte)] = byte
        return len(byte)


class TestStreams:
    @kinds
    def test_a_stream_that_cannot_be_peeked_into(self, kind: compression.Compression) -> None:
        assert list(read_stream_lines(io.BytesIO(kind.pack(TEXT)), "standard input")) == LINES
        assert list(read_stream_lines(io.BytesIO(TEXT), "standard input")) == LINES

    @kinds
    @pytest.mark.parametrize("packed", [TEXT, b""], ids=["text", "nothing"])
    def test_a_pipe_that_gives_byte_by_byte(self, kind: compression.Compression, packed: bytes) -> None:
        stream = io.BufferedReader(Trickle(kind.pack(packed)))
        assert list(read_stream_lines(stream, "pipe")) == (LINES if packed else [])

    def test_what_is_typed_is_given_at_once(self) -> None:
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as sender:
            sender.write(b"B\n")
            lines = read_stream_lines(stream, "pipe")
            assert next(lines) == "B"
            sender.write(b"second\n")
            assert next(lines) == "second"


def a_tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo("a.txt")
        info.size = len(TEXT)
        archive.addfile(info, io.BytesIO(TEXT))
    return stream.getvalue()


def a_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", TEXT)
    return stream.getvalue()


@pytest.mark.parametrize("errors", ["strict", "replace"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (a_zip, "/x: must be a text file in UTF-8, plain or compressed, but is a zip archive .*; unpack it"),
        (a_tar, "is a tar archive; unpack it"),
        (lambda: gzip.compress(a_tar()), "/x, decompressed: must be a text file in UTF-8, .* but is a tar archive"),
        (lambda: b"%PDF-1.7\n%\xe2\xe3", "is a PDF document; save its text"),
        (lambda: "naïve\n".encode("utf-16"), "is text in UTF-16; convert it to UTF-8, .* iconv -f UTF-16 -t UTF-8"),
        (lambda: "naïve\n".encode("utf-16-le"), "is text in UTF-16; .* iconv -f UTF-16LE"),
        (lambda: "naïve\n".encode("utf-16-be"), "is text in UTF-16; .* iconv -f UTF-16BE"),
        (lambda: "naïve\n".encode("utf-32"), "is text in UTF-32; .* iconv -f UTF-32 "),
        (lambda: bz2.compress("naïve\n".encode("utf-16")), "x, decompressed: .* is text in UTF-16"),
        (lambda: b"\x1f\x9d\x90abc", "is a file compressed by compress"),
        (lambda: b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive"),
        (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a document of an office program"),
        (lambda: b"PAR1\x15\x00", "is a Parquet table"),
    ],
)
def test_what_is_no_text_is_named(content: Callable[[], bytes], message: str, errors: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content())
    with pytest.raises(DataError, match=message):
        list(read_text_lines(tmp_path / "x", errors=errors))


class TestWriting:
    @kinds
    def test_lines_come_back(self, kind: compression.Compression, tmp_path: Path) -> None:
        path = tmp_path / f"out{kind.suffix}"
        write_lines(path, LINES)
        assert kind.start.match(path.read_bytes())
        assert list(read_text_lines(path)) == LINES
        first = path.read_bytes()
        write_lines(path, LINES)
        assert path.read_bytes() == first, "the same content is the same file"

    @kinds
    def test_a_stream_that_is_flushed(self, kind: compression.Compression, tmp_path: Path) -> None:
        path = tmp_path / f"OUT{kind.suffix.upper()}"
        with path.open("wb") as raw, packing(raw, path) as stream:
            stream.write(TEXT[:9])
            stream.flush()
            stream.write(TEXT[9:])
        assert list(read_text_lines(path)) == LINES

    def test_plain_names_are_plain(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "out.gz.txt", ["a"])
        assert (tmp_path / "out.gz.txt").read_bytes() == b"a\n"
        write_json(tmp_path / "out.json", {"ä": 1})
        assert (tmp_path / "out.json").read_text(encoding="utf-8") == '{\n "ä": 1\n}\n'

    def test_json(self, tmp_path: Path) -> None:
        write_json(tmp_path / "out.json.gz", [1])
        assert gzip.decompress((tmp_path / "out.json.gz").read_bytes()) == b"[\n 1\n]\n"

    @pytest.mark.parametrize("name", ["out.zip", "out.tar", "out.7z", "out.Z", "out.lzma"])
    def test_names_that_ask_for_what_there_is_not(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(NmtError, match=rf"{name}: cannot be compressed as its name says; choose .*\.gz, \.xz"):
            write_lines(tmp_path / name, ["a"])
        assert list(tmp_path.iterdir()) == []


def test_names() -> None:
    assert by_name("a.b.GZ") is COMPRESSIONS[0] and by_name("a.gz.txt") is None
    assert [without_suffix(name) for name in ("a.de.gz", "a.XZ", "a.zst", "a.txt", "a.zip")] == [
        "a.de",
        "a",
        "a",
        "a.txt",
        "a.zip",
    ]

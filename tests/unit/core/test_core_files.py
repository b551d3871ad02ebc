"""Files: only a line feed ends a line; what is written is there as a whole or not at all."""

from __future__ import annotations

import errno
import gzip
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.core.errors import DataError, NmtError
from nmt.core.storage.files import (
    LineCount,
    atomic_write,
    count_lines,
    existing_file,
    iter_lines,
    open_binary,
    os_reason,
    path_below,
    read_text_lines,
    reporting_os_errors,
)


def lines_of(path: Path, content: bytes) -> tuple[list[str], LineCount]:
    path.write_bytes(content)
    count = LineCount()
    return list(read_text_lines(path, count=count)), count


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_paths_from_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_below("data", "~/a.de") == tmp_path / "a.de"
    assert path_below("data", "a~.de") == Path("data/a~.de") and path_below("data", "/a.de") == Path("/a.de")
    assert path_below("data", "~nobody-of-this-name/a.de") == Path("data/~nobody-of-this-name/a.de")


class TestLines:
    def test_only_a_line_feed_ends_a_line(self, tmp_path: Path) -> None:
        content = "a\rb\x0bc\x0cd\x1ce\x85f\u2028g\u2029h\n\ni".encode()
        lines, count = lines_of(tmp_path / "x", content)
        assert lines == ["a\rb\x0bc\x0cd\x1ce\x85f\u2028g\u2029h", "", "i"]
        assert count == LineCount(lines=3, carriage_returns=0)

    def test_one_carriage_return_before_a_line_feed_is_removed_and_counted(self, tmp_path: Path) -> None:
        lines, count = lines_of(tmp_path / "x", b"a\r\nb\nc\r\r\n\r\nd\r")
        assert lines == ["a", "b", "c\r", "", "d\r"]
        assert count == LineCount(lines=5, carriage_returns=3)

    @pytest.mark.parametrize(("content", "expected"), [(b"", []), (b"\n", [""]), (b"a", ["a"]), (b"a\n", ["a"])])
    def test_ends(self, tmp_path: Path, content: bytes, expected: list[str]) -> None:
        assert lines_of(tmp_path / "x", content)[0] == expected
        assert count_lines(tmp_path / "x") == len(expected)

    def test_lines_are_counted_of_what_can_be_read_again(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        for ends, count in ((b"\n", 3), (b"", 3), (b"\nb", 4)):  # about the end of a block
            path.write_bytes(b"a\r\n\n" + b"a" * (2**20 - 5) + ends)
            assert count_lines(path) == count
        path.write_bytes(gzip.compress(b"a\nb\n"))
        assert count_lines(path) is None
        path.write_bytes(b"\xff\xfea\0\n\0")  # UTF-16, which reading refuses
        assert count_lines(path) is None
        os.mkfifo(tmp_path / "pipe")
        assert count_lines(tmp_path / "pipe") is None

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"))))
    def test_lines_come_back(self, lines: list[str]) -> None:
        stream = [f"{line}\n".encode() for line in lines]
        assert list(iter_lines(stream, "x")) == [
            line if place else line.removeprefix("\ufeff") for place, line in enumerate(lines)
        ]

    def test_a_byte_order_mark_at_the_beginning_is_no_text(self, tmp_path: Path) -> None:
        lines, count = lines_of(tmp_path / "x", "\ufeff\ufeffa\n\ufeffb\n".encode())
        assert lines == ["\ufeffa", "\ufeffb"]
        assert count.lines == 2

    def test_undecodable_bytes_name_line_byte_and_value(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.de"
        path.write_bytes("gut\nä".encode() + b"bc\xe4\xf6d\n")
        lines = read_text_lines(path)
        assert next(lines) == "gut"
        # Line 2 is c3 a4 62 63 e4 f6 64: the bad byte is the fifth; 0xe4 begins a character that f6 does not continue.
        with pytest.raises(DataError, match=r"corpus\.de: line 2, byte 5: must be UTF-8, but has 0xe4 "):
            next(lines)

    def test_lines_arrive_before_the_stream_ends(self) -> None:
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as sender:
            sender.write(b"first\nsec")
            lines = iter_lines(stream, "pipe")
            assert next(lines) == "first"
            sender.write(b"ond\n")
            assert next(lines) == "second"


class TestGzip:
    def test_by_content_whatever_the_name(self, tmp_path: Path) -> None:
        packed = gzip.compress(b"a\r\nb\n")
        assert lines_of(tmp_path / "x.gz", packed)[0] == ["a", "b"]
        assert lines_of(tmp_path / "x.txt", packed)[0] == ["a", "b"]

    def test_empty_file_called_gz(self, tmp_path: Path) -> None:
        assert lines_of(tmp_path / "x.gz", b"")[0] == []

    def test_not_gzip_in_spite_of_its_name(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"x\.gz: must be compressed by gzip, as its name says"):
            lines_of(tmp_path / "x.gz", b"plain")

    @pytest.mark.parametrize("keep", [3, 30, -4])
    def test_cut_off(self, tmp_path: Path, keep: int) -> None:
        packed = gzip.compress(os.urandom(100).hex().encode() + b"\n")
        with pytest.raises(DataError, match="damaged or truncated"):
            lines_of(tmp_path / "x.gz", packed[:keep])

    def test_damaged(self, tmp_path: Path) -> None:
        packed = bytearray(gzip.compress(os.urandom(100).hex().encode() + b"\n"))
        packed[20] ^= 0xFF
        packed[40] ^= 0xFF
        with pytest.raises(DataError, match=r"damaged or truncated|must be UTF-8"):
            lines_of(tmp_path / "x.gz", bytes(packed))

    def test_from_a_pipe(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe"
        os.mkfifo(path)
        sender = threading.Thread(target=lambda: path.write_bytes(gzip.compress(b"a\nb\n")))
        sender.start()
        assert list(read_text_lines(path)) == ["a", "b"]
        sender.join()


class TestMissing:
    def test_checked_at_once_with_the_nearest_sibling(self, tmp_path: Path) -> None:
        (tmp_path / "train.de").touch()
        with pytest.raises(DataError, match=r"trian\.de: there is no such file; did you mean .*/train\.de\?$"):
            read_text_lines(tmp_path / "trian.de")

    def test_no_sibling_is_close(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"there is no such gold alignment$"):
            existing_file(tmp_path / "x", "gold alignment")

    def test_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"the folder .*/a/b does not exist \(.* does\)"):
            existing_file(tmp_path / "a" / "b" / "x")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="must be a file, but is a folder"):
            read_text_lines(tmp_path)
        with pytest.raises(DataError, match="must be a file, but is a folder"), open_binary(tmp_path):
            pass

    def test_impossible_name(self) -> None:
        with pytest.raises(DataError, match="no such file"):
            existing_file("a\0b")

    @pytest.mark.skipif(os.geteuid() == 0, reason="needs another user than root, who may read everything")
    def test_unreadable(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.touch(mode=0)
        with pytest.raises(DataError, match="cannot be read: Permission denied; check its permissions"):
            list(read_text_lines(path))


class TestAtomicWrite:
    def test_replaces_as_a_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "plot.png"
        path.write_text("old")
        with atomic_write(path) as temporary:
            assert temporary.parent == tmp_path
            assert temporary.suffix == ".png"  # some writers choose their format by it
            temporary.write_text("new")
            assert path.read_text() == "old"
        assert path.read_text() == "new"
        assert names_in(tmp_path) == ["plot.png"]

    @pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
    def test_failure_leaves_what_was_there(self, tmp_path: Path, failure: type[BaseException]) -> None:
        path = tmp_path / "x.json"
        path.write_text("old")

        def fail() -> None:
            with atomic_write(path) as temporary:
                temporary.write_text("half")
                raise failure

        with pytest.raises(failure):
            fail()
        assert path.read_text() == "old"
        assert names_in(tmp_path) == ["x.json"]

    def test_failure_before_anything_was_written(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "x"):
            pass
        assert names_in(tmp_path) == []

    def test_contents_reach_the_disk_before_the_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        events: list[str] = []
        sync, replace = os.fsync, Path.replace

        def record_sync(descriptor: int) -> None:
            kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
            events.append(f"sync {kind}")
            sync(descriptor)

        def record_replace(self: Path, target: Path) -> Path:
            events.append("rename")
            return replace(self, target)

        monkeypatch.setattr(os, "fsync", record_sync)
        monkeypatch.setattr(Path, "replace", record_replace)
        with atomic_write(tmp_path / "x") as temporary:
            temporary.write_text("new")
        assert events == ["sync file", "rename", "sync folder"]

    def test_folder(self, tmp_path: Path) -> None:
        path = tmp_path / "step-10"
        with atomic_write(path) as temporary:
            (temporary / "inner").mkdir(parents=True)
            (temporary / "inner" / "a").write_text("1")
            assert not path.exists()
        assert (path / "inner" / "a").read_text() == "1"

        def overwrite() -> None:
            with atomic_write(path) as temporary:
                temporary.mkdir()
                (temporary / "b").write_text("2")

        with pytest.raises(OSError, match="not empty"):
            overwrite()
        assert names_in(path) == ["inner"]
        assert names_in(tmp_path) == ["step-10"]

    def test_permissions_follow_the_umask(self, tmp_path: Path) -> None:
        plain = tmp_path / "plain"
        plain.touch()
        with atomic_write(tmp_path / "x") as temporary:
            temporary.touch()
        assert (tmp_path / "x").stat().st_mode == plain.stat().st_mode

    def test_through_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real").write_text("old")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with atomic_write(tmp_path / "link") as temporary:
            temporary.write_text("new")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real").read_text() == "new"

    @pytest.mark.parametrize("through", ["x.json", "link"])
    def test_an_error_names_the_file_that_was_asked_for(self, tmp_path: Path, through: str) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "real")
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as of a write, which names no file
        odd = OSError("odd")

        def fail(error: OSError | None, inner: str = "") -> OSError:
            with pytest.raises(OSError) as caught, atomic_write(tmp_path / through) as temporary:
                if error is not None:
                    raise error
                (temporary / inner).read_text()
            return caught.value

        assert fail(full).filename == str(tmp_path / through)
        assert fail(None).filename == str(tmp_path / through)
        assert fail(None, "model").filename == str(tmp_path / through / "model")
        assert fail(FileNotFoundError(errno.ENOENT, "none", "other")).filename == "other"
        assert str(fail(odd)) == "odd"

    def test_an_error_of_a_pipe_names_it(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError) as caught, atomic_write(tmp_path / "pipe"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        assert caught.value.filename == str(tmp_path / "pipe")

    def test_a_pipe_is_written_and_not_replaced(self, tmp_path: Path) -> None:
        # A pipe of our own, never a device of the machine: were the guard missing, a device would be replaced for good.
        pipe, link = tmp_path / "pipe", tmp_path / "link"
        os.mkfifo(pipe)
        link.symlink_to(pipe)
        descriptor = os.open(pipe, os.O_RDWR)  # both ends, so that nobody waits
        try:
            with atomic_write(link) as temporary:
                temporary.write_text("through")
            assert link.is_symlink()
            assert pipe.is_fifo()
            assert os.read(descriptor, 100) == b"through"
        finally:
            os.close(descriptor)


class TestOperatingSystem:
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_no_space(self) -> None:
        with (
            pytest.raises(NmtError, match="cannot save the model: No space left on device; free some space"),
            reporting_os_errors("save the model"),
            Path("/dev/full").open("wb", buffering=0) as stream,
        ):
            stream.write(b"x")

    def test_names_the_file(self, tmp_path: Path) -> None:
        with (
            pytest.raises(NmtError, match=r"none/x: cannot write the report: No such file"),
            reporting_os_errors("write the report"),
        ):
            (tmp_path / "none" / "x").write_text("")

    def test_a_path_is_named_where_the_error_names_none(self, tmp_path: Path) -> None:
        with (
            pytest.raises(NmtError, match=r"^out: cannot write: No space left"),
            reporting_os_errors("write", Path("out")),
        ):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with pytest.raises(NmtError, match=r"none: cannot write"), reporting_os_errors("write", Path("out")):
            (tmp_path / "none").read_text()

    def test_what_is_not_the_users_passes(self) -> None:
        with pytest.raises(BrokenPipeError), reporting_os_errors("write"):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        with pytest.raises(ValueError, match="ours"), reporting_os_errors("write"):
            raise ValueError("ours")

    def test_reason_without_a_number(self) -> None:
        assert os_reason(OSError("odd")) == "odd"
        assert os_reason(OSError()) == "OSError"

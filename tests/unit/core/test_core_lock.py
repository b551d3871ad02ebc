"""The lock of a folder, and the checksums of its files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nmt.core.errors import CheckpointError, NmtError
from nmt.core.storage import lock
from nmt.core.storage.checksums import CHECKSUMS, verify_checksums, write_checksums
from nmt.core.storage.lock import NAME, folder_lock


def test_a_folder_is_held_once_and_let_go(tmp_path: Path) -> None:
    with folder_lock(tmp_path):
        assert (tmp_path / NAME).read_text().split()[0] == str(os.getpid())
        with pytest.raises(NmtError, match=rf"is in use by process {os.getpid()} on ") as caught, folder_lock(tmp_path):
            pytest.fail("held twice")
        assert str(caught.value).startswith(f"{tmp_path}: ")
    assert list(tmp_path.iterdir()) == []
    with folder_lock(tmp_path):
        pass


def test_a_file_left_by_a_crash_locks_nothing(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("123456789 some-longer-name-of-a-machine\n")
    with folder_lock(tmp_path):
        assert (tmp_path / NAME).read_text().split()[0] == str(os.getpid())


def test_a_file_that_its_holder_takes_away_meanwhile_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same, calls = lock._is_file_of, []

    def late(descriptor: int, path: Path) -> bool:
        calls.append(path)
        if len(calls) == 1:
            path.unlink()
        return same(descriptor, path)

    monkeypatch.setattr(lock, "_is_file_of", late)
    with folder_lock(tmp_path):
        assert len(calls) == 2 and (tmp_path / NAME).exists()


def test_without_locks_there_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with folder_lock(tmp_path):
        assert "cannot be locked here" in caplog.text


def test_checksums_tell_what_was_changed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    verify_checksums(tmp_path, ("a", "missing"))  # nothing to compare with
    write_checksums(tmp_path)
    verify_checksums(tmp_path, ("a", "b"))
    (tmp_path / "b").write_text("c")
    verify_checksums(tmp_path, ("a",))
    with pytest.raises(CheckpointError, match=r"b: does not match its checksum"):
        verify_checksums(tmp_path, ("a", "b"))
    with pytest.raises(CheckpointError, match=r"missing: there is no such file"):
        verify_checksums(tmp_path, ("missing",))
    (tmp_path / "new").write_text("n")
    with pytest.raises(CheckpointError, match="new: does not match"):
        verify_checksums(tmp_path, ("new",))
    for damage in ("{}", '{"sha256": 3}', "[" * 50_000, "["):
        (tmp_path / CHECKSUMS).write_text(damage)
        with pytest.raises(CheckpointError):
            verify_checksums(tmp_path, ("a",))

import json
import logging
import os
import shutil
import time
from pathlib import Path

import pyarrow
import pytest

from nmt.core.errors import DataError, NmtError
from nmt.data import cache as module
from nmt.data.cache import Cache


class Builder:
    def __init__(self):
        self.built = 0

    def __call__(self, folder):
        self.built += 1
        (folder / "data").write_bytes(b"0123456789" * 100)
        return {"lines": 7}


@pytest.fixture
def builder():
    return Builder()


def test_built_once_and_again_for_another_identity(tmp_path, builder):
    cache = Cache(tmp_path / "cache")
    folder, values = cache.fetch("x", {"a": 1}, builder)
    assert (folder / "data").stat().st_size == 1000
    assert Cache(tmp_path / "cache").fetch("x", {"a": 1}, builder) == (folder, values)
    assert builder.built == 1
    assert cache.fetch("x", {"a": 2}, builder)[0] != folder
    assert builder.built == 2


def test_an_entry_of_another_format_is_not_read(tmp_path, builder, monkeypatch):
    cache = Cache(tmp_path)
    before, _ = cache.fetch("x", {"a": 1}, builder)
    monkeypatch.setattr(module, "FORMAT_VERSION", module.FORMAT_VERSION + 1)
    assert cache.fetch("x", {"a": 1}, builder)[0] != before
    assert builder.built == 2


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "manifest", "no manifest", "empty manifest"])
def test_a_damaged_entry_is_built_again_with_a_notice(tmp_path, builder, damage, caplog):
    cache = Cache(tmp_path)
    folder, _ = cache.fetch("x", {}, builder)
    data, manifest = folder / "data", folder / "manifest.json"
    if damage == "flip":
        data.write_bytes(b"1" + data.read_bytes()[1:])
    elif damage == "truncate":
        data.write_bytes(data.read_bytes()[:-1])
    elif damage == "remove":
        data.unlink()
    elif damage == "manifest":
        manifest.write_text(json.dumps([1]))
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text("")
    with caplog.at_level(logging.WARNING, logger="nmt"):
        again, values = cache.fetch("x", {}, builder)
    assert (again, values, builder.built) == (folder, {"lines": 7}, 2)
    assert data.read_bytes() == b"0123456789" * 100
    assert "is damaged; building it again" in caplog.text


def test_a_failed_build_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "half").write_text("x")
        raise OSError(28, "No space left on device", str(folder / "half"))

    with pytest.raises(NmtError, match="No space left on device"):
        Cache(tmp_path).fetch("x", {}, fail)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_reported_with_the_path(tmp_path):
    def full(_building):
        with pyarrow.OSFile("/dev/full", "wb") as sink:
            sink.write(bytes(100_000))

    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(
        NmtError, match=rf"^{tmp_path}/x-[0-9a-f]+: cannot keep derived data: .*No space left on device"
    ):
        Cache(tmp_path).fetch("x", {}, full)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_not_hashed(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    pattern = r"pipe: must be a regular file, because it is read more than once.*to a file first$"
    with pytest.raises(DataError, match=pattern):  # and does not wait for a writer
        module.hash_file(tmp_path / "pipe")


def test_another_process_was_faster(tmp_path, builder):
    def slow(folder):
        Cache(tmp_path).fetch("x", {}, builder)
        return builder(folder)

    folder, values = Cache(tmp_path).fetch("x", {}, slow)
    assert values == {"lines": 7}
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_damaged_entry_that_cannot_be_moved_is_not_used(tmp_path, builder, monkeypatch):
    folder, _ = Cache(tmp_path).fetch("x", {}, builder)
    (folder / "data").write_bytes(b"")

    def refuse(self, target):
        raise PermissionError(13, "Permission denied", str(self), None, str(target))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(
        NmtError, match=f"^{folder}: the cached data is damaged and cannot be moved .*Permission denied"
    ):
        Cache(tmp_path).fetch("x", {}, builder)
    assert builder.built == 1
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_what_stands_in_the_place_of_an_entry_is_looked_at(tmp_path, builder):
    folder, _ = Cache(tmp_path / "other").fetch("x", {}, builder)
    folder = tmp_path / folder.name

    def disturbed(building):
        folder.mkdir()
        (folder / "data").write_bytes(b"half")
        return builder(building)

    with pytest.raises(NmtError, match=f"^{folder}: cannot keep derived data: Directory not empty"):
        Cache(tmp_path).fetch("x", {}, disturbed)
    assert (folder / "data").read_bytes() == b"half"
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, "other"}


@pytest.mark.parametrize("moment", ["before the look", "before the move"])
def test_an_entry_rebuilt_by_another_process_meanwhile_is_kept(tmp_path, builder, monkeypatch, moment):
    folder, _ = Cache(tmp_path).fetch("x", {}, builder)
    (folder / "data").write_bytes(b"")
    verified, rename = module._verified, Path.rename

    def faster():
        monkeypatch.undo()
        monkeypatch.setattr(shutil, "rmtree", _removed(removed, shutil.rmtree))
        Cache(tmp_path).fetch("x", {}, builder)
        (folder / "mark").write_text("of the faster one")  # no part of the entry

    removed = []
    if moment == "before the look":

        def look(path):
            found = verified(path)
            faster()
            return found

        monkeypatch.setattr(module, "_verified", look)
    else:

        def move(self, target):
            faster()
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", move)
    assert Cache(tmp_path).fetch("x", {}, builder) == (folder, {"lines": 7})
    assert builder.built == 2, "by the faster one"
    assert (folder / "mark").exists() and not any("mark" in names for names in removed)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path, builder):
    class Killed(BaseException):
        pass

    def killed(building):
        (tmp_path / "kept").mkdir(exist_ok=True)
        shutil.copytree(building, tmp_path / "kept" / building.name)
        raise Killed

    left = {}
    for name in ("old", "fresh", "file is fresh"):
        with pytest.raises(Killed):
            Cache(tmp_path).fetch("x", {"name": name}, killed)
        (made,) = (tmp_path / "kept").iterdir()
        left[name] = made.rename(tmp_path / made.name)
        (left[name] / "data").write_text("half")
    mine = tmp_path / ".x-mine"
    mine.mkdir()
    day_ago = time.time() - 25 * 60 * 60
    for path in (left["old"] / "data", left["fresh"] / "data", left["old"], left["file is fresh"], mine):
        os.utime(path, (day_ago, day_ago))
    folder, _ = Cache(tmp_path).fetch("x", {}, builder)
    assert {*tmp_path.iterdir()} == {folder, mine, tmp_path / "kept", left["fresh"], left["file is fresh"]}


def test_a_folder_that_cannot_be_removed_stops_nothing(tmp_path, builder, monkeypatch):
    left = tmp_path / f".y-{'0' * 24}-abcd_123"
    left.mkdir()
    os.utime(left, (0, 0))
    remove = shutil.rmtree

    def refuse(path, **options):
        if Path(path).name.startswith(".y-"):
            raise PermissionError(13, "Permission denied", str(path))
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    assert Cache(tmp_path).fetch("x", {}, builder)[1] == {"lines": 7}
    assert len([*tmp_path.glob(".y-*")]) == 1


def test_a_build_that_is_removed_after_all_fails(tmp_path, builder):
    def suspended(building):
        (building / "data").write_text("half")
        os.utime(building / "data", (0, 0))
        os.utime(building, (0, 0))
        Cache(tmp_path).fetch("x", {"other": 1}, builder)
        return {}

    with pytest.raises(NmtError, match="cannot keep derived data: No such file"):
        Cache(tmp_path).fetch("x", {}, suspended)
    assert len([*tmp_path.iterdir()]) == 1


def _removed(names, rmtree):
    """``rmtree`` that notes what is in a folder when it is removed."""

    def noting(path, **options):
        if Path(path).is_dir():
            names.append([inner.name for inner in Path(path).iterdir()])
        rmtree(path, **options)

    return noting


def test_without_a_folder_it_is_temporary(builder):
    folder, _ = Cache(None).fetch("x", {}, builder)
    assert (folder / "data").exists()

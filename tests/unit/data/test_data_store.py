import json
import logging

import pytest

from nmt.core.errors import NmtError
from nmt.data.store import Store


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
    store = Store(tmp_path / "cache")
    folder, values = store.fetch("x", {"a": 1}, builder)
    assert (folder / "data").stat().st_size == 1000
    assert Store(tmp_path / "cache").fetch("x", {"a": 1}, builder) == (folder, values)
    assert builder.built == 1
    assert store.fetch("x", {"a": 2}, builder)[0] != folder
    assert builder.built == 2


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "manifest", "no manifest", "empty manifest"])
def test_a_damaged_entry_is_built_again_with_a_notice(tmp_path, builder, damage, caplog):
    store = Store(tmp_path)
    folder, _ = store.fetch("x", {}, builder)
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
        again, values = store.fetch("x", {}, builder)
    assert (again, values, builder.built) == (folder, {"lines": 7}, 2)
    assert data.read_bytes() == b"0123456789" * 100
    assert "is damaged; building it again" in caplog.text


def test_a_failed_build_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "half").write_text("x")
        raise OSError(28, "No space left on device", str(folder / "half"))

    with pytest.raises(NmtError, match="No space left on device"):
        Store(tmp_path).fetch("x", {}, fail)
    assert not list(tmp_path.iterdir())


def test_another_process_was_faster(tmp_path, builder):
    def slow(folder):
        Store(tmp_path).fetch("x", {}, builder)
        return builder(folder)

    folder, values = Store(tmp_path).fetch("x", {}, slow)
    assert values == {"lines": 7}
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_without_a_folder_it_is_temporary(builder):
    folder, _ = Store(None).fetch("x", {}, builder)
    assert (folder / "data").exists()

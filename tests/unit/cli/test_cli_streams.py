"""What commands share: outputs that overwrite nothing, and files that are written whole or with one message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nmt.cli.streams import check_outputs, opened
from nmt.core.errors import ConfigError, DataError, NmtError
from nmt.core.storage.output_place import check_place

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def test_outputs_that_overwrite_nothing_pass(tmp_path: Path) -> None:
    (tmp_path / "in").touch()
    outputs = [("--output", tmp_path / "a"), ("--html", tmp_path / "b"), ("--soft", None), ("--plots", None)]
    check_outputs(outputs, [tmp_path / "in", None, tmp_path])
    null = Path("/dev/null")  # takes all that comes
    check_outputs([("--output", null), ("--html", null)], [null])


@pytest.mark.parametrize("way", ["in", "./in", "symbolic", "hard"])
def test_an_input_is_not_overwritten_by_whatever_name(tmp_path: Path, way: str) -> None:
    (tmp_path / "in").touch()
    (tmp_path / "symbolic").symlink_to("in")
    (tmp_path / "hard").hardlink_to(tmp_path / "in")
    with pytest.raises(ConfigError, match=r"in: is an input and would be overwritten; choose another output"):
        check_outputs([("--html", None), ("--output", Path(f"{tmp_path}/{way}"))], [None, tmp_path / "in"])


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("way", ["out", "x/../out", "symbolic"])
def test_outputs_do_not_overwrite_each_other(tmp_path: Path, way: str, there: bool) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "symbolic").symlink_to("out")
    if there:
        (tmp_path / "out").touch()
    outputs = [("--output", tmp_path / "out"), ("--soft", tmp_path / "a"), ("--html", Path(f"{tmp_path}/{way}"))]
    with pytest.raises(ConfigError, match=r"--output and --html must be two files, but both are .*/"):
        check_outputs(outputs, [])


def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_place(tmp_path / "x", "links")
    with pytest.raises(NmtError, match=r"cannot write the links; it is a folder"):
        check_place(tmp_path, "links")
    for use in (lambda: check_place(tmp_path / "no" / "x", "links"), opened(tmp_path / "no" / "x", "links").__enter__):
        with pytest.raises(NmtError, match=r"no/x: cannot write the links; the folder .*no does not exist"):
            use()
    monkeypatch.setattr(os, "access", lambda path, mode: path.exists() and path != tmp_path)
    with pytest.raises(NmtError, match=r"x: cannot write the links; you may not write into"):
        check_place(tmp_path / "x", "links")


@FULL
def test_a_disk_that_is_full_when_the_last_lines_go_to_it() -> None:
    with (
        pytest.raises(NmtError, match=r"^/dev/full: cannot write the links: No space left on device; free some space"),
        opened(Path("/dev/full"), "links") as stream,
    ):
        assert stream is not None
        stream.write(b"0-0")  # kept in memory until the file is closed


@FULL
def test_what_went_wrong_first_is_told() -> None:
    with pytest.raises(DataError, match="first"), opened(Path("/dev/full"), "links") as stream:
        assert stream is not None
        stream.write(b"0-0")
        raise DataError("first")

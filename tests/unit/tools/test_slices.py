"""Slices of a corpus: prefixes of one another, pairs kept together, the same bytes for the same seed."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tools.slices import drawn, main

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "slices.py"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    for suffix in ("xx", "yy"):
        (tmp_path / f"train.{suffix}").write_bytes(b"".join(f"{suffix} {n}\u2028\n".encode() for n in range(50)))
    return str(tmp_path / "train.xx"), str(tmp_path / "train.yy")


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_each_slice_is_a_prefix_of_the_next(files: tuple[str, str], tmp_path: Path) -> None:
    assert main([*files, str(tmp_path / "out"), "--sizes", "5", "20", "50"]) == 0
    for name in ("train.xx", "train.yy"):
        small, middle, whole = (lines(tmp_path / "out" / size / name) for size in ("5", "20", "50"))
        assert (len(small), len(middle), len(whole)) == (5, 20, 50)
        assert small == middle[:5] and middle == whole[:20]
        assert sorted(whole) == sorted(lines(tmp_path / name)) and whole != lines(tmp_path / name)


def test_pairs_stay_together(files: tuple[str, str], tmp_path: Path) -> None:
    main([*files, str(tmp_path / "out"), "--sizes", "20"])
    source, target = (lines(tmp_path / "out" / "20" / f"train.{suffix}") for suffix in ("xx", "yy"))
    assert [line.split()[1] for line in source] == [line.split()[1] for line in target]


def test_the_draw_is_the_same_everywhere_and_for_ever() -> None:
    assert drawn(10, 10, 1) == [2, 8, 7, 5, 6, 3, 4, 9, 1, 0]
    assert hashlib.sha256(repr(drawn(1000, 100, 1)).encode()).hexdigest()[:16] == "60f1fd7c1bd7970b"
    assert drawn(1000, 100, 1) != drawn(1000, 100, 2)


def test_it_runs_from_anywhere_and_reads_packed_text(files: tuple[str, str], tmp_path: Path) -> None:
    for path in map(Path, files):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    for folder, packed in (("plain", ""), ("packed", ".gz")):
        names = [Path(path).name + packed for path in files]
        command = [sys.executable, str(SCRIPT), *names, folder, "--sizes", "7"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
        assert done.stdout == f"7 pairs: {Path(folder, '7')}\n"
    packed_slice = (tmp_path / "packed" / "7" / "train.xx.gz").read_bytes()
    assert gzip.decompress(packed_slice) == (tmp_path / "plain" / "7" / "train.xx").read_bytes()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (["51"], "a slice must have at most as many pairs as the files, 50, but should have 51"),
        (["5", "60"], "should have 60"),
    ],
)
def test_too_large_a_slice_writes_nothing(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], sizes: list[str], message: str
) -> None:
    assert main([*files, str(tmp_path / "out"), "--sizes", *sizes]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_unequal_files_are_refused(files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(files[1]).write_text("one\n")
    assert main([*files, str(tmp_path / "out"), "--sizes", "5"]) == 1
    assert "must have the same number" in capsys.readouterr().err

"""Every step of `tools/bench_data.py` on a small corpus."""

import json
import mmap
import subprocess
import sys
from pathlib import Path

import pytest

from tools import bench_data
from tools.bench_data import STEPS, Data, measured, write_corpora
from tools.measuring import commit, machine, memory


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    write_corpora(folder, [40, 120])
    return folder


def test_a_smaller_corpus_is_the_beginning_of_the_largest(folder: Path) -> None:
    small, large = ((folder / size / "train.de").read_text().splitlines() for size in ("40", "120"))
    assert (len(small), len(large)) == (40, 120)
    assert large[:40] == small
    before = (folder / "120" / "train.de").stat().st_mtime_ns
    write_corpora(folder, [120])
    assert (folder / "120" / "train.de").stat().st_mtime_ns == before, "what is there stays"


def test_every_step_is_measured(folder: Path) -> None:
    data = Data(folder, 120, 300)
    found = {name: measured(data, name) for name in STEPS if not name.startswith("train")}
    for each in found.values():
        assert each["seconds"] > 0
        assert each["peak_mib"] >= each["own_mib"] > 1
    assert found["read"]["pairs"] == 120
    assert found["vocabulary"]["pieces"] == 300
    assert found["encode-1"]["target_tokens"] == found["encode-2"]["target_tokens"] == found["epoch"]["target_tokens"]
    assert found["epoch-sampled"]["target_tokens"] > found["epoch"]["target_tokens"]
    assert found["epoch"]["batches"] == found["plan"]["batches"] > 0


@pytest.mark.slow
def test_each_step_has_a_process_and_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = bench_data.main(["--folder", str(folder), "--pairs", "40", "--steps", "read"])
    assert status == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["step"], line["corpus"], line["pairs"]) for line in lines] == [("read", 40, 40)]
    assert {line["commit"] for line in lines} == {commit()}
    assert {line["machine"] for line in lines} == {machine()}


@pytest.mark.slow
def test_a_step_that_fails_says_why(tmp_path: Path) -> None:
    command = [sys.executable, bench_data.__file__, "--folder", str(tmp_path), "--pairs", "20", "--steps", "plan"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "plan with 20 pairs ended with status 1" in done.stderr
    assert "must hold joint.model" in done.stderr


def test_sizes_must_be_positive(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench_data.main(["--pairs", "0"])
    assert "--pairs: must be at least 1, but is 0" in capsys.readouterr().err


def test_memory_is_that_of_this_process() -> None:
    before = memory()
    # From the system, and not from what other tests have freed.
    with mmap.mmap(-1, 64 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held[:: 2**12] = b"x" * len(held[:: 2**12])
        after = memory()
    assert 56 < after["own_mib"] - before["own_mib"] < 80
    assert after["peak_mib"] >= after["own_mib"]

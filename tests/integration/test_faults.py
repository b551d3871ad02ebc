"""The tool that injects faults, with few of each: real processes killed, real files damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_trainings_and_files_survive_a_few_faults(tmp_path: Path) -> None:
    faults = ("kill", "operations", "ctrl-c-twice", "lock", "run-files", "model-file", "pickles")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "faults.py", "--kills", "2", "--folder", tmp_path, "--only", *faults],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    assert len(rows) == len(faults)
    for title, tried, survived, seen in rows:
        assert int(tried) == int(survived) > 0 and seen, title

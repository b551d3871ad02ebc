"""Continuous integration gets a browser where it may, and runs the tests in any case."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SKIPPED = "without a browser tests of pages are skipped"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize(
    ("user", "apt", "installs", "said"),
    [
        (0, "exit 0", 1, ""),
        (0, "exit 100", 0, SKIPPED),  # no network
        (0, None, 0, SKIPPED),
        (1000, "exit 0", 0, SKIPPED),
    ],
)
def test_tests_are_run_whether_a_browser_can_be_installed_or_not(
    tmp_path: Path, user: int, apt: str | None, installs: int, said: str
) -> None:
    for folder in (".ci", "tools", "bin"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    programs = {"tools/test": "echo tested $@; exit 3", "bin/id": f"echo {user}"}
    if apt is not None:
        programs["bin/apt-get"] = f'echo "$@" >> {tmp_path}/calls; {apt}'
    for name, line in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    for name in ("bash", "sh", "env", "dirname", "timeout"):  # and no browser
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        [tmp_path / ".ci" / "run", "-k", "x"],
        env={**os.environ, "PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "tested -k x\n")
    assert said in done.stderr and bool(said) == bool(done.stderr)
    calls = tmp_path / "calls"
    asked = calls.read_text().splitlines() if calls.exists() else []
    assert sum("install --yes" in call and call.endswith(" chromium") for call in asked) == installs

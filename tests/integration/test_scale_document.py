"""docs/scale.md: its commands run as they stand, and the program that it quotes is the one that is tested."""

from __future__ import annotations

import gzip
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import sentences

from nmt.cli.translate import main

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
PROGRAM = ROOT / "tools" / "ray_translate.py"
HAS_RAY = importlib.util.find_spec("ray") is not None

# Blank lines take no time to translate, so that three windows do not take long.
WORDS = iter(sentences(20, seed=9))
LINES = [next(WORDS) if number % 150 == 7 else "" for number in range(2600)]

COMMAND = '#!/bin/sh\nexec "{python}" -m nmt.cli.translate --quiet "$@"\n'
SBATCH = """#!/bin/sh
# Runs at once what SLURM would queue.
case "$1" in
    --parsable) for task in $(seq {first} {last}); do SLURM_ARRAY_TASK_ID=$task sh "$2" >&2 || exit 1; done; echo 7 ;;
    --dependency=afterok:7) test "$2" = --wrap && sh -c "$3" ;;
    *) exit 2 ;;
esac
"""
PARALLEL = """#!/bin/sh
# Runs one after another the jobs that GNU parallel would run side by side.
test "$1" = --jobs && test "$4" = ::: || exit 2
template=$3
shift 4
for each; do sh -c "$(echo "$template" | sed "s/{%}/1/g; s/{}/$each/g")" || exit 1; done
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


def example(begin: str) -> str:
    """Return the shell example that begins so, for 3 shards in place of 16."""
    (found,) = (block for block in blocks("sh") if block.startswith(begin))
    return re.sub(r"(?<=-|/| )16\b", "3", found)


@pytest.fixture
def folder(tiny_run: Path, tmp_path: Path) -> Path:
    """A folder with what the examples name: a run, an input, and ``nmt-translate``; and what it gives undivided."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "deen").symlink_to(tiny_run)
    text = "".join(f"{line}\n" for line in LINES).encode()
    (tmp_path / "big.de").write_bytes(text)
    (tmp_path / "big.de.gz").write_bytes(gzip.compress(text))
    (tmp_path / "bin").mkdir()
    program(tmp_path, "nmt-translate", COMMAND.format(python=sys.executable))
    whole = ["--input", str(tmp_path / "big.de"), "--output", str(tmp_path / "whole"), "--quiet"]
    assert main([str(tiny_run), *whole]) == 0
    return tmp_path


def program(folder: Path, name: str, content: str) -> None:
    path = folder / "bin" / name
    path.write_text(content)
    path.chmod(0o755)


def run(folder: Path, *call: str) -> None:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "HOME": str(folder), "RAY_AUTH_MODE": "disabled"}
    done = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def check(folder: Path) -> None:
    assert (folder / "big.en").read_bytes() == (folder / "whole").read_bytes()
    sizes = [(folder / f"big.en.shard-{number}-of-3").stat().st_size for number in (1, 2, 3)]
    assert min(sizes) > 0


@pytest.mark.slow
def test_a_slurm_array(folder: Path) -> None:
    script = example("#!/bin/sh\n#SBATCH")
    (folder / "translate.sh").write_text(script)
    tasks = re.search(r"^#SBATCH --array=(\d+)-(\d+)$", script, re.MULTILINE)
    assert tasks is not None
    program(folder, "sbatch", SBATCH.format(first=tasks[1], last=tasks[2]))
    run(folder, "sh", "-c", example("array=$(sbatch"))
    check(folder)


@pytest.mark.slow
def test_gnu_parallel(folder: Path) -> None:
    called = [shutil.which("parallel") or "false", "--version"]
    if not subprocess.run(called, capture_output=True, check=False).stdout.startswith(b"GNU parallel"):
        program(folder, "parallel", PARALLEL)
    run(folder, "sh", "-c", example("parallel --jobs 4"))
    check(folder)


def test_the_document_quotes_the_program_that_is_tested() -> None:
    assert PROGRAM.read_text(encoding="utf-8") in blocks("python")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not HAS_RAY, reason="needs Ray: pip install 'nmt[ray]'")
def test_ray_data(folder: Path) -> None:
    run(folder, sys.executable, str(PROGRAM), "runs/deen", "big.de", "big.en", "--actors", "2")
    assert (folder / "big.en").read_bytes() == (folder / "whole").read_bytes()

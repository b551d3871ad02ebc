"""What `tools/quickstart` does around the commands that it calls."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools import quickstart

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that are called, in place of which a test set and a finished run appear."""
    commands: list[list[str]] = []

    def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        commands.append(words)
        if words[1].endswith("generate_corpus.py"):
            corpus = Path(words[2])
            corpus.mkdir(parents=True, exist_ok=True)
            for side in ("de", "en"):
                (corpus / f"test.{side}").write_text("".join(f"{side} {number}\n" for number in range(10)))
        if words[0].endswith("nmt-train"):
            folder = Path(words[words.index("--output") + 1])
            folder.mkdir()
            (folder / "recipe.yaml").touch()
            score = {"name": "BLEU", "value": 94.567, "signature": "nrefs:1"}
            (folder / "test.json").write_text(json.dumps({"scores": [score]}))
            (folder / "alignment.json").write_text(json.dumps({"aer": 0.12345, "oracle": {"aer": 0.0029}}))
            (folder / "versions.json").write_text(json.dumps({"seed": 2}))
        if words[0].endswith("nmt-translate"):
            return subprocess.CompletedProcess(words, 0, options["input"].replace(b"de", b"en"))
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_the_summary_says_what_was_made(
    tmp_path: Path, called: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):  # what a run before has left is removed
        assert quickstart.main(["--output", str(tmp_path / "out"), "--seed", "2", "a.b=c"]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary.pop("seconds") >= 0
    assert summary == {"bleu": 94.57, "signature": "nrefs:1", "aer": 0.1235, "aer_oracle": 0.0029, "seed": 2}
    train = called[1]
    assert train[2:5] == [f"data.root={tmp_path / 'out' / 'corpus'}", "seed=2", "a.b=c"]
    said = capsys.readouterr().out
    # Sentences 0, 2, 4, 6 and 8 of ten.
    assert all(f"German     de {number}\n  English  = en {number}\n" in said for number in (0, 2, 4, 6, 8))
    assert "summary.json" in said and "learning-curves.png" in said


def test_what_is_no_run_is_not_removed(tmp_path: Path, called: list[list[str]]) -> None:
    thesis = tmp_path / "run" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.touch()
    with pytest.raises(SystemExit, match="is no run of a training"):
        quickstart.main(["--output", str(tmp_path)])
    assert thesis.exists() and not called


def test_a_command_that_fails_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 3))
    with pytest.raises(SystemExit) as ended:
        quickstart.main(["--output", str(tmp_path)])
    assert ended.value.code == 3


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_setup_makes_a_half_made_environment_anew(tmp_path: Path) -> None:
    """As Debian leaves it without python3-venv: a Python, but no pip."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup", tmp_path / "tools")
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    half = tmp_path / ".venv" / "bin" / "python"
    half.parent.mkdir(parents=True)
    half.write_text("#!/bin/sh\nexit 1\n")
    half.chmod(0o755)
    # In place of a Python: it makes an environment whose Python notes how pip is called.
    made = tmp_path / "python"
    made.write_text(
        "#!/bin/sh\n"
        'case "$*" in *venv*) [ "$3" = --clear ] || exit 1\n'
        "mkdir -p .venv/bin; printf '#!/bin/sh\\necho \"$@\" >> pip.log\\n' > .venv/bin/python\n"
        "chmod +x .venv/bin/python;; esac\n"
    )
    made.chmod(0o755)
    environment = {**os.environ, "PYTHON": str(made)}
    for _ in range(2):
        subprocess.run(["bash", "tools/setup", "dev"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    installs = [line for line in (tmp_path / "pip.log").read_text().splitlines() if " install " in line]
    assert len(installs) == 1 and installs[0].endswith("--constraint constraints.txt --editable .[dev]")

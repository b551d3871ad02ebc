"""The tool as a command, on a tiny corpus: two trainings, a table and a plot; and what a user may get wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_training import recipe_text, write_corpus

pytestmark = pytest.mark.slow

TOOL = Path(__file__).resolve().parents[3] / "tools" / "bleu_by_length.py"
TEST = "test={corpus: {source: test.xx, target: test.yy}}"


def call(*words: str | Path, where: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, TOOL, *words], cwd=where, capture_output=True, text=True, check=False)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(recipe_text(write_corpus(tmp_path / "corpus")))
    return path


def test_it_compares_a_model_with_attention_and_one_without(recipe: Path, tmp_path: Path) -> None:
    done = call(recipe, TEST, "training.max_steps=2", where=tmp_path)
    assert done.returncode == 0, done.stderr
    lengths = tmp_path / "lengths"
    table = (lengths / "bleu-by-length.md").read_text()
    assert table in done.stdout + "\n"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert rows[0] == ["source words", "sentences", "attention", "no attention"]
    # All twelve test sentences have seven words or fewer.
    assert [row[:2] for row in rows[2:]] == [["0–8", "12"]]
    assert all(re.fullmatch(r"\d+\.\d", cell) for cell in rows[2][2:])
    assert (lengths / "bleu-by-length.png").read_bytes().startswith(b"\x89PNG")
    assert "type: none" in (lengths / "no-attention" / "recipe.yaml").read_text()
    assert "type: none" not in (lengths / "attention" / "recipe.yaml").read_text()


def test_mistakes_are_told_in_a_line_before_anything_is_trained(recipe: Path, tmp_path: Path) -> None:
    for words, message in (
        ([recipe], "needs a test part"),
        ([recipe, TEST.replace("test.yy", "nothing.yy")], "nothing.yy"),
        (["missing.yaml"], "missing.yaml"),
    ):
        done = call(*words, where=tmp_path)
        assert done.returncode == 1
        assert message in done.stderr
        assert done.stderr.startswith("bleu_by_length.py: error: ")
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "lengths").exists()

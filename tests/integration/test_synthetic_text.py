"""The recipes that train on what models have translated: every command of their documents runs, on generated text."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nmt.cli import train, translate
from nmt.core.storage.files import write_lines
from nmt.recipe import load_recipe
from nmt.text.vocabularies import Vocabularies
from tools.corpus.files import write_part
from tools.corpus.generator import Generator

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
COMMANDS: dict[str, Callable[[list[str]], int]] = {"nmt-train": train.main, "nmt-translate": translate.main}
QUICK = [
    *("model.embedding.size=24", "model.encoder.size=24", "model.decoder.size=32", "data.subword.size=200"),
    *("training.max_epochs=2", "training.tune_search=false", "alignment=null", "training.device=cpu", "--quiet"),
]
PAIRS = 120


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the pairs and the text of each language that the documents name."""
    for _ in write_part(tmp_path, "all", Generator(1, 4, 8).pairs(2 * PAIRS)):
        pass
    for side in ("de", "en"):
        lines = (tmp_path / f"all.{side}").read_text(encoding="utf-8").splitlines()
        write_lines(tmp_path / f"my.{side}", lines[:PAIRS])
        write_lines(tmp_path / f"only.{side}", lines[PAIRS:])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands(recipe: str, number: int = 0) -> Iterator[list[str]]:
    """The commands of a block of shell commands in the document of a recipe; those that only read are left out."""
    blocks = re.findall(r"```sh\n(.*?)```", (RECIPES / recipe / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for line in blocks[number].splitlines():
        words = shlex.split(line, comments=True)
        if "<" not in words:
            yield words


def run(recipe: str, number: int = 0) -> None:
    for name, *arguments in commands(recipe, number):
        quick = QUICK if name == "nmt-train" else ["--device", "cpu", "--processes", "1", "--quiet"]
        assert COMMANDS[name]([*arguments, *quick]) == 0, arguments


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_back_translation(text: Path) -> None:
    (text / "only.en").rename(text / "mono.en")
    run("back-translation")
    assert len(lines(text / "mono.de")) == PAIRS
    model = text / "runs" / "mine"
    recipe = load_recipe(model / "recipe.yaml")
    assert [corpus.tag for corpus in recipe.data.train] == [None, "<bt>"]
    assert lines(model / "data" / "synthetic.source") == lines(text / "mono.de")
    counts = json.loads((model / "corpus.json").read_text())["training"]
    assert counts["lines"] == 2 * PAIRS - 20
    assert "<bt>" in Vocabularies.load(model / "vocabulary").source.symbols
    write_lines(text / "new.de", ["<bt> " + lines(text / "only.de")[0], "Der <bt> Hund", "<bt>"])
    assert translate.main([str(model), "--input", "new.de", "--output", "new.en", "--device", "cpu", "--quiet"]) == 0
    assert len(lines(text / "new.en")) == 3


def test_forward_translation(text: Path) -> None:
    (text / "only.de").rename(text / "mono.de")
    run("back-translation", 1)
    assert len(lines(text / "mono.en")) == PAIRS
    recipe = load_recipe(text / "runs" / "mine" / "recipe.yaml")
    assert [corpus.tag for corpus in recipe.data.train] == [None, None]


def test_distillation(text: Path) -> None:
    run("distillation")
    teachers = [text / "runs" / name for name in ("one", "two", "three")]
    for teacher in teachers[1:]:
        for part in ("train", "validation", "test"):
            assert lines(teacher / "data" / f"{part}.target") == lines(teachers[0] / "data" / f"{part}.target")
    student = text / "runs" / "small" / "data"
    assert lines(student / "train.source") == lines(teachers[0] / "data" / "train.source")
    assert lines(student / "train.target") == lines(text / "distilled.en")
    assert lines(student / "test.target") == lines(teachers[0] / "data" / "test.target")

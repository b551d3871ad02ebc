"""nmt-check as a person calls it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tiny_training import recipe_text, write_corpus

from nmt.cli.check import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    values = yaml.safe_load(recipe_text(write_corpus(tmp_path, train=400)))
    values["test"] = {"corpus": {"source": "test.xx", "target": "test.yy"}}
    values["data"]["cache"] = None
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return status, captured.out, captured.err

    return run


def append(recipe: Path, name: str, source: str, target: str) -> None:
    for suffix, line in (("xx", source), ("yy", target)):
        with (recipe.parent / f"{name}.{suffix}").open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def test_two_files_and_no_recipe(command: Run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    append(recipe, "train", "der Fuchs", "")
    first = [(tmp_path / f"train.{suffix}").read_text(encoding="utf-8").split("\n")[0] for suffix in ("xx", "yy")]
    append(recipe, "test", *first)
    before = sorted(tmp_path.iterdir())
    files = ("--source", "train.xx", "--target", "train.yy")
    status, out, _ = command(*files, "--validation", "validation.xx", "validation.yy", "--json")
    found = json.loads(out)
    assert [corpus["part"] for corpus in found["corpora"]] == ["training", "validation"]
    assert found["corpora"][0]["pairs"] == 401, "nothing is held out"
    assert any(401 in [example["line"] for example in each["examples"]] for each in found["findings"])
    assert status == 1
    status, out, _ = command(*files, "--test", "test.xx", "test.yy", "data.normalisation.lowercase=true")
    assert status == 1 and "error: test: test.xx and test.yy: the sources of" in out and "are also in training" in out
    assert sorted(tmp_path.iterdir()) == before


def test_an_override_before_the_recipe(command: Run, recipe: Path) -> None:
    assert command("data.normalisation.lowercase=true", recipe) == command(recipe, "data.normalisation.lowercase=true")


def test_neither_a_recipe_nor_files(command: Run, recipe: Path) -> None:
    assert command()[::2] == (
        2,
        "error: command line: a recipe must be given, or --source and --target; see nmt-check --help\n",
    )
    files = ("--source", "train.xx", "--target", "train.yy")
    for given, message in (((recipe, *files), "not both"), (files[:2], "given together")):
        status, out, err = command(*given)
        assert status == 2 and out == "" and message in err


def test_one_that_is_terminated_leaves_nothing(
    command: Run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*_arguments: object, **_keywords: object) -> None:
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL, "it would end these tests"
        signal.raise_signal(signal.SIGTERM)

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setattr("nmt.data.checks.corpora.check_data", terminated)
    assert command(recipe)[0] == 143
    assert list(scratch.iterdir()) == []


def test_status_by_severity(command: Run, recipe: Path) -> None:
    before = sorted(recipe.parent.iterdir())
    # The tiny corpus repeats its shortest sentences, and those held out are among them.
    corpora = ("data.validation=null", "test=null")
    status, printed, _ = command(recipe, *corpora)
    assert status in (0, 3)
    assert printed.startswith("training: train.xx and train.yy: 400 pairs\n")
    append(recipe, "train", "der hund\u200b", "")
    status, printed, _ = command(recipe, *corpora)
    assert status == 3
    assert "warning: training: train.xx and train.yy: a side is blank in 1 of 401 pairs (0.25%)" in printed
    assert "line 401: der hund\\u200b ||| (empty)" in printed
    (recipe.parent / "train.yy").write_text("one line\n")
    status, printed, _ = command(recipe, *corpora)
    assert status == 1
    assert "both sides must have the same number" in printed
    assert sorted(recipe.parent.iterdir()) == before  # nothing is left behind


def test_json_holds_everything(command: Run, recipe: Path) -> None:
    append(recipe, "test", "der hund ☃", "the dog")
    status, printed, _ = command(recipe, "--json")
    report = json.loads(printed)
    assert {"note": 0, "warning": 3, "error": 1}[report["severity"]] == status
    assert [each["part"] for each in report["corpora"]] == ["training", "validation", "test"]
    unknown = next(each for each in report["findings"] if each["kind"] == "unknown")
    assert unknown["examples"][0] == {"line": 13, "source": "der hund ☃", "target": "the dog"}
    assert {"kind", "severity", "corpus", "count", "message", "advice", "examples"} == set(unknown)


def test_mistakes_are_one_message(command: Run, recipe: Path) -> None:
    assert command(recipe.with_name("recipes.yaml"))[0] == 2
    status, _, errors = command(recipe, "data.train=[]")
    assert status == 2
    assert "data.train must name at least one corpus" in errors
    status, printed, _ = command(recipe, "data.root=nowhere")
    assert status == 1
    assert printed.count("unreadable") == 0
    assert "there is no such file" in printed

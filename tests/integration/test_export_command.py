"""nmt-export as a person calls it, and its file where every other command takes a run folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_run import sentences

from nmt.cli import align, evaluate, export, train, translate


@pytest.fixture
def model(tiny_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "model.nmt"
    assert export.main([str(tiny_run), str(path)]) == 0
    output = capfd.readouterr()
    assert output.out.startswith(f"{path}: step-00000500 of {tiny_run}, ") and output.err == ""
    return path


def test_every_command_takes_the_file_as_it_takes_the_run(
    tiny_run: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for path, seed in ((source, 4), (target, 5)):
        path.write_text("".join(f"{line}\n" for line in sentences(6, seed=seed, longest=4)))
    outputs = []
    for place in (tiny_run, model):
        assert translate.main([str(place), "--input", str(source), "--quiet"]) == 0
        assert align.main([str(place), str(source), str(target), "--quiet"]) == 0
        assert evaluate.main([str(place), str(source), str(target), "--quiet"]) == 0
        outputs.append(capfd.readouterr().out)
    assert outputs[0] == outputs[1] and len(outputs[0].splitlines()) > 12
    assert evaluate.main([str(model)]) == 1
    assert "is a model file, which has no test set; give a source file and its reference" in capfd.readouterr().err


def test_training_begins_from_the_file(model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for suffix, seed in (("source", 6), ("target", 7)):
        (tmp_path / suffix).write_text("".join(f"{line}\n" for line in sentences(30, seed=seed, longest=4)))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "data:\n  train: [{source: source, target: target}]\n"
        "model: {embedding: {size: 12}, encoder: {size: 12}, decoder: {size: 12}}\n"
        "training: {max_steps: 1, device: cpu}\n"
    )
    arguments = [str(recipe), f"data.root={tmp_path}", f"training.init_from={model}", "--output", str(tmp_path / "run")]
    assert train.main(arguments) == 0
    assert f"weights: begun from {model}" in capfd.readouterr().err


def test_show_prints_what_the_file_says(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert export.main(["--show", str(model)]) == 0
    manifest = json.loads(capfd.readouterr().out)
    assert manifest["checkpoint"] == "step-00000500" and manifest["recipe"]["model"]["encoder"]["size"] == 12
    assert len(manifest["sha256"]) == 64


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["run"], 2, "give one MODEL with --show, RUN with --hub, and RUN and MODEL without them"),
        (["run", "a", "b"], 2, "give one MODEL"),
        (["nowhere", "x.nmt"], 1, "nowhere: there is no such run folder"),
        (["--show", "nowhere"], 1, "nowhere: cannot be read: No such file"),
    ],
)
def test_mistakes_are_one_message(
    arguments: list[str], status: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert export.main(arguments) == status
    output = capfd.readouterr()
    assert message in output.err and "Traceback" not in output.err and output.out == ""

"""nmt-train as a person calls it: from a recipe to scores, resumed, interrupted, fine-tuned, dry."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tiny_training import assert_same_tensors, recipe_text, records, write_corpus

import nmt
from nmt import experiment
from nmt.cli.train import main
from nmt.core.errors import CheckpointError
from nmt.core.storage.run_folder import MODEL, OPTIMISER, RunFolder
from nmt.model.weights import read_tensors
from nmt.text.subword import SubwordConfig
from nmt.text.training import train_subword
from nmt.training.checkpoints import checkpoint

SMALL = ("training.max_steps=4", "training.validation_interval=2")
TESTED = ("test={corpus: {source: test.xx, target: test.yy}}", "alignment={plots: 1}")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_corpus(tmp_path_factory.mktemp("corpus"))
    (root / "recipe.yaml").write_text(recipe_text(root), encoding="utf-8")
    return root


class Command:
    """Runs the command in this process."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured
        self.errors = ""

    def __call__(self, *arguments: object, status: int = 0) -> str:
        result = main([str(argument) for argument in arguments])
        output = self._captured.readouterr()
        self.errors = output.err
        assert result == status, output.err
        assert "Traceback" not in output.err
        return output.out


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(capfd)


def content(folder: Path) -> dict[str, bytes]:
    """Everything in a run folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with test scores and alignments."""
    path = tmp_path_factory.mktemp("runs") / "finished"
    assert main([str(root / "recipe.yaml"), *SMALL, *TESTED, "--output", str(path), "--quiet"]) == 0
    return path


def test_a_run_folder_holds_what_the_architecture_says(finished: Path, root: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert names >= {"recipe.yaml", "vocabulary", "corpus.json", "versions.json", "metrics.jsonl", "checkpoints"}
    assert names >= {"best.json", "plots", "test.json", "alignment.json"}
    suffixes = {path.suffix for path in finished.rglob("*") if path.is_file() and "cache" not in path.parts}
    assert suffixes <= {".safetensors", ".json", ".jsonl", ".yaml", ".model", ".png", ".txt", ".pharaoh"}
    recipe = yaml.safe_load((finished / "recipe.yaml").read_text())
    assert recipe["training"]["max_steps"] == 4, "with its overrides"
    assert recipe["data"]["root"] == str(root)
    counts = json.loads((finished / "corpus.json").read_text())
    assert (counts["training"]["lines"], counts["validation"]["lines"]) == (200, 12)
    assert json.loads((finished / "versions.json").read_text())["seed"] == 5
    assert {line["kind"] for line in records(RunFolder(finished))} == {"train", "validation"}


def test_the_run_translates(finished: Path) -> None:
    (translation,) = nmt.Translator.load(finished).translate(["der hund"])
    assert isinstance(translation.text, str)


def test_the_last_line_is_the_score_and_the_model(command: Command, root: Path, tmp_path: Path) -> None:
    output = command(root / "recipe.yaml", "--output", tmp_path / "run", *SMALL)
    (line,) = output.splitlines()
    best = json.loads((tmp_path / "run" / "best.json").read_text())
    assert (
        line == f"best: bleu {best['value']:.2f} on validation; model: {tmp_path}/run/checkpoints/{best['checkpoint']}"
    )
    assert "update 2: perplexity" in command.errors and "learning curves:" in command.errors


def test_resuming_a_finished_run_changes_nothing_and_says_so(command: Command, finished: Path) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}

    before = content(finished), times()
    output = command("--output", finished, "--resume")
    assert (content(finished), times()) == before
    assert "has finished already (all 4 updates are made); nothing is trained" in command.errors
    score = json.loads((finished / "test.json").read_text())["scores"][0]
    assert output.startswith(f"test: BLEU|{score['signature']} = {score['value']:.2f}") and "scored before" in output


def test_a_finished_run_keeps_the_versions_it_was_trained_with(
    command: Command, finished: Path, tmp_path: Path
) -> None:
    run = tmp_path / "copy"
    shutil.copytree(finished, run)
    text = (run / "versions.json").read_text().replace(f'"torch": "{version("torch")}"', '"torch": "1.0"')
    (run / "versions.json").write_text(text)
    command("--output", run, "--resume")
    assert "from here on" not in command.errors and (run / "versions.json").read_text() == text
    command("--output", run, "--resume", "training.max_steps=5")
    assert "results may differ from here on, if only by rounding: torch was 1.0" in command.errors
    assert (run / "versions.json").read_text() != text


def test_a_finished_run_makes_up_for_what_is_missing(command: Command, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "copy"
    shutil.copytree(finished, run)
    (run / "test.json").unlink()
    command("--output", run, "--resume")
    score = json.loads((run / "test.json").read_text())["scores"][0]
    assert score == json.loads((finished / "test.json").read_text())["scores"][0]


def test_a_finished_run_is_scored_anew_where_something_else_is_asked_for(
    command: Command, finished: Path, tmp_path: Path
) -> None:
    run = tmp_path / "copy"
    shutil.copytree(finished, run)
    before = {name: (run / name).read_bytes() for name in ("test.json", "alignment.json")}
    output = command("--output", run, "--resume", "test.tokenize=char")
    assert "scored before" not in output and "tok:char" in output
    assert "tok:char" in json.loads((run / "test.json").read_text())["scores"][0]["signature"]
    assert (run / "alignment.json").read_bytes() == before["alignment.json"], "that depends on no tokenizer of scores"
    command("--output", run, "--resume", "alignment.plots=3")
    assert len(json.loads((run / "alignment.json").read_text())["plots"]) == 6, "a heatmap and edges of each"
    output = command("--output", run, "--resume", "search.beam_size=1")
    assert "scored before" not in output


def test_a_finished_run_is_scored_anew_where_the_text_has_changed_under_its_name(
    command: Command, finished: Path, root: Path, tmp_path: Path
) -> None:
    run = tmp_path / "copy"
    shutil.copytree(finished, run)
    data = tmp_path / "data"
    shutil.copytree(root, data)
    (data / "gold").write_text("0-0\n" * len((data / "test.xx").read_bytes().splitlines()))
    changes = (f"data.root={data}", "alignment.gold=gold")
    command("--output", run, "--resume", *changes)
    before = {name: json.loads((run / name).read_text()) for name in ("test.json", "alignment.json")}
    assert "scored before" in command("--output", run, "--resume", *changes)
    lines = (data / "test.yy").read_text().splitlines()
    (data / "test.yy").write_text("".join(f"{line}\n" for line in lines[::-1]))
    output = command("--output", run, "--resume", *changes)
    after = json.loads((run / "test.json").read_text())
    assert "scored before" not in output and after["scores"][1] != before["test.json"]["scores"][1]
    aligned = json.loads((run / "alignment.json").read_text())
    assert aligned["entropy"] != before["alignment.json"]["entropy"]
    (data / "gold").write_text("0-0\n" + "\n" * (len(lines) - 1))
    assert "scored before" in command("--output", run, "--resume", *changes), "no score of the test needs gold links"
    assert json.loads((run / "alignment.json").read_text())["aer"] != aligned["aer"]
    for name in before:  # of a version that did not yet say which text it had scored
        record = json.loads((run / name).read_text())
        record["asked"] = {key: value for key, value in record["asked"].items() if not key.endswith("text")}
        (run / name).write_text(json.dumps(record))
    assert "scored before" in command("--output", run, "--resume", *changes)


@pytest.mark.parametrize("changes", [{"checkpoint": "step-00000001"}, {"weights": "0" * 64}])
def test_scores_of_another_checkpoint_are_not_taken_for_those_of_the_best_one(
    command: Command, finished: Path, tmp_path: Path, changes: dict[str, str]
) -> None:
    run = tmp_path / "copy"
    shutil.copytree(finished, run)
    for name in ("test.json", "alignment.json"):
        record = json.loads((run / name).read_text())
        assert record["checkpoint"] == json.loads((run / "best.json").read_text())["checkpoint"]
        record |= {**changes, **({"pairs": 0} if "pairs" in record else {})}
        if "scores" in record:
            record["scores"][0]["value"] = 99.0
        (run / name).write_text(json.dumps(record))
    output = command("--output", run, "--resume")
    assert "scored before" not in output and "99.00" not in output
    for name, key in (("test.json", "scores"), ("alignment.json", "pairs")):
        assert json.loads((run / name).read_text())[key] == json.loads((finished / name).read_text())[key]


def test_more_updates_continue_a_finished_run(command: Command, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "copy"
    shutil.copytree(finished, run)
    scored = (run / "test.json").stat().st_mtime_ns
    command("--output", run, "--resume", "training.max_steps=6")
    assert "resumed at update 4 of 6" in command.errors
    assert [line["step"] for line in records(RunFolder(run), "validation")] == [2, 4, 6]
    assert (run / "test.json").stat().st_mtime_ns > scored
    assert yaml.safe_load((run / "recipe.yaml").read_text())["training"]["max_steps"] == 6


def test_the_run_does_not_depend_on_where_it_is_called(
    command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Path
) -> None:
    monkeypatch.chdir(root.parent)
    command(f"{root.name}/recipe.yaml", f"data.root={root.name}", *SMALL, *TESTED, "--output", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    command("--output", "run", "--resume", "training.max_steps=5")
    shutil.rmtree(tmp_path / "run")
    command(finished / "recipe.yaml", "--output", "again")
    one, other = (next(each.glob("checkpoints/step-00000004")) / MODEL for each in (finished, tmp_path / "again"))
    assert_same_tensors(one, other)


# ---------------------------------------------------------------- interruption


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nmt.cli.train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def wait_for(path: Path, process: subprocess.Popen[str], seconds: float = 400) -> None:
    until = time.monotonic() + seconds
    while not path.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)


@pytest.mark.usefixtures("signals_of_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on_and_goes_on(root: Path, tmp_path: Path, number: signal.Signals) -> None:
    run = tmp_path / "run"
    steady = ("training.max_steps=100000", "training.schedule={type: constant}", "training.validation_interval=100000")
    process = start(root / "recipe.yaml", *steady, "training.checkpoint_interval=null", "--output", run)
    try:
        wait_for(run / "metrics.jsonl", process)
        process.send_signal(number)
        output, errors = process.communicate(timeout=400)
    finally:
        process.kill()
    assert process.returncode == 128 + number, errors
    assert output == "" and "Traceback" not in errors
    assert f"{number.name}: stopping after this update with a checkpoint" in errors
    (checkpoint,) = (run / "checkpoints").iterdir()
    step = int(checkpoint.name.removeprefix("step-"))
    assert f"stopped at update {step}; continue with: nmt-train --output {run} --resume" in errors
    _, errors = start("--output", run, "--resume", f"training.max_steps={step + 1}").communicate(timeout=400)
    assert f"resumed at update {step} of {step + 1}" in errors
    whole = tmp_path / "whole"
    process = start(run / "recipe.yaml", f"training.max_steps={step + 1}", "--output", whole)
    assert "Traceback" not in process.communicate(timeout=400)[1]
    name = f"checkpoints/step-{step + 1:08d}"
    for file in (MODEL, OPTIMISER):
        assert_same_tensors(run / name / file, whole / name / file)


# ---------------------------------------------------------------- the process


def test_threads_and_kernels_are_those_of_the_recipe_and_afterwards_those_before(
    command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> tuple[int, bool]:
        return torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()

    seen, before = {}, asked()
    for name in ("prepare_corpora", "build_trainer", "evaluate", "export_alignments"):
        monkeypatch.setattr(
            experiment, name, watched(getattr(experiment, name), lambda name=name: seen.update({name: asked()}))
        )
    others = (f"training.threads={before[0] + 1}", "training.deterministic=true")
    command(root / "recipe.yaml", *SMALL, *TESTED, *others, "--output", tmp_path / "run")
    assert seen == dict.fromkeys(seen, (before[0] + 1, True)) and len(seen) == 4
    assert asked() == before


def watched(function: Callable[..., Any], look: Callable[[], None]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        look()
        return function(*arguments, **options)

    return call


# ---------------------------------------------------------------- resuming with another recipe


@pytest.mark.parametrize(
    ("overrides", "paths"),
    [
        (["model.decoder.size=16"], ["model"]),
        (["seed=9", "data.batch.size=50"], ["seed", "data.batch"]),
        (["training.optimiser.type=adadelta"], ["training.optimiser.type"]),
        (["data.normalisation.lowercase=true", "model.attention=none"], ["model", "data.normalisation"]),
        (["data.validation=null", "training.average=0"], ["data.validation"]),
        (["data.filters.max_ratio=1.5"], ["data.filters"]),
    ],
)
def test_another_model_or_other_data_cannot_be_resumed(
    command: Command, root: Path, finished: Path, overrides: Sequence[str], paths: Sequence[str]
) -> None:
    before = content(finished)
    command(root / "recipe.yaml", *SMALL, *overrides, "--output", finished, "--resume", status=2)
    assert "cannot be resumed with this recipe" in command.errors
    for path in paths:
        assert f"{path} must stay as in the run" in command.errors
    assert content(finished) == before


def test_what_may_change_is_done_and_what_alters_the_course_is_said(
    command: Command, root: Path, finished: Path, tmp_path: Path
) -> None:
    run = tmp_path / "copy"
    shutil.copytree(finished, run)
    changes = ("training.log_interval=1", "training.keep_best=2", "name=other", "search.beam_size=3")
    command("--output", run, "--resume", "training.schedule={type: constant}", "training.clip_norm=0.5", *changes)
    (warning,) = [
        line
        for line in command.errors.splitlines()
        if line.startswith("warning: the run continues with other settings")
    ]
    assert (
        "training.clip_norm was 1.0, is 0.5" in warning and "training.schedule.type was linear, is constant" in warning
    )
    assert not any(change.split("=")[0] in warning for change in changes)
    assert yaml.safe_load((run / "recipe.yaml").read_text())["search"]["beam_size"] == 3
    command("--output", run, "--resume", "training.max_steps=5")
    assert "continues with other settings" not in command.errors
    command("--output", run, "--resume", "training.max_steps=6", "training.schedule.type=cosine")
    assert "the cosine schedule depends on the length of training, which has changed" in command.errors


@pytest.mark.parametrize(("name", "what"), [("train.xx", "training text"), ("validation.yy", "validation text")])
def test_the_text_counts_and_not_its_place(
    command: Command, root: Path, finished: Path, tmp_path: Path, name: str, what: str
) -> None:
    run, moved = tmp_path / "copy", tmp_path / "moved"
    shutil.copytree(finished, run)
    shutil.copytree(root, moved, ignore=shutil.ignore_patterns("cache"))
    there = (f"data.root={moved}", f"data.cache={moved}/cache", "training.max_steps=5")
    lines = (moved / name).read_text().splitlines(keepends=True)
    (moved / name).write_text("".join([*lines[1:], lines[0]]))
    before = content(run)
    command("--output", run, "--resume", *there, status=1)
    assert f"{run}: cannot be resumed: the {what} is not the one" in command.errors
    assert content(run) == before
    (moved / name).write_text("".join(lines))
    command("--output", run, "--resume", *there)
    assert "resumed at update 4 of 5" in command.errors


def test_another_vocabulary_is_noticed(command: Command, root: Path, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "copy"
    shutil.copytree(finished, run)
    path = run / "vocabulary" / "joint.model"
    train_subword(["der hund sieht"] * 9, SubwordConfig(size=14), output=path, name="other")
    command("--output", run, "--resume", "training.max_steps=5", status=1)
    assert "cannot be resumed: the vocabulary is not the one the run began with" in command.errors
    with pytest.raises(CheckpointError, match=r"joint\.model: is not the vocabulary that the model was trained with"):
        nmt.Translator.load(run)


def test_weights_are_not_used_with_another_model_section(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "copy"
    shutil.copytree(finished, run)
    recipe = (run / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(recipe.replace("lowercase: false", "lowercase: true", 1))
    with pytest.raises(CheckpointError, match=r"recipe\.yaml: the section 'normalisation' is not the one"):
        nmt.Translator.load(run)
    (run / "recipe.yaml").write_text(recipe.replace("beam_size: 2", "beam_size: 3", 1))
    nmt.Translator.load(run)


@pytest.mark.parametrize("work", ["run_training", "conclude"])
def test_an_end_outside_the_updates_says_how_to_go_on_too(
    command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    """While the vocabulary is trained, or while the test set is scored."""

    def stop(*_arguments: object, **_keywords: object) -> None:
        raise KeyboardInterrupt

    run = tmp_path / "run"
    monkeypatch.setattr(experiment, work, stop)
    command(root / "recipe.yaml", *SMALL, *TESTED, "--output", run, status=130)
    assert command.errors.endswith(f"continue with: nmt-train --output {run} --resume\ninterrupted\n")
    monkeypatch.undo()
    assert "test: BLEU" in command("--output", run, "--resume")


# ---------------------------------------------------------------- the folder and the disk


def test_two_cannot_train_into_one_folder(command: Command, root: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    code = (
        "import sys, time, pathlib; from nmt.core.storage.lock import folder_lock\n"
        "with folder_lock(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        command(root / "recipe.yaml", *SMALL, "--output", run, status=1)
        assert f"{run}: is in use by process {process.pid} on " in command.errors
    finally:
        process.kill()
        process.communicate()
    assert [path.name for path in run.iterdir()] == ["in-use.lock"], "left behind by the kill"
    command(root / "recipe.yaml", *SMALL, "--output", run)
    assert not (run / "in-use.lock").exists()


def test_a_wrong_recipe_leaves_no_folder(command: Command, root: Path, tmp_path: Path) -> None:
    command(root / "recipe.yaml", "training.clip_norm=-1", "--output", tmp_path / "run", status=2)
    assert not (tmp_path / "run").exists()


def test_a_disk_that_fills_up_keeps_the_last_good_state(
    command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    save, saves = checkpoint.write_tensors, []

    def fill_up(tensors: dict[str, torch.Tensor], path: Path) -> None:
        saves.append(path)
        save(tensors, path)
        if len(saves) == 4:  # the optimiser's state of the second checkpoint
            path.write_bytes(path.read_bytes()[:100])
            raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(checkpoint, "write_tensors", fill_up)
    command(root / "recipe.yaml", *SMALL, "--output", run, status=1)
    assert "training stopped at update 4: No space left on device" in command.errors
    assert "The checkpoint of update 2 is kept; when this is fixed" in command.errors
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-00000002"]
    monkeypatch.undo()
    command("--output", run, "--resume")
    command(root / "recipe.yaml", *SMALL, "--output", tmp_path / "whole")
    name = f"checkpoints/step-00000004/{MODEL}"
    assert_same_tensors(run / name, tmp_path / "whole" / name)
    assert records(RunFolder(run)) == records(RunFolder(tmp_path / "whole"))


# ---------------------------------------------------------------- fine-tuning


def test_fine_tuning_begins_with_vocabulary_and_weights(
    command: Command, root: Path, finished: Path, tmp_path: Path
) -> None:
    other = write_corpus(tmp_path / "other", train=100)
    text = (other / "train.yy").read_text()
    (other / "train.yy").write_text(text.replace("dog", "cat").replace("sees", "likes"))
    run, begun = tmp_path / "fine", tmp_path / "begun"
    shutil.copytree(finished, begun)
    options = [root / "recipe.yaml", f"data.root={other}", f"data.cache={tmp_path / 'cache'}"]
    options += ["training.optimiser={type: sgd, learning_rate: 1e-12}", f"training.init_from={begun}", *SMALL]
    command(*options, "--output", run)
    assert (run / "vocabulary" / "joint.model").read_bytes() == (begun / "vocabulary" / "joint.model").read_bytes()
    best = json.loads((begun / "best.json").read_text())["checkpoint"]
    weights = read_tensors(begun / "checkpoints" / best / MODEL)
    tuned = read_tensors(run / "checkpoints" / "step-00000004" / MODEL)
    for name, tensor in weights.items():
        torch.testing.assert_close(tuned[name], tensor, rtol=0, atol=1e-8)
    shutil.rmtree(begun)
    command("--output", run, "--resume", "training.max_steps=6")
    assert "resumed at update 4 of 6" in command.errors, "needs the other run no more"


def test_fine_tuning_another_model_lists_what_does_not_fit(
    command: Command, root: Path, finished: Path, tmp_path: Path
) -> None:
    options = [root / "recipe.yaml", f"training.init_from={finished}", "--output", tmp_path / "fine", *SMALL]
    command(*options, "model.decoder.size=16", status=2)
    assert f"model.decoder.size must be 12, as in {finished}, whose weights are used, but is 16" in command.errors
    options[1] = f"training.init_from={finished}x"
    command(*options, status=1)
    assert f"{finished}x: there is no such run folder" in command.errors


# ---------------------------------------------------------------- dry runs


def test_a_dry_run_trains_nothing_and_leaves_nothing(
    command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    output = command(root / "recipe.yaml", "data.cache=null", "--dry-run")
    assert list(tmp_path.iterdir()) == []
    for part in ("pairs: 200 in ", "vocabulary: source 70, target 70 (joint)", "parameters: ", "  decoder: "):
        assert part in output
    assert "largest batch: " in output and "device: cpu, precision: fp32" in output
    parameters = int(output.split("parameters: ")[1].split("\n")[0].replace(",", ""))
    assert 1_000 < parameters < 20_000
    assert "MiB of activations" in output


def test_a_dry_run_that_is_terminated_leaves_nothing(
    command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*_arguments: object) -> str:
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL, "it would end these tests"
        signal.raise_signal(signal.SIGTERM)
        return ""

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(experiment, "dry_run", terminated)
    command(root / "recipe.yaml", "--dry-run", status=143)
    assert list(tmp_path.iterdir()) == []


def test_the_home_folder_has_its_short_name(
    command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.chdir(tmp_path)
    text = (root / "recipe.yaml").read_text().replace(str(root), f"~/{root.name}")
    (tmp_path / "recipe.yaml").write_text(text)
    source, target = (f"~/{root.name}/test.{side}" for side in ("xx", "yy"))
    command("recipe.yaml", *SMALL, f"test={{corpus: {{source: {source}, target: {target}}}}}", "--output", "run")
    assert yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["data"]["root"] == str(root)
    assert {path.name for path in tmp_path.iterdir()} == {"recipe.yaml", "run"}


def test_a_dry_run_of_a_run_to_be_resumed(command: Command, finished: Path) -> None:
    before = content(finished)
    assert "parameters: " in command("--output", finished, "--resume", "--dry-run")
    assert content(finished) == before


def test_sampled_segmentations_are_the_same_in_another_process(finished: Path) -> None:
    code = (
        "import sys; from nmt.text.sampling import SamplingConfig; from nmt.text.subword import SubwordModel;"
        "model = SubwordModel.load(sys.argv[1]); config = SamplingConfig(alpha=0.5);"
        "print([model.sample('der hund sieht die katze heute nicht', config, seed) for seed in range(20)])"
    )
    path = str(finished / "vocabulary" / "joint.model")
    first, second = (subprocess.check_output([sys.executable, "-c", code, path], text=True) for _ in range(2))
    assert first == second

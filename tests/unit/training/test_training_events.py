"""What TensorBoard reads is what ``metrics.jsonl`` says, after a resume too; read back by TensorBoard's own reader."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_training import Trained, make_recipe, recipe_text, records, train

from nmt.cli import train as command
from nmt.core.machine import distributed
from nmt.core.storage.run_folder import checkpoint_path, checkpoint_steps
from nmt.training.records.events import Events
from nmt.training.records.metrics_log import MetricsLog

tensorboard = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason='needs TensorBoard: pip install ".[tensorboard]"'
)

WANTED = ("training.tensorboard=true", "training.validation.samples=2", "training.log_interval=1")


def trained(corpus: Path, path: Path, **how: Any) -> Trained:
    done = train(make_recipe(corpus, *WANTED), path, **how)
    assert done.trainer.log.events is not None
    done.trainer.log.events.close()
    return done


def read_back(folder: Path) -> Any:
    reader = tensorboard.EventAccumulator(str(folder), size_guidance=dict.fromkeys(("scalars", "images", "tensors"), 0))
    return reader.Reload()


def see_all_of_the_log(run: Trained) -> None:
    """See that the scalars are the numbers of the log, each once and in order."""
    reader = read_back(run.folder.events)
    log = MetricsLog(run.folder.metrics).records()
    for tag, name, kind in (
        ("train/loss", "loss", "train"),
        ("train/learning_rate", "learning_rate", "train"),
        ("train/tokens_per_second", "tokens_per_second", "train"),
        ("validation/bleu", "bleu", "validation"),
        ("validation/perplexity", "perplexity", "validation"),
    ):
        wanted = [(each["step"], pytest.approx(each[name], rel=1e-5)) for each in log if each["kind"] == kind]
        assert [(event.step, event.value) for event in reader.Scalars(tag)] == wanted and len(wanted) >= 3
    validated = [each["step"] for each in log if each["kind"] == "validation"]
    assert [event.step for event in reader.Images("attention")] == validated
    for number in (1, 2):
        texts = reader.Tensors(f"samples/{number}/text_summary")
        assert [event.step for event in texts] == validated
        shown = texts[0].tensor_proto.string_val[0].decode().splitlines()
        assert [line.split()[0] for line in shown] == ["source", "reference", "model"]
        assert all(line.startswith("    ") for line in shown), "as code, in which nothing is Markdown"
    names = {name.partition("/")[2] for name in reader.Tags()["scalars"] if name.startswith("train/")}
    assert names == {*log[0]} - {"kind", "step"}, "every number of the log is there"


@pytest.mark.slow
def test_a_resumed_run_has_every_step_once(corpus: Path, tmp_path: Path) -> None:
    first = trained(corpus, tmp_path / "run", interrupt_at=7)
    assert first.result.interrupted
    # As after a crash: updates are recorded that no checkpoint has, so that they are made again.
    assert checkpoint_steps(first.folder.checkpoints)[-2:] == [6, 7]
    shutil.rmtree(checkpoint_path(first.folder.checkpoints, 7))
    second = trained(corpus, tmp_path / "run", resume=True)
    assert [each["step"] for each in records(second.folder, "train")] == [*range(1, 13)]
    assert len([*second.folder.events.iterdir()]) == 2
    see_all_of_the_log(second)


@pytest.mark.slow
def test_nothing_changes_but_for_the_events(corpus: Path, tmp_path: Path) -> None:
    plain = train(make_recipe(corpus, *WANTED, "training.tensorboard=false"), tmp_path / "plain")
    assert not plain.folder.events.exists()
    assert records(trained(corpus, tmp_path / "run").folder) == records(plain.folder)


def test_records_are_flushed_with_the_log_and_nested_ones_too(tmp_path: Path) -> None:
    events = Events(tmp_path / "tensorboard")
    log = MetricsLog(tmp_path / "metrics.jsonl", events)
    log.append({"kind": "train", "step": 3, "loss": None, "terms": {"coverage": 0.5}, "best": True, "name": "x"})
    log.sync()
    try:
        reader = read_back(tmp_path / "tensorboard")
        assert reader.Tags()["scalars"] == ["train/terms/coverage"], "no null, no truth value, no text"
        assert [(each.step, each.value) for each in reader.Scalars("train/terms/coverage")] == [(3, 0.5)]
    finally:
        events.close()


def test_of_several_processes_the_first_alone_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    log = MetricsLog(tmp_path / "metrics.jsonl", Events(tmp_path / "tensorboard"))
    log.cut_after(2)
    log.append({"kind": "train", "step": 3, "loss": 1.0})
    assert [*tmp_path.iterdir()] == []


def test_without_the_package_training_does_not_begin(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(recipe_text(corpus))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # what Python keeps of a module that is not there
    arguments = [str(recipe), "training.tensorboard=true", "--output", str(tmp_path / "run")]
    assert command.main(arguments) == 1
    said = capfd.readouterr().err
    assert "error: training.tensorboard: needs TensorBoard, which is not installed; run: pip install" in said
    assert not (tmp_path / "run" / "metrics.jsonl").exists()

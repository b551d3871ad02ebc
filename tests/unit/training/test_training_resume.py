"""A resumed run is the run that was never interrupted, bit for bit."""

from __future__ import annotations

import dataclasses
import gzip
import json
import shutil
from pathlib import Path

import pytest
from tiny_training import Trained, assert_same_tensors, build, make_recipe, records, train

from nmt.core.errors import CheckpointError
from nmt.core.storage.run_folder import MODEL, OPTIMISER, STATE, checkpoint_path, checkpoint_steps

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """12 updates of two batches, over more than one epoch, dropout and subword sampling on."""
    return train(make_recipe(corpus), tmp_path_factory.mktemp("whole") / "run")


def assert_same_run(one: Trained, other: Trained) -> None:
    ends = [checkpoint_path(each.folder.checkpoints, each.result.state.step) for each in (one, other)]
    assert ends[0].name == ends[1].name
    for name in (MODEL, OPTIMISER):
        assert_same_tensors(ends[0] / name, ends[1] / name)
    states = [json.loads((end / STATE).read_text()) for end in ends]
    for state in states:
        del state["seconds"], state["window"]["seconds"], state["window"]["waiting"], state["origin"]
    assert states[0] == states[1]
    assert records(one.folder) == records(other.folder)


def test_the_run_is_one_that_could_go_wrong(whole: Trained) -> None:
    state = whole.result.state
    assert state.step == 12 and state.position.epoch >= 1 and state.position.examples > 0
    assert len(records(whole.folder, "validation")) == 3
    assert len(records(whole.folder, "train")) == 4
    rows = {tuple(row) for batch in whole.batches for row in batch}
    assert len(rows) > 300, "sampling gives other segmentations"


@pytest.mark.parametrize("step", [1, 4, 5, 7, 11])
def test_interrupted_and_resumed_is_uninterrupted(whole: Trained, corpus: Path, tmp_path: Path, step: int) -> None:
    recipe = make_recipe(corpus)
    first = train(recipe, tmp_path / "run", interrupt_at=step)
    assert first.result.interrupted and first.result.state.step == step
    assert checkpoint_steps(first.folder.checkpoints)[-1] == step
    second = train(recipe, tmp_path / "run", resume=True)
    assert not second.result.interrupted
    assert first.batches + second.batches == whole.batches
    assert_same_run(second, whole)


def test_a_mixture_goes_on_where_it_was(corpus: Path, tmp_path: Path) -> None:
    parts = "{source: validation.xx, target: validation.yy, weight: 1}, {source: test.xx, target: test.yy, weight: 3}"
    recipe = make_recipe(corpus, f"data.train=[{parts}]", "data.subword.size=50", "data.validation=null")
    mixed = train(recipe, tmp_path / "mixed")
    assert mixed.result.state.position.epoch >= 1, "into an epoch that is drawn anew"
    first = train(recipe, tmp_path / "run", interrupt_at=7)
    second = train(recipe, tmp_path / "run", resume=True)
    assert first.batches + second.batches == mixed.batches
    assert_same_run(second, mixed)


def test_a_stream_goes_on_where_it_was(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "set").mkdir()
    pairs = list(zip(*((corpus / f"train.{side}").read_text().splitlines() for side in ("xx", "yy")), strict=True))
    for part in range(3):
        rows = [json.dumps({"of": {"xx": source, "yy": target}}) for source, target in pairs[part:60:3]]
        (tmp_path / "set" / f"train-{part}.jsonl").write_text("\n".join(rows))
    hub = f"{{type: hub, name: {tmp_path}/set, source: of.xx, target: of.yy, streaming: true}}"
    recipe = make_recipe(corpus, f"data.train=[{hub}]", "data.window=25", "data.subword.max_lines=100")
    streamed = train(recipe, tmp_path / "streamed")
    assert streamed.result.state.position.epoch >= 1, "into another pass"
    first = train(recipe, tmp_path / "run", interrupt_at=7)
    second = train(recipe, tmp_path / "run", resume=True)
    assert first.batches + second.batches == streamed.batches
    ends = [checkpoint_path(each.folder.checkpoints, each.result.state.step) for each in (second, streamed)]
    assert_same_tensors(*(end / MODEL for end in ends))
    assert not (corpus / "cache" / "hub").exists() and not (tmp_path / "run" / "cache").exists()


def test_two_runs_of_one_seed_are_the_same_and_of_another_seed_not(
    whole: Trained, corpus: Path, tmp_path: Path
) -> None:
    assert_same_run(train(make_recipe(corpus), tmp_path / "again"), whole)
    other = train(make_recipe(corpus, "seed=6"), tmp_path / "other")
    assert other.batches != whole.batches


def test_a_crash_after_the_checkpoint_loses_only_what_came_after(whole: Trained, corpus: Path, tmp_path: Path) -> None:
    def crash_at(step: int):
        def install(trainer) -> None:
            learning_rate = trainer._learning_rate

            def fall(at: int) -> float:
                if at == step:
                    raise ZeroDivisionError
                return learning_rate(at)

            trainer._learning_rate = fall

        return install

    recipe, path = make_recipe(corpus), tmp_path / "run"
    with pytest.raises(ZeroDivisionError):
        train(recipe, path, before=crash_at(10))  # checkpoints: 2, 4, 5, 6, 8; lines of the log: 3, 6, 9
    with (path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"kind": "train", "step": 9, "lo')
    assert checkpoint_steps(path / "checkpoints") == [5, 6, 8], "the best and the last two"
    resumed = train(recipe, path, resume=True)
    assert_same_run(resumed, whole)


def test_a_run_that_stopped_before_its_first_checkpoint_begins_from_the_start(
    whole: Trained, corpus: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(corpus)
    build(recipe, tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"kind": "train", "step": 3}\n')
    assert_same_run(train(recipe, tmp_path / "run", resume=True), whole)


@pytest.fixture
def half(corpus: Path, tmp_path: Path) -> Path:
    """A run interrupted at update 6."""
    return train(make_recipe(corpus), tmp_path / "run", interrupt_at=6).folder.path


def test_from_the_checkpoint_before_a_damaged_one_the_run_is_the_same(
    half: Path, corpus: Path, whole: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    path = checkpoint_path(half / "checkpoints", 6) / MODEL
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(bytes(content))
    resumed = train(make_recipe(corpus), half, resume=True)
    assert f"{path}: does not match its checksum" in caplog.text
    assert_same_run(resumed, whole)


def test_the_same_text_in_other_files_goes_on(half: Path, corpus: Path, tmp_path: Path, whole: Trained) -> None:
    """What counts is content: here compressed, and without the cache that the run began with."""
    other = tmp_path / "other"
    shutil.copytree(corpus, other, ignore=shutil.ignore_patterns("cache"))
    for suffix in ("xx", "yy"):
        plain = other / f"train.{suffix}"
        (other / f"text.{suffix}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    files = "data.train=[{source: text.xx.gz, target: text.yy.gz}]"
    assert_same_run(train(make_recipe(other, files), half, resume=True), whole)


def test_a_refused_resumption_sets_nothing_aside(half: Path, corpus: Path, tmp_path: Path) -> None:
    (checkpoint_path(half / "checkpoints", 6) / OPTIMISER).write_bytes(b"damaged")
    other = tmp_path / "other"
    shutil.copytree(corpus, other)
    with (other / "train.xx").open("a") as source, (other / "train.yy").open("a") as target:
        source.write("ab\n")
        target.write("ab\n")
    before = {path: path.read_bytes() for path in half.rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError, match="training text is not the one"):
        build(make_recipe(other), half, resume=True)
    after = {path: path.read_bytes() for path in half.rglob("*") if path.is_file()}
    assert {path for path in after if "checkpoints" in path.parts} == {p for p in before if "checkpoints" in p.parts}
    assert after[half / "best.json"] == before[half / "best.json"]


def test_a_best_checkpoint_that_is_lost_with_a_damaged_one_is_not_named(
    half: Path, corpus: Path, whole: Trained
) -> None:
    best = half / "best.json"
    best.write_text(json.dumps({"checkpoint": "step-00000006", "step": 6, "metric": "bleu", "value": 99.0}))
    (checkpoint_path(half / "checkpoints", 6) / STATE).write_text("{}")
    build(make_recipe(corpus), half, resume=True)
    assert json.loads(best.read_text())["checkpoint"] == "step-00000005"


def test_without_the_optimiser_a_run_cannot_be_resumed(half: Path, corpus: Path) -> None:
    for step in (5, 6):
        (checkpoint_path(half / "checkpoints", step) / OPTIMISER).unlink()
    with pytest.raises(CheckpointError, match=r"no checkpoint has optimiser\.safetensors.*init_from"):
        build(make_recipe(corpus), half, resume=True)
    shutil.rmtree(half / "checkpoints")  # lost as a whole: nothing is begun over it
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        build(make_recipe(corpus), half, resume=True)


def test_nothing_is_pickled(half: Path) -> None:
    suffixes = {path.suffix for path in half.rglob("*") if path.is_file()}
    assert suffixes <= {".safetensors", ".json", ".jsonl", ".yaml", ".model", ".png"}


def test_a_finished_run_goes_on_only_with_more_updates(corpus: Path, tmp_path: Path) -> None:
    steady = ("training.schedule={type: constant, warmup_steps: 3}",)
    path = tmp_path / "run"
    train(make_recipe(corpus, *steady, "training.max_steps=6"), path)
    again = train(make_recipe(corpus, *steady, "training.max_steps=6"), path, resume=True)
    assert not again.result.trained and again.batches == []
    longer = train(make_recipe(corpus, *steady), path, resume=True)
    assert longer.result.trained and longer.result.state.step == 12
    whole = train(make_recipe(corpus, *steady), tmp_path / "whole")
    one, other = (checkpoint_path(each.folder.checkpoints, 12) for each in (longer, whole))
    assert_same_tensors(one / MODEL, other / MODEL)


def test_the_state_in_the_file_is_the_state_in_memory(half: Path, corpus: Path) -> None:
    trainer = build(make_recipe(corpus), half, resume=True)
    written = json.loads((checkpoint_path(half / "checkpoints", 6) / STATE).read_text())
    assert json.loads(json.dumps(dataclasses.asdict(trainer.state))) == {
        key: value for key, value in written.items() if key != "format"
    }

"""Checkpoints are there as a whole or not at all; what is not kept goes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nmt.core.errors import CheckpointError, NmtError
from nmt.core.storage.checksums import CHECKSUMS, verify_checksums
from nmt.core.storage.run_folder import MODEL, OPTIMISER, STATE, RunFolder, checkpoint_path, resumable_checkpoints
from nmt.model.weights import read_tensors
from nmt.training.checkpoints import checkpoint
from nmt.training.checkpoints.best import average
from nmt.training.checkpoints.checkpoint import (
    newest_whole,
    prune_checkpoints,
    random_tensors,
    restore_random,
    save_checkpoint,
    set_newer_aside,
    sweep_leftovers,
)
from nmt.training.checkpoints.run_state import Kept, RunState

CPU = torch.device("cpu")


def save(path: Path, value: float, *, optimiser: bool = True, kept: tuple[int, ...] = ()) -> None:
    moments = {"weight/exp_avg": torch.full((2,), value)} if optimiser else {}
    state = RunState(step=int(value), kept=tuple(Kept(step, 1.0) for step in kept))
    save_checkpoint(
        path,
        model={"weight": torch.full((2,), value)},
        optimiser=moments,
        state=state.to_mapping(),
    )


def value_of(path: Path) -> float:
    value = read_tensors(path / MODEL)["weight"][0].item()
    assert json.loads((path / STATE).read_text())["step"] == int(value)
    verify_checksums(path, (MODEL, STATE))
    return value


def test_a_checkpoint_holds_its_files_and_their_checksums(tmp_path: Path) -> None:
    save(tmp_path / "deep" / "one", 1.0)
    names = sorted([MODEL, OPTIMISER, STATE, CHECKSUMS])
    assert sorted(path.name for path in (tmp_path / "deep" / "one").iterdir()) == names
    save(tmp_path / "deep" / "two", 2.0, optimiser=False)
    names.remove(OPTIMISER)
    assert sorted(path.name for path in (tmp_path / "deep" / "two").iterdir()) == names
    assert [value_of(tmp_path / "deep" / name) for name in ("one", "two")] == [1.0, 2.0]


def test_an_older_one_is_replaced(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        save(tmp_path / "one", value)
    assert value_of(tmp_path / "one") == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("fails", ["model", "optimiser", "state", "rename"])
def test_a_failure_in_the_middle_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    save(tmp_path / "one", 1.0)
    calls: list[Path] = []
    written = checkpoint.write_tensors
    replace = Path.replace

    def save_file(tensors: dict[str, Tensor], path: Path) -> None:
        calls.append(path)
        if len(calls) == {"model": 1, "optimiser": 2}.get(fails):
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        written(tensors, path)

    def broken_replace(path: Path, target: Path) -> Path:
        if path.name.endswith(".part"):
            raise OSError(5, "Input/output error")
        return replace(path, target)

    monkeypatch.setattr(checkpoint, "write_tensors", save_file)
    if fails == "rename":
        monkeypatch.setattr(Path, "replace", broken_replace)
    state = {"step": object()} if fails == "state" else {"step": 2}
    with pytest.raises((OSError, TypeError)):
        save_checkpoint(tmp_path / "one", model={"weight": torch.ones(2)}, optimiser={"a": torch.ones(1)}, state=state)
    assert value_of(tmp_path / "one") == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_what_safetensors_cannot_write_is_one_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save_file(tensors: dict[str, Tensor], path: Path) -> None:
        raise checkpoint.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "write_tensors", save_file)
    with pytest.raises(NmtError, match=r"cannot save a checkpoint: .*No space left.*; earlier checkpoints are kept"):
        save(tmp_path / "one", 1.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("resumable", "left", "whole"),
    [(1, [3, 6], [6]), (2, [2, 3, 5, 6], [5, 6]), (9, [1, 2, 3, 4, 5, 6], [1, 2, 4, 5, 6])],
)
def test_the_last_can_be_resumed_and_what_they_count_among_the_best_stays(
    tmp_path: Path, resumable: int, left: list[int], whole: list[int]
) -> None:
    for step, kept in ((1, ()), (2, ()), (3, ()), (4, ()), (5, (2, 3)), (6, (3,))):
        save(checkpoint_path(tmp_path, step), step, kept=kept, optimiser=step != 3)
    save(tmp_path / "averaged", 9.0, optimiser=False)
    prune_checkpoints(tmp_path, resumable=resumable)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["averaged", *(f"step-{step:08d}" for step in left)]
    assert [step for step in left if (checkpoint_path(tmp_path, step) / OPTIMISER).exists()] == whole
    assert [value_of(checkpoint_path(tmp_path, step)) for step in left] == left


def test_a_damaged_state_does_not_stop_a_run_that_goes_well(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(checkpoint_path(tmp_path, step), step, kept=(1,))
    (checkpoint_path(tmp_path, 2) / STATE).write_text("{")
    prune_checkpoints(tmp_path, resumable=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"step-{step:08d}" for step in (1, 2, 3)]


def test_the_newest_with_an_optimiser_is_resumed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert resumable_checkpoints(folder) == [] and newest_whole(folder) is None
    for step, whole in ((9, True), (10, True), (100, False)):
        save(checkpoint_path(folder.checkpoints, step), step, optimiser=whole)
    (folder.checkpoints / ".step-00000200.abcd.part").mkdir()
    (folder.checkpoints / "step-best").mkdir()
    assert resumable_checkpoints(folder) == [checkpoint_path(folder.checkpoints, step) for step in (10, 9)]


def flip(path: Path, offset: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << bit
    path.write_bytes(bytes(content))


@pytest.fixture
def two(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    for step in (3, 4):
        save(checkpoint_path(folder.checkpoints, step), step)
    return folder


@pytest.mark.parametrize("name", [MODEL, OPTIMISER, STATE, CHECKSUMS])
@pytest.mark.parametrize("damage", ["a bit", "cut off", "empty", "missing", "pickle"])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_taken(
    two: RunFolder, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = checkpoint_path(two.checkpoints, 4) / name
    content = path.read_bytes()
    if damage == "a bit":
        flip(path, path.read_bytes().index(b"step") if name == STATE else len(content) - 9)
    elif damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut off": content[: len(content) // 2], "empty": b"", "pickle": b"cos\nsystem\n."}[damage])
    found = newest_whole(two)
    assert found is not None
    if (name, damage) in {(OPTIMISER, "missing"), (CHECKSUMS, "missing")}:
        # Without an optimiser nothing can be resumed; without checksums it is of an older version, or as good.
        assert found.state.step == (3 if name == OPTIMISER else 4)
        return
    assert found.state.step == 3 and found.model["weight"].tolist() == [3.0, 3.0]
    assert name in caplog.text
    assert sorted(each.name for each in two.checkpoints.iterdir()) == ["step-00000003", "step-00000004"]
    set_newer_aside(two, found.state.step)
    assert "set aside as damaged-step-00000004" in caplog.text
    assert sorted(each.name for each in two.checkpoints.iterdir()) == ["damaged-step-00000004", "step-00000003"]
    save(checkpoint_path(two.checkpoints, 4), 4)
    (checkpoint_path(two.checkpoints, 4) / MODEL).write_bytes(b"")
    set_newer_aside(two, 3)
    names = sorted(each.name for each in two.checkpoints.iterdir())
    assert names == ["damaged-step-00000004", "step-00000003"], "an older one that was set aside makes room"


def test_when_all_are_damaged_nothing_is_begun_over_them(two: RunFolder) -> None:
    before = sorted(two.checkpoints.rglob("*"))
    for step in (3, 4):
        flip(checkpoint_path(two.checkpoints, step) / MODEL, 70)
    with pytest.raises(CheckpointError, match=r"step-00000004.*damaged.*no intact older checkpoint"):
        newest_whole(two)
    assert sorted(two.checkpoints.rglob("*")) == before


def test_bits_anywhere_in_a_checkpoint_count(two: RunFolder) -> None:
    for name in (MODEL, OPTIMISER, STATE, CHECKSUMS):
        path = checkpoint_path(two.checkpoints, 4) / name
        content = path.read_bytes()
        for offset in range(0, len(content), 7):
            flip(path, offset, offset % 8)
            found = newest_whole(two)
            assert found is not None
            if found.state.step != 3:  # the sum of a file of its own, the white space of the sums
                assert name == CHECKSUMS and found.model["weight"].tolist() == [4.0, 4.0]
            path.write_bytes(content)


def test_a_state_in_the_place_of_another_is_noticed(two: RunFolder) -> None:
    shutil.rmtree(checkpoint_path(two.checkpoints, 4))
    shutil.copytree(checkpoint_path(two.checkpoints, 3), checkpoint_path(two.checkpoints, 7))
    found = newest_whole(two)
    assert found is not None and found.path.name == "step-00000003"


def test_what_a_killed_process_left_is_swept_and_what_it_was_replacing_comes_back(two: RunFolder) -> None:
    checkpoint_path(two.checkpoints, 4).replace(two.checkpoints / ".step-00000004.0123abcd.old")
    save(two.checkpoints / ".step-00000003.0123abcd.old", 3)
    save(two.checkpoints / ".step-00000009.0123abcd.part", 9)
    save(two.checkpoints / ".step-00000001.0123abcd.gone", 1)
    (two.path / ".best.json.0123abcd.part.json").write_text("{")
    (two.path / ".gitignore").write_text("*")
    sweep_leftovers(two)
    assert sorted(path.name for path in two.checkpoints.iterdir()) == ["step-00000003", "step-00000004"]
    assert sorted(path.name for path in two.path.iterdir()) == [".gitignore", "checkpoints"]
    assert value_of(checkpoint_path(two.checkpoints, 4)) == 4


def test_random_state_goes_on_where_it_was() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        torch.rand(3)
        kept = {name: tensor.clone() for name, tensor in random_tensors(CPU).items()}
        following = torch.rand(5)
        torch.manual_seed(2)
        restore_random(kept, CPU, "file")
        assert torch.equal(torch.rand(5), following)


@pytest.mark.parametrize("tensors", [{}, {"random/cpu": torch.zeros(7)}, {"random/cpu": torch.zeros(7).byte()}])
def test_a_random_state_that_is_none_is_refused(tensors: dict[str, Tensor]) -> None:
    with (
        torch.random.fork_rng(devices=[]),
        pytest.raises(CheckpointError, match=r"file: holds no usable state of the random"),
    ):
        restore_random(tensors, CPU, "file")


def test_averages_are_means_of_every_tensor() -> None:
    models = [{"a": torch.tensor([1.0, 5.0]), "b": torch.tensor([[value]])} for value in (1.0, 2.0, 6.0)]
    mean = average(models)
    assert mean["a"].tolist() == [1.0, 5.0] and mean["b"].tolist() == [[3.0]]
    assert mean["a"].dtype == torch.float32
    # 1e8 + 1 - 1e8 loses the 1 in float32
    assert average([{"a": torch.tensor([each])} for each in (1e8, 1.0, -1e8)])["a"].item() == pytest.approx(1 / 3)

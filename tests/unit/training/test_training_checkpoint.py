"""Checkpoints are there as a whole or not at all; what is not kept goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nmt.core.errors import CheckpointError, NmtError
from nmt.core.run_folder import MODEL, OPTIMISER, STATE, RunFolder, checkpoint_path, resumable_checkpoint
from nmt.model.weights import read_tensors
from nmt.training import checkpoint
from nmt.training.averaging import average
from nmt.training.checkpoint import prune_checkpoints, random_tensors, restore_random, save_checkpoint

CPU = torch.device("cpu")


def save(path: Path, value: float, *, optimiser: bool = True) -> None:
    moments = {"weight/exp_avg": torch.full((2,), value)} if optimiser else {}
    save_checkpoint(path, model={"weight": torch.full((2,), value)}, optimiser=moments, state={"step": int(value)})


def value_of(path: Path) -> float:
    value = read_tensors(path / MODEL)["weight"][0].item()
    assert json.loads((path / STATE).read_text()) == {"step": int(value)}
    return value


def test_a_checkpoint_holds_its_three_files(tmp_path: Path) -> None:
    save(tmp_path / "deep" / "one", 1.0)
    assert sorted(path.name for path in (tmp_path / "deep" / "one").iterdir()) == sorted([MODEL, OPTIMISER, STATE])
    save(tmp_path / "deep" / "two", 2.0, optimiser=False)
    assert sorted(path.name for path in (tmp_path / "deep" / "two").iterdir()) == sorted([MODEL, STATE])
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
    written = checkpoint.save_file
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

    monkeypatch.setattr(checkpoint, "save_file", save_file)
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

    monkeypatch.setattr(checkpoint, "save_file", save_file)
    with pytest.raises(NmtError, match=r"cannot save a checkpoint: .*No space left.*; what was saved before stays"):
        save(tmp_path / "one", 1.0)
    assert list(tmp_path.iterdir()) == []


def test_only_the_best_and_the_last_stay_and_only_the_last_can_be_resumed(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        save(checkpoint_path(tmp_path, step), step)
    save(tmp_path / "averaged", 9.0, optimiser=False)
    prune_checkpoints(tmp_path, keep=[2], resumable=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["averaged", "step-00000002", "step-00000004"]
    assert not (checkpoint_path(tmp_path, 2) / OPTIMISER).exists()
    assert (checkpoint_path(tmp_path, 2) / MODEL).exists()
    assert (checkpoint_path(tmp_path, 4) / OPTIMISER).exists()


def test_the_newest_with_an_optimiser_is_resumed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert resumable_checkpoint(folder) is None
    for step, whole in ((9, True), (10, True), (100, False)):
        save(checkpoint_path(folder.checkpoints, step), step, optimiser=whole)
    (folder.checkpoints / ".step-00000200.abcd.part").mkdir()
    (folder.checkpoints / "step-best").mkdir()
    assert resumable_checkpoint(folder) == checkpoint_path(folder.checkpoints, 10)


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

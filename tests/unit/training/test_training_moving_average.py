"""The moving average of the weights is what is validated, stored and translates; training goes on with the weights."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import Trained, assert_same_tensors, build, make_recipe, records, train
from torch import nn

from nmt.core.storage.run_folder import MODEL, OPTIMISER, STATE, checkpoint_path
from nmt.model.weights import model_tensors, read_tensors
from nmt.training.checkpoints.training_tensors import LAST
from nmt.training.optimisation import moving_average
from nmt.training.optimisation.moving_average import MovingAverage
from nmt.training.trainer import Trainer
from nmt.translation.model_files.bundle import Bundle

AVERAGED = "training.ema=0.6"


def test_the_average_by_hand() -> None:
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, 1.0)
    average = MovingAverage(model, 0.5)
    expected = 1.0
    for update, value in enumerate([2.0, -1.0, 4.0, 3.0, 3.0, 8.0, 8.0, 8.0, 8.0, 2.0, 2.0], start=1):
        nn.init.constant_(model.weight, value)
        average.follow(update)
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * value
        assert average.tensors["weight"].item() == pytest.approx(expected)
        assert model.weight.item() == value
    with pytest.raises(ZeroDivisionError), average.in_place():
        assert model.weight.item() == pytest.approx(expected)
        raise ZeroDivisionError
    assert model.weight.item() == 2.0
    average.begin()
    assert average.tensors["weight"].item() == 2.0


class Watched:
    """Keeps the weights after every update, and those that are validated."""

    def __init__(self) -> None:
        self.updated: list[dict[str, torch.Tensor]] = []
        self.validated: dict[int, dict[str, torch.Tensor]] = {}

    def __call__(self, trainer: Trainer) -> None:
        update, validator = trainer._update, trainer.validator

        def kept() -> dict[str, torch.Tensor]:
            return {name: tensor.clone() for name, tensor in model_tensors(trainer.model).items()}

        def updated(batches: Any) -> None:
            update(batches)
            self.updated.append(kept())

        def validated(model: Any) -> Any:
            assert validator is not None
            self.validated[trainer.state.step] = kept()
            return validator(model)

        trainer._update = updated  # type: ignore[method-assign]
        trainer.validator = validated  # type: ignore[assignment]
        self.start = kept()


@pytest.fixture(scope="module")
def watched() -> Watched:
    return Watched()


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory, watched: Watched) -> Trained:
    return train(make_recipe(corpus, AVERAGED), tmp_path_factory.mktemp("ema") / "run", before=watched)


def averages(watched: Watched) -> dict[int, dict[str, torch.Tensor]]:
    """The average after each update, in float64."""
    average = {name: tensor.double() for name, tensor in watched.start.items()}
    found = {}
    for update, weights in enumerate(watched.updated, start=1):
        decay = min(0.6, (1 + update) / (10 + update))
        average = {name: decay * tensor + (1 - decay) * weights[name].double() for name, tensor in average.items()}
        found[update] = average
    return found


@pytest.mark.slow
def test_it_is_validated_and_stored(whole: Trained, watched: Watched) -> None:
    expected = averages(watched)
    assert [*watched.validated] == [5, 10, 12]
    for step, tensors in watched.validated.items():
        for name, tensor in tensors.items():
            torch.testing.assert_close(tensor.double(), expected[step][name], atol=1e-6, rtol=1e-5)
    end = checkpoint_path(whole.folder.checkpoints, 12)
    stored, beside = read_tensors(end / MODEL), read_tensors(end / OPTIMISER)
    for name, tensor in stored.items():
        assert torch.equal(tensor, watched.validated[12][name])
        assert torch.equal(beside[f"{LAST}{name}"], watched.updated[-1][name])
    assert any(not torch.equal(tensor, beside[f"{LAST}{name}"]) for name, tensor in stored.items())
    assert all(
        torch.equal(tensor, watched.updated[-1][name]) for name, tensor in model_tensors(whole.trainer.model).items()
    )
    bundle = Bundle.load(whole.folder.path, device="cpu", checkpoint="step-00000012")
    assert all(torch.equal(tensor, stored[name]) for name, tensor in model_tensors(bundle.model).items())


@pytest.mark.slow
def test_training_itself_is_the_same_with_and_without_it(
    corpus: Path, tmp_path: Path, watched: Watched, whole: Trained
) -> None:
    plain = Watched()
    trained = train(make_recipe(corpus), tmp_path / "run", before=plain)
    for one, other in zip(plain.updated, watched.updated, strict=True):
        assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert records(trained.folder, "train") == records(whole.folder, "train")
    end = checkpoint_path(trained.folder.checkpoints, 12)
    assert not any(name.startswith(LAST) for name in read_tensors(end / OPTIMISER))


@pytest.mark.slow
@pytest.mark.parametrize("step", [4, 5, 9])
def test_a_resumed_training_has_the_same_average(corpus: Path, tmp_path: Path, whole: Trained, step: int) -> None:
    recipe = make_recipe(corpus, AVERAGED)
    train(recipe, tmp_path / "run", interrupt_at=step)
    second = train(recipe, tmp_path / "run", resume=True)
    ends = [checkpoint_path(each.folder.checkpoints, 12) for each in (whole, second)]
    for name in (MODEL, OPTIMISER):
        assert_same_tensors(ends[0] / name, ends[1] / name)
    assert records(second.folder) == records(whole.folder)
    kept = [json.loads((end / STATE).read_text())["kept"] for end in ends]
    assert kept[0] == kept[1]


@pytest.mark.slow
@pytest.mark.parametrize("copy", [1, 2])
def test_a_signal_while_weights_are_exchanged_loses_none(
    corpus: Path, tmp_path: Path, whole: Trained, monkeypatch: pytest.MonkeyPatch, copy: int
) -> None:
    """It comes in the middle of putting the average in for a validation, or of putting the weights back."""
    copies, load = [0], moving_average.load_model_tensors
    armed: list[Trainer] = []

    def interrupted(model: nn.Module, tensors: Any, name: str) -> None:
        if armed and armed[0].state.step == 5:
            copies[0] += 1
            if copies[0] == copy:
                os.kill(os.getpid(), signal.SIGTERM)
        load(model, tensors, name)

    monkeypatch.setattr(moving_average, "load_model_tensors", interrupted)
    recipe = make_recipe(corpus, AVERAGED)
    first = train(recipe, tmp_path / "run", before=armed.append)
    assert first.result.interrupted is signal.SIGTERM and first.result.state.step == 5
    armed.clear()
    second = train(recipe, tmp_path / "run", resume=True)
    ends = [checkpoint_path(each.folder.checkpoints, 12) for each in (whole, second)]
    for name in (MODEL, OPTIMISER):
        assert_same_tensors(ends[0] / name, ends[1] / name)


@pytest.mark.slow
def test_it_may_begin_or_end_with_a_resumption(corpus: Path, tmp_path: Path) -> None:
    plain, averaged = make_recipe(corpus), make_recipe(corpus, AVERAGED)
    train(plain, tmp_path / "begins", interrupt_at=4)
    weights = read_tensors(checkpoint_path(tmp_path / "begins" / "checkpoints", 4) / MODEL)
    trainer = build(averaged, tmp_path / "begins", resume=True)
    assert trainer._ema is not None
    assert all(torch.equal(tensor, weights[name]) for name, tensor in trainer._ema.tensors.items())
    train(averaged, tmp_path / "ends", interrupt_at=4)
    last = read_tensors(checkpoint_path(tmp_path / "ends" / "checkpoints", 4) / OPTIMISER)
    trainer = build(plain, tmp_path / "ends", resume=True)
    assert trainer._ema is None
    assert all(torch.equal(tensor, last[f"{LAST}{name}"]) for name, tensor in model_tensors(trainer.model).items())

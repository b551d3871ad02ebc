"""Signals at awkward moments: between the check for a checkpoint and the next update, and within a validation."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_training_resume import assert_same_run
from tiny_training import Trained, make_recipe, train

from nmt.core.storage.run_folder import STATE, checkpoint_path, checkpoint_steps
from nmt.training.interruption import Interrupted, Interruption
from nmt.training.trainer import Trainer

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("signals_of_a_terminal")]


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(make_recipe(corpus), tmp_path_factory.mktemp("whole") / "run")


def stop(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


def test_a_signal_after_the_check_for_a_checkpoint_still_saves(whole: Trained, corpus: Path, tmp_path: Path) -> None:
    def install(trainer: Trainer) -> None:
        worth_saving = trainer._worth_saving

        def decided(*, validated: bool) -> bool:
            worth = worth_saving(validated=validated)
            if trainer.state.step == 3:  # no checkpoint is due
                stop()
            return worth

        trainer._worth_saving = decided  # type: ignore[method-assign]

    recipe = make_recipe(corpus)
    first = train(recipe, tmp_path / "run", before=install)
    assert first.result.interrupted is signal.SIGTERM
    assert checkpoint_steps(first.folder.checkpoints) == [2, 3]
    assert_same_run(train(recipe, tmp_path / "run", resume=True), whole)


def test_a_signal_within_a_validation_leaves_it_for_later(whole: Trained, corpus: Path, tmp_path: Path) -> None:
    def install(trainer: Trainer) -> None:
        translate = trainer.validator._translate  # type: ignore[union-attr]

        def interrupted(*arguments: Any) -> Any:
            if trainer.state.step == 5:
                stop(signal.SIGINT)
            return translate(*arguments)

        trainer.validator._translate = interrupted  # type: ignore[union-attr, method-assign]

    recipe = make_recipe(corpus)
    first = train(recipe, tmp_path / "run", before=install)
    assert first.result.interrupted is signal.SIGINT and first.result.state.step == 5
    state = json.loads((checkpoint_path(first.folder.checkpoints, 5) / STATE).read_text())
    assert state["validation_due"] and state["kept"] == []
    assert first.trainer.model.training
    second = train(recipe, tmp_path / "run", resume=True)
    assert first.batches + second.batches == whole.batches
    assert_same_run(second, whole)


def test_a_signal_before_the_first_update_leaves_nothing_to_resume(corpus: Path, tmp_path: Path) -> None:
    def install(trainer: Trainer) -> None:
        batches = trainer.loader.batches

        def late(position: Any) -> Any:
            stop()
            return batches(position)

        trainer.loader.batches = late  # type: ignore[method-assign]

    first = train(make_recipe(corpus), tmp_path / "run", before=install)
    assert first.result.interrupted and first.result.state.step == 0
    assert checkpoint_steps(first.folder.checkpoints) == []


def test_the_second_signal_tells_which_it_was() -> None:
    with Interruption() as interruption:
        stop(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt) as caught:
            stop(signal.SIGTERM)
    assert caught.value.args == (signal.SIGTERM,) and interruption.requested is signal.SIGINT


def test_a_hang_up_that_comes_twice_is_one() -> None:
    with Interruption() as interruption:
        stop(signal.SIGHUP)
        stop(signal.SIGHUP)
        assert interruption.requested is signal.SIGHUP
        with pytest.raises(KeyboardInterrupt):
            stop(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_every_signal_that_stops_leaves_a_checkpoint(corpus: Path, tmp_path: Path, number: int) -> None:
    recipe = make_recipe(corpus, "training.checkpoint_interval=null", "training.validation_interval=100")
    first = train(recipe, tmp_path / "run", before=at_update(3, lambda: stop(number)))
    assert first.result.interrupted == number
    assert checkpoint_steps(first.folder.checkpoints) == [3]


def test_a_checkpoint_can_be_asked_for_while_training_goes_on(whole: Trained, corpus: Path, tmp_path: Path) -> None:
    saved: list[int] = []

    def install(trainer: Trainer) -> None:
        save = trainer._save

        def noted() -> None:
            saved.append(trainer.state.step)
            save()

        trainer._save = noted  # type: ignore[method-assign]
        at_update(3, lambda: stop(signal.SIGUSR1))(trainer)

    done = train(make_recipe(corpus), tmp_path / "run", before=install)
    assert saved == [2, 3, 4, 5, 6, 8, 10, 12] and done.result.interrupted is None
    assert_same_run(done, whole)


def at_update(step: int, act: Callable[[], None]) -> Callable[[Trainer], None]:
    """Act within an update."""

    def install(trainer: Trainer) -> None:
        update = trainer._update

        def watched(batches: Any) -> None:
            if trainer.state.step + 1 == step:
                act()
            update(batches)

        trainer._update = watched  # type: ignore[method-assign]

    return install


def test_only_what_may_be_left_is_left() -> None:
    with Interruption() as interruption:
        with pytest.raises(Interrupted), interruption.leaving():
            stop()
        interruption.requested = interruption._received = None
        with interruption.leaving():
            pass
        stop()
        with pytest.raises(Interrupted), interruption.leaving():  # asked for before
            pytest.fail("nothing is begun after a signal")

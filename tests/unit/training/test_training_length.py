"""A training that is limited by time ends with it, its schedule falls over it, and a resumption changes neither."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_training import assert_same_tensors, build, make_recipe, records, train

from nmt.assembly import prepare_corpora
from nmt.core.errors import ConfigError
from nmt.core.storage.run_folder import MODEL, OPTIMISER, STATE, checkpoint_path, checkpoint_steps
from nmt.dry_run import describe
from nmt.recipe import Recipe
from nmt.training import trainer as training
from nmt.training.checkpoints.run_state import RunState
from nmt.training.trainer import Trainer

pytestmark = pytest.mark.slow

PEAK = 0.01
WARMUP = 3


class Clock:
    """Every update takes two seconds, every validation three; records the learning rate of each update."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.rates: dict[int, float] = {}
        clock = SimpleNamespace(perf_counter=lambda: self.now, monotonic=time.monotonic)
        monkeypatch.setattr(training, "time", clock)

    def __call__(self, trainer: Trainer) -> None:
        update, validator = trainer._update, trainer.validator

        def updated(batches: Any) -> None:
            update(batches)
            self.now += 2.0
            self.rates[trainer.state.step + 1] = trainer.optimiser.param_groups[0]["lr"]

        def validated(model: Any) -> Any:
            assert validator is not None
            self.now += 3.0
            return validator(model)

        trainer._update = updated  # type: ignore[method-assign]
        trainer.validator = validated  # type: ignore[assignment]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def by_time(corpus: Path, *overrides: str) -> Recipe:
    """Half a minute: 12 updates, with validations after 5 and 10 of them."""
    return make_recipe(corpus, "training.max_steps=null", "training.max_minutes=0.5", *overrides)


def used_before(step: int) -> float:
    """Seconds before an update, counted from 1."""
    return 2.0 * (step - 1) + 3.0 * ((step - 1) // 5)


def test_it_ends_with_the_time_and_the_rate_falls_over_it(corpus: Path, tmp_path: Path, clock: Clock) -> None:
    trained = train(by_time(corpus), tmp_path / "run", before=clock)
    state = trained.result.state
    assert (state.step, state.finished) == (12, "all 0.5 minutes are used")
    assert state.seconds == 33.0, "the last validation comes after the time"
    assert [each["step"] for each in records(trained.folder, "validation")] == [5, 10, 12]
    assert checkpoint_steps(trained.folder.checkpoints)[-1] == 12
    expected = {step: PEAK * step / WARMUP for step in range(1, WARMUP)}
    for step in range(WARMUP, 13):
        updates = (step - 1) * 30.0 / used_before(step)
        expected[step] = PEAK * max(0.0, 1 - (step - WARMUP) / (updates - WARMUP))
    assert clock.rates == pytest.approx(expected)
    assert clock.rates[12] < 0.1 * PEAK


def test_without_a_warmup_the_rate_is_the_share_of_the_time_that_is_left(
    corpus: Path, tmp_path: Path, clock: Clock
) -> None:
    train(by_time(corpus, "training.schedule.warmup_steps=0"), tmp_path / "run", before=clock)
    steps = range(2, 13)  # before the first there is no pace yet
    shares = [clock.rates[step] / PEAK for step in steps]
    assert shares == pytest.approx(
        [1 - used_before(step) / 30.0 * step / (step - 1) if used_before(step) * step / (step - 1) < 30 else 0.0
         for step in steps]
    )  # fmt: skip


@pytest.mark.parametrize("step", [5, 8])
def test_a_resumed_training_goes_on_counting(corpus: Path, tmp_path: Path, clock: Clock, step: int) -> None:
    whole = train(by_time(corpus), tmp_path / "whole", before=clock)
    rates, clock.rates = clock.rates, {}
    first = train(by_time(corpus), tmp_path / "run", interrupt_at=step, before=clock)
    assert first.result.interrupted and first.result.state.step == step
    second = train(by_time(corpus), tmp_path / "run", resume=True, before=clock)
    assert clock.rates == rates
    ends = [checkpoint_path(each.folder.checkpoints, 12) for each in (whole, second)]
    for name in (MODEL, OPTIMISER):
        assert_same_tensors(ends[0] / name, ends[1] / name)
    states = [json.loads((end / STATE).read_text()) for end in ends]
    for state in states:
        del state["origin"]
    assert states[0] == states[1]


def test_the_time_is_that_of_the_first_process(
    corpus: Path, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "from_first", lambda own: own() + 20.0)  # as if its clock ran ahead
    state = train(by_time(corpus), tmp_path / "run", before=clock).result.state
    assert (state.step, state.finished) == (2, "all 0.5 minutes are used")
    assert clock.rates[2] == pytest.approx(PEAK * 2 / WARMUP)
    plain = train(make_recipe(corpus, "training.max_steps=2"), tmp_path / "plain", before=clock)
    assert plain.result.state.seconds == 7.0, "nobody is asked where time decides nothing"


def test_more_time_continues_a_finished_training(
    corpus: Path, tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    train(by_time(corpus), tmp_path / "run", before=clock)
    assert "training begins at update 0, 0.0 of 0.5 minutes; the learning rate follows the time" in caplog.text
    assert "training ends at update 12, 0.6 of 0.5 minutes" in caplog.text
    again = train(by_time(corpus), tmp_path / "run", resume=True, before=clock)
    assert not again.result.trained
    longer = train(by_time(corpus, "training.max_minutes=0.7"), tmp_path / "run", resume=True, before=clock)
    assert longer.result.trained and longer.result.state.step == 15
    assert "resumed at update 12, 0.6 of 0.7 minutes" in caplog.text
    assert "the linear schedule depends on the length of training, which has changed" in caplog.text


def test_the_smallest_limit_holds(corpus: Path, tmp_path: Path, clock: Clock) -> None:
    few = train(by_time(corpus, "training.max_steps=4"), tmp_path / "few", before=clock)
    assert few.result.state.finished == "all 4 updates are made"
    assert clock.rates[4] == 0.0
    many = train(by_time(corpus, "training.max_steps=900"), tmp_path / "many", before=clock)
    assert many.result.state.step == 12
    assert many.trainer.length.place(RunState(step=3, seconds=90.0)) == "update 3 of 900, 1.5 of 0.5 minutes"


def test_a_time_shorter_than_the_warmup_is_told(
    corpus: Path, tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    train(by_time(corpus, "training.schedule.warmup_steps=13"), tmp_path / "run", before=clock)
    assert "the time was over before the warm-up of 13 updates: lower training.schedule.warmup_steps" in caplog.text


def test_a_dry_run_says_what_ends_it(corpus: Path, tmp_path: Path) -> None:
    recipe = by_time(corpus)
    corpora = prepare_corpora(recipe, build(recipe, tmp_path / "run").folder)
    assert "; as many updates as 0.5 minutes allow\n" in describe(recipe, corpora)
    recipe = by_time(corpus, "training.max_steps=900")
    assert "; as many updates as 0.5 minutes allow, at most 900\n" in describe(recipe, corpora)


@pytest.mark.parametrize(
    ("minutes", "message"),
    [("0", "max_minutes must be above 0"), ("null", "must be given, or max_epochs or max_minutes")],
)
def test_a_training_without_an_end_is_refused(corpus: Path, minutes: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        by_time(corpus, f"training.max_minutes={minutes}")

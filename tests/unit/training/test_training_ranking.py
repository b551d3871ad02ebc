"""Which validation is better where the metric asked for does not move."""

from __future__ import annotations

import itertools
import json
import logging
import math
from pathlib import Path
from typing import Any

import pytest
from tiny_training import make_recipe, records, train

from nmt.metrics.aer import AlignmentScore
from nmt.metrics.score import Score
from nmt.training.checkpoints.ranking import compared, explained, kept, ranked
from nmt.training.checkpoints.run_state import Kept, RunState
from nmt.training.trainer import Trainer
from nmt.training.validation_result import Selection, Validation


def validation(
    bleu: float = 0.0,
    chrf: float = 0.0,
    perplexity: float = 9.0,
    aer: float | None = None,
    links: int = 5,
    wer: float | None = None,
    exact: float | None = None,
) -> Validation:
    alignment = None if aer is None else AlignmentScore(aer, 0.5, 0.5, links, 3, 3)
    selected = None if exact is None else Score("exact", exact, "s")
    if wer is not None:
        selected = Score("WER", wer, "s", higher_is_better=False)
    return Validation(perplexity, Score("BLEU", bleu, "s"), Score("chrF2", chrf, "s"), (), alignment, selected)


@pytest.mark.parametrize(
    ("selection", "found", "shown"),
    [
        ("perplexity", {"perplexity": math.exp(700)}, "perplexity is too large to show, as in"),
        ("aer", {"aer": 0.12345}, "AER is 0.1235, as in"),
        ("bleu", {"bleu": 0}, "BLEU is 0.00, as in"),
        ("wer", {"wer": 3.456}, "WER is 3.46, as in"),
    ],
)
def test_what_does_not_move_is_told_in_a_few_digits(selection: Selection, found: dict[str, float], shown: str) -> None:
    assert explained(validation(**found), selection).startswith(shown)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("selection", "worse", "better", "by"),
    [
        ("bleu", {"bleu": 3, "chrf": 90}, {"bleu": 4, "chrf": 10}, "bleu"),
        ("bleu", {"bleu": 0, "chrf": 22}, {"bleu": 0, "chrf": 87}, "chrf"),
        ("bleu", {"bleu": 100, "chrf": 99}, {"bleu": 100 + 4e-14, "chrf": 100}, "chrf"),
        ("bleu", {"bleu": 0.001, "chrf": 20}, {"bleu": 0.0, "chrf": 30}, "chrf"),
        ("bleu", {"bleu": 0, "chrf": 22.11}, {"bleu": 0, "chrf": 22.12}, "chrf"),
        ("bleu", {"bleu": 21.98}, {"bleu": 21.99, "chrf": -1}, "bleu"),
        ("aer", {"aer": 0.2502}, {"aer": 0.2501, "perplexity": 99}, "aer"),
        ("bleu", {"perplexity": 9}, {"perplexity": 8.9999}, "perplexity"),
        ("chrf", {"chrf": 0, "bleu": 5}, {"chrf": 0, "perplexity": 8}, "perplexity"),
        ("aer", {"aer": 1.0, "bleu": 9}, {"aer": 1.0, "perplexity": 2}, "perplexity"),
        ("aer", {"aer": 0.0, "links": 0}, {"aer": 0.9}, "aer"),
        ("wer", {"wer": 3.1, "chrf": 99}, {"wer": 2.9}, "wer"),
        ("wer", {"wer": 120.0}, {"wer": 100.0}, "wer"),
        ("wer", {"wer": 0.001, "chrf": 98}, {"wer": 0.0, "chrf": 99}, "chrf"),
        ("exact", {"exact": 80.0, "bleu": 9}, {"exact": 80.5}, "exact"),
        ("exact", {"exact": 0.0}, {"exact": 0.0, "perplexity": 8}, "perplexity"),
        ("perplexity", {"perplexity": 1e304, "chrf": 1}, {"perplexity": 1e304, "chrf": 2}, "chrf"),
        ("bleu", {"bleu": math.nan, "chrf": 9}, {"bleu": 0.0}, "bleu"),
        ("bleu", {"bleu": math.nan, "chrf": 1}, {"bleu": math.nan, "chrf": 2}, "chrf"),
    ],
)
def test_the_next_metric_decides_between_equals(
    selection: Selection, worse: dict[str, Any], better: dict[str, Any], by: str
) -> None:
    low, high = (kept(step, validation(**values), selection) for step, values in ((1, worse), (2, better)))
    up, down = compared(high, low, selection), compared(low, high, selection)
    assert up.better and not down.better
    assert up.by == down.by == by and up.tied == (by != selection)
    assert not compared(low, low, selection).better and compared(low, low, selection).by is None


def test_the_best_come_first_and_the_earlier_of_equals() -> None:
    scores = [(0, 22, 5), (0, 87, 4), (1, 5, 9), (0, 87, 4), (0, 87, 3)]
    for order in itertools.permutations(range(5)):
        found: tuple[Kept, ...] = ()
        for place in order:
            found, verdict = ranked(found, kept(place, validation(*scores[place]), "bleu"), "bleu")
            assert verdict.better == (found[0].step == place)
        equals = [place for place in order if place in (1, 3)]
        assert [each.step for each in found] == [2, 4, *equals, 0]


def test_a_state_of_before_decides_only_by_what_it_knows() -> None:
    values = RunState(step=3, kept=(Kept(2, 0.0),)).to_mapping() | {"format": 2}
    values["kept"] = [{"step": 2, "value": 0.0}]
    old = RunState.from_mapping(json.loads(json.dumps(values)), "state")
    assert old.kept == (Kept(2, 0.0),)
    new = kept(3, validation(0.0, 50.0), "bleu")
    assert not compared(new, old.kept[0], "bleu").better
    assert compared(kept(3, validation(0.5), "bleu"), old.kept[0], "bleu").better
    again = RunState(step=3, kept=(new,))
    assert RunState.from_mapping(json.loads(json.dumps(again.to_mapping())), "state") == again


def scored(*scores: Validation) -> Any:
    """Give a trainer validations of these scores, one after the other."""

    def install(trainer: Trainer) -> None:
        left = iter(scores)
        trainer.validator = lambda _model: next(left)  # type: ignore[assignment]

    return install


STUCK = ("training.max_steps=8", "training.validation_interval=2", "training.accumulation=1")


def test_bleu_that_stays_at_zero_neither_keeps_the_first_nor_stops_nor_cuts(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = make_recipe(
        corpus,
        *STUCK,
        "training.early_stopping=2",
        "training.schedule={type: plateau, patience: 0}",
        "training.optimiser.learning_rate=0.01",
    )
    with caplog.at_level(logging.INFO, "nmt"):
        rising = scored(*(validation(0.0, chrf, 9.0) for chrf in (22, 87, 100)), validation(0.0, 100, 3.0))
        done = train(recipe, tmp_path / "run", before=rising)
    assert json.loads(done.folder.best.read_text())["step"] == 8
    assert done.result.state.plateau.share == 1.0
    assert done.result.state.finished == "all 8 updates are made"
    found = records(done.folder, "validation")
    assert [(line["best"], line.get("by")) for line in found] == [
        (True, None),
        (True, "chrf"),
        (True, "chrf"),
        (True, "perplexity"),
    ]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert sum("BLEU is 0.00, as in the best validation so far" in line for line in told) == 1
    assert "(best so far, by chrF)" in caplog.text and "(best so far, by perplexity)" in caplog.text


def test_scores_that_all_stand_still_stop_the_training(corpus: Path, tmp_path: Path) -> None:
    recipe = make_recipe(corpus, *STUCK, "training.early_stopping=2")
    done = train(recipe, tmp_path / "run", before=scored(*[validation(0.0, 10.0, 9.0)] * 4))
    assert done.result.state.step == 6 and done.result.state.kept[0].step == 2

"""The search tuned at the end of a training is the best on its validation set, and what translates by default."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_training import make_recipe

from nmt import experiment
from nmt.assembly import build_trainer, prepare_corpora
from nmt.core.errors import CheckpointError, ConfigError
from nmt.core.storage.run_folder import RunFolder, read_json
from nmt.recipe import Recipe
from nmt.search.search_config import SearchConfig
from nmt.training import search_tuning
from nmt.training.search_tuning import Trial, chosen, metric_for
from nmt.translation.model_files.bundle import Bundle

OWN = Trial(5, 1.0, 30.0, 20.0, 50.0)


@pytest.mark.parametrize(
    ("others", "best"),
    [
        ([], (5, 1.0)),
        ([(5, 0.7, 30.0)], (5, 1.0)),
        ([(5, 0.7, 30.29)], (5, 1.0)),
        ([(5, 0.7, 30.31)], (5, 0.7)),
        ([(8, 1.0, 30.29)], (5, 1.0)),
        ([(8, 1.0, 30.31)], (8, 1.0)),
        ([(3, 1.0, 30.31)], (3, 1.0)),
        ([(12, 1.0, 31.04), (8, 1.0, 31.0)], (8, 1.0)),
        ([(12, 1.0, 31.06), (8, 1.0, 31.0)], (12, 1.0)),
        ([(5, 0.7, 30.2), (8, 1.0, 30.4)], (8, 1.0)),
        ([(5, 0.7, -2.0)], (5, 1.0)),
    ],
)
def test_what_gains_enough_is_chosen_and_a_larger_beam_must_gain_more(
    others: list[tuple[int, float, float]], best: tuple[int, float]
) -> None:
    found = chosen([*(Trial(*each, 99.0, 99.0) for each in others), OWN], OWN)
    assert (found.beam_size, found.length_penalty) == best


@pytest.mark.parametrize(
    ("select", "count", "metric", "told"),
    [
        ("bleu", 500, "bleu", False),
        ("bleu", 499, "chrf", True),
        ("chrf", 20, "chrf", False),
        ("perplexity", 100, "chrf", False),
        ("aer", 1000, "chrf", False),
        ("wer", 20, "wer", False),
    ],
)
def test_few_pairs_are_measured_by_chrf(
    select: str, count: int, metric: str, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    validator: Any = SimpleNamespace(count=count, config=SimpleNamespace(select=select))
    assert metric_for(validator) == metric
    assert (f"BLEU of {count} pairs is noise (below 500): the search is chosen by chrF" in caplog.text) == told


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["data.validation=null"], "tune_search needs data.validation"),
        (["search.strategy=greedy"], "strategy must be beam where training.tune_search is true, but is greedy"),
        (["search.mbr=chrf"], "mbr must be none where training.tune_search is true, but is chrf"),
    ],
)
def test_what_cannot_be_tuned_is_refused(corpus: Path, values: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_recipe(corpus, "training.tune_search=true", *values)


def run(recipe: Recipe, path: Path, *, resume: bool = False) -> RunFolder:
    folder = experiment.open_run(recipe, path, resume=resume)
    experiment.run_training(recipe, folder, resume=resume, again="again")
    return folder


@pytest.mark.slow
def test_a_training_tunes_its_search_once(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(search_tuning, "BEAMS", (1, 3, 4))
    monkeypatch.setattr(search_tuning, "LENGTH_PENALTIES", (0.0, 2.0))
    monkeypatch.setattr(search_tuning, "MOST_PAIRS", 9)
    monkeypatch.setattr(search_tuning, "WORTH", 0.0)
    steps = "training.max_steps=6"
    recipe = make_recipe(
        corpus, steps, "training.tune_search=true", "search.n_best=2", "training.checkpoint_interval=9"
    )
    folder = run(recipe, tmp_path / "run")
    found = read_json(folder.search)
    assert found["metric"] == "chrf" and "is noise (below 500)" in caplog.text
    grid = {(each["beam_size"], each["length_penalty"]): each for each in found["tried"]}
    assert [*grid] == [(beam, penalty) for beam in (2, 3, 4) for penalty in (0.0, 1.0, 2.0)]

    bundle = Bundle.load(folder.path, device="cpu")
    validator = build_trainer(recipe, RunFolder(tmp_path / "other"), prepare_corpora(recipe, folder)).validator
    assert validator is not None
    for (beam, penalty), trial in grid.items():
        search = replace(recipe.search, beam_size=beam, length_penalty=penalty, n_best=1)
        rows = validator.spread(9)
        hypotheses = validator.translations(bundle.model, search, rows)
        bleu, chrf = validator.scores([best.tokens for (best,) in hypotheses], rows)
        assert (trial["bleu"], trial["chrf"]) == pytest.approx((bleu.value, chrf.value)), (beam, penalty)
        assert all(best.weights is None for (best,) in hypotheses)
    assert len({each["chrf"] for each in grid.values()}) > 3, "something to choose from"

    best = grid[found["search"]["beam_size"], found["search"]["length_penalty"]]
    assert best["chrf"] >= max(each["chrf"] for each in grid.values()) - 0.05
    assert bundle.search == replace(recipe.search, **found["search"]) != recipe.search
    told = f"beam_size {best['beam_size']}, length_penalty {best['length_penalty']:g} (chrF {best['chrf']:.2f}, BLEU"
    assert f"search: {told}" in caplog.text and "on 9 pairs of validation" in caplog.text

    folder.search.write_text(json.dumps({**found, "metric": "seen"}))
    run(recipe, tmp_path / "run", resume=True)
    assert read_json(folder.search)["metric"] == "seen", "it is not tuned again"
    other = make_recipe(
        corpus, steps, "training.tune_search=true", "search.min_length=1", "training.checkpoint_interval=9"
    )
    run(other, tmp_path / "run", resume=True)
    assert read_json(folder.search)["metric"] == "chrf", "of another search it is"
    assert Bundle.load(folder.path, device="cpu").search.min_length == 1

    folder.search.write_text("{}")
    with pytest.raises(CheckpointError, match="must hold the tuned search"):
        Bundle.load(folder.path, device="cpu")
    plain = make_recipe(corpus, steps, "training.checkpoint_interval=9")
    run(plain, tmp_path / "run", resume=True)
    assert Bundle.load(folder.path, device="cpu").search == plain.search, "only where the recipe says so"
    assert isinstance(plain.search, SearchConfig)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("best", "fewest", "gain", "kept"),
    [
        ((8, 0.4), 2, 0.5, True),
        ((8, 0.4), 2, 0.04, False),
        ((8, 0.4), 2, -0.5, False),
        ((8, 0.4), 10**6, -0.5, True),
        ((2, 0.4), 2, 0.5, True),
        ((2, 0.4), 2, -0.5, False),
    ],
)
def test_a_choice_must_be_better_on_other_pairs_too(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    best: tuple[int, float],
    fewest: int,
    gain: float,
    kept: bool,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(search_tuning, "FEW_PAIRS", fewest)
    monkeypatch.setattr(search_tuning, "MOST_PAIRS", 3)
    monkeypatch.setattr(search_tuning, "MOST_OTHERS", 4)
    seen: list[tuple[int, set[float], list[int]]] = []

    def trials(search: SearchConfig, penalties: set[float], *_: object, rows: list[int], **__: object) -> list[Trial]:
        seen.append((search.beam_size, penalties, rows))
        values = {best: 30.5 if len(rows) == 3 else 29.0 + gain}
        usual = 30.0 if len(rows) == 3 else 29.0
        return [
            Trial(search.beam_size, each, values.get((search.beam_size, each), usual), 1.0, 2.0)
            for each in sorted(penalties)
        ]

    monkeypatch.setattr(search_tuning, "_trials", trials)
    recipe = make_recipe(corpus, "training.max_steps=2", "training.tune_search=true")
    found = read_json(run(recipe, tmp_path / "run").search)
    own = {"beam_size": recipe.search.beam_size, "length_penalty": recipe.search.length_penalty}
    assert found["search"] == (dict(zip(own, best, strict=True)) if kept else own)
    tried, others = seen[0][2], [(beam, penalties) for beam, penalties, rows in seen if len(rows) == 4]
    if fewest == 2:
        assert own == {"beam_size": 2, "length_penalty": 1.0}
        assert others == ([(2, {1.0}), (8, {0.4})] if best[0] == 8 else [(2, {0.4, 1.0})])  # each beam is searched once
        assert not {*tried} & {*seen[-1][2]} and found["other_sentences"] == 4
        assert pytest.approx(29.0 + gain) in [each["value"] for each in found["others"]]
        assert f"on 4 other pairs beam_size {best[0]}, length_penalty 0.4" in caplog.text
        assert caplog.text.count(": not kept") == (not kept)
    else:
        assert not others and "others" not in found


@pytest.mark.slow
def test_error_rates_are_lower_where_a_search_is_better(corpus: Path, tmp_path: Path) -> None:
    recipe = make_recipe(corpus, "training.max_steps=4", "training.validation.select=wer", "training.tune_search=true")
    found = read_json(run(recipe, tmp_path / "run").search)
    assert found["metric"] == "wer"
    values = {(each["beam_size"], each["length_penalty"]): each["value"] for each in found["tried"]}
    assert max(values.values()) <= 0
    assert values[*found["search"].values()] >= max(values.values()) - 0.05
    assert len({*values.values()}) > 1

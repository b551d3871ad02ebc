"""Keys that the rest of a recipe makes do nothing: each is told, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmt.core import config
from nmt.core.errors import ConfigError, Problem
from nmt.recipe import Recipe, load_recipe

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").rglob("*.yaml"))
PLAIN = """
data: {train: [{source: a, target: b}], validation: {source: c, target: d}}
training: {max_steps: 1}
test: {corpus: {source: e, target: f}}
"""
NOBODY_VALIDATES = "data.validation=null"
NO_ATTENTION = "model.attention=none"
HUB = "{type: hub, name: a, source: b, target: c}"
STREAMED = "{type: hub, name: a, source: b, target: c, streaming: true}"
BOTH_WEIGHTS = "{source: a, target: b, weight: 2.0}, {source: c, target: d, weight: 1.0}"

# What makes a key do nothing (several values apart by blanks), the key with a value, and what makes it do something.
IDLE = [
    ("data.subword.source_model=x.model", "data.subword.size=70", "data.subword.source_model=null"),
    ("data.subword.source_model=x.model", "data.subword.algorithm=bpe", "data.subword.source_model=null"),
    ("data.subword.source_model=x.model", "data.subword.character_coverage=0.99", "data.subword.source_model=null"),
    ("data.subword.source_model=x.model", "data.subword.user_symbols=[<n>]", "data.subword.source_model=null"),
    ("data.subword.source_model=x.model", "data.subword.byte_fallback=true", "data.subword.source_model=null"),
    ("data.subword.source_model=x.model", "data.subword.max_lines=9", "data.subword.source_model=null"),
    (
        "data.subword.joint=false data.subword.source_model=x data.subword.target_model=y",
        "data.subword.size=70",
        "data.subword.target_model=null",
    ),
    (
        "data.subword.joint=false data.subword.target_model=y",
        "data.subword.size={source: 90, target: 8}",
        "data.subword.target_model=null",
    ),
    ("data.subword.algorithm=bpe", "data.subword.sampling={alpha: 0}", "data.subword.algorithm=unigram"),
    ("", "data.train.0.alignment=links", "training.terms=[{type: guided-alignment}]"),
    ("", "data.validation.alignment=links", None),
    ("", "data.validation.weight=2.0", None),
    ("", "data.window=50", f"data.train=[{STREAMED}]"),
    (f"data.validation={HUB}", "data.validation.streaming=true", None),
    ("", "test.corpus.weight=2.0", None),
    (
        "",
        "data.train.0.weight=2.0",
        f"data.train=[{BOTH_WEIGHTS}]",
    ),
    ("", "data.temperature=2.0", "data.train=[{source: a, target: b}, {source: c, target: d}]"),
    ("", "test.corpus.alignment=links", None),
    ("alignment.corpus={source: g, target: h}", "alignment.corpus.alignment=links", None),
    ("data.batch.unit=sentences data.batch.size=10", "data.batch.max_sentences=10", "data.batch.unit=tokens"),
    ("", "model.encoder.residual=true", "model.encoder.layers=2"),
    ("", "model.decoder.residual=true", "model.decoder.layers=2"),
    ("", "model.decoder.context_layers=all", "model.decoder.layers=2"),
    ("", "model.dropout.layers=0.1", "model.encoder.layers=2"),
    ("", "model.dropout.layers=0.1", "model.decoder.layers=2"),
    ("model.dropout.word=0.1", "model.dropout.variational=true", "model.dropout.readout=0.1"),
    ("model.dropout.layers=0.1", "model.dropout.variational=true", "model.encoder.layers=2"),
    ("", "model.initialisation.scale=0.5", "model.initialisation.scheme=uniform"),
    (
        "model.attention.coverage={type: linguistic, fertility: false}",
        "model.attention.coverage.max_fertility=3.0",
        "model.attention.coverage.fertility=true",
    ),
    ("", "training.optimiser.momentum=0.9", "training.optimiser.type=sgd"),
    ("", "training.optimiser.rho=0.9", "training.optimiser.type=adadelta"),
    ("training.optimiser.type=sgd", "training.optimiser.betas=[0.8, 0.9]", "training.optimiser.type=adam"),
    ("training.optimiser.type=sgd", "training.optimiser.epsilon=1e-5", "training.optimiser.type=adadelta"),
    ("", "training.schedule.final=0.1", "training.schedule.type=cosine"),
    ("", "training.schedule.factor=0.1", "training.schedule.type=plateau"),
    ("", "training.schedule.patience=1", "training.schedule.type=plateau"),
    ("", "training.schedule.minimum=0.1", "training.schedule.type=plateau"),
    (
        "training.terms=[{type: doubly-stochastic}]",
        "training.terms.0.decay_interval=5",
        "training.terms.0.decay=0.5",
    ),
    (
        "model.decoder=luong model.attention=marginal training.objective={type: variational, estimator: enumerate}",
        "training.objective.draws=2",
        "training.objective.estimator=sample",
    ),
    ("training.device=cpu", "training.deterministic=true", "training.device=auto"),
    (NOBODY_VALIDATES, "training.validation.limit=5", "data.validation={source: c, target: d}"),
    (NOBODY_VALIDATES, "training.validation_interval=5", "data.validation={source: c, target: d}"),
    (NOBODY_VALIDATES, "training.keep_best=5", "data.validation={source: c, target: d}"),
    (NOBODY_VALIDATES, "training.interval_unit=epochs", "training.checkpoint_interval=1"),
    ("", "training.validation.gold_first_index=1", "training.validation.gold=links"),
    ("training.validation.search.strategy=sampling", "training.validation.search.n_best=2", None),
    (
        "training.validation.search.strategy=greedy",
        "training.validation.search.beam_size=3",
        "training.validation.search.strategy=beam",
    ),
    ("search.strategy=greedy", "search.beam_size=3", "search.strategy=beam"),
    ("search.strategy=sampling", "search.beam_size=3", "search.strategy=beam"),
    ("search.strategy=greedy", "search.patience=2.0", "search.strategy=beam"),
    ("search.strategy=greedy", "search.length_penalty=0.5", "search.strategy=beam"),
    ("search.strategy=greedy", "search.coverage_penalty=0.5", "search.strategy=beam"),
    ("search.beam_size=1", "search.length_penalty=0.5", "search.patience=2.0"),
    ("search.strategy=sampling", "search.length_penalty=0.5", "search.n_best=2"),
    ("", "search.temperature=0.5", "search.strategy=sampling"),
    ("", "search.top_k=5", "search.strategy=sampling"),
    ("", "search.top_p=0.5", "search.strategy=sampling"),
    ("", "search.seed=5", "search.strategy=sampling"),
    (NO_ATTENTION, "alignment={plots: 1}", "model.attention=soft"),
    ("alignment.plots=0", "alignment.format=pdf", "alignment.plots=1"),
    ("", "alignment.gold_first_index=1", "alignment.gold=links"),
]


def notes_of(*overrides: str) -> list[Problem]:
    notes: list[Problem] = []
    config.load(Recipe, PLAIN, name="plain", overrides=overrides, notes=notes)
    return notes


@pytest.mark.parametrize(("because", "key", "unless"), IDLE, ids=lambda value: None if value is None else value[:40])
def test_a_key_that_does_nothing_is_told(because: str, key: str, unless: str | None) -> None:
    causes = split(because)
    path = key.split("=", maxsplit=1)[0]
    told = [note.path for note in notes_of(*causes, key)]
    assert any(of_one_section(path, each) for each in told), told
    if unless is not None:
        told = [note.path for note in notes_of(*causes, key, unless)]
        assert not any(of_one_section(path, each) for each in told), told


@pytest.mark.parametrize(("because", "key", "unless"), IDLE, ids=lambda value: None if value is None else value[:40])
def test_a_key_that_is_not_written_is_not_told(because: str, key: str, unless: str | None) -> None:
    del unless
    path = key.split("=", maxsplit=1)[0]
    assert path not in [note.path for note in notes_of(*split(because))]


def of_one_section(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def split(overrides: str) -> list[str]:
    """Overrides apart by blanks, which values in braces may hold too."""
    found: list[str] = []
    for part in overrides.split(" "):
        if part and ("=" in part.split("{")[0] or not found) and found[-1:] != ["{"]:
            found.append(part)
        elif part:
            found[-1] += f" {part}"
    return found


def test_a_section_that_does_nothing_is_told_once_with_its_line() -> None:
    notes: list[Problem] = []
    text = """
data: {train: [{source: a, target: b}]}
training:
  max_steps: 1
  validation:
    limit: 3
    search: {beam_size: 7}
"""
    config.load(Recipe, text, name="x", notes=notes)
    assert [str(note) for note in notes] == ["line 5: training.validation has no effect without data.validation"]


def test_values_that_are_the_default_are_not_told() -> None:
    assert not notes_of("search.strategy=greedy", "search.beam_size=5", "training.schedule.factor=0.5")


def test_a_resolved_recipe_tells_no_more_than_what_was_written() -> None:
    """A run's own recipe has every key; it may be the beginning of another one."""
    recipe = config.load(Recipe, PLAIN, name="plain", overrides=["search.strategy=greedy", NOBODY_VALIDATES])
    notes: list[Problem] = []
    config.load(Recipe, config.to_yaml(recipe), name="resolved", notes=notes)
    assert not notes


def test_an_encoder_that_nobody_here_wrote_may_have_layers_to_drop_between() -> None:
    from nmt.model.encoder.base import EncoderConfig

    assert EncoderConfig.drops_layers.fget(object()) is True  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_of_this_project_have_no_idle_key(path: Path) -> None:
    notes: list[Problem] = []
    load_recipe(path, notes=notes)
    assert not notes


@pytest.mark.parametrize("path", ["search", "training.validation.search"])
def test_a_coverage_penalty_without_attention_is_refused_when_the_recipe_is_read(path: str) -> None:
    with pytest.raises(ConfigError, match=rf"{path}.coverage_penalty must be 0 for a model without attention"):
        notes_of(NO_ATTENTION, f"{path}.coverage_penalty=0.2")

"""Every recipe of the project parses, builds its model, and the reference recipe names every key."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.data.corpus import CorpusConfig
from nmt.recipe import Recipe, load_recipe

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT / "recipes")))
def test_every_recipe_parses_and_builds(path: Path) -> None:
    recipe = load_recipe(path)
    features = recipe.data.source.features
    model = recipe.model.build(*((50, 50) if features is None else (None, 50, features.input_size)))
    assert sum(parameter.numel() for parameter in model.parameters()) > 0
    assert recipe.training.max_epochs or recipe.training.max_steps
    assert recipe.data.target_language and (features is not None or recipe.data.source_language)


def test_there_are_recipes() -> None:
    assert {path.parent.name for path in RECIPES} >= {"quickstart", "multi30k", "wmt14", "attention-zoo", "bible"}


def keys(value: Any, prefix: str = "") -> set[str]:
    if isinstance(value, dict):
        found = {f"{prefix}{key}" for key in value}
        return found.union(*(keys(inner, f"{prefix}{key}.") for key, inner in value.items()))
    return set()


def test_reference_recipe_names_every_key() -> None:
    path = ROOT / "recipes" / "reference.yaml"
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    full = config.to_mapping(load_recipe(path))
    # The validation's search has the keys of `search`, which are all described there.
    missing = {key for key in keys(full) - keys(written) if not key.startswith("training.validation.search.")}
    # Those of a corpus are described in `data.train`.
    missing -= {
        f"{corpus}.{key}"
        for corpus in ("data.validation", "test.corpus")
        for key in ("alignment", "tokenized", "weight", "tag")
    }
    assert not missing


def test_reference_recipe_tells_the_keys_of_every_kind_of_corpus() -> None:
    text = (ROOT / "recipes" / "reference.yaml").read_text(encoding="utf-8")
    told = text[text.index("- type: text ") : text.index("validation:")]
    for kind in CorpusConfig.registry.names():
        config_class = CorpusConfig.registry.find(kind)
        assert config_class is not None and kind in told
        for item in dataclasses.fields(config_class):
            assert re.search(rf"\b{item.name}\b", told), f"{kind}: {item.name}"


def test_reference_recipe_shows_the_defaults() -> None:
    path = ROOT / "recipes" / "reference.yaml"
    full = config.to_mapping(load_recipe(path))
    text = "{data: {train: [{source: a, target: b}]}, training: {max_steps: 1}}"
    plain = config.to_mapping(config.load(Recipe, text, name="plain"))
    for section, chosen in {
        "model": set(),
        "search": set(),
        "training": {"max_steps", "max_epochs", "interval_unit", "validation_interval"},
    }.items():
        for key, value in plain[section].items():
            if key not in chosen:
                assert full[section][key] == value, f"{section}.{key}"


def test_a_recipe_whose_parts_do_not_fit_is_refused_with_every_reason() -> None:
    text = """
data: {train: [{source: a, target: b}], subword: {joint: false}}
model: {embedding: {tied: all}, attention: {score: dot}, decoder: {size: 100}}
training: {max_steps: 1, average: 3}
alignment: {plots: 1}
"""
    with pytest.raises(ConfigError) as caught:
        config.load(Recipe, text, name="bad")
    message = str(caught.value)
    assert "model.attention" in message and "the same size" in message
    assert "training.average" in message and "keep_best" in message


@pytest.mark.parametrize("section", ["training.schedule", "training.optimiser"])
def test_a_name_in_the_place_of_a_section_is_told_its_place(section: str) -> None:
    text = "data: {train: [{source: a, target: b}]}\ntraining: {max_steps: 1}"
    with pytest.raises(ConfigError, match=rf"but is 'linear'; set `{section}.type` to 'linear'"):
        config.load(Recipe, text, name="bad", overrides=[f"{section}=linear"])
    with pytest.raises(ConfigError) as caught:
        config.load(Recipe, text, name="bad", overrides=["model.embedding=big"])
    assert "set `" not in str(caught.value), "where there is no type"

"""What is looked at in a recipe before anything is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from nmt.assembly import versions
from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.experiment import resolved
from nmt.preflight import uneven_accents, uneven_case
from nmt.recipe import Recipe, load_recipe
from nmt.warm_start import Resumed

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").rglob("*.yaml"))
BOTH = ["training.validation.lowercase", "test.lowercase"]
PLAIN = """
data: {train: [{source: a, target: b}], validation: {source: c, target: d}}
training: {max_steps: 1}
test: {corpus: {source: e, target: f}}
"""


def recipe(*overrides: str) -> Recipe:
    return config.load(Recipe, PLAIN, name="recipe", overrides=overrides)


def test_lower_cased_translations_are_not_compared_with_references_as_they_are() -> None:
    lower = "data.normalisation.lowercase=true"
    assert uneven_case(recipe()) == []
    assert uneven_case(recipe(lower)) == BOTH
    assert uneven_case(recipe("data.target_normalisation.lowercase=true")) == BOTH
    assert uneven_case(recipe(lower, "data.target_normalisation.lowercase=false")) == []
    assert uneven_case(recipe(lower, "training.validation.select=chrf")) == BOTH
    assert uneven_case(recipe(lower, "training.validation.select=perplexity")) == BOTH[1:]
    assert uneven_case(recipe(lower, "data.validation=null", "test=null")) == []
    assert uneven_case(recipe(lower, "training.validation.lowercase=true", "test.lowercase=true")) == []


def test_translations_without_accents_are_not_compared_with_references_as_they_are() -> None:
    strip = "data.normalisation.accents=strip"
    assert uneven_accents(recipe()) == []
    assert uneven_accents(recipe(strip)) == ["training.validation", "test"]
    assert uneven_accents(recipe(strip, "data.target_normalisation.accents=keep")) == []
    assert uneven_accents(recipe(strip, "training.validation.select=perplexity", "test=null")) == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_our_recipes_compare_like_with_like(path: Path) -> None:
    found = load_recipe(path)
    assert uneven_case(found) == uneven_accents(found) == []


def test_a_folder_that_no_recipe_can_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match=r"must lie in a folder whose name is UTF-8, but lies in '.*caf\\udce9'"):
        resolved(recipe())


def test_a_resumed_run_tells_what_its_vocabulary_is_not() -> None:
    began = recipe("data.subword.size=100", "data.subword.user_symbols=[<a>, <b>]")
    run = Resumed({"data": config.to_mapping(began.data)})

    def told(*overrides: str) -> list[str]:
        asked = recipe("data.subword.size=100", *overrides)
        return [str(each) for each in run.remarks(asked.data, asked.model)]

    assert told("data.subword.user_symbols=[<b>]") == []
    (size,) = told("data.subword.size=123")
    assert size.startswith("data.subword.size is 123, but 100 in the vocabulary of this run")
    (symbols,) = told("data.subword.user_symbols=[<b>, <c>]")
    assert symbols.startswith("data.subword.user_symbols has <c>, which is not in the vocabulary of this run")


def test_versions_name_the_gpu_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"that of {device}")
    assert versions(recipe("training.device=cuda:1"))["cuda"] == "that of cuda:1"
    assert versions(recipe("training.device=cpu"))["cuda"] is None

"""docs/extending.md quotes the parts that the tests run, and a recipe that takes them."""

from __future__ import annotations

import re
from pathlib import Path

import my_parts
import pytest

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


def test_the_document_quotes_the_file_that_is_tested() -> None:
    usage, *quoted = blocks("python")
    assert "\n\n".join(quoted) == Path(my_parts.__file__).read_text(encoding="utf-8")
    assert usage.startswith("import my_parts\nfrom nmt.cli.train import main\n")


def test_its_recipe_is_read_and_names_every_part() -> None:
    (text,) = blocks("yaml")
    recipe = config.load(Recipe, text, name="docs/extending.md")
    assert recipe.model.bridge == "mean"
    named = {type(one).__module__ for one in (recipe.model.encoder, recipe.model.decoder, recipe.model.attention.score)}
    named |= {type(one).__module__ for one in (recipe.training.objective, *recipe.training.terms)}
    assert named == {my_parts.__name__}


@pytest.mark.parametrize("encoder", ["convolution", "convolutional", "transformer"])
@pytest.mark.parametrize("bridge", ["last", "first-backward"])
def test_a_bridge_that_finds_nothing_to_read_is_refused_with_its_line(encoder: str, bridge: str) -> None:
    text = (
        "data: {train: [{source: a, target: b}]}\ntraining: {max_steps: 1}\n"
        f"model:\n  encoder: {encoder}\n  bridge: {bridge}\n"
    )
    with pytest.raises(ConfigError) as caught:
        config.load(Recipe, text, name="r.yaml")
    message = "r.yaml: line 5: model.bridge must be mean or zero with this encoder, which provides no "
    assert str(caught.value).startswith(message)

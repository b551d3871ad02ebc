"""Options of the commands: a recipe is told from overrides, and wrong numbers are named all at once."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from nmt.cli.options.recipe_options import recipe_and_overrides
from nmt.cli.options.run_options import add_search_options, at_least_one, search_config
from nmt.core.errors import ConfigError
from nmt.search.search_config import SearchConfig


def test_numbers_below_one_are_named_all_at_once() -> None:
    options = argparse.Namespace(window=0, batch_tokens=-2, processes=1, max_pieces=None)
    at_least_one(options, "processes", "max_pieces")
    with pytest.raises(ConfigError) as caught:
        at_least_one(options, "window", "processes", "batch_tokens", "max_pieces")
    assert "--window must be at least 1, but is 0" in str(caught.value)
    assert "--batch-tokens must be at least 1, but is -2" in str(caught.value)
    assert "--processes" not in str(caught.value)


def test_a_file_that_is_there_is_the_recipe_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=0.005").mkdir()
    for name in ("lr=0.005/recipe.yaml", "seed=2.yaml"):
        Path(name).touch()
        for given in ([name, "seed=2", "data.root=x"], ["seed=2", "data.root=x", name]):
            assert recipe_and_overrides(given) == (Path(name), ["seed=2", "data.root=x"])


def test_what_is_not_there_is_a_value_unless_no_value_has_such_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seed=2").mkdir()  # a folder of runs is no recipe
    long = f"data.validation={{source: {'x' * 5000}}}"  # longer than a name of a file may be
    assert recipe_and_overrides(["seed=2", long]) == (None, ["seed=2", long])
    assert recipe_and_overrides(["lr=0.005/gone.yaml"]) == (None, ["lr=0.005/gone.yaml"])
    assert recipe_and_overrides(["runs/lr=0.005/gone.yaml"]) == (Path("runs/lr=0.005/gone.yaml"), [])
    with pytest.raises(ConfigError, match=r"only one recipe can be given, but there are 2: a\.yaml, b/c=d\.yaml"):
        recipe_and_overrides(["a.yaml", "b/c=d.yaml"])


def test_greedy_search_leaves_out_what_needs_several_hypotheses() -> None:
    parser = argparse.ArgumentParser()
    add_search_options(parser, n_best="")
    recipe = SearchConfig(n_best=3, mbr="chrf", no_repeat_ngram=2)
    found = search_config(parser.parse_args(["--strategy", "greedy"]), recipe)
    assert found == SearchConfig(strategy="greedy", no_repeat_ngram=2)
    with pytest.raises(ConfigError, match="--mbr must be none with strategy greedy"):
        search_config(parser.parse_args(["--strategy", "greedy", "--mbr", "chrf"]), recipe)
    with pytest.raises(ConfigError, match="--mbr-samples needs --strategy sampling"):
        search_config(parser.parse_args(["--mbr-samples", "9"]), recipe)

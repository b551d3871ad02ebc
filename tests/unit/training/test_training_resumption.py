"""What of a recipe may change when a run is resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_training import make_recipe

from nmt.core import config
from nmt.training.checkpoints.resumption import noted_changes, refused_changes


def plain(corpus: Path, *overrides: str) -> dict[str, Any]:
    """Give a recipe as plain values."""
    return config.to_mapping(make_recipe(corpus, *overrides))


EPOCHS = ("training.max_steps=null", "training.max_epochs=3")


@pytest.mark.parametrize(
    "path",
    [
        "model.attention.score",
        "seed",
        "data.normalisation.lowercase",
        "data.target_normalisation",
        "data.subword.size",
        "data.filters.max_length",
        "data.filters.max_ratio",
        "data.batch.size",
        "data.temperature",
        "training.objective",
        "training.optimiser.type",
        "training.validation.select",
        "training.validation.search.strategy",
        "training.validation.tokenize",
        "training.validation.lowercase",
        "training.validation.limit",
        "training.validation.gold",
        "training.validation.gold_first_index",
        "training.validation.gold_tokenized",
    ],
)
def test_what_weights_position_and_scores_depend_on_may_not_change(corpus: Path, path: str) -> None:
    before = plain(corpus)
    now: dict[str, Any] = json.loads(json.dumps(before))
    assert refused_changes(before, now) == []
    *parents, name = path.split(".")
    section = now
    for parent in parents:
        section = section[parent]
    section[name] = "another"
    (refused,) = refused_changes(before, now)
    assert path == refused or path.startswith(f"{refused}.")


def test_weights_of_corpora_may_not_change_but_files_may_be_divided_otherwise(corpus: Path) -> None:
    def of(*weights: str) -> dict[str, Any]:
        return plain(
            corpus, f"data.train=[{', '.join(f'{{source: a, target: b, weight: {each}}}' for each in weights)}]"
        )

    assert refused_changes(of("1", "2"), of("1", "2")) == []
    for other in (of("1", "3"), of("2", "1"), of("1", "2", "1"), of("null", "null")):
        assert refused_changes(of("1", "2"), other) == ["data.train.*.weight"]
    assert refused_changes(of("null"), of("null", "null")) == []


def test_tags_of_corpora_may_not_move_but_files_may_be_divided_otherwise(corpus: Path) -> None:
    def of(*tags: str) -> dict[str, Any]:
        train = ", ".join(f"{{source: a, target: b, tag: {each}}}" for each in tags)
        return plain(corpus, f"data.train=[{train}]", "data.validation=null")

    for other in (of("<bt>", "null"), of("null", "null"), of("<bt>", "<bt>"), of("null", "<x>"), of("<bt>")):
        assert refused_changes(of("null", "<bt>"), other) == ["data.train.*.tag"]
    assert refused_changes(of("null", "<bt>"), of("null", "null", "<bt>", "<bt>")) == []
    assert refused_changes(of("null"), of("null", "null")) == []


def test_the_default_tokenizer_of_before_is_the_one_of_now(corpus: Path) -> None:
    old, new = (plain(corpus, f"training.validation.tokenize={each}") for each in ("13a", "auto"))
    assert refused_changes(old, new) == []
    assert refused_changes(new, old) == ["training.validation.tokenize"]


def test_validation_may_be_another_text_but_not_go(corpus: Path) -> None:
    """Whether it is another text its fingerprint tells; without any the best checkpoint would stay what it was."""
    with_one, moved = plain(corpus), plain(corpus, "data.validation.source=other.xx")
    without = plain(corpus, "data.validation=null")
    assert refused_changes(with_one, moved) == []
    assert refused_changes(with_one, without) == ["data.validation"]
    assert refused_changes(without, with_one) == refused_changes(without, without) == []


@pytest.mark.parametrize(
    ("before", "now", "notes"),
    [
        ((), (), []),
        # How long it is, what is written down, what comes afterwards.
        ((), ("training.max_steps=20", "training.keep_best=2", "name=other", "search.beam_size=3"), ["length"]),
        (("training.schedule.type=constant",), ("training.schedule.type=constant", "training.max_steps=20"), []),
        ((), ("training.init_from=elsewhere", "data.processes=1", "training.validation.samples=2"), []),
        # How it goes on.
        ((), ("training.clip_norm=0.5",), ["clip_norm was 1.0, is 0.5"]),
        ((), ("training.label_smoothing=0.3",), ["label_smoothing was 0.1, is 0.3"]),
        ((), ("training.accumulation=3",), ["accumulation was 2, is 3"]),  # max_steps says how long it is
        (EPOCHS, (*EPOCHS, "training.accumulation=3"), ["accumulation was 2, is 3", "length"]),
        (EPOCHS, (EPOCHS[0], "training.max_epochs=4"), ["length"]),
    ],
)
def test_what_changes_how_it_goes_on_is_told(
    corpus: Path, before: tuple[str, ...], now: tuple[str, ...], notes: list[str]
) -> None:
    found = noted_changes(plain(corpus, *before), plain(corpus, *now))
    assert found == [
        "the linear schedule depends on the length of training, which has changed"
        if note == "length"
        else f"training.{note}"
        for note in notes
    ]


@pytest.mark.parametrize(
    ("accumulation", "processes", "told"),
    [((2, 1), (1, 2), ""), ((3, 2), (2, 3), ""), ((2, 2), (1, 2), "2 in all processes, is 4"), ((2, 3), (2, 2), "4")],
)
def test_what_counts_is_the_number_of_batches_of_an_update(
    corpus: Path, accumulation: tuple[int, int], processes: tuple[int, int], told: str
) -> None:
    before, now = (plain(corpus, *EPOCHS, f"training.accumulation={each}") for each in accumulation)
    found = noted_changes(before, now, processes=processes)
    assert [each.partition(" ")[0] for each in found] == (["training.accumulation", "the"] if told else [])
    assert not told or f"training.accumulation was {told}" in found[0]

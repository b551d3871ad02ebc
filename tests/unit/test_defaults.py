"""Settings by the size and the script of a corpus."""

from __future__ import annotations

import tracemalloc
import unicodedata

import pytest
import yaml

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.defaults import SIZES, CorpusFacts, SizeClass, facts_of, nested, settings_for
from nmt.recipe import Recipe

CORPUS = {"data": {"train": [{"source": "a", "target": "b"}], "validation": {"source": "c", "target": "d"}}}


def facts(words: int, *, held_out: int | None = 1_000, pairs: int | None = None) -> CorpusFacts:
    return CorpusFacts(pairs or max(1, words // 10), words, characters=100, types=100_000, held_out=held_out)


def recipe_for(found: CorpusFacts, **more: object) -> Recipe:
    recipe = nested(settings_for(found))
    recipe["data"] |= CORPUS["data"]
    return config.load(Recipe, yaml.safe_dump({**recipe, **more}), name="default")


def value(key: str, found: CorpusFacts) -> object:
    return settings_for(found)[key][0]


@pytest.mark.parametrize("size", SIZES)
def test_the_settings_of_every_size_are_a_valid_recipe(size: SizeClass) -> None:
    words = int(min(size.words, 10**9))
    recipe = recipe_for(facts(words))
    model = recipe.model
    assert size[1:3] == (recipe.data.subword.size, model.decoder.size // 2)
    assert size[3:6] == (recipe.data.batch.size, recipe.training.max_epochs, model.dropout.embedding)
    assert size.consistency == getattr(recipe.training.objective, "consistency", 0.0)
    assert all(why and "\n" not in why for _, why in settings_for(facts(words)).values())
    recipe.model.build(recipe.data.subword.size, recipe.data.subword.size)
    with pytest.raises(ConfigError):
        recipe_for(facts(words), modle=1)


def test_more_text_gets_more_pieces_and_less_dropout_and_fewer_epochs() -> None:
    sizes = [facts(10**power) for power in range(3, 9)]
    for key, falls in (("data.subword.size", False), ("training.max_epochs", True), ("model.dropout.readout", True)):
        values = [value(key, each) for each in sizes]
        assert values == sorted(values, reverse=falls) and len(set(values)) > 3


@pytest.mark.parametrize(
    ("words", "units", "batch"),
    [(20_000, 128, 512), (200_000, 128, 512), (200_001, 256, 1_024), (400_000, 256, 1_024), (400_001, 256, 2_048)],
)
def test_layers_and_batches_grow_where_whole_trainings_were_better(words: int, units: int, batch: int) -> None:
    assert value("model.encoder.size", facts(words)) == units
    assert value("data.batch.size", facts(words)) == batch


@pytest.mark.parametrize(
    ("sources", "targets", "expected"),
    [
        (["a b ab", "ba ba"], ["x y", "aab"], CorpusFacts(2, 3, characters=4, types=3)),
        (["e\u0301 \u00e9 ee\u0301"], ["\u00e9"], CorpusFacts(1, 1, characters=2, types=1)),
        (["wir"], ["\u4f60\u597d\u554a\u4e16\u754c \u597d"], CorpusFacts(1, 3, characters=8, types=2)),
    ],
)
def test_what_is_counted(sources: list[str], targets: list[str], expected: CorpusFacts) -> None:
    assert facts_of(sources, targets) == expected
    decomposed = [[unicodedata.normalize("NFD", line) for line in lines] for lines in (sources, targets)]
    assert facts_of(*decomposed) == expected


def test_counting_keeps_distinct_words_alone_in_memory() -> None:
    lines = [f"{' '.join('abcdefgh')} {number % 10}" for number in range(20_000)]
    tracemalloc.start()
    try:
        found = facts_of(lines, lines)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert (found.words, found.characters) == (180_000, 18)


@pytest.mark.parametrize(
    ("found", "size"),
    [
        (CorpusFacts(2, 8, characters=2, types=3), 2 + 5 + 1),  # half of the words with more than one character
        (CorpusFacts(3000, 3000, characters=3000, types=3000), 3000 + 5 + 500),  # all characters, and 500 pieces more
        (CorpusFacts(1, 2, characters=1, types=0), 1 + 5),
    ],
)
def test_pieces_are_no_more_than_the_text_gives(found: CorpusFacts, size: int) -> None:
    assert value("data.subword.size", found) == size


@pytest.mark.parametrize(
    ("held_out", "select"), [(10, "chrf"), (499, "chrf"), (500, "bleu"), (2_000, "bleu"), (None, "bleu")]
)
def test_few_pairs_are_validated_by_chrf(held_out: int | None, select: str) -> None:
    assert value("training.validation.select", facts(100_000, held_out=held_out)) == select


@pytest.mark.parametrize(
    ("pairs", "held_out", "epochs"),
    [
        (5_000, 100, 1),
        (5_000, 1_716, 3),
        (10_000, 1_716, 2),
        (40_000, 1_716, 1),
        (400, 500, 10),
        (100, 2_000, 10),
        (5_000, None, 1),
    ],
)
def test_validations_take_no_more_time_than_training(pairs: int, held_out: int | None, epochs: int) -> None:
    assert value("training.validation_interval", facts(40_000, pairs=pairs, held_out=held_out)) == epochs

import itertools
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.core import config as configs
from nmt.core.errors import ConfigError, DataError
from nmt.data.data_config import DataConfig
from nmt.data.loader import Position
from nmt.data.mixture import Mixture, shares_of
from nmt.data.pipeline import encode_corpus, read_training_pairs, training_loader


@pytest.fixture(scope="module")
def several(prepared, tmp_path_factory):
    """Config, vocabularies and encoded corpus of 300, 20 and 80 pairs, some of which the filters drop."""
    root = tmp_path_factory.mktemp("several")
    config, vocabularies, _ = prepared
    for name, lines in (("a", slice(300)), ("b", slice(20)), ("c", slice(100, 180))):
        (root / name).mkdir()
        for side in ("train.de", "train.en"):
            text = (Path(config.root) / side).read_text(encoding="utf-8").splitlines(keepends=True)
            (root / name / side).write_text("".join(text[lines]), encoding="utf-8")
    train = [{"source": f"{name}/train.de", "target": f"{name}/train.en"} for name in "abc"]
    values = {**configs.to_mapping(config), "root": str(root), "train": train, "filters": {"max_length": 22}}
    config = configs.from_mapping(DataConfig, values, name="test")
    return config, vocabularies, encode_corpus(read_training_pairs(config), vocabularies, config)


def with_weights(config, *weights, temperature=None):
    train = tuple(replace(corpus, weight=weight) for corpus, weight in zip(config.train, weights, strict=True))
    return replace(config, train=train, temperature=temperature)


def drawn_in(loader, epochs, position=None):
    """The examples of whole epochs, batch by batch, with the positions after them."""
    found = []
    for batch, after in loader.batches(position or Position()):
        found.append((batch.examples.tolist(), after))
        if after.epoch == epochs:
            return found
    raise AssertionError


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=2, max_size=4),
    shares=st.lists(st.floats(0.05, 20), min_size=4, max_size=4),
    epochs=st.integers(1, 7),
)
def test_every_corpus_has_its_share_and_every_example_its_turn(sizes, shares, epochs):
    mixture = Mixture.of(sizes, shares[: len(sizes)])
    exact = numpy.array(shares[: len(sizes)]) / sum(shares[: len(sizes)]) * sum(sizes)
    assert sum(mixture.counts) == sum(sizes)
    assert (numpy.abs(numpy.array(mixture.counts) - exact) < 1).all()
    ends = numpy.cumsum([0, *sizes])
    times = numpy.zeros(sum(sizes), dtype=int)
    for epoch in range(epochs):
        drawn = mixture.drawn(epoch, seed=7)
        assert len(drawn) == sum(sizes)
        assert numpy.histogram(drawn, ends)[0].tolist() == list(mixture.counts)
        assert (drawn == mixture.drawn(epoch, seed=7)).all()
        numpy.add.at(times, drawn, 1)
        for begin, end in itertools.pairwise(ends):
            assert numpy.ptp(times[begin:end]) <= 1, "passes go on from epoch to epoch"


def test_a_part_of_a_corpus_is_another_one_with_each_seed_and_each_pass():
    mixture = Mixture.of((100, 100), (1, 9))
    first, again, other = (sorted(mixture.drawn(epoch, seed=seed)[:20]) for epoch, seed in ((0, 1), (5, 1), (0, 2)))
    assert first != again != other != first


def test_shares():
    assert shares_of([100, 25], None, None) is None
    assert shares_of([100, 25], [1.0, 3.0], None) == [1.0, 3.0]
    assert shares_of([100, 25], None, 2.0) == pytest.approx([10.0, 5.0])
    assert Mixture.of((100, 25), shares_of([100, 25], None, 1.0)).counts == (100, 25)
    assert Mixture.of((100, 25), shares_of([100, 25], None, 1e9)).counts == (63, 62)


def test_an_epoch_of_a_recipe_with_weights(several):
    config, vocabularies, corpus = several
    assert len(corpus.parts) == 3 and sum(corpus.parts) == len(corpus)
    lines = [corpus.line(index) for index in range(len(corpus))]
    assert corpus.parts == tuple(numpy.histogram(lines, [0, 300, 320, 400])[0]), "by what the filters left"
    assert corpus.parts[0] < 300
    loader = training_loader(corpus, vocabularies, with_weights(config, 1.0, 2.0, 1.0), seed=3)
    found = drawn_in(loader, 1)
    ends = numpy.cumsum([0, *corpus.parts])
    counts = numpy.histogram([example for examples, _ in found for example in examples], ends)[0]
    assert counts == pytest.approx(len(corpus) * numpy.array([0.25, 0.5, 0.25]), abs=1)
    assert found[-1][1] == Position(1, 0) and loader.passes(found[-1][1]) == 1.0
    assert found[-2][1].examples < len(corpus), "the length of an epoch is what it was"
    assert len(found) == loader.epoch_batches(0) == loader.batches_until(1, Position())
    lengths = [corpus.target_lengths[examples] for examples, _ in found]
    assert numpy.mean([numpy.ptp(each) for each in lengths]) < 3, "batches are of similar lengths"


def test_a_temperature_of_one_is_no_mixture_bit_for_bit(several):
    config, vocabularies, corpus = several
    plain = training_loader(corpus, vocabularies, config, seed=3)
    one = training_loader(corpus, vocabularies, replace(config, temperature=1.0), seed=3)
    assert drawn_in(one, 2) == drawn_in(plain, 2)
    flat = training_loader(corpus, vocabularies, replace(config, temperature=1e6), seed=3)
    assert numpy.ptp(flat.mixture.counts) <= 1


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_from_any_position_the_examples_that_were_left(several, world_size):
    config, vocabularies, corpus = several
    config = with_weights(config, 1.0, 5.0, 2.0)
    whole = drawn_in(training_loader(corpus, vocabularies, config, seed=3), 3)
    for place in (0, 4, len(whole) // 3, len(whole) // 2, len(whole) - 9):
        ranks = [
            drawn_in(
                training_loader(corpus, vocabularies, config, seed=3, rank=rank, world_size=world_size),
                3,
                whole[place][1],
            )
            for rank in range(world_size)
        ]
        for epoch in range(whole[place][1].epoch, 3):
            rest = [
                example
                for (examples, _), (_, before) in zip(whole[place + 1 :], whole[place:], strict=False)
                if before.epoch == epoch
                for example in examples
            ]
            found = []
            for each in ranks:
                positions = [whole[place][1], *(after for _, after in each)]
                found += [
                    example
                    for (examples, _), before in zip(each, positions, strict=False)
                    if before.epoch == epoch
                    for example in examples
                ]
            assert sorted(found) == sorted(rest)


def test_pairs_drawn_twice_in_a_batch_are_there_twice(several):
    config, vocabularies, corpus = several
    loader = training_loader(corpus, vocabularies, with_weights(config, 1.0, 50.0, 1.0), seed=3)
    batch, _ = next(loader.batches(Position()))
    _, first, times = numpy.unique(batch.examples.numpy(), return_index=True, return_counts=True)
    assert times.max() > 1
    same = numpy.flatnonzero(batch.examples.numpy() == batch.examples[first[times.argmax()]].item())
    assert torch.equal(batch.target.ids[same[0]], batch.target.ids[same[1]])


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("[{source: a, target: b, weight: 0}, {source: c, target: d, weight: 1}]", "train.0.weight must be above 0"),
        ("[{source: a, target: b, weight: -2}, {source: c, target: d, weight: 1}]", "must be above 0, but is -2"),
        ("[{source: a, target: b, weight: .nan}, {source: c, target: d, weight: 1}]", "must be a finite number"),
        ("[{source: a, target: b, weight: 2}, {source: c, target: d}]", "train.1.weight must be given"),
        ("[{source: a, target: b, weight: two}]", "train.0.weight must be"),
        ("[{source: a, target: b}, {source: c, target: d}]\ntemperature: 0.5", "temperature must be at least 1"),
        (
            "[{source: a, target: b, weight: 1}, {source: c, target: d, weight: 1}]\ntemperature: 2",
            "train.0.weight must be left out where data.temperature",
        ),
    ],
)
def test_weights_that_make_no_sense(train, message):
    with pytest.raises(ConfigError) as error:
        configs.load(DataConfig, f"train: {train}\n", name="recipe")
    assert message in str(error.value) and "line " in str(error.value)


def test_a_share_of_nothing_and_a_share_that_is_nothing(several):
    config, vocabularies, corpus = several
    with pytest.raises(DataError, match=r"data.train.1.weight: none of the \d+ pairs of b/train.de .*raise"):
        training_loader(corpus, vocabularies, with_weights(config, 1.0, 1e-6, 1.0), seed=3)
    dropped = replace(config, filters=replace(config.filters, max_length=None), temperature=2.0)
    empty = read_training_pairs(dropped)
    sizes = encode_corpus(empty, vocabularies, dropped)
    sizes.parts = (400, 0, 0)
    with pytest.raises(DataError, match=r"b/train.de and b/train.en: none of its pairs is left after the filters"):
        training_loader(sizes, vocabularies, dropped, seed=3)

import time
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.core import config as configs
from nmt.core.errors import ConfigError
from nmt.core.seeding import derive_seed
from nmt.data.bucketing import BatchConfig, equalise, length_batches, plan_epoch
from nmt.data.data_config import DataConfig
from nmt.data.pipeline import encode_corpus, prepare_vocabulary, read_training_pairs

MULTI30K = Path(__file__).resolve().parents[4] / "shared" / "data" / "multi30k"

lengths = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=0, max_size=200)
batch_configs = st.builds(
    BatchConfig,
    unit=st.sampled_from(["tokens", "sentences"]),
    size=st.integers(1, 300),
    max_sentences=st.none() | st.integers(1, 20),
    max_source_tokens=st.none() | st.integers(1, 300),
)


def plan(pairs, config, seed=1, epoch=0):
    table = numpy.array(pairs, dtype=numpy.int32).reshape(-1, 2)
    return plan_epoch(table[:, 0], table[:, 1], config, seed=seed, epoch=epoch)


@settings(max_examples=200)
@given(lengths, batch_configs, st.integers(0, 3))
def test_every_example_once_and_every_batch_within_the_budget(pairs, config, epoch):
    batches = plan(pairs, config, epoch=epoch)
    assert sorted(index for batch in batches for index in batch) == list(range(len(pairs)))
    for batch in batches:
        assert len(batch)
        if len(batch) == 1:
            continue  # a sentence longer than the budget is alone
        longest_source, longest_target = (max(pairs[i][side] for i in batch) for side in (0, 1))
        counted = len(batch) * (longest_target if config.unit == "tokens" else 1)
        assert counted <= config.size
        assert len(batch) <= (config.max_sentences or 10**9)
        assert len(batch) * longest_source <= (config.max_source_tokens or 10**9)


@given(lengths)
def test_the_order_follows_from_seed_and_epoch_alone(pairs):
    config = BatchConfig(size=200)
    numpy.random.seed(3)
    first = plan(pairs, config)
    numpy.random.seed(4)
    second = plan(pairs, config)
    assert [batch.tolist() for batch in first] == [batch.tolist() for batch in second]


def test_epochs_and_seeds_differ_in_order_and_in_company():
    draw = numpy.random.default_rng(0)
    targets = draw.integers(5, 25, 3000)
    pairs = numpy.stack([targets + draw.integers(-1, 2, 3000), targets], axis=1)
    config = BatchConfig(size=1000)
    plans = [plan(pairs, config, seed=seed, epoch=epoch) for seed, epoch in [(1, 0), (1, 1), (2, 0)]]
    where = [numpy.empty(3000, dtype=int) for _ in plans]
    for batches, place in zip(plans, where, strict=True):
        for number, batch in enumerate(batches):
            place[batch] = number
    for one, other in [(0, 1), (0, 2)]:
        shared = [numpy.bincount(where[other][batch]).max() / len(batch) for batch in plans[one]]
        assert numpy.mean(shared) < 0.5
    longest = [pairs[batch, 1].max() for batch in plans[0]]
    assert abs(numpy.corrcoef(numpy.arange(len(longest)), longest)[0, 1]) < 0.3, "lengths come in no order"


def test_batches_are_full():
    draw = numpy.random.default_rng(0)
    pairs = draw.integers(5, 25, (3000, 2))
    batches = plan(pairs, BatchConfig(size=1000))
    full = [len(batch) * pairs[batch, 1].max() for batch in batches]
    assert numpy.median(full) > 960
    by_sentences = plan(pairs, BatchConfig(unit="sentences", size=64))
    assert sorted(map(len, by_sentences))[2:] == [64] * (len(by_sentences) - 2)


def test_a_million_examples_are_planned_in_seconds():
    draw = numpy.random.default_rng(0)
    sides = draw.poisson(25, (2, 1_000_000)) + 1
    begin = time.process_time()
    plan_epoch(sides[0], sides[1], BatchConfig(), seed=1, epoch=0)
    assert time.process_time() - begin < 60, "about 1 s on an idle core, and hours if it were quadratic"


@given(st.lists(st.integers(0, 100), max_size=100), st.integers(1, 200))
def test_length_batches(sizes, budget):
    batches = length_batches(sizes, budget)
    order = [index for batch in batches for index in batch]
    assert sorted(order) == list(range(len(sizes)))
    assert [sizes[i] for i in order] == sorted(sizes, reverse=True)
    for batch in batches:
        assert (
            len(batch) == 1 or len(batch) * max(sizes[i] for i in batch) <= budget or max(sizes[i] for i in batch) == 0
        )


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(1, 5))
def test_equalise_keeps_every_example_in_order(sizes, world_size):
    edges = numpy.cumsum([0, *sizes])
    batches = [numpy.arange(edges[i], edges[i + 1]) for i in range(len(sizes))]
    equal = equalise(batches, world_size)
    assert len(equal) % world_size == 0
    assert numpy.concatenate(equal).tolist() == list(range(sum(sizes)))
    empty = sum(not len(batch) for batch in equal)
    assert empty < world_size and not any(len(batch) for batch in equal[len(equal) - empty :])
    assert not empty or max(map(len, equal)) == 1, "a batch is empty only where none can be split"


def test_sizes_must_be_positive():
    with pytest.raises(ConfigError, match="size must be at least 1, but is 0"):
        configs.load(BatchConfig, "size: 0", name="x")


@pytest.mark.slow
@pytest.mark.skipif(not MULTI30K.is_dir(), reason="needs Multi30k in ../shared/data/multi30k: see recipes/multi30k")
def test_padding_on_multi30k(tmp_path):
    """At 2,048 tokens at most 4 % of the target and 8 % of the source are padding; less at 1,024."""
    mapping = {
        "root": str(MULTI30K),
        "train": [{"source": "train.de", "target": "train.en"}],
        "subword": {"algorithm": "bpe", "size": 8000},
    }
    config = configs.from_mapping(DataConfig, mapping, name="x")
    pairs = read_training_pairs(config, cache=tmp_path)
    corpus = encode_corpus(pairs, prepare_vocabulary(config, pairs, tmp_path / "v"), config, cache=tmp_path)
    sides = corpus.source_lengths, corpus.target_lengths
    for size, source_limit, target_limit in [(2048, 0.08, 0.04), (1024, 0.05, 0.03)]:
        for epoch in range(3):
            batches = plan_epoch(*sides, BatchConfig(size=size), seed=1, epoch=epoch)
            waste = [1 - side.sum() / sum(len(batch) * int(side[batch].max()) for batch in batches) for side in sides]
            assert waste[0] <= source_limit
            assert waste[1] <= target_limit


@pytest.mark.parametrize("drawn", [None, numpy.array([5, 5, 2, 9, 700, 3, 2, 5] * 40)])
def test_the_order_is_that_of_the_plain_formula(drawn):
    generator = numpy.random.default_rng(8)
    lengths = generator.integers(1, 300, (2, 900), dtype=numpy.int32)
    plan = plan_epoch(*lengths, BatchConfig(size=900), seed=3, epoch=2, drawn=drawn)
    sources, targets = lengths if drawn is None else lengths[:, drawn]
    same = numpy.random.default_rng(derive_seed(3, "order", 2))
    noisy = sources + same.random(len(sources))
    bucket = targets + (same.random(len(targets)) < 0.25)
    order = numpy.lexsort((numpy.where(bucket % 2 == 0, noisy, -noisy), bucket))
    text = " ".join(map(str, order if drawn is None else drawn[order]))
    for batch in plan:
        assert f" {' '.join(map(str, batch))} " in f" {text} "
    assert sorted(numpy.concatenate(plan)) == sorted(range(900) if drawn is None else drawn)

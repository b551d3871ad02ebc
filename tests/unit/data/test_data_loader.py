import dataclasses
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.core.errors import DataError
from nmt.data.batch import Tokens
from nmt.data.bucketing import BatchConfig
from nmt.data.loader import Loader, Position
from nmt.data.pipeline import training_loader
from nmt.text.sampling import SamplingConfig


def epoch_of(loader, position=None):
    """The batches from a position to the end of its epoch, with the positions after them."""
    position = Position() if position is None else position
    found = []
    for batch, after in loader.batches(position):
        found.append((batch, after))
        if after.epoch != position.epoch:
            return found
    raise AssertionError


def same(one, other):
    return all(
        torch.equal(getattr(getattr(one, side), part), getattr(getattr(other, side), part))
        for side in ("source", "target")
        for part in ("ids", "lengths")
    ) and torch.equal(one.examples, other.examples)


@pytest.fixture
def loader(prepared):
    config, vocabularies, corpus = prepared
    return training_loader(corpus, vocabularies, config, seed=3)


def test_batches_are_what_padding_the_rows_gives(prepared, loader):
    _, vocabularies, corpus = prepared
    for batch, _ in epoch_of(loader):
        source = Tokens.pad([corpus.source_ids(int(i)) for i in batch.examples], vocabularies.source.pad_id)
        target = Tokens.pad([corpus.target_ids(int(i)) for i in batch.examples], vocabularies.target.pad_id)
        assert torch.equal(batch.source.ids, source.ids)
        assert torch.equal(batch.target.ids, target.ids)
        assert torch.equal(batch.target.lengths, target.lengths)
        assert batch.source.ids.dtype == batch.source.lengths.dtype == batch.examples.dtype == torch.int64


def test_every_example_once_an_epoch(prepared, loader):
    found = epoch_of(loader)
    assert len(found) == loader.epoch_batches(0)
    assert sorted(torch.cat([batch.examples for batch, _ in found]).tolist()) == list(range(300))
    consumed = list(itertools.accumulate(batch.examples.shape[0] for batch, _ in found))
    assert [after.examples for _, after in found[:-1]] == consumed[:-1]
    assert found[-1][1] == Position(1, 0)


def test_endless(loader):
    count = loader.epoch_batches(0) + loader.epoch_batches(1) + 2
    positions = [after for _, after in itertools.islice(loader.batches(Position()), count)]
    assert positions[-1].epoch == 2


def test_resuming_gives_exactly_the_remaining_batches(prepared, loader):
    config, vocabularies, corpus = prepared
    whole = list(itertools.islice(loader.batches(Position()), loader.epoch_batches(0) + 5))
    for index in range(0, len(whole) - 4, 3):
        fresh = training_loader(corpus, vocabularies, config, seed=3)
        rest = list(itertools.islice(fresh.batches(whole[index][1]), 4))
        for (batch, after), (expected, expected_after) in zip(rest, whole[index + 1 :], strict=False):
            assert same(batch, expected)
            assert after == expected_after


@settings(max_examples=40, deadline=None)
@given(
    consumed=st.integers(0, 300),
    world_size=st.integers(1, 4),
    size=st.integers(20, 400),
    unit=st.sampled_from(["tokens", "sentences"]),
)
def test_from_any_position_every_remaining_example_once(prepared, consumed, world_size, size, unit):
    _, vocabularies, corpus = prepared
    batch = BatchConfig(size=size, unit=unit)
    everything = epoch_of(Loader(corpus, vocabularies, batch, seed=1))
    order = torch.cat([batch.examples for batch, _ in everything]).tolist()
    ranks = [
        Loader(corpus, vocabularies, batch, seed=1, rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    if consumed == 300:
        return
    found = [epoch_of(rank, Position(0, consumed)) for rank in ranks]
    assert len({len(rank) for rank in found}) == 1
    assert len({tuple(after for _, after in rank) for rank in found}) == 1, "the position is the same on every rank"
    seen = [i for step in zip(*found, strict=True) for batch, _ in step for i in batch.examples.tolist()]
    assert sorted(seen) == sorted(order[consumed:])


def test_ranks_share_an_epoch(prepared):
    config, vocabularies, corpus = prepared
    ranks = [Loader(corpus, vocabularies, config.batch, seed=3, rank=rank, world_size=3) for rank in range(3)]
    assert len({rank.epoch_batches(0) for rank in ranks}) == 1
    found = [epoch_of(rank) for rank in ranks]
    assert {len(rank) for rank in found} == {ranks[0].epoch_batches(0)}
    seen = sorted(i for rank in found for batch, _ in rank for i in batch.examples.tolist())
    assert seen == list(range(300))
    middle = found[0][4][1]
    for rank, batches in zip(ranks, found, strict=True):
        for (batch, _), (expected, _) in zip(epoch_of(rank, middle), batches[5:], strict=True):
            assert same(batch, expected)


@pytest.mark.parametrize("world_size", [1, 3])
@pytest.mark.parametrize("sampling", [None, SamplingConfig(alpha=0.2)])
def test_batches_of_several_epochs_are_counted_and_not_estimated(prepared, world_size, sampling):
    config, vocabularies, corpus = prepared
    config = dataclasses.replace(config, subword=dataclasses.replace(config.subword, sampling=sampling))
    loader = training_loader(corpus, vocabularies, config, seed=3, rank=0, world_size=world_size)
    positions = [Position()]
    for _, after in loader.batches(Position()):
        positions.append(after)
        if after.epoch == 5:
            break
    assert len({loader.epoch_batches(epoch) for epoch in range(5)}) > 1
    for place in (0, 1, 7, len(positions) // 2, len(positions) - 1):
        left = len(positions) - 1 - place
        assert loader.batches_until(5, positions[place]) == left
        assert loader.batches_until(5, positions[place], most=left) == left
    assert loader.batches_until(3, positions[-1]) == 0
    assert loader.passes(positions[-1]) == 5.0
    assert [loader.passes(each) for each in positions] == sorted(map(loader.passes, positions))
    seen = [position.examples / 300 + position.epoch for position in positions]
    assert list(map(loader.passes, positions)) == pytest.approx(seen)


def test_no_more_epochs_are_planned_than_have_so_many_batches(prepared, monkeypatch):
    config, vocabularies, corpus = prepared
    loader = Loader(corpus, vocabularies, config.batch, seed=3)
    planned = []

    def batches(epoch):
        planned.append(epoch)
        return 10

    first = loader.epoch_batches(0)
    monkeypatch.setattr(loader, "epoch_batches", batches)
    assert loader.batches_until(1_000_000, Position(), most=first + 15) == first + 20
    assert planned == [1, 2]


class TestSampling:
    @pytest.fixture
    def sampled(self, prepared):
        config, vocabularies, corpus = prepared
        subword = dataclasses.replace(config.subword, sampling=SamplingConfig(alpha=0.2))

        def build(size=120, seed=3):
            changed = dataclasses.replace(config, subword=subword, batch=BatchConfig(size=size))
            return training_loader(corpus, vocabularies, changed, seed=seed)

        return build

    def rows(self, loader, epoch=0):
        return {
            int(example): (source[:source_length].tolist(), target[:target_length].tolist())
            for batch, _ in epoch_of(loader, Position(epoch))
            for example, source, source_length, target, target_length in zip(
                batch.examples,
                batch.source.ids,
                batch.source.lengths,
                batch.target.ids,
                batch.target.lengths,
                strict=True,
            )
        }

    def test_batching_does_not_change_what_is_drawn(self, sampled):
        assert self.rows(sampled(120)) == self.rows(sampled(77))

    def test_epochs_seeds_and_sides_draw_apart(self, prepared, sampled):
        _, vocabularies, corpus = prepared
        first, second, other = self.rows(sampled()), self.rows(sampled(), epoch=1), self.rows(sampled(seed=4))
        for side in (0, 1):
            best = [self.side_of(prepared, side, example) for example in first]
            for others in (second, other, dict(zip(first, zip(best, best, strict=True), strict=True))):
                differ = sum(first[example][side] != others[example][side] for example in first)
                assert differ > 100, "most of them are drawn anew"
        for rows in (first, second):
            for example, (source, target) in rows.items():
                assert vocabularies.source.decode(source) == corpus.source_text(example)
                assert vocabularies.target.decode(target) == corpus.target_text(example)
                assert (source[-1], target[-1]) == (vocabularies.source.eos_id, vocabularies.target.eos_id)

    def side_of(self, prepared, side, example):
        _, _, corpus = prepared
        return corpus.target_ids(example) if side else corpus.source_ids(example)

    def test_equal_sentences_draw_apart(self, prepared, sampled):
        _, _, corpus = prepared
        drawn = {}
        for example, (source, _) in self.rows(sampled()).items():
            drawn.setdefault(corpus.source_text(example), []).append(tuple(source))
        repeated = [rows for rows in drawn.values() if len(rows) > 1]
        assert repeated
        assert any(len(set(rows)) > 1 for rows in repeated)


def test_fewer_examples_than_processes_are_refused(prepared):
    config, vocabularies, corpus = prepared
    loader = Loader(corpus, vocabularies, config.batch, seed=1, rank=0, world_size=301)
    with pytest.raises(DataError, match="300 examples cannot be divided among 301 processes; use fewer of them"):
        loader.epoch_batches(0)

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nmt.core import config as configs
from nmt.core.errors import CheckpointError, ConfigError, DataError
from nmt.data.checks.corpora import check_data
from nmt.data.data_config import DataConfig
from nmt.data.loader import Position
from nmt.data.streaming import Stream, StreamLoader
from nmt.recipe import Recipe
from nmt.text.sampling import SamplingConfig


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def streamed(prepared, tmp_path_factory):
    """Config of two streamed corpora of several files, with the vocabularies of the fixture ``prepared``."""
    root = tmp_path_factory.mktemp("streamed")
    config, vocabularies, _ = prepared
    sides = [(Path(config.root) / name).read_text(encoding="utf-8").splitlines() for name in ("train.de", "train.en")]
    pairs = list(zip(*sides, strict=True))
    for name, files, part in (("many", 4, pairs[:200]), ("few", 2, pairs[200:])):
        (root / name).mkdir()
        for number in range(files):
            rows = [{"text": {"de": source, "en": target}, "more": 1} for source, target in part[number::files]]
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (root / name / f"train-{number}.jsonl").write_text(text, encoding="utf-8")
    hub = {"type": "hub", "source": "text.de", "target": "text.en", "streaming": True}
    train = [{**hub, "name": "many", "weight": 1.0}, {**hub, "name": "few", "weight": 1.0}]
    values = {**configs.to_mapping(config), "root": str(root), "train": train, "window": 70}
    return configs.from_mapping(DataConfig, values, name="test"), vocabularies


def one(config):
    return replace(config, train=(replace(config.train[0], weight=None),))


def loader(streamed, config=None, **options):
    return StreamLoader(Stream(config or streamed[0]), streamed[1], config or streamed[0], seed=3, **options)


def texts_of(streamed, batches):
    return [streamed[1].target.decode(row.tolist()) for batch, _ in batches for row in batch.target.ids]


def through_json(position):
    """As in a checkpoint."""
    values = json.loads(json.dumps({"epoch": position.epoch, "examples": position.examples, "s": position.streams}))
    return Position(values["epoch"], values["examples"], values["s"])


def first_pass(streamed, loader):
    """The batches that begin in the first pass: its end is known when the second has begun."""
    return list(itertools.takewhile(lambda each: each[1].epoch == 0, loader.batches(Position())))


def test_a_pass_has_every_pair_once_in_batches_of_similar_length(streamed):
    found = first_pass(streamed, loader(streamed, one(streamed[0])))
    whole = sorted(pair[1] for pair in Stream(one(streamed[0])).first(1000))
    assert len(whole) == 200
    assert sorted(texts_of(streamed, found)) == whole
    assert found[-1][1].examples == 200
    assert all(batch.target.ids.numel() <= 120 or len(batch.target.ids) == 1 for batch, _ in found)
    spread = [int(batch.target.lengths.max() - batch.target.lengths.min()) for batch, _ in found]
    assert sum(spread) / len(spread) < 4, "sorted by length within a window"


def test_each_pass_and_each_seed_has_its_own_order(streamed):
    config = one(streamed[0])
    count = len(first_pass(streamed, loader(streamed, config)))
    batches = list(itertools.islice(loader(streamed, config).batches(Position()), 2 * count - 3))
    assert batches[-1][1].epoch == 1
    one_pass, other = texts_of(streamed, batches[:count]), texts_of(streamed, batches[count:])
    assert one_pass[: len(other)] != other and set(other) <= set(one_pass)
    for several in ([{"number": number} for number in range(8)], [{"seed": seed} for seed in range(8)]):
        begins = {next(Stream(config).rows(Stream(config).open(**each))) for each in several}
        assert 1 < len(begins) <= 4, "each begins with one of the files"
    another = StreamLoader(Stream(config), streamed[1], config, seed=4)
    assert texts_of(streamed, first_pass(streamed, another)) != one_pass


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("several", [False, True])
def test_a_resumed_stream_is_the_uninterrupted_one_on_every_process(streamed, several, world_size):
    config = streamed[0] if several else one(streamed[0])
    config = replace(config, subword=replace(config.subword, sampling=SamplingConfig(alpha=0.2)))
    process = {"rank": world_size - 1, "world_size": world_size}
    whole = list(itertools.islice(loader(streamed, config, **process).batches(Position()), 90))
    assert whole[-1][1].epoch >= 1 and whole[-1][1].streams[0]["window"] > 2
    for place in (0, 7, 21, 22, 60, 80):
        position = through_json(whole[place][1])
        others = [{"number": 9, "window": 9, "examples": 9, "taken": 0, "state": None}] * (world_size - 1)
        position = replace(position, streams=(*others, *position.streams))
        rest = list(itertools.islice(loader(streamed, config, **process).batches(position), 9))
        for (batch, after), (expected, expected_after) in zip(rest, whole[place + 1 :], strict=False):
            assert torch.equal(batch.source.ids, expected.source.ids)
            assert torch.equal(batch.target.ids, expected.target.ids)
            # The library describes one place in several ways.
            assert (after.epoch, after.examples) == (expected_after.epoch, expected_after.examples)


@pytest.mark.parametrize("world_size", [2, 3])  # 4 files are divided by files, or pair by pair
def test_processes_share_a_pass(streamed, world_size):
    config = one(streamed[0])
    found = [
        texts_of(streamed, first_pass(streamed, loader(streamed, config, rank=rank, world_size=world_size)))
        for rank in range(world_size)
    ]
    whole = sorted(pair[1] for pair in Stream(config).first(1000))
    assert sorted(itertools.chain(*found)) == whole
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_another_number_of_processes_is_refused(streamed):
    _, position = next(loader(streamed).batches(Position()))
    with pytest.raises(CheckpointError, match=r"as many processes as before, 1, but there are 2; .*init_from"):
        next(loader(streamed, world_size=2).batches(position))


def test_corpora_are_interleaved_by_weight(streamed):
    config, _ = streamed
    few = {pair[1] for pair in Stream(replace(config, train=config.train[1:])).first(1000)}
    many = {pair[1] for pair in Stream(one(config)).first(1000)}
    shares = []
    for weight in (1.0, 9.0):
        train = (config.train[0], replace(config.train[1], weight=weight))
        rows = [pair[1] for pair in Stream(replace(config, train=train)).first(600)]
        shares.append(sum(row in few - many for row in rows) / sum(row in few ^ many for row in rows))
    assert shares[0] == pytest.approx(0.5, abs=0.12) and shares[1] == pytest.approx(0.9, abs=0.08)


def test_filters_apply_and_a_stream_that_gives_nothing_is_refused(streamed):
    config = one(streamed[0])
    short = replace(config, filters=replace(config.filters, max_length=9))
    found = first_pass(streamed, loader(streamed, short))
    assert 0 < found[-1][1].examples < 200
    assert max(int(batch.target.lengths.max()) for batch, _ in found) <= 10
    nothing = replace(config, filters=replace(config.filters, min_length=100))
    with pytest.raises(
        DataError, match=r"many:train: a whole pass gives no pair; the corpus is empty, or data.filters"
    ):
        next(loader(streamed, nothing).batches(Position()))
    with pytest.raises(DataError, match=r"gives no pair to process 250 of 300"):
        next(loader(streamed, config, rank=249, world_size=300).batches(Position()))


def test_errors_of_a_stream_name_it(streamed, tmp_path):
    config = one(streamed[0])
    with pytest.raises(DataError, match=r"many:train: a record: there is no field 'text.fr'; .* text.de, text.en"):
        Stream(replace(config, train=(replace(config.train[0], target="text.fr"),))).first(1)
    with pytest.raises(DataError, match=r"many:dev: the dataset cannot be loaded: .*dev"):
        Stream(replace(config, train=(replace(config.train[0], split="dev"),))).first(1)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text('{"a": "b", "c": "d"}\n{"a": "b", \n')
    broken = replace(config.train[0], name="set", source="a", target="c")
    with pytest.raises(DataError, match=r"set:train: the stream cannot be read further: .*--resume"):
        Stream(replace(config, root=str(tmp_path), train=(broken,))).first(5)


def test_the_check_reads_the_beginning(streamed):
    report = check_data(replace(streamed[0], filters=replace(streamed[0].filters, max_length=None)))
    assert [summary.pairs for summary in report.corpora] == [70, 70]
    assert [summary.corpus for summary in report.corpora] == [
        f"the first 70 pairs of {name}:train" for name in ("many", "few")
    ]


HUB = "{type: hub, name: a, source: b, target: c, streaming: true"


@pytest.mark.parametrize(
    ("data", "training", "message"),
    [
        (f"train: [{HUB}}}]", "max_epochs: 2", "line 2: training.max_epochs must be null for a streamed corpus"),
        (f"train: [{HUB}}}]", "max_steps: 2, interval_unit: epochs", "training.interval_unit must be steps"),
        (f"train: [{HUB}}}, {HUB}}}]", "max_steps: 2", "line 1: data.train.0.weight must be given"),
        (f"train: [{HUB}}}, {HUB}}}], temperature: 5", "max_steps: 2", "data.temperature must be null for streamed"),
        (
            f"train: [{HUB}}}, {{source: a, target: b}}]",
            "max_steps: 2",
            "data.train.1 must be streamed, because another",
        ),
        (f"train: [{HUB}, split: 'train[:9]'}}]", "max_steps: 2", "data.train.0.split must be a whole split"),
        (f"train: [{HUB}}}], window: 0", "max_steps: 2", "data.window must be at least 1"),
        (f"train: [{HUB}}}], subword: {{max_lines: null}}", "max_steps: 2", "data.subword.max_lines must be a number"),
    ],
)
def test_what_a_streamed_corpus_cannot_do_is_refused(data, training, message):
    with pytest.raises(ConfigError) as error:
        configs.load(Recipe, f"data: {{{data}}}\ntraining: {{{training}}}\n", name="recipe")
    assert message in str(error.value)


def test_one_vocabulary_that_is_there_needs_no_lines():
    data = f"{{train: [{HUB}}}], subword: {{max_lines: null, source_model: x.model}}}}"
    assert configs.load(Recipe, f"data: {data}\ntraining: {{max_steps: 1}}\n", name="recipe").data.streamed

"""Tags of corpora: a word before each source, in every kind of corpus, and nowhere else."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nmt.core import config as configs
from nmt.core.errors import ConfigError
from nmt.core.storage.files import write_lines
from nmt.data.checks.corpora import check_data, warn_of
from nmt.data.corpus import CorpusConfig, read_pairs
from nmt.data.corpus.family import ReadCounts
from nmt.data.data_config import DataConfig
from nmt.data.loader import Position
from nmt.data.pipeline import encode_corpus, learnt_symbols, prepare_vocabulary, read_training_pairs, training_loader
from nmt.data.streaming import Stream, StreamLoader
from nmt.recipe import Recipe

WORDS = ("Haus", "Kind", "Baum", "Wald", "Berg")
BLANK = 3  # the place of a pair without a source
ROWS = [("" if place == BLANK else f"ein Hund sieht {WORDS[place % 5]}", f"a dog sees {place}") for place in range(40)]
TAGGED = [(f"<bt> {source}" if source else "", target) for source, target in ROWS]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCorpusConfig(CorpusConfig):
    """A kind of corpus of a user's own, which knows nothing of tags."""

    def describe(self) -> str:
        return "own"

    def identity(self, root: Path, cache: Path) -> dict[str, Any]:
        del root, cache
        return {"type": "own"}

    def pairs(self, root: Path, cache: Path, counts: ReadCounts) -> Iterator[tuple[str, str]]:
        del root, cache
        counts.pairs += len(ROWS)
        yield from ROWS


TEXT = {"source": "source", "target": "target"}
HUB = {"type": "hub", "name": "hub", "source": "source", "target": "target"}
KINDS: dict[str, dict[str, Any]] = {
    "text": TEXT,
    "json": {"type": "json", "files": "rows.jsonl"},
    "tsv": {"type": "tsv", "files": "rows.tsv", "source": 0, "target": 1},
    "hub": HUB,
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pairs in every kind of file."""
    folder = tmp_path_factory.mktemp("tags")
    write_lines(folder / "source", [source for source, _ in ROWS])
    write_lines(folder / "target", [target for _, target in ROWS])
    write_lines(folder / "links", ["0-0 2-2 3-2" if source else "" for source, _ in ROWS])
    write_lines(folder / "rows.tsv", ["\t".join(row) for row in ROWS])
    (folder / "hub").mkdir()
    for path in (folder / "rows.jsonl", folder / "hub" / "rows.jsonl"):
        write_lines(path, [json.dumps({"source": source, "target": target}) for source, target in ROWS])
    return folder


def config_of(
    root: Path, *train: Mapping[str, Any], subword: Mapping[str, Any] | None = None, **more: Any
) -> DataConfig:
    values = {"root": str(root), "train": list(train), "batch": {"size": 60}, **more}
    values["subword"] = {"algorithm": "bpe", "size": 60, **(subword or {})}
    return configs.from_mapping(DataConfig, values, name="test")


def encoded(config: DataConfig, folder: Path) -> Any:
    pairs = read_training_pairs(config, cache=folder)
    vocabularies = prepare_vocabulary(config, pairs, folder / "vocabulary")
    return vocabularies, encode_corpus(pairs, vocabularies, config, cache=folder)


@pytest.mark.parametrize("kind", [*KINDS, "own"])
def test_every_kind_of_corpus_takes_a_tag(kind: str, root: Path, tmp_path: Path) -> None:
    plain: CorpusConfig = OwnCorpusConfig() if kind == "own" else config_of(root, KINDS[kind]).train[0]
    one, other = (read_pairs(each, root, cache=tmp_path) for each in (plain, replace(plain, tag="<bt>")))
    assert list(one) == list(other.untagged) == ROWS
    assert list(other) == TAGGED and list(other.sources()) == [source for source, _ in TAGGED]
    assert one.identity != other.identity and "tag" not in one.identity


@pytest.mark.parametrize("size", [7, 40, 1000])
def test_only_the_tagged_of_joined_corpora_have_tags(size: int, root: Path) -> None:
    config = config_of(root, TEXT, {**TEXT, "tag": "<a>"}, KINDS["tsv"], {**KINDS["json"], "tag": "<b>"})
    pairs = read_training_pairs(config)
    marked = [[(source.replace("<bt>", tag), target) for source, target in TAGGED] for tag in ("<a>", "<b>")]
    wanted = [*ROWS, *marked[0], *ROWS, *marked[1]]
    assert [pair for batch in pairs.batches(size) for pair in zip(*batch, strict=True)] == wanted
    read = [(first, table["source"].to_pylist()) for first, table in pairs.tables(size)]
    assert [source for _, sources in read for source in sources] == [source for source, _ in wanted]
    assert [first for first, _ in read] == list(range(0, len(wanted), size))
    assert list(pairs.sample(10, block=5)) == [ROWS[place] for place in (*range(5), *range(35, 40))]


@pytest.mark.parametrize(
    "subword", [{}, {"joint": False, "size": {"source": 60, "target": 40}}, {"sampling": {"alpha": 0.3}}]
)
@pytest.mark.parametrize("tag", ["<bt>", "__ÄÖ__", ">>de_DE<<"])
def test_a_tag_is_one_piece_before_the_text(tag: str, subword: dict[str, Any], root: Path, tmp_path: Path) -> None:
    normalisation = {"lowercase": True, "unicode": "nfkc"}
    config = config_of(root, TEXT, {**TEXT, "tag": tag}, subword=subword, normalisation=normalisation)
    vocabularies, corpus = encoded(config, tmp_path)
    assert config.normalise_source(f"{tag} Ä") == f"{tag} ä", "as the vocabulary is trained"
    piece = vocabularies.source.id_of(tag)
    assert config.tags == (tag,) and tag in vocabularies.source.symbols and piece != vocabularies.source.unk_id
    assert len(corpus) == 2 * (len(ROWS) - 1), "a blank source with a tag is blank"
    half = len(corpus) // 2
    for index in range(half):
        plain, marked = corpus.source_ids(index), corpus.source_ids(index + half)
        assert marked[marked.index(piece) + 1 :] == plain and plain.count(piece) == 0
        assert len(marked) - len(plain) <= 2
    loader = training_loader(corpus, vocabularies, config, seed=1)
    batches = itertools.islice(loader.batches(Position(0, 0)), loader.epoch_batches(0))
    begun = sum((batch.source.ids[:, :2] == piece).any(1).sum().item() for batch, _ in batches)
    assert begun == half


def test_other_tags_are_other_corpora_in_the_cache(root: Path, tmp_path: Path) -> None:
    vocabularies, _ = encoded(config_of(root, {**TEXT, "tag": "<a>"}, {**TEXT, "tag": "<b>"}), tmp_path)
    prints = set()
    for tags in (("<a>", "<b>"), ("<b>", "<a>"), ("<a>", None), (None, None)):
        config = config_of(root, *({**TEXT, "tag": tag} for tag in tags))
        pairs = read_training_pairs(config, cache=tmp_path)
        prints.add(encode_corpus(pairs, vocabularies, config, cache=tmp_path).fingerprint)
    assert len(prints) == 4


def test_given_links_are_of_the_words_after_the_tag(root: Path, tmp_path: Path) -> None:
    linked = {**TEXT, "alignment": "links"}
    config = config_of(root, linked, {**linked, "tag": "<bt>"})
    vocabularies, corpus = encoded(config, tmp_path)
    half = len(corpus) // 2
    loader = training_loader(corpus, vocabularies, config, seed=1, aligned=True)
    tables = {}
    for batch, _ in itertools.islice(loader.batches(Position(0, 0)), loader.epoch_batches(0)):
        for row, index in enumerate(batch.examples.tolist()):
            tables[index] = batch.alignment[row][:, : len(corpus.source_ids(index))]
    for index in range(half):
        plain, marked = tables[index], tables[index + half]
        ahead = marked.shape[1] - plain.shape[1]
        assert ahead > 0 and plain.any() and not marked[:, :ahead].any()
        width = min(len(plain), len(marked))
        torch.testing.assert_close(marked[:width, ahead:], plain[:width])


def test_streams_have_tags_and_without_one_are_what_they_were(root: Path, tmp_path: Path) -> None:
    streamed = {**HUB, "streaming": True, "weight": 1.0}
    plain = config_of(root, streamed)
    asked = [{name: value for name, value in configs.to_mapping(plain.train[0]).items() if name != "tag"}]
    assert Stream(plain).fingerprint == hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    config = config_of(root, {**streamed, "tag": "<a>"}, {**streamed, "tag": "<b>"})
    assert Stream(config).fingerprint != Stream(config.untagged).fingerprint
    sources = [source for source, _ in Stream(config).first(len(ROWS)) if source]
    assert {source.partition(" ")[0] for source in sources} == {"<a>", "<b>"}
    vocabularies = prepare_vocabulary(config, Stream(config).text(), tmp_path)
    pieces = [vocabularies.source.id_of(tag) for tag in config.tags]
    batch, _ = next(StreamLoader(Stream(config), vocabularies, config, seed=1).batches(Position()))
    assert torch.isin(batch.source.ids, torch.tensor(pieces)).any(1).all()


def test_checks_look_at_texts_without_tags(root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A tag would hide that held-out sources are in training, and look like a word that differs."""
    held_out = {**TEXT, "tag": "<bt>"}
    plain = config_of(root, TEXT, validation=TEXT)
    marked = config_of(root, {**TEXT, "tag": "<bt>"}, validation=held_out)
    test = marked.train[0]
    found = [check_data(config, test=each) for config, each in ((plain, plain.train[0]), (marked, test))]
    assert found[0].as_json() == found[1].as_json()
    assert "overlap" in {finding.kind for finding in found[1].findings}
    told = []
    for config in (plain, marked):
        vocabularies, _ = encoded(marked, tmp_path)
        assert config.validation is not None
        warn_of(config, read_training_pairs(config), read_pairs(config.validation, root), vocabularies, cache=None)
        told.append([record.message for record in caplog.records])
        caplog.clear()
    assert told[0] == told[1] != []


def test_nothing_in_a_tag_is_a_placeholder(tmp_path: Path) -> None:
    write_lines(tmp_path / "source", [f"слово {number} abc" for number in range(40)])
    write_lines(tmp_path / "target", [f"word {number} abc" for number in range(40)])
    config = config_of(tmp_path, {**TEXT, "tag": "<2en>"}, placeholders=["numbers", "latin"], subword={"size": 32})
    pairs = read_training_pairs(config)
    assert learnt_symbols(config, pairs) == ("<number1>", "<latin1>")
    vocabularies, corpus = encoded(config, tmp_path)
    masking = config.masking(vocabularies, held_out=True)
    assert masking is not None and corpus.masking is not None
    assert corpus.texts(7) == ("<2en> слово <number1> <latin1>", "word <number1> <latin1>")
    assert masking("<2en> 2 слово en 3", "2 3") == ("<2en> <number1> слово <latin1> 3", "<number1> 3")
    masked = masking.placeholders.mask("<2en> 2 слово")
    assert masked.found == (("<number1>", "2"),)
    assert masking.placeholders.restore("<2en> <number1>", masked.found) == "<2en> 2"


RECIPE = """
data: {train: [{source: a, target: b}, {source: c, target: d, tag: <bt>}], validation: {source: e, target: f}}
training: {max_steps: 1}
test: {corpus: {source: g, target: h}}
"""
WRONG = [
    ("data.train.1.tag=bt", "data.train.1.tag must begin and end with a character .* such as <bt>"),
    ("data.train.1.tag=<bt", "data.train.1.tag must begin and end with a character"),
    ("data.train.1.tag=<a b>", "data.train.1.tag must be one word without white space and commas"),
    ("data.train.1.tag='#'", "data.train.1.tag must have a letter or digit, such as <bt>: .* texts may have #"),
    ("data.train.1.tag=''", "data.train.1.tag must be one word"),
    ("data.train.1.tag=</s>", "data.train.1.tag must not be </s>, which every vocabulary contains"),
    ("data.validation.tag=<b>", "data.validation.tag must be one of <bt>: a model learns .* it is <b>"),
    (
        "data.placeholders=[numbers] data.train.1.tag=<number1>",
        "data.train.1.tag must not be <number1>, which is a symbol of",
    ),
    ("test.corpus.tag=<b>", "test.corpus.tag must be one of <bt>"),
    ("data.source={type: array, size: 3}", "data.train.1.tag must be left out where sources are arrays"),
    (
        "data.validation.tag=<bt> training.validation.gold=links",
        "training.validation.gold must be null where the corpus has a tag",
    ),
]
RIGHT = [
    "data.train.1.tag=null",
    "data.train.1.tag=__en__",
    "data.validation.tag=<bt>",
    "data.subword.user_symbols=[<b>] test.corpus.tag=<b>",
    "data.subword.source_model=x.model test.corpus.tag=<b>",
    "test.corpus.tag=<bt> alignment.plots=1",
    "test.corpus.tag=<bt> alignment.gold=links",
]


@pytest.mark.parametrize(("overrides", "message"), WRONG)
def test_what_cannot_be_a_tag_is_refused(overrides: str, message: str) -> None:
    given = overrides.split(" ") if not overrides.startswith(("data.source", "data.train.1.tag=<a")) else [overrides]
    with pytest.raises(ConfigError, match=message):
        configs.load(Recipe, RECIPE, name="r.yaml", overrides=given)


@pytest.mark.parametrize("overrides", RIGHT)
def test_what_can_be_a_tag_is_taken(overrides: str) -> None:
    assert configs.load(Recipe, RECIPE, name="r.yaml", overrides=overrides.split(" ")).data.train[0].tag is None

"""``data.placeholders`` from the recipe to batches: what stands on both sides is one piece on both."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.core import config as configs
from nmt.core.errors import ConfigError
from nmt.data.checks.against_training import against_training
from nmt.data.checks.corpora import warn_of
from nmt.data.checks.corpus_statistics import TRAINING, VALIDATION, statistics_of
from nmt.data.corpus.pairs import pairs_in_memory
from nmt.data.data_config import DataConfig
from nmt.data.encoded import EncodedCorpus
from nmt.data.encoding import ROWS
from nmt.data.loader import Loader
from nmt.data.pipeline import encode_corpus, learnt_symbols, prepare_vocabulary, read_training_pairs, training_loader
from nmt.data.streaming import Stream, StreamLoader
from nmt.text.vocabularies import Vocabularies

WORDS = {"der": "the", "hund": "dog", "läuft": "runs", "ein": "a", "haus": "house", "sieht": "sees"}


def write(folder: Path, count: int = 300) -> list[tuple[str, str]]:
    draw, pairs = random.Random(2), []
    for number in range(count):
        words = draw.choices(sorted(WORDS), k=draw.randint(1, 6))
        source, target = words, [WORDS[word] for word in words]
        if number % 2:
            source, target = [str(number), *source, f"{number + 1000},"], [f"{number + 1000},", *target, "twice"]
        pairs.append((" ".join(source), " ".join(target)))
    for side, name in enumerate(("train.de", "train.en")):
        (folder / name).write_text("".join(pair[side] + "\n" for pair in pairs), encoding="utf-8")
    links = ["0-0" for _ in pairs]
    (folder / "train.links").write_text("\n".join(links) + "\n", encoding="utf-8")
    return pairs


def config_of(folder: Path, **changes: object) -> DataConfig:
    values = {
        "root": str(folder),
        "train": [{"source": "train.de", "target": "train.en"}],
        "subword": {"algorithm": "bpe", "size": 60, "user_symbols": ["<num>"]},
        "batch": {"size": 120},
        "filters": {"max_ratio": None},
        "placeholders": ["numbers"],
    }
    return configs.from_mapping(DataConfig, {**values, **changes}, name="test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("numbers")
    write(folder)
    return folder


@pytest.fixture(scope="module")
def prepared(folder: Path) -> tuple[DataConfig, Vocabularies, EncodedCorpus]:
    config = config_of(folder)
    pairs = read_training_pairs(config)
    vocabularies = prepare_vocabulary(config, pairs, folder / "vocabulary")
    return config, vocabularies, encode_corpus(pairs, vocabularies, config)


def test_the_vocabulary_has_the_symbols_that_the_text_teaches(prepared) -> None:
    _, vocabularies, _ = prepared
    assert vocabularies.target.symbols == ("<num>", "<number1>")
    assert vocabularies.target.size == 60
    # Numbers of four digits stand on both sides alone, and are no pieces.
    assert not any(re.search(r"\d{4}", piece) for piece in vocabularies.source.pieces(range(60)))


def test_what_stands_on_both_sides_is_a_symbol_there(prepared) -> None:
    _, vocabularies, corpus = prepared
    symbol = vocabularies.source.id_of("<number1>")
    for index in range(len(corpus)):
        counts = [ids.count(symbol) for ids in (corpus.source_ids(index), corpus.target_ids(index))]
        assert counts == [corpus.line(index) % 2] * 2
    assert corpus.source_text(1).startswith("1 ")
    assert corpus.texts(1)[0].startswith("1 ")
    assert corpus.texts(1)[0].endswith(" <number1>,")
    assert corpus.texts(1)[1].startswith("<number1>, ")


def test_a_held_out_corpus_is_masked_as_in_translation(prepared, folder: Path) -> None:
    config, vocabularies, _ = prepared
    pairs = pairs_in_memory([("ein hund 7", "seven dogs"), ("12 hund 7", "dog 12, 12"), ("hund", "9 dog")], "held out")
    corpus = encode_corpus(pairs, vocabularies, config, held_out=True)
    assert [corpus.texts(index) for index in range(3)] == [
        ("ein hund <number1>", "seven dogs"),
        ("<number1> hund 7", "dog <number1>, <number1>"),
        ("hund", "9 dog"),
    ]
    assert corpus.target_text(1) == "dog 12, 12"
    assert corpus.restored(1, "<number1> <num> dog") == "12 <num> dog"
    assert corpus.restored(2, "<number1> dog") == "<number1> dog"


def test_sampling_and_alignments_keep_symbols_whole(folder: Path) -> None:
    config = config_of(
        folder,
        train=[{"source": "train.de", "target": "train.en", "alignment": "train.links"}],
        subword={"algorithm": "bpe", "size": 60, "sampling": {"alpha": 0.9}},
    )
    pairs = read_training_pairs(config)
    vocabularies = prepare_vocabulary(config, pairs, folder / "sampled")
    corpus = encode_corpus(pairs, vocabularies, config)
    loader = training_loader(corpus, vocabularies, config, seed=3, aligned=True)
    symbol, seen = vocabularies.source.id_of("<number1>"), 0
    for epoch in range(3):
        batch = loader.assemble(range(40), epoch)
        for row, index in enumerate(range(40)):
            counts = [int((side.ids[row] == symbol).sum()) for side in (batch.source, batch.target)]
            assert counts == [index % 2] * 2
            seen += counts[0]
        # The first words are linked: on the target side "▁" and the symbol, in every second pair.
        assert batch.alignment is not None
        assert all(bool((batch.alignment[row, :2].sum(1) > 0.99).all()) for row in range(1, 40, 2))
    assert seen == 60


def test_a_stream_is_masked_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    records = [json.dumps({"s": source, "t": target}) + "\n" for source, target in write(tmp_path)]
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "train.jsonl").write_text("".join(records), encoding="utf-8")
    streamed = {"type": "hub", "name": "pairs", "source": "s", "target": "t", "streaming": True}
    config = config_of(tmp_path, train=[streamed], window=50)
    stream = Stream(config)
    vocabularies = prepare_vocabulary(config, stream.text(), tmp_path / "vocabulary")
    corpus = StreamLoader(stream, vocabularies, config, seed=1).first_window().corpus
    assert vocabularies.target.symbols == ("<num>", "<number1>")
    assert sum(vocabularies.source.id_of("<number1>") in corpus.source_ids(index) for index in range(50)) == 25


def test_several_processes_encode_alike_and_the_cache_knows_the_kinds(folder: Path, tmp_path: Path) -> None:
    rows = write(tmp_path, ROWS + 50)
    config = config_of(tmp_path, subword={"algorithm": "bpe", "size": 60, "max_lines": 600})
    pairs = read_training_pairs(config)
    vocabularies = prepare_vocabulary(config, pairs, tmp_path / "vocabulary")
    cache = tmp_path / "cache"

    def fingerprint(config: DataConfig, **options: bool) -> str:
        return encode_corpus(pairs, vocabularies, config, cache=cache, **options).fingerprint

    here = fingerprint(config)
    assert encode_corpus(pairs, vocabularies, replace(config, processes=2)).fingerprint == here
    assert len(rows) > ROWS
    others = {here, fingerprint(replace(config, placeholders=())), fingerprint(config, held_out=True)}
    assert len(others) == 3
    assert fingerprint(config) == here


def test_symbols_are_added_to_a_vocabulary_that_the_recipe_names(prepared, folder: Path, tmp_path: Path) -> None:
    _, known, _ = prepared
    config = config_of(folder, subword={"source_model": str(folder / "named" / "joint.model")})
    plain = replace(config_of(folder), placeholders=())
    before = prepare_vocabulary(plain, read_training_pairs(plain), folder / "named")
    after = prepare_vocabulary(config, read_training_pairs(config), tmp_path)
    assert before.target.symbols == ("<num>",)
    assert after.target.symbols == ("<num>", "<number1>")
    assert after.target.pieces(range(before.target.size)) == before.target.pieces(range(before.target.size))
    assert known.target.fingerprint != after.target.fingerprint


def test_what_is_not_learnt_is_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = config_of(folder, placeholders=["urls", "numbers"])
    pairs = read_training_pairs(config)
    with caplog.at_level("INFO", "nmt"):
        assert learnt_symbols(config, pairs) == ("<number1>",)
    levels = {record.message.split(": ")[1]: record.levelname for record in caplog.records}
    assert levels == {"url": "WARNING", "number": "INFO"}
    nothing = replace(config, placeholders=("urls",))
    assert nothing.masking(prepare_vocabulary(nothing, pairs, folder / "nothing")) is None


def test_what_a_symbol_stands_for_is_not_unknown_to_the_vocabulary(
    prepared, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, vocabularies, _ = prepared
    pairs = pairs_in_memory([("ein hund ٤٢", "a dog ٤٢"), ("٤٣ hund", "dog ٤٣")] * 40, "Arabic digits")
    hidden = pairs_in_memory([("ein ٤ ٥ hund", "a ٤ ٥ dog")] * 40, "more digits than symbols")
    warn_of(config, pairs, hidden, vocabularies, cache=tmp_path)
    unknown = [record.message for record in caplog.records if "are unknown to the vocabulary" in record.message]
    assert len(unknown) == 2
    assert all("more digits than symbols: 40 characters" in message and "'٥'" in message for message in unknown)


def test_what_a_symbol_stands_for_is_not_unseen(prepared) -> None:
    config, vocabularies, _ = prepared
    pairs = pairs_in_memory([("ein hund 42", "a dog 42")] * 40, "training")
    hidden = pairs_in_memory([("ein 77 hund", "a 77 dog"), ("ein 78 79 haus", "a 78 79 house")] * 20, "held out")
    training, held_out = (
        [statistics_of(part, each, config, ([], []), first_line=1)]
        for part, each in ((TRAINING, pairs), (VALIDATION, hidden))
    )

    def unseen(vocabularies: Vocabularies | None) -> str:
        return next(found.message for found in against_training(training, held_out, config, vocabularies))

    assert "80 of 140 source words" in unseen(None)
    assert "40 of 140 source words" in unseen(vocabularies)
    assert unseen(vocabularies).endswith("2 different: 79, haus")


def test_without_placeholders_the_pairs_are_left_alone(prepared) -> None:
    _, vocabularies, corpus = prepared
    plain = replace(prepared[0], placeholders=())
    loader: Loader = training_loader(corpus, vocabularies, plain, seed=1)
    assert loader.corpus.masking is not None
    assert plain.masking(vocabularies) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("[numbers, {pattern: '['}]", r"placeholders\.1\.pattern must be a regular expression, but is '\['"),
        ("[{pattern: 'x*'}]", r"placeholders\.0\.pattern must not match the empty text, as 'x\*' does"),
        ("[{pattern: x, name: A1}]", r"placeholders\.0\.name must be of the letters a-z"),
        ("[{pattern: x, name: number}]", r"placeholders\.0\.name must be of the letters a-z, and none of number"),
        ("[{name: x}]", r"placeholders\.0\.pattern must be given"),
        ("[nmbers]", r"placeholders\.0 must be one of numbers, urls, latin"),
        ("[numbers, urls, numbers]", r"placeholders\.2 must be given once"),
        ("numbers", r"placeholders must be a list, but is 'numbers'; write \[numbers\]"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(given: str, message: str) -> None:
    text = f"train: [{{source: a, target: b}}]\nplaceholders: {given}"
    with pytest.raises(ConfigError, match=message):
        configs.load(DataConfig, text, name="test")


def test_nothing_is_copied_from_files() -> None:
    text = "train: [{source: a, target: b}]\nsource: {type: picture, size: 8}\nplaceholders: [numbers]"
    with pytest.raises(ConfigError, match="placeholders must be left out where sources are pictures"):
        configs.load(DataConfig, text, name="test")

import dataclasses

import pytest
import sentencepiece

from nmt.core import config as configs
from nmt.core.errors import ConfigError, DataError
from nmt.data import pipeline
from nmt.data.corpus import TextCorpusConfig
from nmt.data.data_config import DataConfig
from nmt.data.pipeline import encode_corpus, prepare_vocabulary, read_training_pairs
from nmt.text.normalisation import NormalisationConfig
from nmt.text.subword import SubwordConfig


def test_the_section_loads_and_writes_itself():
    text = """
root: data
source_language: de
train:
  - {source: a.de, target: a.en}
  - {type: json, files: [b.jsonl, c.jsonl], source: translation.de, target: translation.en}
validation: {type: tsv, files: d.tsv, source: 0, target: 1, header: false}
target_normalisation: {lowercase: true}
subword: {algorithm: bpe, size: 300, sampling: {alpha: 0.2}}
batch: {unit: sentences, size: 64}
"""
    config = configs.load(DataConfig, text, name="r.yaml")
    assert config.train[0] == TextCorpusConfig(source="a.de", target="a.en")
    assert configs.load(DataConfig, configs.to_yaml(config), name="again") == config
    assert config.normalise_source("Ä") == "Ä"
    assert config.normalise_target("Ä") == "ä"


def test_no_training_corpus():
    with pytest.raises(ConfigError, match="train must name at least one corpus"):
        configs.load(DataConfig, "train: []", name="r.yaml")


def test_joint_vocabulary_learns_from_both_sides(prepared):
    _, vocabularies, _ = prepared
    assert vocabularies.source is vocabularies.target
    for text in ("Hund läuft grün", "dog runs house"):
        assert vocabularies.source.unk_id not in vocabularies.source.encode(text)


def test_separate_vocabularies_learn_from_one_side_each(prepared, tmp_path):
    config, *_ = prepared
    config = dataclasses.replace(config, subword=SubwordConfig(algorithm="bpe", joint=False, size=30))
    pairs = read_training_pairs(config)
    vocabularies = prepare_vocabulary(config, pairs, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"source.model", "target.model"}
    assert vocabularies.target.unk_id in vocabularies.target.encode("ä")
    assert vocabularies.source.unk_id not in vocabularies.source.encode("ä")
    assert len(encode_corpus(pairs, vocabularies, config)) == 300


def test_separate_vocabularies_may_have_sizes_of_their_own(prepared, tmp_path):
    config, *_ = prepared
    text = "{train: [{source: a, target: b}], subword: {algorithm: bpe, joint: false, size: {source: 40, target: 30}}}"
    config = dataclasses.replace(config, subword=configs.load(DataConfig, text, name="r.yaml").subword)
    vocabularies = prepare_vocabulary(config, read_training_pairs(config), tmp_path)
    assert (vocabularies.source.size, vocabularies.target.size) == (40, 30)


@pytest.mark.parametrize(
    ("subword", "message"),
    [
        ("{size: {source: 40, target: 30}}", "subword.size must be one number where both sides share a vocabulary"),
        ("{character_coverage: {source: 1, target: 0.99}}", "subword.character_coverage must be one number where"),
        ("{joint: false, size: {source: 40}}", "subword.size.target must be given"),
        ("{joint: false, size: {source: 40, target: 4}}", "subword.size.target must be at least 5"),
        ("{joint: false, character_coverage: {source: 0.5, target: 1}}", "coverage.source must be between 0.98 and 1"),
        ("{joint: false, size: {source: 40, traget: 50}}", "did you mean `subword.size.target`"),
    ],
)
def test_sizes_of_both_sides_that_do_not_fit(subword, message):
    with pytest.raises(ConfigError, match=message):
        configs.load(DataConfig, f"{{train: [{{source: a, target: b}}], subword: {subword}}}", name="r.yaml")


def test_vocabulary_learns_normalised_text(prepared, tmp_path):
    config, *_ = prepared
    config = dataclasses.replace(
        config, subword=SubwordConfig(algorithm="bpe", size=40), normalisation=NormalisationConfig(lowercase=True)
    )
    vocabularies = prepare_vocabulary(config, read_training_pairs(config), tmp_path)
    assert vocabularies.source.unk_id in vocabularies.source.encode("H")
    assert vocabularies.source.unk_id not in vocabularies.source.encode("h")


def test_an_existing_model_is_taken_from_the_root(prepared, tmp_path):
    config, vocabularies, _ = prepared
    config = dataclasses.replace(config, subword=SubwordConfig(source_model="vocabulary/joint.model"))
    again = prepare_vocabulary(config, read_training_pairs(config), tmp_path / "run")
    assert again.joint
    assert again.fingerprint == vocabularies.fingerprint
    assert again.source.path == tmp_path / "run" / "joint.model"
    missing = dataclasses.replace(config, subword=SubwordConfig(source_model="vocabulary/jiont.model"))
    with pytest.raises(DataError, match=r"jiont\.model: there is no such vocabulary; did you mean .*joint\.model"):
        prepare_vocabulary(missing, read_training_pairs(config), tmp_path / "run")


def test_the_cache_folder(prepared, tmp_path):
    config, *_ = prepared
    assert config.cache_directory(tmp_path) == tmp_path / "cache"
    assert str(dataclasses.replace(config, cache="/c").cache_directory(tmp_path)) == "/c"


@pytest.mark.parametrize(
    ("joint", "max_lines", "taken"),
    [
        (True, None, [list(range(7)) * 2]),
        (True, 6, [[0, 3, 5] * 2]),
        (False, 3, [[0, 3, 5]] * 2),
        (False, 7, [list(range(7))] * 2),
        (False, 100, [list(range(7))] * 2),
    ],
)
def test_a_vocabulary_of_evenly_taken_lines(prepared, tmp_path, monkeypatch, joint, max_lines, taken):
    config, vocabularies, _ = prepared
    for name in ("x.de", "x.en"):
        (tmp_path / name).write_text("".join(f"{number}\n" for number in range(7)))
    subword = dataclasses.replace(config.subword, joint=joint, max_lines=max_lines)
    config = dataclasses.replace(
        config, root=str(tmp_path), train=(TextCorpusConfig(source="x.de", target="x.en"),), subword=subword
    )
    seen = []

    def noted(lines, subword, *, output, name, side):
        seen.append([int(line) for line in lines])
        return vocabularies.source

    monkeypatch.setattr(pipeline, "train_subword", noted)
    prepare_vocabulary(config, read_training_pairs(config), tmp_path / "vocabulary")
    assert seen == taken


SYMBOLIC = {
    "train": [{"source": "s", "target": "t"}],
    "normalisation": {"lowercase": True, "unicode": "nfkc"},
    "target_normalisation": {"unicode": "none"},
}


def symbolic(folder, **subword):
    for name, line in (("s", "Rot <NUM> ﬁX Blau\u2581\n"), ("t", "RED <NUM> ﬁX\n")):
        (folder / name).write_text(line * 30)
    config = configs.from_mapping(DataConfig, {"root": str(folder), **SYMBOLIC, "subword": subword}, name="data")
    pairs = read_training_pairs(config, cache=folder / "cache")
    vocabularies = prepare_vocabulary(config, pairs, folder / "vocabulary")
    return vocabularies, encode_corpus(pairs, vocabularies, config, cache=folder / "cache")


def test_symbols_survive_the_normalisation_of_training(tmp_path):
    vocabularies, corpus = symbolic(tmp_path, size=18, user_symbols=["<NUM>", "ﬁX"])
    for symbol in ("<NUM>", "ﬁX"):
        assert vocabularies.source.id_of(symbol) in corpus.source_ids(0)
        assert vocabularies.target.id_of(symbol) in corpus.target_ids(0)
    assert vocabularies.source.decode(corpus.source_ids(0)) == "rot <NUM> ﬁX blau\u2581"
    assert vocabularies.target.decode(corpus.target_ids(0)) == "RED <NUM> ﬁX"
    assert corpus.report.source_unknown == corpus.report.target_unknown == 0


def test_a_given_vocabulary_whose_symbols_do_not_survive_is_refused(tmp_path):
    with (tmp_path / "old.model").open("wb") as writer:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["rot blau red <NUM> num"] * 9),
            model_writer=writer,
            vocab_size=30,
            hard_vocab_limit=False,
            user_defined_symbols=["<NUM>"],
            normalization_rule_name="identity",
            minloglevel=2,
        )
    with pytest.raises(
        DataError, match=r"old\.model: has the symbol <NUM>, but normalisation turns it into <num> in the source text"
    ):
        symbolic(tmp_path, source_model="old.model")
    # One that was trained here keeps its symbols, wherever it is used.
    symbolic(tmp_path, size=18, user_symbols=["<NUM>", "ﬁX"])
    (tmp_path / "vocabulary" / "joint.model").rename(tmp_path / "new.model")
    vocabularies, corpus = symbolic(tmp_path, source_model="new.model")
    assert vocabularies.source.id_of("<NUM>") in corpus.source_ids(0)

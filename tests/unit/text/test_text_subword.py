import dataclasses
import io

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from nmt.core import config as configs
from nmt.core.errors import ConfigError, DataError
from nmt.text.sampling import SamplingConfig
from nmt.text.subword import SideSizes, SubwordConfig, SubwordModel

LINE = "grün bade  weiver kolimü."


def foreign(lines, **options) -> bytes:
    writer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=writer, vocab_size=120, minloglevel=2, **options
    )
    return writer.getvalue()


def test_round_trip(model, lines):
    for line in lines[:50]:
        assert model.decode(model.encode(line)) == line
    assert model.encode_batch(lines[:50]) == [model.encode(line) for line in lines[:50]]
    assert model.encode("") == []
    assert model.encode("   ") == []
    assert model.decode([]) == ""


def test_special_pieces_vanish_in_decoding(model):
    ids = model.encode(LINE)
    assert model.decode([model.bos_id, *ids, model.eos_id, model.pad_id]) == "grün bade weiver kolimü."
    assert model.decode([model.bos_id, model.unk_id, *ids, model.eos_id, model.pad_id]).startswith("⁇ grün bade")


def test_unknown_pieces_keep_words_together(models):
    model = models["unigram"]
    ids = model.encode("baΩde Ω")
    assert model.unk_id in ids
    assert model.decode(ids) == "ba⁇de ⁇"
    assert model.decode(ids, unknown="Ω") == "baΩde Ω"


def test_byte_fallback_knows_every_character(models):
    model = models["bytes"]
    for text in ["😀 Ω", "a\u2028b", "\x00", "中文"]:
        assert model.unk_id not in model.encode(text)
        assert model.decode(model.encode(text)) == text


def test_user_symbols_are_never_split(models):
    model = models["symbols"]
    assert model.pieces(model.encode("ba<URL>de §§")).count("<URL>") == 1
    for seed in range(20):
        drawn = model.sample("ba<URL>de", SamplingConfig(alpha=0.9), seed)
        assert "<URL>" in model.pieces(drawn)


def test_pieces_and_ids(model):
    ids = model.encode(LINE)
    pieces = model.pieces(ids)
    assert [model.id_of(piece) for piece in pieces] == ids
    assert model.id_of("no such piece") == model.unk_id


@given(text=st.text(alphabet=" baßdegrünΩ\u2028\x00\r\t\u00a0😀▁.", max_size=30))
def test_offsets_cover_the_text(models, text):
    for model in models.values():
        spans = model.encode_with_offsets(text)
        assert [span.id for span in spans] == model.encode(text)
        position = 0
        for span in spans:
            assert position <= span.begin <= span.end <= len(text)
            assert not text[position : span.begin].strip(" \t"), "only spaces may be skipped"
            position = span.end
        assert not text[position:].strip(" \t")


def test_offsets_in_characters(models):
    spans = models["unigram"].encode_with_offsets("😀 grün")
    assert (spans[0].begin, spans[0].end) in {(0, 1), (0, 0)}
    assert spans[-1].end == 6


class TestExistingModels:
    def test_default_ids(self, lines, tmp_path):
        model = SubwordModel(foreign(lines), tmp_path / "x.model")  # unk 0, bos 1, eos 2, no pad, NFKC
        assert (model.unk_id, model.bos_id, model.eos_id, model.pad_id) == (0, 1, 2, 2)
        assert model.decode([*model.encode(lines[0]), model.eos_id]) == lines[0]

    def test_without_bos(self, lines, tmp_path):
        model = SubwordModel(foreign(lines, bos_id=-1), tmp_path / "x.model")
        assert model.bos_id == model.eos_id

    def test_without_eos(self, lines, tmp_path):
        with pytest.raises(DataError, match=r"x\.model: must have an end-of-sentence piece"):
            SubwordModel(foreign(lines, eos_id=-1), tmp_path / "x.model")

    def test_offsets_of_text_that_the_model_normalises(self, lines, tmp_path):
        model = SubwordModel(foreign(lines), tmp_path / "x.model")
        spans = model.encode_with_offsets("ﬁ ｂａｄｅ\u00a0grün")
        assert spans[-1].end == 11
        assert all(0 <= span.begin <= span.end <= 11 for span in spans)

    @pytest.mark.parametrize("damage", [lambda data: b"", lambda data: b"no model", lambda data: data[:-7]])
    def test_damaged(self, models, tmp_path, damage):
        path = tmp_path / "x.model"
        path.write_bytes(damage(models["unigram"].serialised))
        with pytest.raises(DataError, match=r"x\.model: must be a SentencePiece model"):
            SubwordModel.load(path)

    def test_missing(self, tmp_path):
        with pytest.raises(DataError, match=r"nope\.model: there is no such vocabulary"):
            SubwordModel.load(tmp_path / "nope.model")


def test_every_problem_of_a_config_is_told():
    text = """
size: 3
character_coverage: 1.5
user_symbols: [a b, x, x]
source_model: a.model
target_model: b.model
sampling: {alpha: 2.0}
"""
    with pytest.raises(ConfigError) as error:
        configs.load(SubwordConfig, text, name="r.yaml")
    assert [problem.path for problem in error.value.problems] == ["sampling.alpha"]
    with pytest.raises(ConfigError) as error:
        configs.load(SubwordConfig, text[: text.index("sampling")], name="r.yaml")
    paths = [problem.path for problem in error.value.problems]
    assert paths == ["size", "character_coverage", "user_symbols.0", "user_symbols"]
    assert all(problem.line for problem in error.value.problems)
    apart = SubwordConfig(source_model="a.model", target_model="b.model", size=SideSizes(source=9, target=9))
    assert [path for path, _ in apart.conflicts()] == ["size", "target_model"]
    assert not [*dataclasses.replace(apart, joint=False).conflicts()]

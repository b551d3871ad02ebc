import io
import threading

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from nmt.core import config as configs
from nmt.core.errors import ConfigError, DataError
from nmt.text.subword import SamplingConfig, SubwordConfig, SubwordModel

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
            assert not text[position : span.begin].strip(" ▁"), "only spaces may be skipped"
            position = span.end
        assert not text[position:].strip(" ▁")


def test_offsets_in_characters(models):
    spans = models["unigram"].encode_with_offsets("😀 grün")
    assert (spans[0].begin, spans[0].end) in {(0, 1), (0, 0)}
    assert spans[-1].end == 6


class TestSampling:
    def test_a_function_of_the_seed_alone(self, models, lines):
        for name in ("unigram", "bpe"):
            model, config = models[name], SamplingConfig(alpha=0.3)
            drawn = {seed: model.sample(lines[seed], config, seed) for seed in range(40)}
            again = {}

            def draw(model=model, config=config, again=again):
                for seed in reversed(range(40)):
                    model.sample("disturb", config, 5)
                    again[seed] = model.sample(lines[seed], config, seed)

            draw()
            assert again == drawn
            again.clear()
            thread = threading.Thread(target=draw)
            thread.start()
            thread.join()
            assert again == drawn

    def test_segmentations_differ_but_spell_the_line(self, models, lines):
        for name in ("unigram", "bpe"):
            model = models[name]
            drawn = {tuple(model.sample(lines[0], SamplingConfig(alpha=0.2), seed)) for seed in range(50)}
            assert len(drawn) > 4
            assert {model.decode(ids) for ids in drawn} == {lines[0]}

    def test_no_dropout_is_the_best_segmentation(self, models, lines):
        for seed, line in enumerate(lines):
            assert models["bpe"].sample(line, SamplingConfig(alpha=0.0), seed) == models["bpe"].encode(line)

    def test_full_dropout_is_characters(self, models):
        ids = models["bpe"].sample("bade", SamplingConfig(alpha=1.0), 7)
        assert "".join(models["bpe"].pieces(ids)) == "▁bade"
        assert len(ids) == 5

    def test_sharp_smoothing_prefers_the_best(self, models, lines):
        model, line = models["unigram"], lines[3]
        best = model.encode(line)

        def share(alpha):
            return sum(model.sample(line, SamplingConfig(alpha=alpha), seed) == best for seed in range(100))

        assert share(1.0) > share(0.0)

    def test_word_models_cannot_sample(self, lines, tmp_path):
        model = SubwordModel(foreign(lines, model_type="word", hard_vocab_limit=False), tmp_path / "word.model")
        try:
            drawn = model.sample(lines[0], SamplingConfig(), 1)
        except DataError as error:
            assert "sampling needs a unigram or BPE model" in str(error)
        else:
            assert drawn == model.encode(lines[0])


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
sampling: {alpha: 2.0, candidates: 1}
"""
    with pytest.raises(ConfigError) as error:
        configs.load(SubwordConfig, text, name="r.yaml")
    assert [problem.path for problem in error.value.problems] == ["sampling.alpha", "sampling.candidates"]
    with pytest.raises(ConfigError) as error:
        configs.load(SubwordConfig, text[: text.index("sampling")], name="r.yaml")
    paths = [problem.path for problem in error.value.problems]
    assert paths == ["size", "character_coverage", "user_symbols.0", "user_symbols", "target_model"]
    assert all(problem.line for problem in error.value.problems)

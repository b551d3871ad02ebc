"""Letters that SentencePiece takes for its own marks come through a vocabulary that is trained here."""

from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.text.normalisation import NormalisationConfig
from nmt.text.sampling import SamplingConfig
from nmt.text.subword import SubwordConfig, SubwordModel
from nmt.text.training import train_subword
from nmt.text.words import words_in_spans, words_of_pieces

LINES = ["rot blau grün", "a\u2581b \u2581\u2581 c", "x ▅ y▅", "tab\there", "rot \u2581 blau", "<s> </s> <unk> <pad>"]


@pytest.fixture(scope="module")
def text(lines):
    return [*(LINES * 20), *lines[:150]]


@pytest.fixture(scope="module", params=["unigram", "bpe", "bytes"])
def model(request, text, tmp_path_factory):
    fallback = request.param == "bytes"
    kind = "unigram" if fallback else request.param
    config = SubwordConfig(
        algorithm=kind, size=340 if fallback else 84, byte_fallback=fallback, user_symbols=("<NUM>",)
    )
    return train_subword(text, config, output=tmp_path_factory.mktemp("m") / "m.model", name="text")


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """As vocabularies were trained before, without rules of their own."""
    output = tmp_path_factory.mktemp("old") / "old.model"
    with output.open("wb") as writer:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["rot blau grün", "num <"] * 9),
            model_writer=writer,
            vocab_size=40,
            hard_vocab_limit=False,
            user_defined_symbols=["<NUM>"],
            pad_id=0,
            unk_id=1,
            bos_id=2,
            eos_id=3,
            normalization_rule_name="identity",
            minloglevel=2,
        )
    return SubwordModel.load(output)


@pytest.mark.parametrize("line", sorted(set(LINES)))
def test_marks_come_back(model, line):
    assert model.escapes
    assert model.unk_id not in model.encode(line)
    assert model.decode(model.encode(line)) == line.replace("\t", " ")
    drawn = model.sample(line, SamplingConfig(alpha=0.3), seed=3)
    assert model.decode(drawn) == line.replace("\t", " ")
    spans = model.encode_with_offsets(line)
    assert [span.id for span in spans] == model.encode(line)
    words = [held[0] for held in words_in_spans(line, spans)]
    assert set(words) == set(range(len(line.split())))
    assert words_of_pieces(model.pieces(model.encode(line))) == words


@given(st.text(st.sampled_from("rotblau \u2581▅"), min_size=1))
@settings(max_examples=60)
def test_any_text_of_them_comes_back(model, line):
    assert model.decode(model.encode(line)).split() == line.split()


def test_the_same_bytes_wherever_it_is_trained(text, tmp_path):
    again = [
        train_subword(text, SubwordConfig(size=84), output=tmp_path / name / "m.model", name="text") for name in "ab"
    ]
    assert again[0].serialised == again[1].serialised
    assert b"tmp" not in again[0].serialised and b".tsv" not in again[0].serialised


def test_a_vocabulary_of_old_reads_as_ever(old):
    assert not old.escapes
    config = NormalisationConfig(lowercase=True)
    assert old.normalise("<NUM> ᎠX", config) == "<num> ꭰx"
    assert old.raw_offsets("<NUM> Ä", config) == list(range(8))
    assert old.decode(old.encode("rot\u2581blau")) == "rot blau"


def test_symbols_are_known_and_survive(model, old):
    assert model.symbols == old.symbols == ("<NUM>",)
    config = NormalisationConfig(lowercase=True, unicode="nfkc")
    text = model.normalise("ROT <NUM>5", config)
    assert text == "rot <NUM>5"
    assert model.id_of("<NUM>") in model.encode(text)
    assert model.raw_offsets("ROT <NUM>Ä", config) == list(range(11))


@pytest.mark.parametrize("symbol", ["a b", "a,b", "", "\u2581x", "<s>", "</s>", "<unk>", "<pad>", "<0x0A>", "▅"])
def test_symbols_that_cannot_be(symbol):
    (problem,) = SubwordConfig(user_symbols=("<x>", symbol)).problems()
    assert problem[0] == "user_symbols.1"


def test_symbols_that_can():
    assert not [*SubwordConfig(user_symbols=("<NUM>", "<0x>", "<sep>", "§")).problems()]


def test_the_file_is_one_of_sentencepiece(model, tmp_path: Path):
    """Whoever loads it elsewhere has the same rules."""
    processor = sentencepiece.SentencePieceProcessor()
    processor.load_from_serialized_proto(model.serialised)
    assert processor.decode(processor.encode("a\u2581b")) == "a\u2581b"

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer

from nmt.text.subword import SubwordModel
from nmt.text.words import (
    PieceSpan,
    clusters,
    word_spans,
    words_in_pieces,
    words_in_spans,
    words_of_pieces,
    words_within,
)

ALPHABET = " baßdegrünΩ\u2028\x00\r\t\u00a0\u3000😀▁."


def spans(*bounds):
    return [PieceSpan(9, "", begin, end) for begin, end in bounds]


def first_words(text, pieces):
    return [held[0] for held in words_in_spans(text, pieces)]


@pytest.mark.parametrize(
    ("text", "bounds", "words"),
    [
        ("ab cd", [(0, 1), (1, 2), (2, 4), (4, 5)], [0, 0, 1, 1]),
        ("ab cd", [(0, 2), (2, 3), (3, 5)], [0, 1, 1]),  # the space marker alone belongs to what follows
        ("ab ", [(0, 2), (2, 3)], [0, 0]),  # and at the end to the last word
        ("  ab   cd ", [(2, 4), (4, 9)], [0, 1]),
        ("ab", [(0, 0), (0, 2)], [0, 0]),  # a dummy prefix covers nothing
        ("a😀 b", [(0, 1), (1, 1), (1, 1), (1, 2), (2, 4)], [0, 0, 0, 0, 1]),  # bytes
        ("a\u00a0b\u2028c\td", [(0, 1), (1, 2), (2, 3), (3, 5), (5, 7)], [0, 1, 1, 2, 3]),
        ("   ", [(0, 1)], []),
        ("", [], []),
    ],
)
def test_the_first_word_of_each_span(text, bounds, words):
    assert first_words(text, spans(*bounds)) == words


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (["▁ab", "c", "▁d"], [0, 0, 1]),
        (["ab", "c", "▁d"], [0, 0, 1]),  # a first piece without the marker
        (["▁", "ab", "▁", "c"], [0, 0, 1, 1]),
        (["▁ab", "▁", "▁", "c", "▁"], [0, 1, 1, 1, 1]),
        (["▁", "▁"], []),
        ([], []),
        (["▁a", "<unk>", "b", "▁", "<unk>"], [0, 0, 0, 1, 1]),
        (["▁a▁b", "c", "▁d"], [0, 1, 2]),  # a piece of two words counts for its first
        (["▁a", "\u00a0", "b", "\u2028c"], [0, 1, 1, 2]),
        (["▁a", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>", "b"], [0] * 6),
        (["▁a", "<0xC3>", "<0xBC>", "▁b"], [0, 0, 0, 1]),  # the second byte of a word's last character
        (["▁a", "<0xE2>", "<0x80>", "<0xA8>", "b"], [0, 1, 1, 1, 1]),  # U+2028 in bytes is white space
        (["▁a", "<0x20>", "b"], [0, 1, 1]),
        (["▁a", "<0xFF>", "▁b"], [0, 0, 1]),  # bytes that are no character
    ],
)
def test_words_of_pieces(pieces, words):
    assert words_of_pieces(pieces) == words


@given(text=st.text(alphabet=ALPHABET, max_size=40))
def test_every_word_of_a_text_has_its_pieces_in_order(models, text):
    words = text.replace("▁", " ").split()
    for model in models.values():
        found = model.encode_with_offsets(text)
        mapped = first_words(text.replace("▁", " "), found)
        assert mapped == sorted(mapped)
        if words and model.unk_id not in model.encode(text):
            assert set(mapped) == set(range(len(words)))
        for span, word in zip(found, mapped, strict=bool(words)):
            surface = text[span.begin : span.end].replace("▁", " ").split()
            # A piece of unknown characters may run over several words.
            assert not surface or words[word].find(surface[0]) >= 0


@given(text=st.text(alphabet=ALPHABET, max_size=40))
def test_pieces_alone_give_the_words_of_the_decoded_text(models, text):
    for model in models.values():
        ids = model.encode(text)
        mapped = words_of_pieces(model.pieces(ids))
        decoded = model.decode(ids)
        assert sorted(set(mapped)) == list(range(len(decoded.split())))
        assert mapped == sorted(mapped)


def test_random_pieces_give_the_words_of_what_they_decode_to(models):
    import random

    for model in models.values():
        draw = random.Random(1)
        for _ in range(500):
            ids = [draw.randrange(model.size) for _ in range(draw.randint(0, 12))]
            ids = [i for i in ids if i not in {model.pad_id, model.bos_id, model.eos_id}]
            mapped = words_of_pieces(model.pieces(ids))
            assert sorted(set(mapped)) == list(range(len(model.decode(ids).split()))), model.pieces(ids)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (" ein  Hund\u00a0da ", "whitespace", ["ein", "Hund", "da"]),
        (" ein  Hund\u00a0da ", "tokens", ["ein", "Hund\u00a0da"]),
        ("你好\u3000吗", "characters", ["你", "好", "吗"]),
        ("e\u0301a", "characters", ["e\u0301", "a"]),  # a letter and its accent
        ("👩\u200d🚀👍🏽", "characters", ["👩\u200d🚀", "👍🏽"]),  # joined, and a tone of skin
        ("कि", "characters", ["कि"]),  # a vowel sign
        ("", "characters", []),
        ("  ", "tokens", []),
    ],
)
def test_words_of_every_kind(text, kind, words):
    assert [text[begin:end] for begin, end in word_spans(text, kind)] == words


@given(st.text(alphabet=ALPHABET + "\u0301\u200d🏽"))
def test_white_space_words_are_those_of_split_and_clusters_cover_all(text):
    assert [text[begin:end] for begin, end in word_spans(text)] == text.split()
    assert "".join(text[begin:end] for begin, end in clusters(text)) == text
    assert all(begin < end for begin, end in clusters(text))


def test_spans_have_all_words_that_they_overlap_with():
    words = [(0, 2), (3, 4), (4, 7)]
    spans = [(0, 1), (1, 4), (2, 3), (3, 7), (4, 4), (5, 5), (7, 7)]
    # (2, 3) is a space: it has the word that follows; (7, 7) is the end: it has the last.
    assert words_within(spans, words) == [(0,), (0, 1), (1,), (1, 2), (2,), (2,), (2,)]


def test_a_piece_that_reaches_over_white_space_belongs_to_every_word_it_has_a_part_of():
    text = "10\u00a0000 km"
    assert words_in_spans(text, spans((0, 1), (1, 6), (6, 9))) == [(0,), (0, 1), (2,)]
    # A marker before a word is its own; one that ends a piece begins nothing.
    assert words_in_spans("a b c", spans((0, 2), (2, 5))) == [(0,), (1, 2)]
    assert words_in_spans("  ", spans((0, 2))) == []


def test_pieces_alone_tell_the_same():
    assert words_in_pieces(["▁1", "0\u00a0000", "▁", "km"]) == [(0,), (0, 1), (2,), (2,)]
    assert words_in_pieces(["▁of▁the", "▁big▁", "house", "▁"]) == [(0, 1), (2,), (3,), (3,)]
    assert words_in_pieces(["▁", "<0xE2>", "<0x82>", "<0xAC>"]) == [(0,), (0,), (0,), (0,)]
    assert words_in_pieces(["▁", "▁"]) == []


@pytest.mark.parametrize("split", [True, False])
def test_every_word_of_a_line_has_a_piece(tmp_path, split):
    """Whatever the vocabulary: with no-break spaces in numbers, runs of unknown characters, pieces across words."""
    lines = ["10\u00a0000 rot blau", "z.\u00a0B. von der", "von der 20\u00a0000 rot"] * 50
    (tmp_path / "text").write_text("\n".join(lines), encoding="utf-8")
    SentencePieceTrainer.train(
        input=str(tmp_path / "text"), model_prefix=str(tmp_path / "m"), vocab_size=40, model_type="bpe", eos_id=3,
        pad_id=0, unk_id=1, bos_id=2, normalization_rule_name="identity", split_by_whitespace=split, minloglevel=2,
    )  # fmt: skip
    model = SubwordModel.load(tmp_path / "m.model")
    for line in [*lines[:3], "猫\u00a0狗\u00a0鸟 rot", "\u00a0von der"]:
        count = len(line.split())
        ids = model.encode_with_offsets(line)
        found = words_in_spans(line, ids)
        assert {word for held in found for word in held} == set(range(count)), line
        assert found == sorted(found)
        if model.unk_id not in [each.id for each in ids]:
            assert words_in_pieces([each.piece for each in ids]) == found
    assert any(len(held) > 1 for held in words_in_spans(lines[0], model.encode_with_offsets(lines[0])))

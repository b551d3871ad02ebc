"""Vectors of words and of pieces, read for a vocabulary."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy
import pytest

from nmt.core.errors import DataError
from nmt.text.subword import SubwordConfig, SubwordModel
from nmt.text.training import train_subword
from nmt.text.vectors import PieceVectors, read_vectors

SIZE = 3


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SubwordModel:
    """Words such as ``▁haus`` and pieces within words such as ``ab``, a symbol, Chinese, and digits."""
    words = ["haus", "hund", "maus", "猫", "42"]
    text = [f"{one} {other}" for one in words for other in words] * 20 + ["xab yab zab wab vab uab"] * 40
    config = SubwordConfig(algorithm="bpe", size=46, user_symbols=("<num>",))
    return train_subword(text, config, output=tmp_path_factory.mktemp("model") / "a.model", name="x")


def write(path: Path, words: Sequence[str], *, header: bool = False) -> Path:
    """One vector a word: (k, k / 2, -k) for the k-th one."""
    lines = [f"{len(words)} {SIZE}"] if header else []
    lines += [f"{word} {place}.0 {place / 2} -{place}e0" for place, word in enumerate(words)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def found(vectors: PieceVectors, model: SubwordModel) -> dict[str, float]:
    """The first number of the vector of each piece."""
    assert vectors.values.dtype == numpy.float32 and vectors.values.shape == (len(vectors.ids), SIZE)
    return dict(zip(model.pieces(vectors.ids.tolist()), vectors.values[:, 0].tolist(), strict=True))


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_words_are_found_by_the_pieces_that_begin_them(model, tmp_path, header, packed):
    path = write(tmp_path / "w.vec", ["haus", "ab", "maus", "nirgends", "</s>", "<num>", "haus"], header=header)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    vectors = read_vectors(path, model, SIZE)
    assert model.id_of("ab") != model.unk_id, "a piece within words that is a word by chance"
    assert found(vectors, model) == {"▁haus": 0.0, "▁maus": 2.0, "<num>": 5.0}
    row = vectors.values[vectors.ids.tolist().index(model.id_of("▁maus"))]
    assert row.tolist() == [2.0, 1.0, -2.0]
    assert vectors.pieces == model.size - 4 and vectors.as_json()["found"] == 3
    assert str(vectors) == f"3 of 42 pieces (7.1%) have a vector in {path}"


def test_pieces_within_words_are_words_where_a_script_has_no_case(model, tmp_path):
    path = write(tmp_path / "w.vec", ["猫", "2"])
    assert {"▁猫", "2"} & found(read_vectors(path, model, SIZE), model).keys()
    inner = [piece for piece in ("猫", "2") if model.id_of(piece) != model.unk_id]
    assert inner and set(inner) <= found(read_vectors(path, model, SIZE), model).keys()


def test_a_file_of_pieces_is_read_as_they_are_spelt(model, tmp_path):
    path = write(tmp_path / "w.vec", ["ab", "haus", "▁maus"])
    assert found(read_vectors(path, model, SIZE), model) == {"ab": 0.0, "▁maus": 2.0}


def test_words_are_normalised_as_the_text_is(model, tmp_path):
    path = write(tmp_path / "w.vec", ["HAUS", "haus", "Maus"])
    assert found(read_vectors(path, model, SIZE, normalise=str.lower), model) == {"▁haus": 0.0, "▁maus": 2.0}


def test_layouts_of_lines_that_are_met(model, tmp_path):
    path = tmp_path / "w.vec"
    path.write_text("haus\t1 2 3\nzwei worte 4 5 6\nmaus 7 8 9 \r\n\n", encoding="utf-8")
    assert found(read_vectors(path, model, SIZE), model) == {"▁haus": 1.0, "▁maus": 7.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("haus 1 2 3\nhund 1 2\n", r"w.vec: line 2: must be a word and 3 numbers \(model.embedding.size\), but has 2"),
        ("haus 1 2 3\nfremd 1 2 3 4\n", r"w.vec: line 2: must be a word and 3 numbers .*, but has 4"),
        ("haus 1 x 3\n", r"w.vec: line 1: must be a word and 3 numbers, but has 'x' among them"),
        ("haus 1 nan 3\n", r"w.vec: line 1: must have finite numbers"),
        ("2 4\nhaus 1 2 3 4\n", r"w.vec: line 1: has vectors of 4 numbers, but model.embedding.size is 3"),
        ("3 3\nhaus 1 2 3\n", r"w.vec: must have 3 vectors, as its first line says, but has 1; it is truncated"),
        ("fremd 1 2 3\n", r"w.vec: has no vector for any of the 42 pieces of .*a.model"),
        ("", r"w.vec: has no vector for any"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(model, tmp_path, text, message):
    (tmp_path / "w.vec").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_vectors(tmp_path / "w.vec", model, SIZE)


def test_words_with_blanks_between_them_are_not_the_first_of_them(model, tmp_path):
    vectors = read_vectors(write(tmp_path / "w.vec", ["haus maus", "haus"], header=True), model, SIZE)
    assert found(vectors, model) == {"▁haus": 1.0}

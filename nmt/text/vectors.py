"""Pretrained word vectors, in the text format of word2vec and fastText, for the pieces of a vocabulary."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from nmt.core.errors import DataError
from nmt.core.logging import progress
from nmt.core.storage.files import read_text_lines
from nmt.text.reserved_characters import SPACE_MARKER
from nmt.text.subword import SubwordModel

_CASED = {"Lu", "Ll", "Lt"}


@dataclass(frozen=True, slots=True)
class PieceVectors:
    """The vectors that a file has for the pieces of a vocabulary.

    Args:
        path: the file.
        ids: (N,) pieces that were found.
        values: (N, E) float32, their vectors.
        pieces: number of pieces that were looked for: all but the special ones and bytes.
    """

    path: Path
    ids: NDArray[numpy.int64]
    values: NDArray[numpy.float32]
    pieces: int

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"file": str(self.path), "found": len(self.ids), "pieces": self.pieces}

    def __str__(self) -> str:
        share = len(self.ids) / self.pieces
        return f"{len(self.ids):,} of {self.pieces:,} pieces ({share:.1%}) have a vector in {self.path}"


def read_vectors(path: Path, model: SubwordModel, size: int, *, normalise: Callable[[str], str] = str) -> PieceVectors:
    """Read the vectors of a vocabulary's pieces.

    Each line is a word and its numbers; a first line with the sizes is optional.

    If words of the file begin with U+2581, the file has pieces, which are looked up as they are spelt. Otherwise it has
    words. A piece that begins a word is then looked up without its space marker. A piece within a word is looked up
    only if it has no cased letter (Chinese, digits, punctuation): an English or German one would match a word by
    chance. The first vector of a word counts.

    Args:
        path: the file, plain or compressed.
        model: the vocabulary.
        size: size E of a vector.
        normalise: the normalisation of text before encoding; applied to the words of the file too.

    Raises:
        DataError: the file cannot be read, a line is not a word with E numbers, there are fewer lines than the first
            one says, or no piece is in the file.
    """
    spelt, words, pieces = _keys(model)
    found: dict[bool, dict[int, NDArray[numpy.float32]]] = {True: {}, False: {}}
    has_pieces = False
    for place, line in progress(_vectors(path, size), f"reading {path}", unit="vectors", passing=True):
        word = normalise(line[: line.find(" ")])
        has_pieces = has_pieces or word.startswith(SPACE_MARKER)
        for kind, keys in ((True, spelt), (False, words)):
            ids = [each for each in keys.get(word, ()) if each not in found[kind]]
            if ids:
                vector = _numbers(line, place, size)
                found[kind].update(dict.fromkeys(ids, vector))
    rows = found[has_pieces]
    if not rows:
        raise DataError(f"{path}: has no vector for any of the {pieces} pieces of {model.path}; another language?")
    places = numpy.array(sorted(rows), dtype=numpy.int64)
    return PieceVectors(path, places, numpy.stack([rows[int(each)] for each in places]), pieces)


def _keys(model: SubwordModel) -> tuple[dict[str, list[int]], dict[str, list[int]], int]:
    """The ids by spelling in a file of pieces and in a file of words, and the number of pieces to look for."""
    spelt: dict[str, list[int]] = {}
    words: dict[str, list[int]] = {}
    proto = model.proto()
    kinds = proto.SentencePiece
    for index, entry in enumerate(proto.pieces):
        piece, symbol = entry.piece, entry.type == kinds.USER_DEFINED
        if entry.type != kinds.NORMAL and not symbol:
            continue
        spelt[piece] = [index]
        bare = piece.removeprefix(SPACE_MARKER)
        if bare and (symbol or bare != piece or not any(unicodedata.category(letter) in _CASED for letter in piece)):
            words.setdefault(bare, []).append(index)
    return spelt, words, len(spelt)


def _vectors(path: Path, size: int) -> Iterator[tuple[str, str]]:
    """Yield place and text of each line that may hold a vector of a piece, its fields separated by single spaces."""
    promised, lines = None, 0
    for number, text in enumerate(read_text_lines(path), start=1):
        line, place = text.replace("\t", " ").strip(" "), f"{path}: line {number}"
        fields = line.split(" ", 3)
        if number == 1 and len(fields) == 2 and all(field.isdecimal() for field in fields) and size != 1:
            promised = int(fields[0])
            if int(fields[1]) != size:
                raise DataError(f"{place}: has vectors of {fields[1]} numbers, but model.embedding.size is {size}")
            continue
        if not line:
            continue
        lines += 1
        if line.count(" ") == size:
            yield place, line
        else:  # either several words before the numbers, which no piece is, or a wrong number of fields, which raises
            _numbers(line, place, size)
    if promised is not None and lines != promised:
        raise DataError(
            f"{path}: must have {promised} vectors, as its first line says, but has {lines}; it is truncated"
        )


def _numbers(line: str, place: str, size: int) -> NDArray[numpy.float32]:
    word, *fields = line.rsplit(" ", size)
    first, *rest = word.split(" ")
    if len(fields) != size or (rest and not _number(first) and all(map(_number, rest))):
        message = f"must be a word and {size} numbers (model.embedding.size), but has {len(rest) + len(fields)}"
        raise DataError(f"{place}: {message}")
    wrong = [field for field in fields if not _number(field)]
    if wrong:
        raise DataError(f"{place}: must be a word and {size} numbers, but has {wrong[0][:40]!r} among them")
    values = numpy.array([float(field) for field in fields], dtype=numpy.float32)
    if not numpy.isfinite(values).all():
        raise DataError(f"{place}: must have finite numbers, but has others")
    return values


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

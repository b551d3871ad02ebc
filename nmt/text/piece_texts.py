"""What each piece of a vocabulary spells, and which pieces spell, begin or hold a given text."""

from __future__ import annotations

import bisect
import codecs
import itertools
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal, TypeAlias

from nmt.core.writing_systems import in_spaced_word
from nmt.text.reserved_characters import SPACE_MARKER
from nmt.text.subword import UNKNOWN_SURFACE, SubwordModel

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_LAST = b"\xff"  # no UTF-8 text has this byte


Kind: TypeAlias = Literal["", "space", "word", "other"]
"""The kind of a character, as far as a phrase after it depends on it; empty for none."""


class PieceTexts:
    """The spellings of all pieces, in UTF-8: a space for the space marker, a byte for a byte piece.

    Args:
        spellings: of each piece by its id; empty for pieces without text, such as eos.
    """

    def __init__(self, spellings: Sequence[bytes]) -> None:
        self.spellings = tuple(spellings)
        self._ids: dict[bytes, tuple[int, ...]] = {}
        for piece, spelling in enumerate(spellings):
            if spelling:
                self._ids[spelling] = (*self._ids.get(spelling, ()), piece)
        self._longest = max(map(len, self._ids), default=0)
        self._sorted = sorted((spelling, piece) for spelling, piece in enumerated(spellings))
        self._starts = sorted(
            (start, piece) for spelling, piece in enumerated(spellings) for start in (spelling, *_starts(spelling))
        )
        self.texts = [decoded(spelling) for spelling in spellings]
        """The characters of each piece, and the bytes of a last one that is not complete."""
        self.openings = [frozenset(start.decode()[0] for start in _starts(spelling)) for spelling in spellings]
        """The characters with which a word may begin in each piece, but for its first one."""
        self.kinds = [kind_of(text[-1]) if text.strip() and not begun else "" for text, begun in self.texts]
        """The kind of the last character of each piece; empty for pieces of white space and parts of characters."""
        self.inside_word = [in_spaced_word(text[0]) if text else bool(begun) for text, begun in self.texts]
        """Whether each piece begins with a character that continues a word, or may."""

    @cached_property
    def by_character(self) -> dict[str, frozenset[int]]:
        """The pieces that begin with each character, or have it where a word may begin."""
        found: dict[str, set[int]] = {}
        for piece, ((text, _), openings) in enumerate(zip(self.texts, self.openings, strict=True)):
            for character in {*text[:1], *openings}:
                found.setdefault(character, set()).add(piece)
        return {character: frozenset(pieces) for character, pieces in found.items()}

    @cached_property
    def by_kind(self) -> dict[Kind, frozenset[int]]:
        """The pieces of each kind."""
        found: dict[Kind, set[int]] = {}
        for piece, kind in enumerate(self.kinds):
            found.setdefault(kind, set()).add(piece)
        return {kind: frozenset(pieces) for kind, pieces in found.items()}

    @classmethod
    def of(cls, model: SubwordModel) -> PieceTexts:
        """Take the spellings from a vocabulary."""
        spellings = [_spelling(letters) for letters in model.pieces(range(model.size))]
        for silent in {model.pad_id, model.bos_id, model.eos_id} & {*range(model.size)}:
            spellings[silent] = b""
        spellings[model.unk_id] = UNKNOWN_SURFACE.encode()  # as in the decoded text
        return cls(spellings)

    def spelling(self, text: bytes) -> tuple[int, ...]:
        """Pieces that spell a text exactly."""
        return self._ids.get(text, ())

    def within(self, text: bytes) -> Iterator[int]:
        """Pieces that spell the text or a beginning of it, the shortest first."""
        for end in range(1, min(len(text), self._longest) + 1):
            yield from self._ids.get(text[:end], ())

    def beginning_with(self, text: bytes) -> Iterator[int]:
        """Pieces that begin with a text, which is not empty."""
        return _range(self._sorted, text)

    def holding(self, text: bytes) -> Iterator[int]:
        """Pieces in which a text stands where a word may begin; the same piece may come twice."""
        return _range(self._starts, text)


def kind_of(character: str) -> Kind:
    """The kind of a character."""
    return "space" if character.isspace() else "word" if in_spaced_word(character) else "other"


def decoded(data: bytes) -> tuple[str, bytes]:
    """The characters of UTF-8 bytes, and the bytes of a last one that is not complete; U+FFFD for wrong bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return decoder.decode(data), decoder.getstate()[0]


def incomplete(pieces: Sequence[str]) -> int:
    """Count the byte pieces at the end that are only a part of a character."""
    run = itertools.takewhile(bool, map(_BYTE.fullmatch, reversed(pieces)))
    return len(decoded(bytes(int(byte[1], 16) for byte in run if byte)[::-1])[1])


def enumerated(spellings: Sequence[bytes]) -> Iterator[tuple[bytes, int]]:
    """Pair the spellings that are not empty with their pieces."""
    return ((spelling, piece) for piece, spelling in enumerate(spellings) if spelling)


def _spelling(piece: str) -> bytes:
    byte = _BYTE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace(SPACE_MARKER, " ").encode()


def _starts(spelling: bytes) -> Iterator[bytes]:
    """The rest of a piece from each place in it where a word may begin."""
    text, _ = decoded(spelling)
    for place in range(1, len(text)):
        if not (in_spaced_word(text[place - 1]) and in_spaced_word(text[place])):
            yield text[place:].encode()


def _range(table: list[tuple[bytes, int]], text: bytes) -> Iterator[int]:
    begin, end = bisect.bisect_left(table, (text,)), bisect.bisect_left(table, (text + _LAST,))
    return (piece for _, piece in table[begin:end])

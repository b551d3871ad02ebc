"""The words of a line, and the white-space words that each subword piece belongs to, for alignments of words.

A white-space word is what ``str.split()`` gives. A piece belongs to every word that it shares a character with, usually
one. A piece of white space alone (such as the space marker) belongs to the next word, or at the end to the last one.
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from nmt.text.reserved_characters import SPACE_MARKER

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_OTHER_SPACE = re.compile(r"[^\S ]")  # white space, but not U+0020
_JOINERS = "\u200c\u200d"

WordKind: TypeAlias = Literal["whitespace", "tokens", "characters"]
"""What counts as a word: what ``str.split()`` gives; what is between spaces (U+0020 and nothing else), as in a
tokenised file; or each character that is not white space, with its combining marks."""

Span: TypeAlias = tuple[int, int]
"""Where a word begins and ends in its line, in characters (code points)."""


def word_spans(text: str, kind: WordKind = "whitespace") -> list[Span]:
    """Find the words of a line.

    >>> word_spans("ein Hund"), word_spans("你好 ", "characters")
    ([(0, 3), (4, 8)], [(0, 1), (1, 2)])
    """
    if kind == "characters":
        return [span for span in clusters(text) if not text[span[0]].isspace()]
    pattern = r"\S+" if kind == "whitespace" else "[^ ]+"
    return [match.span() for match in re.finditer(pattern, text)]


def counts_differ(*lines: str) -> bool:
    """Whether splitting a line at any white space gives another number of words than splitting at spaces alone."""
    return any(_OTHER_SPACE.search(line) and len(line.split()) != len(word_spans(line, "tokens")) for line in lines)


def in_two_ways(source: str, target: str, kind: WordKind) -> str:
    """Part of a message: how many words a pair has by the other way of counting; empty if both ways agree."""
    if kind not in ("whitespace", "tokens") or not counts_differ(source, target):
        return ""
    other: WordKind = "tokens" if kind == "whitespace" else "whitespace"
    counts = [len(word_spans(line, other)) for line in (source, target)]
    ways = {"tokens": "spaces alone (as of tokenised files)", "whitespace": "white space of any kind"}
    return f"; between {ways[other]} there are {counts[0]} and {counts[1]}"


def words_of_tokens(line: str) -> list[range]:
    """Return for each token of a line the white-space words within it, several or none.

    >>> words_of_tokens("10\u00a0000 km")
    [range(0, 2), range(2, 3)]
    """
    found, first = [], 0
    for begin, end in word_spans(line, "tokens"):
        count = len(line[begin:end].split())
        found.append(range(first, first + count))
        first += count
    return found


def clusters(text: str) -> list[Span]:
    """Split a line into user-perceived characters: each with its combining marks, and what a joiner joins."""
    starts = [place for place, character in enumerate(text) if not place or not _continues(character, text[place - 1])]
    return list(pairwise([*starts, len(text)])) if text else []


def _continues(character: str, before: str) -> bool:
    if before.isspace():
        return False
    mark = unicodedata.category(character).startswith("M") or character in _JOINERS
    return mark or before == _JOINERS[1] or "\U0001f3fb" <= character <= "\U0001f3ff"


def words_within(spans: Sequence[Span], words: Sequence[Span]) -> list[tuple[int, ...]]:
    """Return for each span of a line the words that it overlaps; both in order, the words without overlap, not empty.

    A span that overlaps none (a space marker) belongs to the next word, or at the end to the last one; so does an empty
    span outside words.
    """
    ends = [end for _, end in words]
    found = []
    for begin, end in spans:
        first = bisect.bisect_right(ends, begin)
        last = first
        while last < len(words) and words[last][0] < end:
            last += 1
        found.append(tuple(range(first, last)) or (min(first, len(words) - 1),))
    return found


@dataclass(frozen=True, slots=True)
class PieceSpan:
    """A piece and its place in the text.

    Args:
        id: piece id.
        piece: the piece as the vocabulary spells it; the text itself where the piece is unknown.
        begin: offset of its first character.
        end: offset after its last character; equal to ``begin`` for a piece that covers no character.
    """

    id: int
    piece: str
    begin: int
    end: int


def words_in_spans(text: str, spans: Sequence[PieceSpan]) -> list[tuple[int, ...]]:
    """Return for each piece of a known text the white-space words that it overlaps.

    There are several where a piece spans white space: a no-break space in a number (to SentencePiece a character like
    any other), a run of unknown characters, or a model that learns pieces across words.

    Args:
        text: the text that was encoded.
        spans: its pieces in order.

    Returns:
        For each piece the 0-based indices of its words in ``text.split()``, at least one; empty if there is no word.
    """
    words = word_spans(text)
    return words_within([(span.begin, span.end) for span in spans], words) if words else []


def words_in_pieces(pieces: Sequence[str], *, bytes_fall_back: bool = True) -> list[tuple[int, ...]]:
    """Return for each piece the white-space words of the decoded text, computed from the pieces alone.

    Args:
        pieces: pieces as the vocabulary spells them, without special tokens.
        bytes_fall_back: read ``<0xE2>`` as a byte.

    Returns:
        For each piece the 0-based indices of the words that it overlaps, at least one; empty if there is no word.
    """
    words: list[tuple[int, ...]] = []
    word, inside = -1, False
    for surface in surfaces(pieces, bytes_fall_back=bytes_fall_back):
        own: list[int] = []
        for character in surface:
            if character.isspace():
                inside = False
                continue
            if not inside:
                word, inside = word + 1, True
            if word not in own[-1:]:
                own.append(word)
        # A byte that continues a character has no surface; it belongs to the word of that character.
        words.append((word,) if not own and not surface and inside else tuple(own))
    return _fill_forward(words, last=word)


def words_of_pieces(pieces: Sequence[str], *, bytes_fall_back: bool = True) -> list[int]:
    """The first word of each piece; see ``words_in_pieces``."""
    return [held[0] for held in words_in_pieces(pieces, bytes_fall_back=bytes_fall_back)]


def _fill_forward(words: list[tuple[int, ...]], last: int) -> list[tuple[int, ...]]:
    """Give every piece without a word the next word."""
    if last < 0:
        return []
    filled: list[tuple[int, ...]] = []
    following = last
    for held in reversed(words):
        filled.append(held or (following,))
        following = filled[-1][0]
    return filled[::-1]


def surfaces(pieces: Sequence[str], *, bytes_fall_back: bool = True) -> Iterator[str]:
    """The text of each piece, a space for its marker; of a character spelt in bytes, the first byte has all of it."""
    index = 0
    while index < len(pieces):
        end = index
        while bytes_fall_back and end < len(pieces) and _BYTE.fullmatch(pieces[end]):
            end += 1
        if end == index:
            yield pieces[index].replace(SPACE_MARKER, " ")
            index += 1
            continue
        yield from _surfaces_of_bytes(bytes(int(piece[3:5], 16) for piece in pieces[index:end]))
        index = end


def _surfaces_of_bytes(data: bytes) -> Iterator[str]:
    position = 0
    while position < len(data):
        for width in (1, 2, 3, 4):
            try:
                character = data[position : position + width].decode("utf-8")
            except UnicodeDecodeError:
                continue
            break
        else:
            character, width = "\ufffd", 1
        width = min(width, len(data) - position)
        yield character
        yield from [""] * (width - 1)
        position += width

"""A translation with its tags: their order, the white space around them, and how characters are written."""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise

from nmt.translation.markup.placement import Node
from nmt.translation.markup.segment import Kind, Mark
from nmt.translation.markup.tokens import Aligned

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # by XML 1.0, section 2.2
_CLOSING = (",", ".", ";", ":", "!", "?", "%", "\u2026", "\u3001", "\u3002", "\uff01", "\uff0c", "\uff1a", "\uff1f")


class Writer:
    """Writes the translation of a text with the marks of the text.

    Args:
        text: the source text.
        marks: its marks.
        translation: of the text.
        aligned: the tokens of both.
        spelling: how characters are written.
    """

    def __init__(
        self, text: str, marks: Sequence[Mark], translation: str, aligned: Aligned, spelling: Spelling
    ) -> None:
        self._text = text
        self._marks = marks
        self._translation = translation
        self._tokens = aligned.target
        self._spelling = spelling
        ends = [end for _, end in aligned.source]
        edges = [0, *ends], [*(begin for begin, _ in aligned.source), len(text)]
        self._together: dict[int, tuple[list[int], list[int]]] = {}
        for gap, own in groupby(range(len(marks)), key=lambda mark: bisect_right(ends, marks[mark].place)):
            group = list(own)
            places = [edges[0][gap], *(marks[mark].place for mark in group), edges[1][gap]]
            self._together.update((mark, (group, places)) for mark in group)

    def written(self, root: Node) -> str:
        """Write all, with the marks of the tree where its nodes are."""
        gaps: dict[int, list[int]] = {}
        for gap, number in _in_order(root):
            gaps.setdefault(gap, []).append(number)
        parts: list[str] = []
        end, verbatim = 0, False
        for gap, (first, last) in enumerate([*self._tokens, (len(self._translation),) * 2]):
            numbers = gaps.get(gap, [])
            spaces = self._spaces(gap, numbers, self._translation[end:first])
            parts += self._spelling(spaces[0], verbatim=verbatim)
            for number, space in zip(numbers, spaces[1:], strict=True):
                mark = self._marks[number]
                parts.append(mark.raw)
                verbatim = mark.kind == "open" if mark.verbatim else verbatim
                parts += self._spelling(space, verbatim=verbatim)
            following = self._translation[last : last + 40]
            parts += self._spelling(self._translation[first:last], following, verbatim=verbatim)
            end = last
        return "".join(parts)

    def _spaces(self, gap: int, numbers: Sequence[int], space: str) -> list[str]:
        """Divide the white space between two tokens: before the first mark between them, and after each."""
        if not numbers:
            return [space]
        group, places = self._together[numbers[0]]
        if group == list(numbers):
            as_in_source = [self._text[begin:end] for begin, end in pairwise(places)]
            if bool(space) == any(as_in_source):
                return as_in_source
        wishes = [self._wishes(self._marks[number]) for number in numbers]
        spaces = [""] * (len(numbers) + 1)
        if space:
            votes = [0, *(after for _, after in wishes)]
            for slot, (before, _) in enumerate(wishes):
                votes[slot] += before
            spaces[votes.index(max(votes))] = space
        for index, (number, wish) in enumerate(zip(numbers, wishes, strict=True)):
            for side, step in enumerate((-1, 1)):
                wanted = wish[side] > 0 and self._marks[number].kind == "point" and self._allows_space(gap, step)
                if wanted and not self._spaced(numbers, spaces, index, step):
                    spaces[index + side] = " "
        return spaces

    def _wishes(self, mark: Mark) -> tuple[int, int]:
        """Whether there should be a space before and after a mark: 1 or -1."""
        before = self._text[max(mark.place - 1, 0) : mark.place].isspace()
        right = self._text[mark.place : mark.place + 1]
        after = right.isspace()
        if mark.kind == "open":  # the space between words stands outside of an element
            before, after = before or not after, after and not before
        elif mark.kind == "close":
            before, after = before and not after, after or not before
        elif not before and not after:  # what stands before punctuation stays with the word before
            return -1, 0 if right and not right.isalnum() else -1
        return 2 * before - 1, 2 * after - 1

    def _spaced(self, numbers: Sequence[int], spaces: Sequence[str], index: int, step: int) -> bool:
        """Whether a space stands on a side of a point, perhaps beyond tags of elements."""
        slot = index + (step > 0)
        while not spaces[slot]:
            index, slot = index + step, slot + step
            if not 0 <= index < len(numbers) or self._marks[numbers[index]].kind == "point":
                return False
        return True

    def _allows_space(self, gap: int, step: int) -> bool:
        """Whether a space may stand after the token before a gap (-1), or before the one behind it (1)."""
        index = gap - (step < 0)
        if not 0 <= index < len(self._tokens):
            return False
        letter = self._translation[self._tokens[index][0]]
        kind = unicodedata.category(letter)
        return kind not in ("Ps", "Pi") if step < 0 else kind not in ("Pe", "Pf") and letter not in _CLOSING


def _in_order(root: Node) -> Iterator[tuple[int, int]]:
    """The target tokens before each mark, and its number, in the order in which marks are written."""
    waiting: list[Node | tuple[int, int]] = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            yield item
            continue
        first, last = item.span
        if item is not root:
            yield first, item.opening
            if item.closing != item.opening:
                waiting.append((last, item.closing))
        # What is empty stands between an element that ends at its place and one that begins there.
        children = sorted(item.children, key=lambda child: (child.span, child.opening))
        waiting += reversed(children)


class Spelling:
    """Writes characters as they are written in the source, and escapes what would be markup.

    Args:
        spellings: of each occurrence of a character in the source, in order; the last is that of all further ones.
        kind: of the markup.
    """

    def __init__(self, spellings: Mapping[str, Sequence[str]], kind: Kind) -> None:
        self._spellings = spellings
        self._kind = kind
        self._seen = Counter[str]()
        self._before = ""

    def __call__(self, text: str, following: str = "", *, verbatim: bool = False) -> Iterator[str]:
        """Write a text that stands before another one; ``verbatim`` in a CDATA section."""
        text = _FORBIDDEN.sub("\ufffd", text)
        for index, character in enumerate(text):
            ends_section = character == ">" and self._before.endswith("]]")
            self._before = f"{self._before}{character}"[-2:]
            if verbatim:
                yield "]]><![CDATA[>" if ends_section else character
                continue
            known = self._spellings.get(character)
            if known is None:
                yield html.escape(character, quote=False)
                continue
            written = known[min(self._seen[character], len(known) - 1)]
            self._seen[character] += 1
            bare = written == character in "<>&" and not self._harmless(character, text[index + 1 :] + following)
            yield html.escape(character) if bare or ends_section else written

    def _harmless(self, character: str, following: str) -> bool:
        """Whether a character may be left as it is before others."""
        if character == "&":
            return html.unescape(f"&{following}").startswith(f"&{following[:1]}")
        return character == ">" or following[:1].isspace()

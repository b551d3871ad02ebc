"""Words of the two sides and the links between them, from the first word chosen to the line of text.

Whatever produces a German word and its English counterpart makes the link, by giving the English word the German one.
Positions are known only when the sentence is complete: `linearise` turns identity into 0-based indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


class Source:
    """A German word; two words are the same only if they are the same object."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Source({self.text!r})"


class Target:
    """An English word with the German words that it translates."""

    __slots__ = ("links", "text")

    def __init__(self, text: str, *links: Source) -> None:
        self.text = text
        self.links = links

    def __repr__(self) -> str:
        return f"Target({self.text!r}, {', '.join(link.text for link in self.links)})"


class Mark:
    """Punctuation, written without a space at the end of the word before it."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


COMMA = Mark(",")

German: TypeAlias = list[Source | Mark]
English: TypeAlias = list[Target | Mark]


def targets(text: str, *links: Source) -> English:
    """Return one `Target` for each word of `text`, all with the same links."""
    return [Target(word, *links) for word in text.split()]


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence pair with its gold alignment.

    Args:
        source: German, one line, punctuation attached to words.
        target: English, likewise.
        links: Pairs `(i, j)` of 0-based white-space words of source and target, sorted.
    """

    source: str
    target: str
    links: tuple[tuple[int, int], ...]

    @property
    def pharaoh(self) -> str:
        """The links as `i-j i-j ...`."""
        return " ".join(f"{i}-{j}" for i, j in self.links)


def _attach(words: list[str], mark: Mark) -> None:
    """Put `mark` on the last word; it takes the place of a comma, and nothing follows a stop or a comma twice."""
    if words:
        words[-1] = words[-1].rstrip(",") + mark.text


def _join(words: list[str], end: str) -> str:
    _attach(words, Mark(end))
    line = " ".join(words)
    return line[0].upper() + line[1:]


def linearise(german: Sequence[Source | Mark], english: Sequence[Target | Mark], end: str) -> Pair:
    """Write both sides as text, capitalise them, close them with `end`, and turn links into positions."""
    place: dict[int, int] = {}
    source: list[str] = []
    for word in german:
        if isinstance(word, Mark):
            _attach(source, word)
        else:
            place[id(word)] = len(source)
            source.append(word.text)
    target: list[str] = []
    links: list[tuple[int, int]] = []
    for word in english:
        if isinstance(word, Mark):
            _attach(target, word)
        else:
            links.extend((place[id(link)], len(target)) for link in word.links)
            target.append(word.text)
    return Pair(_join(source, end), _join(target, end), tuple(sorted(set(links))))

"""A text with its tags apart: what is translated, and what is put back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["xml", "html"]

MarkKind: TypeAlias = Literal["open", "close", "point"]


@dataclass(frozen=True, slots=True)
class Event:
    """A piece of marked-up text, as a parser tells it.

    Args:
        kind: ``open`` and ``close`` are tags; ``point`` stands by itself (an empty element, a comment); ``text`` has
            characters; ``apart`` separates texts that are translated separately.
        raw: as it is written.
        name: of the element.
        text: its characters, of ``text``.
        verbatim: whether nothing is escaped within the element: a CDATA section.
    """

    kind: Literal["open", "close", "point", "text", "apart"]
    raw: str
    name: str = ""
    text: str = ""
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A tag in a text.

    Args:
        kind: ``open`` and ``close`` are balanced; a ``point`` stands by itself.
        raw: as it is written.
        place: number of characters of the text before it.
        fixed: whether it must stay behind all fixed marks before it: a tag whose partner is in another text.
        verbatim: whether nothing is escaped up to its partner.
    """

    kind: MarkKind
    raw: str
    place: int
    fixed: bool = False
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A text that is translated as one line, and its tags.

    Args:
        raw: as it is written.
        text: its characters, on one line.
        marks: its tags, in order.
        spellings: how the occurrences of a character are written, in order, where that is not always itself.
    """

    raw: str
    text: str
    marks: tuple[Mark, ...]
    spellings: dict[str, list[str]]

    @classmethod
    def of(cls, events: Iterable[Event], kind: Kind) -> Segment:
        """Join events; a tag without a partner becomes a point."""
        events = list(events)
        marks: list[Mark] = []
        texts: list[str] = []
        spelt: list[tuple[str, str]] = []
        opened: list[tuple[str, int]] = []  # name, and index of the mark
        place = 0
        for event in events:
            if event.kind == "text":
                text = event.text.replace("\n", " ").replace("\r", " ")
                if not (opened and marks[opened[-1][1]].verbatim):
                    spelt += [(text, event.raw)] if len(text) == 1 else [(each, each) for each in text]
                texts.append(text)
                place += len(text)
                continue
            mark = Mark("point", event.raw, place, verbatim=event.verbatim)
            if event.kind == "open":
                opened.append((event.name, len(marks)))
                mark = Mark("open", event.raw, place, verbatim=event.verbatim)
            elif event.kind == "close":
                mark = _closed(event, place, marks, opened)
            marks.append(mark)
        for _, index in opened:
            marks[index] = _alone(marks[index])
        written = "".join(event.raw for event in events)
        return cls(written, "".join(texts), tuple(marks), _spellings(spelt, kind))


def _closed(event: Event, place: int, marks: list[Mark], opened: list[tuple[str, int]]) -> Mark:
    """The mark of a closing tag; tags left open within its element become points."""
    if event.name not in (name for name, _ in opened):
        return Mark("point", event.raw, place, fixed=True)
    while (top := opened.pop())[0] != event.name:
        marks[top[1]] = _alone(marks[top[1]])
    return Mark("close", event.raw, place, verbatim=event.verbatim)


def _alone(mark: Mark) -> Mark:
    return Mark("point", mark.raw, mark.place, fixed=True)


def _spellings(spelt: list[tuple[str, str]], kind: Kind) -> dict[str, list[str]]:
    special = {text for text, raw in spelt if text != raw and not text.isspace()} | {"\u00a0"}
    special |= {">"} if kind == "xml" else {">", "<", "&"}
    found: dict[str, list[str]] = {}
    for text, raw in spelt:
        if text in special:
            found.setdefault(text, []).append(raw)
    return found

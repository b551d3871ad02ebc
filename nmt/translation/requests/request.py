"""A line to be translated, with what is asked of its translation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nmt.core.characters import is_blank
from nmt.search.search_config import SearchConfig
from nmt.translation.markup.document import Document


@dataclass(frozen=True, slots=True)
class Request:
    """A line to be translated, and what is asked of its translation.

    A phrase occurs where its characters stand in the translation and neither end is inside a word (in scripts without
    spaces anywhere).

    Args:
        text: the line.
        prefix: how the translation begins. Its last word may go on, unless white space follows it.
        constraints: phrases that must occur; needs beam search.
        avoid: phrases that must not occur.
        search: how to search for it; ``None`` as for all lines.
        target_language: into which a model of several translates it; ``None`` as for all lines.
        tree: whether to record the tree of its beam search.
        extra: plain values that JSON lines pass through.
        problem: why it cannot be translated; empty if it can.
        markup: the tags of the text, which its written translation has too.
    """

    text: str
    prefix: str = ""
    constraints: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    search: SearchConfig | None = None
    target_language: str | None = None
    tree: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    problem: str = ""
    markup: Document | None = None

    def __post_init__(self) -> None:
        for name in ("text", "prefix"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a str, but is {type(getattr(self, name)).__name__}")
        for name in ("constraints", "avoid"):
            phrases = getattr(self, name)
            if isinstance(phrases, str) or not all(isinstance(each, str) for each in phrases):
                raise TypeError(f"{name} must be several str, but is {phrases!r}")
            object.__setattr__(self, name, tuple(phrases))

    @property
    def controlled(self) -> bool:
        """Whether anything is asked of the translation."""
        return bool(self.avoid) or self.held_by_one_part

    @property
    def held_by_one_part(self) -> bool:
        """Whether a line in parts could not keep it: a prefix belongs to one of them, and so does a required phrase."""
        return bool(self.constraints) or not is_blank(self.prefix)


Line: TypeAlias = str | Request
"""A text, or a text of whose translation something is asked."""


def text_of(line: Line) -> str:
    """The text of a line."""
    return line if isinstance(line, str) else line.text


def language_of(line: Line) -> str | None:
    """The target language that a line asks for."""
    return None if isinstance(line, str) else line.target_language


def markup_of(line: Line) -> Document | None:
    """The tags of a line, if they were taken out of its text."""
    return None if isinstance(line, str) else line.markup

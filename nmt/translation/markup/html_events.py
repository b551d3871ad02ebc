"""HTML, a page or a part of one, divided by Python's ``html.parser``; what is wrong in it stays as it is.

Elements within a line belong to a text. Those of paragraphs, tables, lists and forms, and line breaks, separate texts,
so they need not be closed. What is not to be translated stays as it is: elements with ``translate="no"`` or the class
``notranslate``, scripts, styles, code and preformatted text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from itertools import pairwise

from nmt.translation.markup.segment import Event

_NAMES = {
    "void": "area base br col embed hr img input link meta param source track wbr",
    "apart": "address article aside blockquote body br button caption center col colgroup dd details dialog dir div dl "
    "dt fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe "
    "legend li main menu nav noscript ol optgroup option p pre search section select summary table tbody td textarea "
    "tfoot th thead title tr ul xmp",
    "untouched": "canvas code iframe kbd math noembed object pre samp script style svg template textarea var xmp",
}
VOID, APART, UNTOUCHED = (frozenset(names.split()) for names in _NAMES.values())
ENDS_BEFORE = {
    "p": APART - {"br"},
    "li": frozenset(["li"]),
    **dict.fromkeys(["dt", "dd"], frozenset(["dt", "dd"])),
    **dict.fromkeys(["td", "th"], frozenset(["td", "th", "tr"])),
    "option": frozenset(["option", "optgroup"]),
}
"""Elements that may end without a tag, and what they end before."""

_REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);?")
_TAG = re.compile(r"<[a-zA-Z/!?]")

Attributes = Sequence[tuple[str, str | None]]


def read_html(text: str) -> list[Event]:
    """Divide a text; an element that is not to be translated is one event."""
    return [event for event in _Reader(text).events() if event.raw]


class _Reader(HTMLParser):
    """Notes where each event begins; an event reaches to the next one, so that nothing is lost."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._html = text
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._found: list[tuple[int, Event]] = []
        self._untouched: list[str] = []  # names of the elements that are open, from one that is not translated on

    def events(self) -> Iterator[Event]:
        """Read all."""
        self.feed(self._html)
        self.close()
        self._end_untouched()
        begins = [*(begin for begin, _ in self._found), len(self._html)]
        yield Event("point", self._html[: begins[0]])  # what the parser passes over
        for (_, event), (begin, end) in zip(self._found, pairwise(begins), strict=True):
            raw = self._html[begin:end]
            if event.kind == "text":
                yield from _text(raw, event.text)
            else:
                yield Event(event.kind, raw, event.name)

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:  # none that SGML has; browsers read a comment
            return self.parse_bogus_comment(i, report)

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if self._untouched and tag in ENDS_BEFORE.get(self._untouched[-1], ()):
            self._untouched.pop()
        if self._untouched:
            self._untouched += [tag] if tag not in VOID else []
            return
        apart = tag in APART
        if tag in UNTOUCHED or _keeps_out(attrs):
            self._note(Event("apart" if apart else "point", "", tag))
            self._untouched += [tag] if tag not in VOID else []
        else:
            self._note(Event("apart" if apart else "point" if tag in VOID else "open", "", tag))

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:  # noqa: ARG002
        if not self._untouched:
            self._note(Event("apart" if tag in APART else "point", "", tag))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._untouched:
            del self._untouched[len(self._untouched) - 1 - self._untouched[::-1].index(tag) :]
        elif not self._untouched or tag in APART:  # which ends an element around it
            self._end_untouched()
            self._note(Event("apart" if tag in APART else "close", "", tag))

    def handle_data(self, data: str) -> None:
        if not self._untouched:
            self._note(Event("text", "", text=data))

    def handle_comment(self, data: str) -> None:  # noqa: ARG002
        self._aside()

    def handle_decl(self, decl: str) -> None:  # noqa: ARG002
        self._aside()

    def handle_pi(self, data: str) -> None:  # noqa: ARG002
        self._aside()

    def unknown_decl(self, data: str) -> None:  # noqa: ARG002
        self._aside()

    def _end_untouched(self) -> None:
        """End an element that is not closed: it has all that follows, and so must not move."""
        if self._untouched:
            begin, event = self._found[-1]
            self._found[-1] = begin, Event("apart", "", event.name)
            self._untouched = []

    def _aside(self) -> None:
        if not self._untouched:
            self._note(Event("point", ""))

    def _note(self, event: Event) -> None:
        """An event begins where the parser is, and its ``raw`` is not known yet."""
        line, column = self.getpos()
        self._found.append((self._lines[line - 1] + column, event))


def _keeps_out(attributes: Attributes) -> bool:
    """Whether an element says that it is not to be translated."""
    values = dict(reversed(attributes))  # the first of a name counts
    return (values.get("translate") or "").lower() == "no" or "notranslate" in (values.get("class") or "").split()


def _text(raw: str, text: str) -> Iterator[Event]:
    """Divide a text at its character references."""
    if _TAG.match(raw):  # a tag that is not complete
        yield Event("point", raw)
        return
    passed = "" if html.unescape(raw) == text else raw[raw.find("<", 1) :]  # by the parser: a tag without a name
    end = 0
    for match in _REFERENCE.finditer(raw, 0, len(raw) - len(passed)):
        if (character := html.unescape(match[0])) != match[0]:
            yield from _plain(raw[end : match.start()])
            yield Event("text", match[0], text=character)
            end = match.end()
    yield from _plain(raw[end : len(raw) - len(passed)])
    if passed:
        yield Event("point", passed)


def _plain(text: str) -> Iterator[Event]:
    if text:
        yield Event("text", text, text=text)

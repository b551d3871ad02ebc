"""Lines of XML: what stands in the content of an element, read by expat."""

from __future__ import annotations

from xml.parsers import expat

from nmt.core.errors import DataError
from nmt.translation.markup.segment import Event

_ROOT = "_"
_BEFORE = len(f"<{_ROOT}>")


def read_xml(text: str) -> list[Event]:
    """Divide a line.

    Raises:
        DataError: it is not well-formed; says what is wrong, and where.
    """
    return _Reader(text).events()


class _Reader:
    """Notes where each event begins; an event reaches to the next one, so that nothing is lost."""

    def __init__(self, text: str) -> None:
        try:
            self._data = f"<{_ROOT}>{text}</{_ROOT}>".encode()
        except UnicodeEncodeError as error:
            place = f"character {error.start - _BEFORE + 1}"
            raise DataError(f"must be well-formed XML, but {place} is half of a surrogate pair") from None
        self._found: list[tuple[int, Event]] = []
        self._open: list[tuple[str, int]] = []
        self._parser = parser = expat.ParserCreate()
        parser.StartElementHandler = lambda name, _: self._start(name)
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = lambda text: self._note(Event("text", "", text=text))
        parser.CommentHandler = parser.DefaultHandler = lambda _: self._note(Event("point", ""))
        parser.ProcessingInstructionHandler = lambda *_: self._note(Event("point", ""))
        parser.StartCdataSectionHandler = lambda: self._note(Event("open", "", "<![CDATA[", verbatim=True))
        parser.EndCdataSectionHandler = lambda: self._note(Event("close", "", "<![CDATA[", verbatim=True))

    def events(self) -> list[Event]:
        """Read all."""
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            raise DataError(f"must be well-formed XML, but {self._reason(error)}") from None
        found = self._found[1:-1]  # without the root
        ends = [begin for begin, _ in self._found[2:]]
        events: list[Event] = []
        for (begin, event), end in zip(found, ends, strict=True):
            raw = self._data[begin:end].decode()
            if event.kind == "close" and not raw:  # <x/> opens and closes at once
                events[-1] = Event("point", events[-1].raw)
            elif event.kind == "text" and not raw.startswith("&"):
                events.append(Event("text", raw, text=raw))
            else:
                events.append(Event(event.kind, raw, event.name, event.text, event.verbatim))
        return events

    def _note(self, event: Event) -> None:
        self._found.append((self._parser.CurrentByteIndex, event))

    def _start(self, name: str) -> None:
        self._open.append((name, self._parser.CurrentByteIndex))
        self._note(Event("open", "", name))

    def _end(self, name: str) -> None:
        self._open.pop()
        place = self._parser.CurrentByteIndex
        if not self._open and place < len(self._data) - len(f"</{_ROOT}>"):
            raise DataError(f"must be well-formed XML, but </{name}> at {self._at(place)} closes nothing")
        self._note(Event("close", "", name))

    def _at(self, place: int) -> str:
        return f"character {len(self._data[_BEFORE:place].decode(errors='replace')) + 1}"

    def _reason(self, error: expat.ExpatError) -> str:
        place = self._parser.ErrorByteIndex
        at, what = self._at(place), expat.ErrorString(error.code)
        if what == expat.errors.XML_ERROR_TAG_MISMATCH:
            name, begin = self._open[-1]
            if place >= len(self._data) - len(f"{_ROOT}>"):
                return f"<{name}> at {self._at(begin)} is not closed"
            closing = "nothing" if len(self._open) == 1 else f"not <{name}>, which is open"
            return f"the tag that ends at {at} closes {closing}"
        if what == expat.errors.XML_ERROR_UNDEFINED_ENTITY:
            return f"the entity at {at} is none of XML's own; write the character, or its number as in &#160;"
        if what == expat.errors.XML_ERROR_INVALID_TOKEN:
            return f"what stands at {at} is not allowed there (in text, & is written &amp; and < is written &lt;)"
        return f"{what} at {at}"

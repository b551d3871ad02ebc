"""Lines with markup, which are translated without it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from nmt.core.errors import DataError
from nmt.core.storage.files import DecodingErrors, LineCount
from nmt.translation.markup.document import read_markup
from nmt.translation.requests.request import Line, Request, text_of


def without_tags(lines: Iterable[Line], name: str, *, count: LineCount, errors: DecodingErrors) -> Iterator[Line]:
    """Take the tags out of lines of XML.

    Args:
        lines: each the content of an element.
        name: of the input in messages.
        count: tells the number of the line.
        errors: ``replace`` makes a line that is not well-formed a request with a ``problem``.

    Raises:
        DataError: a line is not well-formed, with ``strict``; names the line, and what is wrong where.
    """
    for line in lines:
        request = Request(line) if isinstance(line, str) else line
        if request.problem:
            yield request
            continue
        try:
            document = read_markup(request.text, "xml")
        except DataError as error:
            if errors == "strict":
                raise DataError(f"{name}: line {count.lines}: {error}") from None
            yield Request("", problem=str(error), extra=request.extra)
            continue
        yield replace(request, text="".join(document.texts), markup=document)


def segments(lines: Iterable[Line]) -> Iterator[Request]:
    """Divide a page of HTML, given by its lines, into texts, each with what stands before the next one."""
    page = read_markup("".join(f"{text_of(line)}\n" for line in lines), "html")
    for part in page.divided():
        yield Request("".join(part.texts), markup=part)

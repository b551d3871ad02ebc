"""The HTML report: one file that needs no server and no network, written sentence by sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from nmt.alignment.drawing import pages
from nmt.alignment.report.entries import Entry
from nmt.alignment.report.json_entries import embeddable, encode

SCRIPTS = ("read.js", "filter.js", "list.js", "state.js", "sentence.js", "page.js")
"""The report's own, in order of use after those of the pictures."""

CHUNK = 256
"""Number of sentences written together."""

_ROOM = "nmt.alignment.report"
_ENTRIES = "<!-- entries -->"


class ReportWriter:
    """Writes a report to a stream.

    Args:
        stream: of bytes; at most ``CHUNK`` sentences are buffered.
        title: of the report.
        subtitle: a line about the content, such as the model.
    """

    def __init__(self, stream: IO[bytes], *, title: str, subtitle: str = "") -> None:
        self._stream = stream
        self._waiting: list[Entry] = []
        before, self._after = _page(title, subtitle)
        self._write(before)

    def add(self, entry: Entry) -> None:
        """Append a sentence."""
        self._waiting.append(entry)
        if len(self._waiting) >= CHUNK:
            self._flush()

    def add_encoded(self, entries: bytes, *, file: str = "", begin: int = 1) -> None:
        """Append sentences encoded by ``json_entries.encode``.

        Args:
            entries: its result.
            file: name of the file that they are from, if there are several.
            begin: number of the entry that is line 1 of this file.
        """
        opening = embeddable({"file": file, "begin": begin})[:-1] + ',"entries":['
        self._write(f'<script type="application/json" class="entries">{opening}')
        self._write(entries)
        self._write("]}</script>\n")

    def finish(self) -> None:
        """Write the end of the page."""
        self._flush()
        self._write(self._after)

    def _flush(self) -> None:
        if self._waiting:
            self.add_encoded(encode(self._waiting))
            self._waiting.clear()

    def _write(self, part: str | bytes) -> None:
        self._stream.write(part.encode("utf-8") if isinstance(part, str) else part)


@contextlib.contextmanager
def report_file(path: Path, *, title: str, subtitle: str = "") -> Iterator[ReportWriter]:
    """Write a report to a file, atomically.

    Raises:
        NmtError: the file cannot be written.
    """
    with pages.page_file(path) as stream:
        writer = ReportWriter(stream, title=title, subtitle=subtitle)
        yield writer
        writer.finish()


def _page(title: str, subtitle: str) -> tuple[str, str]:
    """Return the parts of the page before and after its entries."""
    page = pages.page(_ROOM, pages.script(_ROOM, SCRIPTS), title=title, subtitle=subtitle)
    before, _, after = page.partition(_ENTRIES)
    return before, after

"""Pages with pictures of alignments: the script and style sheet that they share, joined with their own."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import IO

from nmt.alignment.drawing import colours
from nmt.core.errors import NmtError
from nmt.core.storage.compression import by_name
from nmt.core.storage.files import atomic_write, reporting_os_errors
from nmt.core.storage.output_place import check_place

PICTURES = (
    *("elements.js", "entries.js", "lines.js", "grid.js", "matrix.js", "tree.js"),
    *("picture.js", "controls.js", "hypotheses.js", "focus.js", "theme.js"),
)
"""Scripts in ``pictures/``, in order of use; a page has ``state``, ``names``, ``layers``, ``entry`` and ``show``."""


_ACTION = "write the report"


def check_page(path: Path) -> None:
    """Refuse a page that could not be written, or not be opened by a browser.

    Raises:
        NmtError: says why.
    """
    check_place(path, "report")
    if by_name(path) is not None:
        raise NmtError(f"{path}: cannot {_ACTION} compressed, as browsers do not open that; leave out {path.suffix}")


@contextlib.contextmanager
def page_file(path: Path) -> Iterator[IO[bytes]]:
    """Context that gives the stream of a page that is one file; the file appears at the end, whole or not at all.

    Raises:
        NmtError: the file cannot be written.
    """
    check_page(path)
    with reporting_os_errors(_ACTION), atomic_write(path) as partial, partial.open("wb") as stream:
        yield stream


def page(room: str, code: str, *, title: str, subtitle: str) -> str:
    """Fill ``head.html`` and ``page.html`` of a room with texts, its script and its style.

    Nothing else may run or be fetched, even if a text ever becomes markup. Pictures lie in the page itself (``data:``).
    """
    sheet = style(room)
    policy = (
        f"default-src 'none'; script-src '{_digest(code)}'; style-src '{_digest(sheet)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    template = Template(_picture("head.html") + asset(room, "page.html"))
    return template.substitute(policy=policy, title=escape(title), subtitle=escape(subtitle), style=sheet, script=code)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def script(room: str, names: Sequence[str], *, pictures: Sequence[str] = PICTURES) -> str:
    """Join scripts of the pictures and those of a page, from the folder ``page`` of a room, to one function."""
    parts = [_picture(name) for name in pictures] + [asset(room, name) for name in names]
    return '(() => {\n"use strict";\n\n' + "\n".join(parts) + "\n})();\n"


def style(room: str) -> str:
    """Join the colours of the plots, the style sheet of the pictures, and ``page.css`` of a room."""
    names = {"gold": colours.GOLD, "soft": colours.shade(0.85)}
    palette = "".join(f"--{name}: {value}; " for name, value in names.items())
    return f":root {{ {palette}}}\n{_picture('pictures.css')}\n{asset(room, 'page.css')}"


def asset(room: str, name: str) -> str:
    """Read a file in the folder ``page`` of a room, such as ``nmt.alignment.report``."""
    return files(room).joinpath("page", name).read_text(encoding="utf-8")


def _picture(name: str) -> str:
    return files("nmt.alignment.drawing").joinpath("pictures", name).read_text(encoding="utf-8")

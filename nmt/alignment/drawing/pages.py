"""Pages with pictures of alignments: the script and style sheet that they share, joined with their own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from nmt.alignment.drawing import colours

PICTURES = (
    *("elements.js", "entries.js", "lines.js", "matrix.js", "tree.js"),
    *("picture.js", "controls.js", "hypotheses.js", "focus.js", "theme.js"),
)
"""Scripts in ``pictures/``, in order of use; a page has ``state``, ``names``, ``layers``, ``entry`` and ``show``."""


def script(room: str, names: Sequence[str]) -> str:
    """Join the scripts of the pictures and those of a page, from the folder ``page`` of a room, to one function."""
    parts = [_picture(name) for name in PICTURES] + [asset(room, name) for name in names]
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

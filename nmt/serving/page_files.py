"""The page of the server: text on the left, its translation on the right, and the attention between them."""

from __future__ import annotations

from functools import cache

from nmt.alignment.drawing import pages

SCRIPTS = (
    *("state.js", "units.js", "sentences.js", "client.js", "panes.js"),
    *("candidates.js", "menu.js", "writing.js", "translating.js", "sharing.js", "page.js"),
)
"""Its own scripts, in order of use after those of the pictures."""

_ROOM = "nmt.serving"


@cache
def files() -> dict[str, tuple[str, bytes]]:
    """The files of the page by path: media type and content."""
    return {
        "/": ("text/html; charset=utf-8", pages.asset(_ROOM, "page.html").encode()),
        "/page/page.css": ("text/css; charset=utf-8", pages.style(_ROOM).encode()),
        "/page/page.js": ("text/javascript; charset=utf-8", pages.script(_ROOM, SCRIPTS).encode()),
        "/page/icon.svg": ("image/svg+xml", pages.asset(_ROOM, "icon.svg").encode()),
    }

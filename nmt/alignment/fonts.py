"""Fonts for the words of any language, chosen from those that are installed.

Everything here needs matplotlib, so import this module only where something is drawn.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from matplotlib import ft2font
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import FontEntry, fontManager, get_font

from nmt.alignment.labels import clusters, right_to_left

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASE = "DejaVu Sans"
"""Comes with matplotlib; has Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew and Arabic letters."""

_PREFERRED = (
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans CJK KR",
    "Source Han Sans",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "IPAexGothic",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Arial Unicode MS",
)
_NOT_FOR_READING = ("Last Resort", "STIX", "cm", "DejaVu Sans Display", "DejaVu Serif Display")


def families(texts: Iterable[str]) -> list[str]:
    """Return font families that together hold the letters of some texts, as far as installed fonts have them.

    The first is always ``BASE``; others are added, known good ones first, only for letters that all before them lack.
    """
    result = [BASE]
    missing = {character for text in texts for character in text if not character.isspace()}
    missing = {c for c in missing if ord(c) not in _characters(_path_of(BASE))}
    if missing:
        for name, path in _installed():
            held = {c for c in missing if ord(c) in _characters(path)}
            if held:
                result.append(name)
                missing -= held
            if not missing:
                break
    return result


@contextmanager
def quiet_about_missing_glyphs() -> Iterator[None]:
    """Draw letters that no installed font has as boxes, without a warning for each: there is nothing better to draw."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support", category=UserWarning)
        yield


def shown(word: str) -> str:
    """Return a word as it must be handed to matplotlib to be seen in the right direction.

    From 3.11 on matplotlib shapes text itself; before, it sets letters from left to right, so a right-to-left word is
    reversed here (Arabic letters then stand unjoined).
    """
    if hasattr(ft2font, "__libraqm_version__") or not right_to_left([word]):
        return word
    return "".join(reversed(clusters(word)))


def text_widths(figure: Figure, words: Iterable[str], *, size: float, family: list[str]) -> list[float]:
    """Return the widths of some words in inches, set in a font of ``size`` points."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    widths = []
    with quiet_about_missing_glyphs():
        for word in words:
            text = figure.text(0, 0, word, fontsize=size, fontfamily=family, parse_math=False)
            widths.append(float(text.get_window_extent(renderer).width) / float(figure.dpi))
            text.remove()
    return widths


@cache
def _installed() -> tuple[tuple[str, str], ...]:
    """Regular upright fonts as (family, file), the preferred families first, then by name."""
    found: dict[str, str] = {}
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.name, str(entry.fname))):
        if _is_regular(entry) and not entry.name.startswith(_NOT_FOR_READING):
            found.setdefault(entry.name, str(entry.fname))
    first = [name for name in _PREFERRED if name in found]
    return tuple((name, found[name]) for name in [*first, *(n for n in found if n not in first)])


def _is_regular(entry: FontEntry) -> bool:
    return entry.style == "normal" and entry.weight in {400, "normal", "regular", "book"}


@cache
def _path_of(name: str) -> str:
    return fontManager.findfont(name)


@cache
def _characters(path: str) -> frozenset[int]:
    return frozenset(get_font(path).get_charmap())

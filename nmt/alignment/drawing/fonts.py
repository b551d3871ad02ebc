"""Fonts for any language, chosen from the installed ones.

This module needs matplotlib: import it only for drawing.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from matplotlib import ft2font
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import FontEntry, findSystemFonts, fontManager, get_font, weight_dict

from nmt.alignment.drawing.font_advice import advice, script_of
from nmt.alignment.drawing.labels import clusters, right_to_left
from nmt.core.characters import is_blank
from nmt.core.logging import logger

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASE = "DejaVu Sans"
"""Included in matplotlib; has Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew and Arabic letters."""

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
    """Return font families that together cover the letters of some texts, as far as installed fonts do.

    The first is always ``BASE``; others, known good ones first, are added only for letters that all before them lack.
    A script that no font covers is drawn as boxes; a single warning names it, and a font that covers it.
    """
    missing = {character for text in texts for character in text if not is_blank(character)}
    missing = {c for c in missing if ord(c) not in _characters(_path_of(BASE))}
    found, lacking = _fonts_for(missing)
    if lacking and _find_new_fonts():
        found, lacking = _fonts_for(missing)
    _report(lacking)
    return [BASE, *found]


def _fonts_for(missing: set[str]) -> tuple[list[str], set[str]]:
    """Return fonts for letters, and the letters that no font has."""
    found = []
    for name, path in _installed() if missing else ():
        held = {c for c in missing if ord(c) in _characters(path)}
        if held:
            found.append(name)
            missing = missing - held
        if not missing:
            break
    return found, missing


@cache
def _find_new_fonts() -> bool:
    """Find fonts that are missing in matplotlib's list, which it caches between runs."""
    known = {str(entry.fname) for entry in fontManager.ttflist}
    new = sorted(set(findSystemFonts()) - known)
    for path in new:
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # not a readable font
            fontManager.addfont(path)
    _installed.cache_clear()
    return bool(new)


_reported: set[str] = set()


def _report(missing: set[str]) -> None:
    """Warn of scripts that cannot be drawn, with advice."""
    new = sorted(letter for letter in missing if script_of(letter) not in _reported)
    if not new:
        return
    scripts = sorted({script_of(letter) for letter in new})
    _reported.update(scripts)
    letters = " ".join(new[:8]) + (f" and {len(new) - 8} more" if len(new) > 8 else "")
    logger.warning(
        "plots: no installed font has %s (%s), so boxes are drawn in their place; %s",
        letters,
        ", ".join(script or "no character of Unicode" for script in scripts),
        advice(new),
    )


@contextlib.contextmanager
def quiet_about_missing_glyphs() -> Iterator[None]:
    """Context without warnings for letters drawn as boxes and for fonts without the wanted weight.

    Nothing better can be drawn, and ``families`` has warned.
    """
    finder = logging.getLogger("matplotlib.font_manager")
    level = finder.level
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        stack.callback(finder.setLevel, level)
        finder.setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support", category=UserWarning)
        yield


def shown(word: str) -> str:
    """Return a word as matplotlib needs it to show the right direction.

    From 3.11 on, matplotlib shapes text itself. Older versions set letters from left to right, so this function
    reverses right-to-left words (Arabic letters are then not joined).
    """
    if hasattr(ft2font, "__libraqm_version__") or not right_to_left([word]):
        return word
    return "".join(reversed(clusters(word)))


def text_widths(figure: Figure, words: Iterable[str], *, size: float, family: list[str]) -> list[float]:
    """Return the widths of words in inches, in a font of ``size`` points."""
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
    """Upright fonts as (family, file), each in its most regular weight; preferred ones first."""
    found: dict[str, str] = {}
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.name, _heaviness(entry), str(entry.fname))):
        if entry.style == "normal" and not entry.name.startswith(_NOT_FOR_READING):
            found.setdefault(entry.name, str(entry.fname))
    first = [name for name in _PREFERRED if name in found]
    return tuple((name, found[name]) for name in [*first, *(n for n in found if n not in first)])


def _heaviness(entry: FontEntry) -> int:
    """Distance of a font from the regular weight of 400; some good fonts (WenQuanYi Zen Hei) are only medium."""
    weight = entry.weight
    return abs((weight if isinstance(weight, int) else weight_dict.get(weight, 400)) - 400)


@cache
def _path_of(name: str) -> str:
    return fontManager.findfont(name)


@cache
def _characters(path: str) -> frozenset[int]:
    return frozenset(get_font(path).get_charmap())

"""Fonts for the words of any language, chosen from those that are installed.

Everything here needs matplotlib, so import this module only where something is drawn.
"""

from __future__ import annotations

import contextlib
import logging
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from matplotlib import ft2font
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import FontEntry, fontManager, get_font, weight_dict

from nmt.alignment.labels import clusters, right_to_left
from nmt.core.logging import logger

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
    Letters that no font has are named in a warning, each once: they will be drawn as boxes.
    """
    result = [BASE]
    missing = {character for text in texts for character in text if not _is_invisible(character)}
    missing = {c for c in missing if ord(c) not in _characters(_path_of(BASE))}
    if missing:
        for name, path in _installed():
            held = {c for c in missing if ord(c) in _characters(path)}
            if held:
                result.append(name)
                missing -= held
            if not missing:
                break
    _report(missing)
    return result


_reported: set[str] = set()


def _report(missing: set[str]) -> None:
    """Say which letters cannot be drawn, and what helps."""
    new = sorted(missing - _reported)
    if not new:
        return
    _reported.update(new)
    letters = " ".join(new[:8]) + (f" and {len(new) - 8} more" if len(new) > 8 else "")
    scripts = ", ".join(sorted({unicodedata.name(letter, "unknown").split()[0].split("-")[0] for letter in new}))
    logger.warning(
        "plots: no installed font has %s (%s), so boxes are drawn in their place; install a font that has them, "
        "such as Noto Sans, or Noto Sans CJK for Chinese, Japanese and Korean",
        letters,
        scripts,
    )


def _is_invisible(character: str) -> bool:
    """Whether nothing is missing if no font has it: white space, marks of format, choices between forms of a letter."""
    return character.isspace() or unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


@contextlib.contextmanager
def quiet_about_missing_glyphs() -> Iterator[None]:
    """Draw letters that no installed font has as boxes, and take the weight a font has, without a warning for each.

    There is nothing better to draw, and ``families`` has said so.
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
    """Upright fonts as (family, file), each as near to a regular weight as it has; the preferred ones first."""
    found: dict[str, str] = {}
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.name, _heaviness(entry), str(entry.fname))):
        if entry.style == "normal" and not entry.name.startswith(_NOT_FOR_READING):
            found.setdefault(entry.name, str(entry.fname))
    first = [name for name in _PREFERRED if name in found]
    return tuple((name, found[name]) for name in [*first, *(n for n in found if n not in first)])


def _heaviness(entry: FontEntry) -> int:
    """How far a font is from the regular weight of 400; some good fonts (WenQuanYi Zen Hei) only come as a medium."""
    weight = entry.weight
    return abs((weight if isinstance(weight, int) else weight_dict.get(weight, 400)) - 400)


@cache
def _path_of(name: str) -> str:
    return fontManager.findfont(name)


@cache
def _characters(path: str) -> frozenset[int]:
    return frozenset(get_font(path).get_charmap())

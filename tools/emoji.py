"""Write pictures of emoji and their names in several languages, from packages of Debian."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import numpy
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
NAMES = Path("/usr/share/unicode/cldr/common")
LANGUAGES = ("en", "de", "fr", "cs", "ru")
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}

_STRIKE = 109  # the only size of the font's bitmaps, in pixels for an em
_WIDTH = 136
_TONES = frozenset(range(0x1F3FB, 0x1F400))
_PEOPLE = frozenset({0x1F466, 0x1F467, 0x1F468, 0x1F469, 0x1F9D1, 0x1F9D2})  # boy, girl, man, woman, person, child
_SIGNS = frozenset({0xFE0F, 0x2640, 0x2642, 0x200D})  # emoji style, female, male, joiner

_EXAMPLES = """\
examples:
  apt install fonts-noto-color-emoji unicode-cldr-core
  python tools/emoji.py emoji
  python tools/emoji.py emoji --languages en de ja sw ar --seed 2

For each part (train, validation, test) it writes
  PART.images          a picture, a tabulator and a language, a line: the question asks for the name in that language
  PART.names           the names
and for each language PART.LANGUAGE.images, PART.LANGUAGE.names and, for the test,
  test.LANGUAGE.nearest   the name of the most similar training picture: what a model must beat
All emoji with the same base (such as all skin colours of a wave) are in the same part, so those of the test are unseen.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emoji.py", description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where the files go; created if missing")
    parser.add_argument(
        "--languages", nargs="+", default=LANGUAGES, metavar="CODE", help=f"default: {' '.join(LANGUAGES)}"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the split (default: 1)")
    parser.add_argument("--font", type=Path, default=FONT, metavar="FILE", help=f"default: {FONT}")
    parser.add_argument("--names", type=Path, default=NAMES, metavar="DIR", help=f"Unicode's CLDR; default: {NAMES}")
    return parser


def read_names(folder: Path, language: str) -> dict[str, str]:
    """Read the name of each emoji in a language from CLDR."""
    names: dict[str, str] = {}
    for part in ("annotations", "annotationsDerived"):
        path = folder / part / f"{language}.xml"
        if not path.is_file():
            raise SystemExit(f"error: {path}: there is no such file; check the language, and install unicode-cldr-core")
        for each in ElementTree.parse(path).iter("annotation"):
            if each.get("type") == "tts" and each.text:
                names[str(each.get("cp"))] = " ".join(each.text.split())
    return names


def base(emoji: str) -> tuple[int, ...]:
    """Return what an emoji has in common with its variants of skin, gender and person."""
    if _is_flag(emoji):
        return tuple(map(ord, emoji))
    codes = [code for code in map(ord, emoji) if code not in _TONES and code not in _SIGNS] or [ord(emoji[0])]
    people = [code for code in codes if code in _PEOPLE]
    if people and len(codes) > len(people):  # somebody with something, such as an astronaut
        return tuple(code for code in codes if code not in _PEOPLE)
    return (len(people),) if people else (codes[0],)


def _is_flag(emoji: str) -> bool:
    return all(0x1F1E6 <= ord(each) <= 0x1F1FF for each in emoji)


def draw(emoji: str, font: ImageFont.FreeTypeFont) -> Image.Image | None:
    """Draw an emoji on white; ``None`` if the font has no picture of it as a whole."""
    if not 0 < font.getlength(emoji) <= _WIDTH:
        return None
    picture = Image.new("RGB", (_WIDTH, _WIDTH), "white")
    ImageDraw.Draw(picture).text((0, 4), emoji, font=font, embedded_color=True)
    return picture if len(picture.getcolors(_WIDTH**2) or ()) > 2 else None


def split(emojis: Iterable[str], seed: int) -> dict[str, list[str]]:
    """Divide emoji into parts, all with the same base into the same."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for emoji in emojis:
        groups.setdefault(base(emoji), []).append(emoji)
    order = sorted(groups)
    Random(seed).shuffle(order)
    total = sum(map(len, groups.values()))
    parts: dict[str, list[str]] = {part: [] for part in SHARES}
    for key in order:
        # The part that lacks most of its share.
        part = max(SHARES, key=lambda each: SHARES[each] * total - len(parts[each]))
        parts[part] += sorted(groups[key])
    return parts


def nearest(pictures: Sequence[NDArray[numpy.float32]], known: Sequence[NDArray[numpy.float32]]) -> list[int]:
    """Return for each picture the known one with the smallest squared difference of pixels."""
    ours, theirs = (numpy.stack([each.ravel() for each in several]) for several in (pictures, known))
    squares = (theirs**2).sum(1)
    return [int(numpy.argmin(squares - 2 * theirs @ one)) for one in ours]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files."""
    options = _parser().parse_args(arguments)
    if not options.font.is_file():
        raise SystemExit(f"error: {options.font}: there is no such font; install fonts-noto-color-emoji")
    if not features.check("raqm"):
        raise SystemExit("error: Pillow must have Raqm, which joins the parts of an emoji; install libraqm0")
    font = ImageFont.truetype(options.font, _STRIKE)
    names = {language: read_names(options.names, language) for language in options.languages}
    everywhere = sorted(set.intersection(*(set(each) for each in names.values())))
    folder: Path = options.folder
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Path] = {}
    small: dict[str, NDArray[numpy.float32]] = {}
    for emoji in everywhere:
        picture = draw(emoji, font)
        if picture is not None:
            drawn[emoji] = Path("pictures") / f"{'-'.join(f'{ord(each):x}' for each in emoji)}.png"
            picture.save(folder / drawn[emoji])
            small[emoji] = numpy.asarray(picture.resize((32, 32)), dtype=numpy.float32) / 255
    parts = split(drawn, options.seed)
    if not all(parts.values()):
        raise SystemExit(f"error: {len(drawn)} emoji have a picture and a name in every language, too few to divide")
    for part, emojis in parts.items():
        asked = [(emoji, language) for emoji in emojis for language in options.languages]
        _write(folder / f"{part}.images", [f"{drawn[emoji]}\t{language}" for emoji, language in asked])
        _write(folder / f"{part}.names", [names[language][emoji] for emoji, language in asked])
        for language in options.languages:
            _write(folder / f"{part}.{language}.images", [f"{drawn[emoji]}\t{language}" for emoji in emojis])
            _write(folder / f"{part}.{language}.names", [names[language][emoji] for emoji in emojis])
    places = nearest([small[emoji] for emoji in parts["test"]], [small[emoji] for emoji in parts["train"]])
    for language in options.languages:
        found = [names[language][parts["train"][place]] for place in places]
        _write(folder / f"test.{language}.nearest", found)
    counts = ", ".join(f"{len(emojis):,} for {part}" for part, emojis in parts.items())
    print(f"{folder}: {len(drawn):,} emoji ({counts}) in {len(options.languages)} languages")
    return 0


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

"""Two digits of many fonts, somewhere among pieces of others."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from random import Random

import matplotlib
import numpy
from PIL import Image, ImageDraw, ImageFont

FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralBol",
)
Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are the first outside."""

_TRIES = 1000
_WELL_COVERED = [255 * (grey >= 64) for grey in range(256)]


@dataclass(frozen=True)
class Digit:
    """A digit in a picture."""

    text: str
    box: Box


@functools.cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def _shape(random: Random, size: int) -> tuple[str, Image.Image]:
    """Draw a digit, turned a little, on the smallest picture that holds it: 255 where it covers a pixel."""
    text, height = random.choice("0123456789"), size * random.uniform(0.25, 0.375)
    font = _font(random.choice(FONTS), size * 3 // 4)  # larger than it will be, for smooth edges
    left, top, right, bottom = font.getbbox(text)
    margin = size // 8
    canvas = Image.new("L", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin))
    ImageDraw.Draw(canvas).text((margin - left, margin - top), text, fill=255, font=font)
    turned = canvas.rotate(random.uniform(-12, 12), Image.Resampling.BICUBIC)
    whole = turned.crop(turned.getbbox())
    shape = whole.resize((max(round(whole.width * height / whole.height), 1), round(height)))
    return text, shape.crop(shape.point(_WELL_COVERED).getbbox())


def _overlap(one: Box, other: Box, gap: int) -> bool:
    return one[0] < other[2] + gap and other[0] < one[2] + gap and one[1] < other[3] + gap and other[1] < one[3] + gap


def draw_digits(random: Random, size: int, fragments: int) -> tuple[Image.Image, list[Digit]]:
    """Draw two digits and so many fragments on a square of ``size`` pixels; give the digits from left to right.

    Digits are a quarter to three eighths of the picture high and do not touch. The middle of the second lies an eighth
    of the picture or more to the right of the first, so that their order is plain. Fragments have an eighth of the
    picture on a side and keep off the digits.
    """
    covered = numpy.zeros((size, size))
    digits: list[Digit] = []
    while len(digits) < 2:
        text, shape = _shape(random, size)
        box = _place(random, shape, size)
        middles = [(each.box[0] + each.box[2]) / 2 for each in digits]
        apart = all(abs((box[0] + box[2]) / 2 - middle) >= size / 8 for middle in middles)
        if apart and not any(_overlap(box, each.box, 2) for each in digits):
            _lay(covered, shape, box)
            digits.append(Digit(text, box))
    for _ in range(fragments):
        fragment = _fragment(random, size)
        for _ in range(_TRIES):
            box = _place(random, fragment, size)
            if not any(_overlap(box, each.box, 1) for each in digits):
                _lay(covered, fragment, box)
                break
    return _coloured(covered, random), sorted(digits, key=lambda digit: digit.box[0] + digit.box[2])


def _fragment(random: Random, size: int) -> Image.Image:
    """Cut a square out of another digit."""
    _, shape = _shape(random, size)
    side = size // 8
    left, top = (random.randint(0, max(extent - side, 0)) for extent in shape.size)
    return shape.crop((left, top, min(left + side, shape.width), min(top + side, shape.height)))


def _place(random: Random, shape: Image.Image, size: int) -> Box:
    left, top = (random.randint(0, size - extent) for extent in shape.size)
    return left, top, left + shape.width, top + shape.height


def _lay(covered: numpy.ndarray, shape: Image.Image, box: Box) -> None:
    left, top, right, bottom = box
    window = covered[top:bottom, left:right]
    numpy.maximum(window, numpy.asarray(shape) / 255.0, out=window)


def _coloured(covered: numpy.ndarray, random: Random) -> Image.Image:
    """Give ground and ink colours, light on dark, and add noise."""
    ground, ink = ([random.randint(low, high) for _ in range(3)] for low, high in ((0, 60), (195, 255)))
    picture = numpy.array(ground) + covered[..., None] * (numpy.array(ink) - numpy.array(ground))
    noise = numpy.random.default_rng(random.getrandbits(32)).normal(0.0, 10.0, picture.shape)
    return Image.fromarray((picture + noise).clip(0, 255).round().astype(numpy.uint8))

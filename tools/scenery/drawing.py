"""Scenes as pictures."""

from __future__ import annotations

from random import Random

import numpy
from PIL import Image, ImageDraw

from tools.scenery.layout import COLOURS, Scene, Thing

_FINER = 4
"""Drawn so much larger and then reduced, for smooth edges."""


def draw_picture(scene: Scene, size: int, random: Random) -> Image.Image:
    """Draw a scene on a square of ``size`` pixels: on plain grey, or, every second time, with noise."""
    grey = random.randint(95, 160)
    picture = Image.new("RGB", (size * _FINER, size * _FINER), tuple(grey + random.randint(-8, 8) for _ in range(3)))
    ground = picture.getpixel((0, 0))
    draw = ImageDraw.Draw(picture)
    for thing in scene.things:
        colour = tuple(min(max(part + random.randint(-15, 15), 0), 255) for part in COLOURS[thing.colour])
        draw.polygon(_pixels(thing, picture.width), fill=colour)
        if thing.shape == "ring":
            draw.polygon(_pixels(thing, picture.width, hole=0.55), fill=ground)
    picture = picture.reduce(_FINER)
    return _with_noise(picture, random) if random.random() < 0.5 else picture


def _pixels(thing: Thing, width: int, hole: float = 1.0) -> list[tuple[float, float]]:
    return [
        ((thing.x + hole * (x - thing.x)) * width, (thing.y + hole * (y - thing.y)) * width) for x, y in thing.outline
    ]


def _with_noise(picture: Image.Image, random: Random) -> Image.Image:
    """Add patches of 2 x 2 pixels that are lighter or darker."""
    height, width = picture.height // 2, picture.width // 2
    noise = numpy.random.default_rng(random.getrandbits(32)).normal(0.0, 18.0, (height + 1, width + 1, 1))
    noise = noise.repeat(2, axis=0).repeat(2, axis=1)[: picture.height, : picture.width]
    return Image.fromarray((numpy.asarray(picture) + noise).clip(0, 255).round().astype(numpy.uint8))

"""Scenes of one to three coloured shapes that stand where it is plain to see; lengths are in widths of a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

COLOURS = {
    "red": (205, 35, 40),
    "orange": (240, 140, 25),
    "yellow": (245, 225, 60),
    "green": (40, 150, 60),
    "blue": (45, 80, 205),
    "purple": (135, 50, 160),
    "white": (245, 245, 245),
    "black": (25, 25, 25),
}

SHAPES = ("circle", "ring", "square", "diamond", "triangle", "star", "cross")

LARGE, SMALL, MIDDLING = (0.15, 0.19), (0.085, 0.11), (0.10, 0.125)
"""Least and largest radius."""

THIRDS = (1 / 6, 1 / 2, 5 / 6)


@dataclass(frozen=True, slots=True)
class Thing:
    """A shape: its colour and kind, its middle, the radius of the circle around it, and how far it is turned.

    Args:
        colour: one of ``COLOURS``.
        shape: one of ``SHAPES``.
        x: of its middle, from the left edge.
        y: of its middle, from the top edge.
        radius: from the middle to its farthest point.
        angle: in radians.
    """

    colour: str
    shape: str
    x: float
    y: float
    radius: float
    angle: float

    @property
    def name(self) -> tuple[str, str]:
        """Colour and shape."""
        return self.colour, self.shape

    @property
    def outline(self) -> list[tuple[float, float]]:
        """Corners; 60 of them where it is round."""
        return [
            (self.x + self.radius * r * math.sin(a + self.angle), self.y - self.radius * r * math.cos(a + self.angle))
            for r, a in _corners(self.shape)
        ]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        xs, ys = zip(*self.outline, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


def _corners(shape: str) -> list[tuple[float, float]]:
    """Distances from the middle, of at most 1, and angles from the top clockwise."""
    turn = 2 * math.pi
    if shape == "cross":
        inner, outer = math.sqrt(2) * 0.3, math.hypot(0.3, 0.95)
        edge = math.atan2(0.3, 0.95)
        return [
            corner
            for arm in range(4)
            for corner in (
                (outer, arm * turn / 4 - edge),
                (outer, arm * turn / 4 + edge),
                (inner, (arm + 0.5) * turn / 4),
            )
        ]
    count = {"square": 4, "diamond": 4, "triangle": 3, "star": 10}.get(shape, 60)
    begin = turn / 8 if shape == "square" else 0.0
    radii = (1.0, 0.42) if shape == "star" else (1.0, 0.62) if shape == "diamond" else (1.0, 1.0)
    return [(radii[corner % 2], begin + corner * turn / count) for corner in range(count)]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows.

    Args:
        things: the one that is spoken of, and those beside it.
        relation: of the first to the others: left of, right of, above, below or between; or the place of the only one.
    """

    things: tuple[Thing, ...]
    relation: str


def draw_scene(random: Random) -> Scene:
    """Draw a scene with one, two or three things; every relation is as likely as its siblings."""
    return random.choices([_one, _two, _three], [1, 3, 1])[0](random)


def _one(random: Random) -> Scene:
    size = random.choice([LARGE, SMALL])
    row, column = random.randrange(3), random.randrange(3)
    low, high = (0.02 + size[1], 0.98 - size[1])
    x, y = (min(max(THIRDS[third] + random.uniform(-0.1, 0.1), low), high) for third in (column, row))
    vertical, horizontal = ("top", "", "bottom")[row], ("left", "", "right")[column]
    place = f"at the {' '.join(filter(None, [vertical, horizontal]))}" if vertical or horizontal else "in the middle"
    return Scene((_thing(random, size, x, y),), place)


def _two(random: Random) -> Scene:
    """The first is the larger one; it stands to one side of the other, and not much to another."""
    first, second = _placed(random, [LARGE, SMALL], _is_plain)
    x, y = first.x - second.x, first.y - second.y
    relation = ("left of" if x < 0 else "right of") if abs(x) > abs(y) else ("above" if y < 0 else "below")
    return Scene((first, second), relation)


def _three(random: Random) -> Scene:
    """The first stands between the others, of which the left or upper one comes first."""
    middle, *others = _placed(random, [MIDDLING] * 3, lambda middle, *others: _is_between(middle, others))
    across = abs(others[0].x - others[1].x) > abs(others[0].y - others[1].y)
    others.sort(key=lambda thing: thing.x if across else thing.y)
    return Scene((middle, *others), "between")


def _placed(random: Random, sizes: Iterable[tuple[float, float]], fits: Callable[..., bool]) -> tuple[Thing, ...]:
    """Draw things until they stand as they should."""
    while True:
        found = []
        for size in sizes:
            low, high = (0.02 + size[1], 0.98 - size[1])
            found.append(_thing(random, size, random.uniform(low, high), random.uniform(low, high)))
        if fits(*found):
            return tuple(found)


def _is_plain(one: Thing, other: Thing) -> bool:
    """Whether they do not touch, and one side is clearly that where the other stands."""
    near, far = sorted([abs(one.x - other.x), abs(one.y - other.y)])
    return far >= one.radius + other.radius + 0.03 and near <= 0.4 * far


def _is_between(middle: Thing, others: Iterable[Thing]) -> bool:
    (x, y), (u, v) = ((other.x - middle.x, other.y - middle.y) for other in others)
    plain = all(_is_plain(middle, other) for other in others)
    return plain and (
        (x * u < 0 and abs(x) > abs(y) and abs(u) > abs(v)) or (y * v < 0 and abs(y) > abs(x) and abs(v) > abs(u))
    )


def _thing(random: Random, size: tuple[float, float], x: float, y: float) -> Thing:
    return Thing(
        colour=random.choice(list(COLOURS)),
        shape=random.choice(SHAPES),
        x=x,
        y=y,
        radius=random.uniform(*size),
        angle=random.uniform(-0.14, 0.14),
    )

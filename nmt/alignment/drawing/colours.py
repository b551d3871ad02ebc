"""The colours of attention in plots, notebooks and reports.

Weights go from white to a deep blue. With almost one hue they suit every kind of colour blindness; darker with higher
weight, they print well in grey. Equal steps of weight are equal steps in OKLab (Ottosson, 2020).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

GOLD = "#d55e00"
"""Gold links: the vermilion of Okabe and Ito (2008), distinct from blue for colour-blind people too."""

INK = "#1f2430"
MUTED = "#6b7280"
FAINT = "#e5e7eb"

_STOPS = np.array([[1.0, 0.0, 0.0], [0.68, -0.045, -0.105], [0.28, 0.0, -0.12]])  # L, a, b
_LEVELS = 256

_TO_LMS = np.array(
    [[1.0, 0.3963377774, 0.2158037573], [1.0, -0.1055613458, -0.0638541728], [1.0, -0.0894841775, -1.2914855480]]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@cache
def shades() -> tuple[str, ...]:
    """The 256 colours from weight 0 to weight 1, as ``#rrggbb``."""
    encoded = np.rint(to_rgb(_path()) * 255).astype(int)
    return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in encoded)


def shade(weight: float) -> str:
    """The colour of a weight, clipped to [0, 1]."""
    return shades()[round(min(max(weight, 0.0), 1.0) * (_LEVELS - 1))]


def _path() -> NDArray[np.float64]:
    """Return (256, 3) points in OKLab, evenly spaced along the line through the stops."""
    distances = np.concatenate([[0.0], np.linalg.norm(np.diff(_STOPS, axis=0), axis=1).cumsum()])
    places = np.linspace(0.0, distances[-1], _LEVELS)
    return np.stack([np.interp(places, distances, channel) for channel in _STOPS.T], axis=1)


def to_rgb(oklab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert colours (..., 3) from OKLab to sRGB in [0, 1], clipped to what a screen has."""
    linear = np.clip((oklab @ _TO_LMS.T) ** 3 @ _TO_RGB.T, 0.0, 1.0)
    return np.asarray(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def to_oklab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert colours (..., 3) from sRGB in [0, 1] to OKLab: lightness, and two axes of colour."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ np.linalg.inv(_TO_RGB).T) @ np.linalg.inv(_TO_LMS).T)

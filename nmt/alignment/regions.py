"""Pointing: whether attention looks at what a word names, in a picture or a recording with known regions.

A file of regions has a JSON list a line, for the target on the same line of its file. Each of its entries says which
word, counted from 0, names what is where: ``{"word": 1, "box": [left, top, right, bottom]}`` in pixels of the picture,
or ``{"word": 1, "span": [begin, end]}`` in seconds of the recording.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nmt.alignment.soft_alignment import Weights
from nmt.core.errors import DataError
from nmt.core.storage.files import read_text_lines

RegionKind: TypeAlias = Literal["box", "span"]
"""Regions of pictures are boxes; those of sources with one dimension are spans."""

_EDGES = {"box": ("left", "top", "right", "bottom"), "span": ("begin", "end")}


@dataclass(frozen=True, slots=True)
class Region:
    """What a word names.

    Args:
        word: its index in the target, from 0.
        bounds: (left, top, right, bottom) of a box, or (begin, end) of a span.
    """

    word: int
    bounds: tuple[float, ...]


def read_regions(
    path: str | Path, kind: RegionKind, *, target_lengths: Sequence[int] | None = None
) -> list[tuple[Region, ...]]:
    """Read a file of regions, one line for each target; a blank line has none.

    Args:
        path: a text file, plain or compressed.
        kind: that of all its regions.
        target_lengths: words of each target, to check the lines and indices.

    Raises:
        DataError: the file cannot be read, a region is not one of this kind, or the targets are others.
    """
    lines = [
        parse_regions(line, kind, where=f"{path}: line {number}")
        for number, line in enumerate(read_text_lines(path, what="file of regions"), start=1)
    ]
    if target_lengths is None:
        return lines
    if len(lines) != len(target_lengths):
        raise DataError(f"{path}: must have a line for each target, {len(target_lengths)}, but has {len(lines)}")
    for number, (regions, count) in enumerate(zip(lines, target_lengths, strict=True), start=1):
        for region in regions:
            if region.word >= count:
                raise DataError(
                    f"{path}: line {number}: word must be below {count}, the number of words of the target, but is "
                    f"{region.word}"
                )
    return lines


def parse_regions(text: str, kind: RegionKind, *, where: str) -> tuple[Region, ...]:
    """Read one line of regions; ``where`` is its file and line, for messages.

    Raises:
        DataError: it is not a JSON list of regions of this kind.
    """
    if not text.strip():
        return ()
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: must be JSON, but is not: {error}") from error
    example = json.dumps([{"word": 1, kind: [10 * edge for edge in range(1, len(_EDGES[kind]) + 1)]}])
    if not isinstance(entries, list):
        raise DataError(f"{where}: must be a list of regions, such as {example}, but is {_shown(entries)}")
    return tuple(_region(entry, kind, f"{where}, region {place}") for place, entry in enumerate(entries, start=1))


def _region(entry: Any, kind: RegionKind, where: str) -> Region:
    if not isinstance(entry, dict) or entry.keys() != {"word", kind}:
        raise DataError(f'{where}: must be an object with "word" and "{kind}", but is {_shown(entry)}')
    word, bounds = entry["word"], entry[kind]
    if not isinstance(word, int) or isinstance(word, bool) or word < 0:
        raise DataError(f"{where}: word must be the index of a word, from 0, but is {_shown(word)}")
    names = _EDGES[kind]
    numbers = isinstance(bounds, list) and len(bounds) == len(names) and all(map(_is_number, bounds))
    half = len(names) // 2
    if not numbers or any(low >= high for low, high in zip(bounds[:half], bounds[half:], strict=True)):
        order = " and ".join(f"{low} below {high}" for low, high in zip(names[:half], names[half:], strict=True))
        raise DataError(f"{where}: {kind} must be [{', '.join(names)}] with {order}, but is {_shown(bounds)}")
    return Region(word, tuple(map(float, bounds)))


_LARGEST = 1e12


def _is_number(value: Any) -> bool:
    # Integers of hundreds of digits are no floats.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def cells_within(bounds: Sequence[float], extent: Sequence[float], shape: Sequence[int]) -> NDArray[np.float64]:
    """Return how much of each position lies within a region, from 0 to 1: (S,), the cells of a grid row by row.

    Args:
        bounds: of the region.
        extent: what all positions together cover, in the same units.
        shape: of the memory: (S,) or (height, width).
    """
    ranges = _ranges(bounds, extent, shape)
    parts = [
        np.clip(np.minimum(high, np.arange(1, size + 1)) - np.maximum(low, np.arange(size)), 0.0, None)
        for (low, high), size in zip(ranges, shape, strict=True)
    ]
    return np.asarray(parts[0] if len(parts) == 1 else np.outer(*parts).ravel())


def pointing_positions(bounds: Sequence[float], extent: Sequence[float], shape: Sequence[int]) -> NDArray[np.bool_]:
    """Return which positions (S,) point at a region: those with their middle in it, and the one with its middle.

    Arguments as for ``cells_within``.
    """
    axes = []
    for (low, high), size in zip(_ranges(bounds, extent, shape), shape, strict=True):
        places, middle = np.arange(size), (low + high) / 2
        axes.append(((low <= places + 0.5) & (places + 0.5 <= high)) | ((places <= middle) & (middle < places + 1)))
    return np.asarray(axes[0] if len(axes) == 1 else np.outer(*axes).ravel())


def _ranges(bounds: Sequence[float], extent: Sequence[float], shape: Sequence[int]) -> list[tuple[float, float]]:
    """Return both ends of a region along each axis of the memory, in positions: over rows first, then columns."""
    parts, half = fractions(bounds, extent), len(bounds) // 2
    axes = zip(reversed(range(half)), shape, strict=True)
    return [(parts[axis] * size, parts[half + axis] * size) for axis, size in axes]


def fractions(bounds: Sequence[float], extent: Sequence[float]) -> tuple[float, ...]:
    """Return the bounds of a region as fractions of what all positions cover."""
    half = len(bounds) // 2
    ends = [(extent[edge % half], extent[half + edge % half]) for edge in range(len(bounds))]
    return tuple((edge - begin) / (end - begin) for edge, (begin, end) in zip(bounds, ends, strict=True))


@dataclass(frozen=True, slots=True)
class Pointing:
    """How often and how much attention looks at what a word names.

    Args:
        words: number of words with a region.
        hits: share of them whose heaviest position points at the region.
        share: mean share of the attention within the region.
        chance_hits: the ``hits`` of a position drawn at random.
        chance_share: the ``share`` of even attention.
    """

    words: int
    hits: float
    share: float
    chance_hits: float
    chance_share: float

    def __str__(self) -> str:
        return (
            f"pointing: heaviest position inside {100 * self.hits:.1f} % (by chance {100 * self.chance_hits:.1f} %), "
            f"attention inside {100 * self.share:.1f} % (by chance {100 * self.chance_share:.1f} %), {self.words} words"
        )


@dataclass(slots=True)
class PointingTally:
    """Collects pointing over targets; see ``Pointing``."""

    _found: dict[str, list[tuple[bool, float, float, float]]] = field(default_factory=lambda: defaultdict(list))
    _totals: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(
        self,
        words: Sequence[str],
        weights: Weights,
        regions: Iterable[Region],
        *,
        extent: Sequence[float],
        shape: Sequence[int],
        where: str = "",
    ) -> None:
        """Add a target.

        Attention that stays with a sentinel is left out of the shares. Of several regions of a word, each counts.

        Args:
            words: of the target.
            weights: (T, S) of attention.
            regions: of its words.
            extent: what the positions cover, in the units of the regions.
            shape: of the memory, with S positions.
            where: file and line of the regions, for messages.

        Raises:
            DataError: a region lies outside the source, or names a word that is not there.
        """
        for word, row in zip(words, weights, strict=True):
            self._totals[word].append(float(row.sum()))
        for region in regions:
            if region.word >= len(words):
                raise DataError(f"{where}: word must be below {len(words)}, but is {region.word}")
            inside = cells_within(region.bounds, extent, shape)
            if not inside.any():
                raise DataError(
                    f"{where}: the region {list(region.bounds)} of word {region.word} lies outside of its source, "
                    f"which covers {list(extent)}"
                )
            row = np.asarray(weights[region.word], dtype=np.float64)
            total = float(row.sum())
            pointing = pointing_positions(region.bounds, extent, shape)
            hit = total > 0 and bool(pointing[row.argmax()])
            share = float(row @ inside) / total if total > 0 else 0.0
            self._found[words[region.word]].append((hit, share, float(pointing.mean()), float(inside.mean())))

    def score(self, words: Iterable[str] | None = None) -> Pointing | None:
        """Return the score over some words, or all; ``None`` if none has a region."""
        chosen = self._found if words is None else words
        found = [each for word in chosen for each in self._found.get(word, ())]
        if not found:
            return None
        hits, share, chance_hits, chance_share = (float(each) for each in np.mean(np.array(found, dtype=float), axis=0))
        return Pointing(len(found), hits, share, chance_hits, chance_share)

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for JSON: the score over all words and that of each, and how much each looks."""
        score = self.score()
        whole = {} if score is None else asdict(score)
        by_word = {word: asdict(each) for word, each in self.by_word().items()}
        return {**whole, "by_word": by_word, "looking": self.looking()}

    def looking(self) -> dict[str, float]:
        """Return the mean total attention of every word, which is less than 1 where a sentinel keeps some of it."""
        return {word: float(np.mean(totals)) for word, totals in sorted(self._totals.items())}

    def by_word(self) -> dict[str, Pointing]:
        """Return the score of each word, the most frequent first."""
        order = sorted(self._found, key=lambda word: (-len(self._found[word]), word))
        return {word: score for word in order if (score := self.score([word])) is not None}

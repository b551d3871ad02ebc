"""Positions of lines in a text file, found in one pass, so that several readers can each begin at their own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmt.core.storage.files import read_blocks

_LINE_FEED = ord("\n")


@dataclass(frozen=True, slots=True)
class LineIndex:
    """Positions of every so many lines of a text, and what identifies the text.

    Args:
        every: distance of the lines in ``starts``.
        starts: byte at which line ``1 + k * every`` begins, for each k; of the decompressed text.
        lines: number of lines; a last line without a line end counts too.
        size: bytes of the decompressed text.
        sha256: of these bytes.
    """

    every: int
    starts: NDArray[np.int64]
    lines: int
    size: int
    sha256: str


def index_lines(path: Path | str, every: int) -> LineIndex:
    """Read a text file, plain or compressed, once, and note where every so many lines begin; takes 8 bytes for each.

    Raises:
        DataError: the file is missing, a folder, unreadable, damaged or not text.
        NmtError: the package that unpacks it is missing.
    """
    digest, starts = hashlib.sha256(), [np.zeros(1, np.int64)]
    ends = size = 0
    block = b""
    for block in read_blocks(path):
        digest.update(block)
        found = np.flatnonzero(np.frombuffer(block, np.uint8) == _LINE_FEED)
        starts.append(found[every - 1 - ends % every :: every] + (size + 1))
        ends += len(found)
        size += len(block)
    places = np.concatenate(starts)
    return LineIndex(
        every,
        places[places < size],  # no line begins after the last line end
        ends + (not block.endswith(b"\n") and size > 0),
        size,
        digest.hexdigest(),
    )

"""Division of an input among independent jobs, each of which translates a shard into a file of its own.

A shard is a contiguous range of whole windows, about an equal share of the bytes. So its output is a piece of the whole
one, in any format, and its lines are translated in the batches of an undivided translation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmt.core.errors import ConfigError
from nmt.core.storage.compression import without_suffix
from nmt.core.storage.line_index import LineIndex

SHARD, LINES = "shard", "shard_lines"
"""Keys of an identity that differ from shard to shard."""


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """Which of how many.

    Args:
        number: from 1.
        count: number of shards.
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str, source: str | None = None) -> Shard:
        """Read ``I/N``; ``source`` names the option for the message.

        Raises:
            ConfigError: it is something else, or I is not from 1 to N.
        """
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        shard = cls(*map(int, found.groups())) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.count:
            raise ConfigError(f"must be I/N with I from 1 to N, such as 3/16, but is {text!r}", source)
        return shard

    def path(self, output: Path) -> Path:
        """Path of the shard of an output, which sorts by number and is compressed like the whole."""
        name = without_suffix(output.name)
        number = f"{self.number:0{len(str(self.count))}}"
        return output.with_name(f"{name}.shard-{number}-of-{self.count}{output.name[len(name) :]}")


def shards_of(output: Path) -> set[Shard]:
    """Return the shards of an output that have a file.

    Raises:
        OSError: the folder cannot be read.
    """
    return {shard for whole, shard in _shards_in(output.parent) if whole == output.name}


def outputs_of_shards(folder: Path) -> set[str]:
    """Return the names of the outputs that have shards in a folder; raises as ``shards_of``."""
    return {whole for whole, _ in _shards_in(folder)}


def _shards_in(folder: Path) -> Iterator[tuple[str, Shard]]:
    """Yield the shards in a folder, each after the name of its output."""
    for path in folder.iterdir():
        found = re.fullmatch(r"(.+)\.shard-([0-9]{1,9})-of-([0-9]{1,9})(\.[A-Za-z0-9]+)?", path.name)
        if found is not None:
            whole, shard = found[1] + (found[4] or ""), Shard(int(found[2]), int(found[3]))
            if shard.path(path.with_name(whole)).name == path.name and 1 <= shard.number <= shard.count:
                yield whole, shard


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of an input that a shard translates.

    Args:
        shard: which of how many.
        offset: byte of the decompressed input at which they begin.
        before: number of lines before them.
        lines: number of lines; 0 if there are fewer windows than shards.
        input: what identifies the input.
        window: lines of a window.
    """

    shard: Shard
    offset: int
    before: int
    lines: int
    input: dict[str, Any]
    window: int

    @classmethod
    def of(cls, shard: Shard, index: LineIndex) -> Part:
        """Return the part of a shard: the windows that begin in its share of the bytes."""
        # Share k is the bytes from (k - 1) * size / count to k * size / count.
        bounds = [-(-number * index.size // shard.count) for number in (shard.number - 1, shard.number)]
        first, last = (int(place) for place in np.searchsorted(index.starts, bounds))
        before, end = (min(place * index.every, index.lines) for place in (first, last))
        offset = int(index.starts[first]) if first < len(index.starts) else index.size
        known = {"lines": index.lines, "bytes": index.size, "sha256": index.sha256}
        return cls(shard, offset, before, end - before, known, index.every)

    @property
    def identity(self) -> dict[str, Any]:
        """Plain values that the output of the shard depends on, besides model and settings."""
        return {"input": self.input, "window": self.window, SHARD: str(self.shard), LINES: self.lines}

"""Features of the files of a corpus: each distinct file is read once, known by its content, and mapped into memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from nmt.core.characters import is_blank
from nmt.core.config import to_mapping
from nmt.core.errors import DataError, NmtError
from nmt.core.logging import progress
from nmt.core.storage.files import path_below
from nmt.data.batch import Dense, Tokens
from nmt.data.cache import Cache, hash_file
from nmt.data.source.family import FeatureSourceConfig

_VALUES, _INDEX = "values.bin", "index.npz"
_MOST_TOLD = 5


class Features:
    """Features of distinct files, in one memory-mapped array.

    Args:
        source: what the files are.
        folder: an entry of the cache.
    """

    def __init__(self, source: FeatureSourceConfig, folder: Path) -> None:
        self.source = source
        with numpy.load(folder / _INDEX) as index:
            self._offsets, shape, dtype = index["offsets"], index["shape"].tolist(), str(index["dtype"])
        self._values = numpy.memmap(folder / _VALUES, dtype=dtype, mode="r", shape=(int(self._offsets[-1]), *shape))
        self.lengths = numpy.diff(self._offsets).astype(numpy.int32)
        self._units = [source.units(length) for length in self.lengths.tolist()]

    def row(self, index: int) -> NDArray[Any]:
        """The features (L, ...) of a file, a read-only view."""
        return self._values[self._offsets[index] : self._offsets[index + 1]]

    def batch(self, rows: Sequence[int], words: Tokens | None = None) -> Dense:
        """Return a batch of files, and the words beside them; without any, a batch of no rows."""
        if not rows:
            one = self.batch([0])
            return Dense(one.values[:0], one.lengths[:0], one.units[:0], words)
        return Dense.pad([self.row(row) for row in rows], [self._units[row] for row in rows], words)


@dataclass(frozen=True, slots=True)
class FoundFeatures:
    """Features of the sources of a corpus.

    Args:
        features: of the distinct files.
        rows: the row of each path.
        fingerprint: identifies the content of each path.
    """

    features: Features
    rows: dict[str, int]
    fingerprint: str


def find_features(
    lines: Iterable[str], source: FeatureSourceConfig, root: Path, *, name: str, cache: Path | None
) -> FoundFeatures:
    """Read the features of all files that source lines name, or load them from the cache.

    Args:
        lines: a path a line, below ``root`` (or in the cache, where files of the hub are); words beside it are not
            looked at.
        source: what the files are.
        root: folder that paths start from and that no path leaves.
        name: of the corpus, for messages.
        cache: folder of the result; ``None`` for a temporary one.

    Raises:
        DataError: files are missing, unreadable, of another kind or outside the root; names their lines.
    """
    first: dict[str, int] = {}
    problems: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if not is_blank(line):
            first.setdefault(source.path_of(line), number)
            if source.question and is_blank(source.words_of(line)):
                problems.append(
                    (number, f"{line}: must have a tab and a question after the path (data.source.question)")
                )

    def tried(work: Any, line: str) -> Any:
        try:
            return work(source_path(line, root, *([] if cache is None else [cache])))
        except NmtError as error:
            problems.append((first[line], str(error)))
            return None

    looking = progress(first, f"looking at the {source.noun}s of {name}", unit="files", passing=True)
    digests = {line: tried(hash_file, line) for line in looking}
    _refuse(problems, source, name)
    holders = {digest: line for line, digest in digests.items()}
    order = sorted(holders)
    settings = {name: value for name, value in to_mapping(source).items() if name != "question"}
    identity = {"source": settings, "version": source.version, "files": order}

    def build(folder: Path) -> dict[str, Any]:
        offsets, shape, dtype = [0], None, None
        with (folder / _VALUES).open("wb") as file:
            for digest in progress(order, f"reading the {source.noun}s of {name}", unit="files", passing=True):
                values = tried(source.read, holders[digest])
                if values is not None:
                    shape, dtype = values.shape[1:], values.dtype
                    file.write(numpy.ascontiguousarray(values).tobytes())
                    offsets.append(offsets[-1] + len(values))
        _refuse(problems, source, name)
        if shape is None:
            raise DataError(f"{name}: must name at least one {source.noun}, but every source line is blank")
        numpy.savez(folder / _INDEX, offsets=offsets, shape=numpy.array(shape, numpy.int64), dtype=str(dtype))
        return {}

    folder, _ = Cache(cache).fetch("features", identity, build)
    places = {digest: row for row, digest in enumerate(order)}
    rows = {path: places[digest] for path, digest in digests.items()}
    # Files may exchange their contents: then the features are those of before, and the rows are not.
    content = json.dumps([identity, sorted(digests.items())], sort_keys=True)
    return FoundFeatures(Features(source, folder), rows, hashlib.sha256(content.encode()).hexdigest())


def source_path(path_as_written: str, root: Path, *others: Path) -> Path:
    """Return the file of a path in a corpus.

    Raises:
        DataError: it lies neither below the root nor below one of the others.
    """
    path = path_below(root, path_as_written)
    # As written: a link within the root may lead elsewhere, since whoever has the corpus has made it.
    if not any(Path(os.path.abspath(path)).is_relative_to(os.path.abspath(each)) for each in (root, *others)):  # noqa: PTH100
        raise DataError(
            f"{path_as_written}: leads out of data.root ({root}); move the file there, or set another data.root"
        )
    return path


def _refuse(problems: Sequence[tuple[int, str]], source: FeatureSourceConfig, name: str) -> None:
    if problems:
        more = f"\n  and {len(problems) - _MOST_TOLD} more" if len(problems) > _MOST_TOLD else ""
        told = "".join(f"\n  line {number}: {message}" for number, message in sorted(problems)[:_MOST_TOLD])
        raise DataError(f"{name}: {len(problems)} {source.noun}(s) cannot be read:{told}{more}")

"""Files with one record per line: JSON lines and tab-separated values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nmt.core.errors import DataError
from nmt.core.registry import nearest
from nmt.core.storage.files import LineCount, read_text_lines
from nmt.data.corpus.family import CorpusConfig, ReadCounts, below, expand, hash_files, shown, unnamed
from nmt.data.corpus.fields import one_line, text_field


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsCorpusConfig(CorpusConfig):
    """Files with one record per line.

    Args:
        files: file or files, plain or compressed; glob patterns are allowed.
    """

    files: str | tuple[str, ...]

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield a problem if no file is named."""
        yield from unnamed(self, "files")

    def describe(self) -> str:
        """Return a short name for messages."""
        return shown(self.files)

    def parts(self, root: Path) -> list[CorpusConfig]:
        """Return a corpus for each file."""
        return [replace(self, files=below(path, root)) for path in expand(self.files, root)]


@CorpusConfig.registry.register("json")
@dataclass(frozen=True, slots=True, kw_only=True)
class JsonCorpusConfig(RecordsCorpusConfig):
    """JSON lines: one object per line, with a field for each side.

    Args:
        source: name of the source field; dots address nested objects, such as ``translation.de``.
        target: the same for the target.
    """

    source: str = "source"
    target: str = "target"

    def identity(self, root: Path, cache: Path) -> dict[str, Any]:
        """Return the content hashes and field names."""
        del cache
        files = hash_files(expand(self.files, root))
        return {"type": "json", "files": files, "source": self.source, "target": self.target}

    def pairs(self, root: Path, cache: Path, counts: ReadCounts) -> Iterator[tuple[str, str]]:
        """Yield the raw sentence pairs.

        Raises:
            DataError: a line is not a JSON object, or lacks a field; names file and line.
        """
        del cache
        for where, line in _records(expand(self.files, root), counts):
            record = _parse(line, where)
            yield (
                text_field(record, self.source, where=where, counts=counts),
                text_field(record, self.target, where=where, counts=counts),
            )


@CorpusConfig.registry.register("tsv")
@dataclass(frozen=True, slots=True, kw_only=True)
class TsvCorpusConfig(RecordsCorpusConfig):
    """Tab-separated values: every tab separates, quotes are literal, further columns are ignored.

    Args:
        source: name of the source column, or its index from 0.
        target: the same for the target.
        header: whether the first line of each file names the columns; by default if ``source`` or ``target`` is a name.
    """

    source: str | int = "source"
    target: str | int = "target"
    header: bool | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with files and columns."""
        yield from RecordsCorpusConfig.problems(self)
        for name in ("source", "target"):
            value = getattr(self, name)
            if isinstance(value, str) and not self.has_header:
                yield name, f"must be the index of a column (from 0) without a header, but is {value!r}"
            elif isinstance(value, int) and value < 0:
                yield name, f"must be a column's name or its index from 0, but is {value}"

    @property
    def has_header(self) -> bool:
        """Whether the first line of each file names the columns."""
        return isinstance(self.source, str) or isinstance(self.target, str) if self.header is None else self.header

    @property
    def first_line(self) -> int:
        """Number of the line after the header."""
        return 2 if self.has_header else 1

    def identity(self, root: Path, cache: Path) -> dict[str, Any]:
        """Return the content hashes and columns."""
        del cache
        files = hash_files(expand(self.files, root))
        return {"type": "tsv", "files": files, "columns": [self.source, self.target], "header": self.has_header}

    def pairs(self, root: Path, cache: Path, counts: ReadCounts) -> Iterator[tuple[str, str]]:
        """Yield the raw sentence pairs.

        Raises:
            DataError: a column is missing; names file and line.
        """
        del cache
        for path in expand(self.files, root):
            names: list[str] | None = None
            for where, line in _records([path], counts):
                cells = line.split("\t")
                if self.has_header and names is None:
                    names = cells
                    counts.pairs -= 1  # the header was counted as a record
                    _column(self.source, names, cells, where)
                    _column(self.target, names, cells, where)
                    continue
                yield _column(self.source, names, cells, where), _column(self.target, names, cells, where)


def _records(files: list[Path], counts: ReadCounts) -> Iterator[tuple[str, str]]:
    """Yield location and text of every line."""
    for path in files:
        count = LineCount()
        for line in read_text_lines(path, count=count):
            counts.pairs += 1
            yield f"{path}: line {count.lines}", line
        counts.carriage_returns += count.carriage_returns


def _parse(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: must be a JSON object, but is not: {error}") from error
    if not isinstance(record, dict):
        raise DataError(f"{where}: must be a JSON object, but is {type(record).__name__}")
    return record


def _column(column: str | int, names: list[str] | None, cells: list[str], where: str) -> str:
    if isinstance(column, int):
        index = column
    elif names is not None and column in names:
        index = names.index(column)
    else:
        close = nearest(column, names or ())
        hint = f"; did you mean {close!r}?" if close is not None else ""
        raise DataError(f"{where}: there is no column {column!r}; the columns are {', '.join(names or ())}{hint}")
    if index >= len(cells):
        raise DataError(f"{where}: there is no column {column!r}; the line has {len(cells)} columns")
    return one_line(cells[index], where=where, counts=ReadCounts())

"""Raw sentence pairs as a memory-mapped ``datasets`` table."""

from __future__ import annotations

import dataclasses
import itertools
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pyarrow
from numpy.typing import NDArray

from nmt.core.errors import DataError
from nmt.core.logging import Progress, waiting
from nmt.data.cache import Cache
from nmt.data.corpus.alignments import AlignedPair
from nmt.data.corpus.family import CorpusConfig, ReadCounts
from nmt.data.corpus.tags import with_tag

_ROWS = 10_000  # rows of one record batch
_SCHEMA = pyarrow.schema([("source", pyarrow.string()), ("target", pyarrow.string())])
# Links between words, flattened: source, target, source, target ...
LINKS = pyarrow.field("links", pyarrow.list_(pyarrow.int32()))


@dataclass(frozen=True, slots=True)
class Pairs:
    """A parallel corpus of raw lines, with a tag before the sources of corpora that have one.

    Args:
        dataset: a ``datasets.Dataset`` with the text columns ``source`` and ``target``, memory-mapped, and a column
            ``links`` if there are word alignments; all without tags.
        counts: of reading.
        identity: plain values that identify the content, for cache keys.
        name: for messages.
        parts: pairs of each of the corpora that were joined.
        tags: the tag of each of them; empty if none has one.
        rows: of a sample, the place of each pair in the corpus, from 0.
    """

    dataset: Any
    counts: ReadCounts
    identity: dict[str, Any]
    name: str
    parts: tuple[int, ...]
    tags: tuple[str | None, ...] = ()
    rows: NDArray[numpy.int64] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def aligned(self) -> bool:
        """Whether the pairs have word alignments."""
        return LINKS.name in self.dataset.column_names

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for batch in self.batches():
            yield from zip(*batch, strict=True)

    def batches(self, size: int = _ROWS) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the two columns in batches of at most ``size`` rows."""
        if self.tags:
            yield from ((table["source"].to_pylist(), table["target"].to_pylist()) for _, table in self.tables(size))
        else:
            yield from ((batch["source"], batch["target"]) for batch in self.dataset.iter(batch_size=size))

    def tables(self, size: int = _ROWS) -> Iterator[tuple[int, pyarrow.Table]]:
        """Yield tables of at most ``size`` rows, each with the place of its first."""
        first = 0
        for table in self.dataset.with_format("arrow").iter(batch_size=size):
            yield first, self._tagged(first, table) if self.tags else table
            first += len(table)

    def _tagged(self, first: int, table: pyarrow.Table) -> pyarrow.Table:
        """Put the tags into a table whose first pair has this place."""
        ends = list(itertools.accumulate(self.parts))
        divided = []
        for begin, end, tag in zip([0, *ends], ends, self.tags, strict=False):
            here = max(begin - first, 0)
            part = table.slice(here, max(0, end - first - here))
            divided.append(part if tag is None else _with_tag(part, tag))
        return pyarrow.concat_tables(divided)

    @property
    def untagged(self) -> Pairs:
        """The same pairs without tags."""
        return dataclasses.replace(self, tags=()) if self.tags else self

    def sample(self, count: int, *, block: int = 1000) -> Pairs:
        """Choose so many pairs in blocks of neighbours at equal distances; all if there are no more. Without tags."""
        if len(self) <= count:
            return self.untagged
        begins = numpy.linspace(0, len(self) - block, max(1, count // block), dtype=numpy.int64)
        rows = (begins[:, None] + numpy.arange(block)).reshape(-1)
        table = pyarrow.concat_tables([self.dataset.data.table.slice(begin, block) for begin in begins.tolist()])
        name = f"{len(rows):,} of the {len(self):,} pairs of {self.name}"
        return dataclasses.replace(
            self, dataset=table_in_memory(table), name=name, parts=(len(rows),), tags=(), rows=rows
        )

    def sources(self) -> Iterator[str]:
        """Every source line."""
        return (source for source, _ in self)

    def targets(self) -> Iterator[str]:
        """Every target line."""
        return (target for _, target in self)


def read_pairs(config: CorpusConfig, root: str | Path, *, cache: Path | None = None) -> Pairs:
    """Read a parallel corpus: its pairs, raw except for a removed CR before a line feed.

    Relative paths start from ``root``; the table lies in ``cache``, or in a temporary folder.

    Raises:
        DataError: the corpus is unreadable, undecodable, empty, or its sides differ in length.
    """
    return read_all_pairs((config,), root, cache=cache)


def read_all_pairs(configs: Sequence[CorpusConfig], root: str | Path, *, cache: Path | None = None) -> Pairs:
    """Read several parallel corpora and concatenate them.

    Raises:
        DataError: as for ``read_pairs``.
    """
    root, derived = Path(root), Cache(cache)
    parts = [_read(config, root, derived) for config in configs]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        raise DataError("a corpus must be given, but data.train is an empty list")
    from datasets import concatenate_datasets

    datasets = [part.dataset for part in parts]
    if not all(part.aligned for part in parts):
        datasets = [part.dataset.select_columns(_SCHEMA.names) for part in parts]
    totals = [sum(counts) for counts in zip(*(dataclasses.astuple(part.counts) for part in parts), strict=True)]
    return Pairs(
        concatenate_datasets(datasets),
        ReadCounts(*totals),
        {"corpora": [part.identity for part in parts]},
        "; ".join(part.name for part in parts),
        tuple(map(len, parts)),
        tuple(tag for part in parts for tag in part.tags or (None,)) if any(part.tags for part in parts) else (),
    )


def pairs_in_memory(rows: Sequence[tuple[str, str]], name: str) -> Pairs:
    """Make a corpus of pairs that are on no disk."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], []]
    dataset = table_in_memory(pyarrow.table(columns, schema=_SCHEMA))
    return Pairs(dataset, ReadCounts(pairs=len(rows)), {}, name, (len(rows),))


def _read(config: CorpusConfig, root: Path, derived: Cache) -> Pairs:
    cache = derived.directory / "hub"
    identity = config.identity(root, cache)

    def build(folder: Path) -> dict[str, Any]:
        counts = ReadCounts()
        if config.aligned:
            _write_aligned(config.aligned_pairs(root, cache, counts), folder / "pairs.arrow", config.describe())
        else:
            write_pairs(config.pairs(root, cache, counts), folder / "pairs.arrow", config.describe())
        if not counts.pairs:
            raise DataError(f"{config.describe()}: must hold at least one sentence pair, but is empty")
        if config.identity(root, cache) != identity:  # if a file is still being written, only a part was read
            raise DataError(f"{config.describe()}: has changed while it was read; start again when it is whole")
        return dataclasses.asdict(counts)

    folder, values = derived.fetch("pairs", identity, build)
    dataset = open_table(folder / "pairs.arrow")
    tags = () if config.tag is None else (config.tag,)
    identity = identity if config.tag is None else identity | {"tag": config.tag}
    return Pairs(dataset, ReadCounts(**values), identity, config.describe(), (len(dataset),), tags)


def _with_tag(table: pyarrow.Table, tag: str) -> pyarrow.Table:
    """Put a tag before the sources of a table; links are then of the words after it."""
    columns = dict(zip(table.column_names, table.columns, strict=True))
    sources = [with_tag(source, tag) for source in table["source"].to_pylist()]
    columns["source"] = pyarrow.array(sources, pyarrow.string())
    if LINKS.name in columns:
        moved = [[word + 1 - place % 2 for place, word in enumerate(each)] for each in table[LINKS.name].to_pylist()]
        columns[LINKS.name] = pyarrow.array(moved, LINKS.type)
    return pyarrow.table(columns, schema=table.schema)


def write_pairs(pairs: Iterable[tuple[str, str]], path: Path, name: str) -> None:
    """Write the pairs of a named corpus as an Arrow stream that ``datasets`` maps into memory."""
    _write_rows(pairs, _SCHEMA, path, name)


def _write_aligned(pairs: Iterable[AlignedPair], path: Path, name: str) -> None:
    rows = ((source, target, [word for link in links for word in link]) for source, target, links in pairs)
    _write_rows(rows, _SCHEMA.append(LINKS), path, name)


def _write_rows(rows: Iterable[tuple[Any, ...]], schema: pyarrow.Schema, path: Path, name: str) -> None:
    stream = iter(rows)
    with (
        pyarrow.OSFile(str(path), "wb") as sink,
        pyarrow.ipc.new_stream(sink, schema) as writer,
        Progress(f"reading {name}", unit="pairs", passing=True) as shown,
    ):
        while batch := list(itertools.islice(stream, _ROWS)):
            writer.write_batch(
                pyarrow.record_batch([list(column) for column in zip(*batch, strict=True)], schema=schema)
            )
            shown.advance(len(batch))
        writer.write_batch(pyarrow.record_batch([[] for _ in schema], schema=schema))


def table_in_memory(table: pyarrow.Table) -> Any:
    """Wrap a table as a ``datasets.Dataset``."""
    from datasets import Dataset
    from datasets.table import InMemoryTable

    # With a name of its own, or the library copies the whole table to make a hash of it.
    return Dataset(InMemoryTable(table), fingerprint=secrets.token_hex(8))


def open_table(path: Path) -> Any:
    """Map an Arrow stream into memory as a ``datasets.Dataset``."""
    with waiting(f"opening {path.name}"):
        from datasets import Dataset

        return Dataset.from_file(str(path))

"""Raw sentence pairs as a memory-mapped ``datasets`` table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow

from nmt.core.errors import DataError
from nmt.data.corpus.family import CorpusConfig, ReadCounts
from nmt.data.store import Store

_ROWS = 10_000  # rows of one record batch
_SCHEMA = pyarrow.schema([("source", pyarrow.string()), ("target", pyarrow.string())])


@dataclass(frozen=True, slots=True)
class Pairs:
    """A parallel corpus of raw lines.

    Args:
        dataset: a ``datasets.Dataset`` with the text columns ``source`` and ``target``, memory-mapped.
        counts: what was seen while reading.
        identity: plain values that identify the content; the base of cache keys.
        name: for messages.
    """

    dataset: Any
    counts: ReadCounts
    identity: dict[str, Any]
    name: str

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for batch in self.batches():
            yield from zip(*batch, strict=True)

    def batches(self, size: int = _ROWS) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the two columns in pieces of at most ``size`` rows."""
        for batch in self.dataset.iter(batch_size=size):
            yield batch["source"], batch["target"]

    def sources(self) -> Iterator[str]:
        """Every source line."""
        return (source for source, _ in self)

    def targets(self) -> Iterator[str]:
        """Every target line."""
        return (target for _, target in self)


def read_pairs(config: CorpusConfig, root: str | Path, *, cache: Path | None = None) -> Pairs:
    """Read a parallel corpus.

    Args:
        config: which one.
        root: folder that relative paths start from.
        cache: folder to keep the table in; ``None`` for a temporary one.

    Returns:
        Its pairs, raw but for the CR before a line end.

    Raises:
        DataError: unreadable, undecodable, of unequal sides, or empty.
    """
    return read_all_pairs((config,), root, cache=cache)


def read_all_pairs(configs: Sequence[CorpusConfig], root: str | Path, *, cache: Path | None = None) -> Pairs:
    """Read several parallel corpora as one, in their order.

    Raises:
        DataError: as ``read_pairs``.
    """
    root, store = Path(root), Store(cache)
    parts = [_read(config, root, store) for config in configs]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        raise DataError("a corpus must be given, but data.train is an empty list")
    from datasets import concatenate_datasets

    totals = [sum(counts) for counts in zip(*(dataclasses.astuple(part.counts) for part in parts), strict=True)]
    return Pairs(
        concatenate_datasets([part.dataset for part in parts]),
        ReadCounts(*totals),
        {"corpora": [part.identity for part in parts]},
        "; ".join(part.name for part in parts),
    )


def _read(config: CorpusConfig, root: Path, store: Store) -> Pairs:
    cache = store.directory / "hub"
    identity = config.identity(root, cache)

    def build(folder: Path) -> dict[str, Any]:
        counts = ReadCounts()
        write_pairs(config.pairs(root, cache, counts), folder / "pairs.arrow")
        if not counts.pairs:
            raise DataError(f"{config.describe()}: must hold at least one sentence pair, but is empty")
        return dataclasses.asdict(counts)

    folder, values = store.fetch("pairs", identity, build)
    return Pairs(open_table(folder / "pairs.arrow"), ReadCounts(**values), identity, config.describe())


def write_pairs(pairs: Iterable[tuple[str, str]], path: Path) -> None:
    """Write pairs as an Arrow stream that ``datasets`` maps into memory."""
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_stream(sink, _SCHEMA) as writer:
        sources: list[str] = []
        targets: list[str] = []
        for source, target in pairs:
            sources.append(source)
            targets.append(target)
            if len(sources) == _ROWS:
                writer.write_batch(pyarrow.record_batch([sources, targets], schema=_SCHEMA))
                sources, targets = [], []
        writer.write_batch(pyarrow.record_batch([sources, targets], schema=_SCHEMA))


def open_table(path: Path) -> Any:
    """Map an Arrow stream into memory as a ``datasets.Dataset``."""
    from datasets import Dataset

    return Dataset.from_file(str(path))

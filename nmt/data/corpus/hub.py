"""Datasets on the Hugging Face hub, or in a local folder that ``datasets`` can load."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.core.errors import DataError
from nmt.core.storage.files import path_below
from nmt.data.corpus.family import CorpusConfig, ReadCounts, hash_files
from nmt.data.corpus.fields import source_field, text_field


@CorpusConfig.registry.register("hub")
@dataclass(frozen=True, slots=True, kw_only=True)
class HubCorpusConfig(CorpusConfig):
    """A dataset, given by its name on the hub.

    Args:
        name: name on the hub, such as ``wmt/wmt14``, or a local folder of parquet, JSON or CSV files.
        config: configuration of the dataset, such as ``de-en``.
        split: part of the dataset, such as ``train`` or ``train[:1%]``.
        source: name of the source field; dots address nested records, such as ``translation.de``. Of a field with
            files (Image, Audio), the files are kept in the cache as they are, and the source is their path.
        target: the same for the target.
        revision: commit, tag or branch on the hub; ``null`` for the newest.
        streaming: whether a training corpus is read while training, without a copy on disk.
    """

    name: str
    config: str | None = None
    split: str = "train"
    source: str
    target: str
    revision: str | None = None
    streaming: bool = False

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the values."""
        if self.streaming and "[" in self.split:
            yield "split", f"must be a whole split where streaming is true, but is {self.split}"

    @property
    def streamed(self) -> bool:
        """Whether the pairs are read while training."""
        return self.streaming

    def describe(self) -> str:
        """Return a short name for messages."""
        return ":".join([self.name, *([self.config] if self.config else []), self.split])

    def identity(self, root: Path, cache: Path) -> dict[str, Any]:
        """Return the content hashes of the downloaded tables, and the fields."""
        dataset = self._load(root, cache)
        files = hash_files([Path(file["filename"]) for file in dataset.cache_files])
        return {
            "type": "hub",
            "files": files,
            "split": self.split,
            "rows": len(dataset),
            "fields": [self.source, self.target],
        }

    def pairs(self, root: Path, cache: Path, counts: ReadCounts) -> Iterator[tuple[str, str]]:
        """Yield the raw sentence pairs.

        Raises:
            DataError: a record lacks a field; names the record.
        """
        row = 0
        for batch in self._load(root, cache).iter(batch_size=1000):
            for values in zip(*batch.values(), strict=True):
                record = dict(zip(batch, values, strict=True))
                row += 1
                where = f"{self.describe()}: row {row}"
                counts.pairs += 1
                yield (
                    source_field(record, self.source, where=where, counts=counts, files=cache / "files"),
                    text_field(record, self.target, where=where, counts=counts),
                )

    def stream(self, root: Path) -> Any:
        """Return the raw pairs as a ``datasets.IterableDataset``.

        Raises:
            DataError: the dataset cannot be loaded; later, a record lacks a field.
        """
        where, counts = f"{self.describe()}: a record", ReadCounts()

        def pair(record: dict[str, Any]) -> dict[str, str]:
            sides = {"source": self.source, "target": self.target}
            return {side: text_field(record, name, where=where, counts=counts) for side, name in sides.items()}

        return self._load(root, None).map(pair).select_columns(["source", "target"])

    def _load(self, root: Path, cache: Path | None) -> Any:
        """Load the dataset, or a stream of it if there is no folder for files."""
        import datasets

        if not sys.stderr.isatty():
            datasets.disable_progress_bars()
        folder = path_below(root, self.name)
        local = folder.is_dir()
        if local and cache is not None:
            # The library identifies files by modification time, which a copy or an unpacked archive may keep.
            cache = cache / _content_of(folder)
        try:
            dataset = datasets.load_dataset(
                str(folder) if local else self.name,
                self.config,
                split=self.split,
                revision=None if local else self.revision,
                **({"streaming": True} if cache is None else {"cache_dir": str(cache)}),
            )
            for name, kind in (dataset.features or {}).items():
                if isinstance(kind, datasets.Image | datasets.Audio):  # a reader of ours decodes them
                    dataset = dataset.cast_column(name, type(kind)(decode=False))
            return dataset
        except Exception as error:  # the library raises many kinds of errors, all due to the request
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DataError(
                f"{self.describe()}: the dataset cannot be loaded: {reason}; check name, config and split, and the "
                "network"
            ) from error


def _content_of(folder: Path) -> str:
    """Hash of the names and the content of all files below a folder, in hexadecimal."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [str(path.relative_to(folder)) for path in files]
    return hashlib.sha256(json.dumps([names, hash_files(files)]).encode()).hexdigest()

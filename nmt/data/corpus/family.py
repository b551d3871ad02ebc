"""The family of parallel corpora: where sentence pairs come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from nmt.core.errors import DataError
from nmt.core.registry import Registry
from nmt.data.lines import LineCounts, hash_file


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusConfig(ABC):
    """A parallel corpus; each variant knows one way of storing it."""

    registry: ClassVar[Registry[CorpusConfig]] = Registry("corpus", default="text")

    @abstractmethod
    def describe(self) -> str:
        """Return a short name for messages."""

    @abstractmethod
    def identity(self, root: Path, cache: Path) -> dict[str, Any]:
        """Return plain values that the pairs follow from: content hashes and settings.

        Args:
            root: folder that relative paths start from.
            cache: folder for files that are fetched.
        """

    @abstractmethod
    def pairs(self, root: Path, cache: Path, counts: LineCounts) -> Iterator[tuple[str, str]]:
        """Yield the raw sentence pairs.

        Args:
            root: folder that relative paths start from.
            cache: folder for files that are fetched.
            counts: counted into; ``lines`` counts pairs once the iterator is exhausted.
        """


def expand(patterns: str | tuple[str, ...], root: Path) -> list[Path]:
    """Return the files that paths and glob patterns name, in the order given and sorted within a pattern.

    Raises:
        DataError: a pattern that matches nothing.
    """
    files: list[Path] = []
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        if any(mark in pattern for mark in "*?[") and not (root / pattern).exists():
            base, relative = (Path("/"), pattern.lstrip("/")) if pattern.startswith("/") else (root, pattern)
            found = sorted(path for path in base.glob(relative) if path.is_file())
            if not found:
                raise DataError(f"{root / pattern}: no file matches this pattern; paths are relative to data.root")
            files += found
        else:
            files.append(root / pattern)
    return files


def hash_files(files: list[Path]) -> list[str]:
    """Return the content hash of each file."""
    return [hash_file(path) for path in files]

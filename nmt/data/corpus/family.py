"""The family of parallel corpora: sources of sentence pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

from nmt.core.config.ranges import Positive
from nmt.core.errors import DataError
from nmt.core.registry import Registry
from nmt.core.storage.files import home_expanded
from nmt.data.cache import hash_file
from nmt.data.corpus.alignments import AlignedPair


@dataclass(slots=True)
class ReadCounts:
    """Counts of reading a corpus.

    Args:
        pairs: sentence pairs read.
        carriage_returns: carriage returns removed before a line feed.
        line_feeds: fields of structured records whose line feeds became spaces.
        files: sources that are files held by records.
    """

    pairs: int = 0
    carriage_returns: int = 0
    line_feeds: int = 0
    files: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusConfig(ABC):
    """A parallel corpus; each variant reads one storage format.

    Relative paths start from ``root``; ``cache`` is a folder for downloaded files.

    Args:
        weight: of a training corpus: its share of the examples of an epoch, relative to the weights of the others;
            ``null`` if all corpora are drawn by their sizes.
        tag: a word before each source, such as ``<bt>``, that tells the model where the text is from (Caswell et al.,
            2019, "Tagged Back-Translation") or which language to write (Johnson et al., 2017); a symbol of the
            vocabulary.
    """

    registry: ClassVar[Registry[CorpusConfig]] = Registry("corpus", default="text")
    takes_alignments: ClassVar[bool] = False
    """Whether the format supports word alignments."""

    weight: Positive | None = None
    tag: str | None = None

    @property
    def streamed(self) -> bool:
        """Whether training reads the pairs by ``stream``, without a copy."""
        return False

    def stream(self, root: Path) -> Any:
        """Return a ``datasets.IterableDataset`` of raw pairs, with the columns ``source`` and ``target``.

        Args:
            root: folder that relative paths start from.
        """
        raise NotImplementedError

    @abstractmethod
    def describe(self) -> str:
        """Return a short name for messages."""

    @property
    def first_line(self) -> int:
        """Line number of the first pair, or record number if there are no lines."""
        return 1

    def parts(self, root: Path) -> list[CorpusConfig]:
        """Return a corpus for each file, in order, so that pairs have line numbers.

        Raises:
            DataError: a pattern matches nothing.
        """
        del root
        return [self]

    @abstractmethod
    def identity(self, root: Path, cache: Path) -> dict[str, Any]:
        """Return plain values that determine the pairs: content hashes and settings."""

    @property
    def aligned(self) -> bool:
        """Whether the pairs have word alignments."""
        return False

    def aligned_pairs(self, root: Path, cache: Path, counts: ReadCounts) -> Iterator[AlignedPair]:
        """Yield the raw sentence pairs with their links, if any; arguments as for ``pairs``.

        Raises:
            DataError: as for ``pairs``, or alignments do not fit their pairs.
        """
        for source, target in self.pairs(root, cache, counts):
            yield source, target, ()

    @abstractmethod
    def pairs(self, root: Path, cache: Path, counts: ReadCounts) -> Iterator[tuple[str, str]]:
        """Yield the raw sentence pairs; ``counts`` are updated, and complete once the iterator is exhausted."""


def expand(patterns: str | tuple[str, ...], root: Path) -> list[Path]:
    """Return the files that paths and glob patterns match, in the given order, sorted within a pattern.

    As in a shell, hidden files and folders match only a pattern with an explicit dot: next to ``a.de`` there may be
    ``._a.de``, which is not text.

    Raises:
        DataError: a pattern matches nothing.
    """
    files: list[Path] = []
    for given in (patterns,) if isinstance(patterns, str) else patterns:
        pattern = str(home_expanded(given)) if given.startswith("~") else given
        if any(mark in pattern for mark in "*?[") and not (root / pattern).exists():
            base, relative = (Path("/"), pattern.lstrip("/")) if pattern.startswith("/") else (root, pattern)
            found = sorted(path for path in base.glob(relative) if path.is_file() and not _hidden(path, base, relative))
            if not found:
                raise DataError(f"{root / pattern}: no file matches this pattern; paths are relative to data.root")
            files += found
        else:
            files.append(root / pattern)
    return files


def _hidden(path: Path, base: Path, pattern: str) -> bool:
    """Whether a path below a base has a hidden part without an explicit dot in its pattern."""
    named = {part for part in Path(pattern).parts if part.startswith(".")}
    hidden = [part for part in path.relative_to(base).parts if part.startswith(".")]
    return not all(any(fnmatchcase(part, each) for each in named) for part in hidden)


def unnamed(config: CorpusConfig, *fields: str) -> Iterator[tuple[str, str]]:
    """Yield a config's fields that should name files but name none, each with a message."""
    for field in fields:
        if getattr(config, field) in ("", ()):
            yield field, "must name at least one file, but is empty"


def hash_files(files: list[Path]) -> list[str]:
    """Return the content hash of each file."""
    return [hash_file(path) for path in files]


def shown(patterns: str | tuple[str, ...]) -> str:
    """Format paths and patterns for a message."""
    return patterns if isinstance(patterns, str) else ", ".join(patterns)


def below(path: Path, root: Path) -> str:
    """Return a path as written in a recipe with this root."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path)

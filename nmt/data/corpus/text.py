"""Pairs of text files; line k of one is the translation of line k of the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from nmt.core.errors import DataError
from nmt.core.storage.files import LineCount, read_text_lines
from nmt.data.corpus.alignments import AlignedPair, with_alignments
from nmt.data.corpus.family import CorpusConfig, ReadCounts, below, expand, hash_files, shown, unnamed


@CorpusConfig.registry.register("text")
@dataclass(frozen=True, slots=True, kw_only=True)
class TextCorpusConfig(CorpusConfig):
    """Parallel text files, plain or compressed (gzip, xz, bzip2, Zstandard).

    Args:
        source: file or files of the source side; glob patterns are allowed.
        target: the same for the target side, as many files, in the same order.
        alignment: the same for word alignments in Pharaoh format, for guided alignment; one line per pair, which may be
            empty.
        tokenized: whether words of the alignments are separated only by spaces (U+0020), as in tools for tokenised
            text, instead of by any white space (such as the no-break space).
    """

    takes_alignments: ClassVar[bool] = True

    source: str | tuple[str, ...]
    target: str | tuple[str, ...]
    alignment: str | tuple[str, ...] | None = None
    tokenized: bool = False

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the values."""
        yield from unnamed(self, "source", "target", "alignment")
        if self.tokenized and self.alignment is None:
            yield "tokenized", "needs alignment: it says how words in those files are counted"

    @property
    def aligned(self) -> bool:
        """Whether there are alignment files."""
        return self.alignment is not None

    def describe(self) -> str:
        """Return a short name for messages."""
        return f"{shown(self.source)} and {shown(self.target)}"

    def parts(self, root: Path) -> list[CorpusConfig]:
        """Return a corpus for each pair of files.

        Raises:
            DataError: the numbers of files of each kind differ.
        """
        files = self._files(root)
        given: list[str] | list[None] = [None] * len(files)
        if self.alignment is not None:
            given = [below(path, root) for path in self._alignments(self.alignment, root)]
        return [
            replace(self, source=below(source, root), target=below(target, root), alignment=alignment)
            for (source, target), alignment in zip(files, given, strict=True)
        ]

    def identity(self, root: Path, cache: Path) -> dict[str, Any]:
        """Return the content hashes of the files."""
        del cache
        files = self._files(root)
        identity: dict[str, Any] = {
            "type": "text",
            "source": hash_files([source for source, _ in files]),
            "target": hash_files([target for _, target in files]),
        }
        if self.alignment is not None:
            identity["alignment"] = hash_files(expand(self.alignment, root))
            if self.tokenized:
                identity["tokenized"] = True
        return identity

    def pairs(self, root: Path, cache: Path, counts: ReadCounts) -> Iterator[tuple[str, str]]:
        """Yield the raw sentence pairs.

        Raises:
            DataError: the sides differ in the number of files or lines, or a file cannot be read.
        """
        del cache
        for source, target in self._files(root):
            yield from _zip_files(source, target, counts)

    def aligned_pairs(self, root: Path, cache: Path, counts: ReadCounts) -> Iterator[AlignedPair]:
        """Yield the raw sentence pairs with their links, if any.

        Raises:
            DataError: as for ``pairs``, or alignment files do not fit the corpus in number, lines or words.
        """
        if self.alignment is None:
            yield from CorpusConfig.aligned_pairs(self, root, cache, counts)
            return
        for (source, target), path in zip(self._files(root), self._alignments(self.alignment, root), strict=True):
            yield from with_alignments(_zip_files(source, target, counts), path, tokenized=self.tokenized)

    def _files(self, root: Path) -> list[tuple[Path, Path]]:
        sources, targets = expand(self.source, root), expand(self.target, root)
        if len(sources) != len(targets):
            raise DataError(
                f"{self.describe()}: both sides must name the same number of files, but the source has "
                f"{len(sources)} and the target {len(targets)}"
            )
        return list(zip(sources, targets, strict=True))

    def _alignments(self, given: str | tuple[str, ...], root: Path) -> list[Path]:
        """The alignment file of each pair of files."""
        files, alignments = len(self._files(root)), expand(given, root)
        if len(alignments) != files:
            raise DataError(
                f"{self.describe()}: there must be a file of alignments for each of the {files} files of a side, "
                f"but there are {len(alignments)}"
            )
        return alignments


def _zip_files(source: Path, target: Path, counts: ReadCounts) -> Iterator[tuple[str, str]]:
    left, right = LineCount(), LineCount()
    lefts, rights = read_text_lines(source, count=left), read_text_lines(target, count=right)
    yield from zip(lefts, rights, strict=False)
    # zip stops at the shorter side, after one more line of the left one; read both to the end.
    for rest in (lefts, rights):
        for _ in rest:
            pass
    if left.lines != right.lines:
        raise DataError(
            f"{source} has {left.lines} lines, but {target} has {right.lines}: both sides must have the same number; "
            "line k of one is the translation of line k of the other"
        )
    counts.pairs += left.lines
    counts.carriage_returns += left.carriage_returns + right.carriage_returns

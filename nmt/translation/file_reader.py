"""Model input from lines that name files: pictures, sounds, arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nmt.core.characters import is_blank
from nmt.core.errors import NmtError
from nmt.core.storage.files import path_below
from nmt.data.source import FeatureSourceConfig
from nmt.translation.lines import END, Pieces, SourceLine
from nmt.translation.requests.request import Line, text_of


class FileReader:
    """Reads the features of the files that source lines name.

    Args:
        source: what the files are.
        memory_shape: the shape of a model's memory of features of a shape.
        root: folder that paths start from.
        cut: puts the words beside a file into pieces.
    """

    def __init__(
        self,
        source: FeatureSourceConfig,
        memory_shape: Callable[[Sequence[int]], tuple[int, ...]],
        root: Path,
        cut: Callable[[str], Pieces],
    ) -> None:
        self._source = source
        self._cut = cut
        self._memory_shape = memory_shape
        self._root = root

    def read(self, lines: Sequence[Line], numbers: Sequence[int]) -> list[SourceLine]:
        """Read lines, each with its number; one that is blank or cannot be read has no features."""
        return [self._read(text_of(line), number) for line, number in zip(lines, numbers, strict=True)]

    def _read(self, line: str, number: int) -> SourceLine:
        if is_blank(line):
            return SourceLine(number, line, Pieces())
        path = path_below(self._root, self._source.path_of(line))
        try:
            features = self._source.read(path)
        except NmtError as error:
            return SourceLine(number, line, Pieces(), problem=str(error))
        shape = self._memory_shape(features.shape)
        labels = self._source.labels(shape, len(features))
        words = Pieces()
        if self._source.question and is_blank(self._source.words_of(line)):
            return SourceLine(number, line, Pieces(), problem=f"{line}: must have a tab and a question after the path")
        if self._source.question:
            words = self._cut(self._source.words_of(line))
            labels += [*words.pieces, END]
        return SourceLine(
            number,
            line,
            Pieces(words.ids, tuple(labels), tuple(range(len(labels)))),
            features=features,
            shape=shape,
            extent=self._source.extent(path, len(features)) if len(shape) == 1 else (),
            extent_unit=self._source.unit,
            units=self._source.units(len(features)),
        )

    def parts(self, source: SourceLine) -> list[SourceLine]:
        """Return the search input for a line: itself, or nothing if there are no features."""
        return [source] if source.readable else []

    def unread(self, source: SourceLine) -> str:
        """Say why a line has no parts; empty for a blank line."""
        return source.problem

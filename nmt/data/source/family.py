"""The family of sources: what the source side of a pair is, whatever the format that stores pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from nmt.core.errors import ConfigError
from nmt.core.registry import Registry
from nmt.text.vocabularies import Vocabularies


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """What a source is; ``text`` is the default."""

    registry: ClassVar[Registry[SourceConfig]] = Registry("source", default="text")

    @property
    def features(self) -> FeatureSourceConfig | None:
        """This config if sources are files of features, ``None`` if they are text."""
        return None

    @property
    def has_words(self) -> bool:
        """Whether a source has words, so that there is a source vocabulary."""
        return True

    def words_of(self, line: str) -> str:
        """Return the words of a source line."""
        return line

    def require_text(self, message: str) -> None:
        """Refuse files; ``message`` says what needs text.

        Raises:
            ConfigError: sources are files.
        """
        if self.features is not None:
            raise ConfigError(f"{message}, but its sources are {self.features.noun}s (data.source)")

    def model_sizes(self, vocabularies: Vocabularies) -> tuple[int | None, int, int]:
        """Return the sizes that a model is built with: source pieces (``None``: none), target pieces, features."""
        return vocabularies.source.size, vocabularies.target.size, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSourceConfig(SourceConfig, ABC):
    """Sources that are files: the source of a pair is a path, and a model reads the features of that file.

    Args:
        question: whether a tab and a text follow the path, which the model reads too (``model.words``).
    """

    noun: ClassVar[str] = "file"
    """What a file is, for messages."""
    task: ClassVar[str] = ""
    """What the hub calls the task of a model that describes such files; empty if it has no name for it."""
    version: ClassVar[int] = 1
    """Raised where ``read`` gives other numbers than before, so that cached features are read again."""
    unit: ClassVar[str] = "positions"
    """What an extent of one dimension counts, for pictures."""
    dimensions: ClassVar[int] = 1
    """Dimensions of the numbers at a position: 1 for a vector (D,), 2 for a row of pixels (W, C)."""

    question: bool = False

    @property
    def features(self) -> FeatureSourceConfig | None:
        """This config."""
        return self

    @property
    def has_words(self) -> bool:
        """Whether a text follows the path."""
        return self.question

    def path_of(self, line: str) -> str:
        """Return the path in a source line."""
        return (line.partition("\t")[0] if self.question else line).strip()

    def words_of(self, line: str) -> str:
        """Return the text that follows the path."""
        return line.partition("\t")[2]

    def model_sizes(self, vocabularies: Vocabularies) -> tuple[int | None, int, int]:
        """Return the sizes of a model that reads features."""
        source = vocabularies.source.size if self.question else None
        return source, vocabularies.target.size, self.input_size

    @property
    @abstractmethod
    def input_size(self) -> int:
        """Last dimension of the features: numbers of a vector, or channels of a pixel."""

    @abstractmethod
    def read(self, path: Path) -> NDArray[Any]:
        """Read the features (L, ...) of a file, with at least one position.

        Returns:
            uint8, which stand for fractions of 255, or float32.

        Raises:
            DataError: the file is missing, unreadable, of another kind, or too large; names it.
        """

    def extent(self, path: Path, length: int) -> tuple[float, ...]:  # noqa: ARG002
        """Tell what all positions together cover, in the units of regions; by default in positions, from 0.

        It is (begin, end) for vectors, and (left, top, right, bottom) for rows of pixels.

        Args:
            path: of the file.
            length: L of its features.
        """
        return 0.0, float(length)

    def units(self, length: int) -> int:
        """Return what limits of the target length are multiples of; by default L, the length of the source."""
        return length

    def labels(self, shape: Sequence[int], length: int) -> list[str]:  # noqa: ARG002
        """Name the positions of a memory, for texts and pictures.

        Args:
            shape: of the memory: (S,), or (height, width) of a grid, whose positions run row by row.
            length: L of the source.
        """
        if len(shape) == 2:
            return [f"{row},{column}" for row in range(1, shape[0] + 1) for column in range(1, shape[1] + 1)]
        return [str(position) for position in range(1, shape[0] + 1)]

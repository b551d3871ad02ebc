"""Files beside the input, whose lines say what is asked of the translations of its lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from nmt.core.errors import DataError
from nmt.core.storage.files import DecodingErrors, read_text_lines
from nmt.translation.requests.request import Line, Request

Asked: TypeAlias = Literal["prefix", "constraints", "avoid"]


class FilesBeside:
    """Reads what is asked alongside the lines of one input or of several, one after another.

    Args:
        paths: a file for each thing that is asked; phrases are separated by tabs.
        errors: see ``nmt.core.storage.files.iter_lines``.

    Raises:
        DataError: a file is missing.
    """

    def __init__(self, paths: Mapping[Asked, Path], errors: DecodingErrors = "strict") -> None:
        self._paths = paths
        self._files = {name: read_text_lines(path, errors=errors) for name, path in paths.items()}
        self._count = 0

    def beside(self, lines: Iterator[str]) -> Iterator[Line]:
        """Join the lines of an input with those of the files.

        Raises:
            DataError: a file has fewer lines.
        """
        for line in lines:
            self._count += 1
            asked: dict[str, str] = {name: self._next(name) for name in self._files}
            if not any(asked.values()):
                yield line
                continue
            constraints, avoid = (_phrases(asked.get(name, "")) for name in ("constraints", "avoid"))
            yield Request(line, prefix=asked.get("prefix", ""), constraints=constraints, avoid=avoid)

    def check_end(self) -> None:
        """Check that no file has more lines than the input.

        Raises:
            DataError: one has.
        """
        for name, path in self._paths.items():
            if next(self._files[name], None) is not None:
                raise DataError(f"{path}: must have a line for each line of the input, {self._count}, but has more")

    def _next(self, name: Asked) -> str:
        line = next(self._files[name], None)
        if line is None:
            raise DataError(
                f"{self._paths[name]}: must have a line for each line of the input, but has only {self._count - 1}"
            )
        return line


def _phrases(line: str) -> tuple[str, ...]:
    return tuple(phrase for phrase in line.split("\t") if phrase.strip())

"""Given features: a NumPy array a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy
from numpy.typing import NDArray

from nmt.core.config.ranges import PositiveInt
from nmt.core.errors import DataError
from nmt.core.storage.files import existing_file, reporting_os_errors
from nmt.data.source.family import FeatureSourceConfig, SourceConfig

MOST_NUMBERS = 2**28


@SourceConfig.registry.register("array")
@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySourceConfig(FeatureSourceConfig):
    """Features that another network or program has computed: ``.npy`` files of (L, D) numbers.

    Args:
        size: numbers D of each position.
    """

    noun: ClassVar[str] = "array"

    size: PositiveInt

    @property
    def input_size(self) -> int:
        """Numbers of each position."""
        return self.size

    def read(self, path: Path) -> NDArray[Any]:
        """Read (L, D) float32; objects (pickle) are refused, since they may run code.

        Raises:
            DataError: the file is missing, no array, empty, or of another shape or type.
        """
        with reporting_os_errors("read it"), existing_file(path).open("rb") as file:
            try:
                shape, dtype = _header(file)
            except Exception as error:  # numpy raises many kinds of errors of a damaged header
                raise DataError(f"{path}: must be a NumPy array (.npy), but is not: {error}") from error
            if len(shape) != 2 or shape[1] != self.size or not shape[0]:
                raise DataError(
                    f"{path}: must hold an array of shape (positions, {self.size}), as data.source.size says, but "
                    f"holds {shape}"
                )
            if dtype.kind not in "fiu":
                raise DataError(f"{path}: must hold numbers, but holds {dtype}; arrays of objects are not read")
            if shape[0] * shape[1] > MOST_NUMBERS:
                raise DataError(
                    f"{path}: must hold at most {MOST_NUMBERS:,} numbers, but holds {shape[0] * shape[1]:,}"
                )
            file.seek(0)
            try:
                values: NDArray[Any] = numpy.load(file, allow_pickle=False).astype(numpy.float32)
            except Exception as error:
                raise DataError(f"{path}: is cut off or damaged: {error}") from error
        if not bool(numpy.isfinite(values).all()):
            raise DataError(f"{path}: must hold finite numbers, but has NaN or infinity")
        return values


def _header(file: Any) -> tuple[tuple[int, ...], numpy.dtype[Any]]:
    version = numpy.lib.format.read_magic(file)
    read = numpy.lib.format.read_array_header_1_0 if version == (1, 0) else numpy.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype

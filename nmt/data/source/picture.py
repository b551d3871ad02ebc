"""Pictures, read by Pillow: one square of pixels each."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy
from numpy.typing import NDArray

from nmt.core.config.ranges import PositiveInt
from nmt.core.errors import DataError
from nmt.core.storage.files import existing_file, reporting_os_errors
from nmt.data.source.family import FeatureSourceConfig, SourceConfig

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM")
"""The only decoders that are used, whatever others Pillow has."""

MOST_PIXELS = 2**26
"""A file whose header tells of more pixels is refused before any is decoded; below Pillow's own limit."""

WHITE = (255, 255, 255)
"""What a picture lies on: seen where it is transparent, and beside one that is not square."""

_ORIENTATION = 0x0112  # in EXIF; 5 to 8 lie on their side


@SourceConfig.registry.register("picture")
@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSourceConfig(FeatureSourceConfig):
    """Pictures in PNG, JPEG, GIF (its first picture), BMP, WebP or PPM.

    A picture is turned as its EXIF data say, scaled until its longer side has ``size`` pixels, and centred on a white
    square: shapes keep their proportions.

    Args:
        size: height and width in pixels of what the model reads.
    """

    noun: ClassVar[str] = "picture"
    task: ClassVar[str] = "image-to-text"
    dimensions: ClassVar[int] = 2

    size: PositiveInt = 64

    @property
    def input_size(self) -> int:
        """Red, green and blue."""
        return 3

    def read(self, path: Path) -> NDArray[Any]:
        """Read (size, size, 3) uint8 in RGB.

        Raises:
            DataError: the file is missing, of another kind, cut off or damaged, or has more than ``MOST_PIXELS``.
        """
        from PIL import Image, ImageOps

        with _opened(path) as picture:
            upright = _on_white(_eight_bits(ImageOps.exif_transpose(picture)))
            square = ImageOps.pad(upright, (self.size, self.size), Image.Resampling.BICUBIC, color=WHITE)
            return numpy.array(square)

    def units(self, length: int) -> int:  # noqa: ARG002
        """Return 32, whatever the size: what is said of a picture does not grow with its pixels."""
        return 32

    def extent(self, path: Path, length: int) -> tuple[float, float, float, float]:  # noqa: ARG002
        """Tell the left, top, right and bottom of the square, in pixels of the upright picture.

        The square is larger than a picture that is not one.

        Raises:
            DataError: as ``read`` does, for what a header tells.
        """
        with _opened(path) as picture:
            width, height = picture.size
            if picture.getexif().get(_ORIENTATION, 1) >= 5:
                width, height = height, width
        side = max(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image]:
    """Open a picture, of which only the header has been read; whatever fails in the block is told as its damage."""
    from PIL import Image, UnidentifiedImageError

    limit = f"must have at most {MOST_PIXELS:,} pixels"
    with reporting_os_errors("read it", path), existing_file(path, "picture").open("rb") as file, _few_warnings():
        try:
            with Image.open(file, formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > MOST_PIXELS:
                    raise DataError(f"{path}: {limit}, but has {width:,} x {height:,}")
                if picture.mode == "F":
                    raise DataError(f"{path}: must have pixels of whole numbers, but has floating-point ones")
                yield picture
        except UnidentifiedImageError as error:
            kinds = "a picture in PNG, JPEG, GIF, BMP, WebP or PPM"
            raise DataError(f"{path}: must be {kinds}, but is none, or its beginning is damaged") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise DataError(f"{path}: {limit}, but has many more") from error
        except (DataError, MemoryError):
            raise
        except Exception as error:  # decoders raise what they like
            raise DataError(f"{path}: is cut off or damaged: {error}") from error


@contextlib.contextmanager
def _few_warnings() -> Iterator[None]:
    """Raise Pillow's warning of many pixels, and silence those of what is odd but can be read."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _eight_bits(picture: Image) -> Image:
    """Scale the greys of 16 bits, which Pillow would cut off at 255."""
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((numpy.asarray(picture, dtype=numpy.int64).clip(0, 65535) // 257).astype(numpy.uint8))


def _on_white(picture: Image) -> Image:
    from PIL import Image

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, (*WHITE, 255)), layer).convert("RGB")

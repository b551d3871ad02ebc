"""Pictures as a model reads them: upright, on white, in proportion; and one error for each that cannot be read."""

from __future__ import annotations

import struct
import zlib

import numpy
import pytest
from PIL import Image

from nmt.core.config import from_mapping
from nmt.core.errors import ConfigError, DataError
from nmt.data.source.family import SourceConfig
from nmt.data.source.picture import FORMATS, MOST_PIXELS, PictureSourceConfig

RED, BLUE, WHITE = [255, 0, 0], [0, 0, 255], [255, 255, 255]
READER = PictureSourceConfig(size=8)


def halves(width=8, height=8, mode="RGB"):
    """Red above, blue below."""
    picture = Image.new("RGB", (width, height), tuple(RED))
    picture.paste(tuple(BLUE), (0, height // 2, width, height))
    return picture.convert(mode)


def saved(folder, picture, name="picture.png", **options):
    picture.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format(tmp_path, kind):
    options = {"quality": 100} | ({"lossless": True} if kind == "WEBP" else {})
    pixels = READER.read(saved(tmp_path, halves(), "file", format=kind, **options)).astype(int)
    assert pixels.shape == (8, 8, 3)
    assert abs(pixels[:3] - RED).max() <= 3  # JPEG is not exact
    assert abs(pixels[5:] - BLUE).max() <= 3


def test_a_recipe_names_it():
    config = from_mapping(SourceConfig, {"type": "picture", "size": 32}, name="test")
    assert isinstance(config, PictureSourceConfig)
    assert (config.size, config.input_size, config.dimensions) == (32, 3, 2)
    with pytest.raises(ConfigError, match="size must be at least 1"):
        from_mapping(SourceConfig, {"type": "picture", "size": 0}, name="test")


def test_a_picture_of_the_right_size_stays_as_it_is(tmp_path):
    noise = numpy.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=numpy.uint8)
    pixels = READER.read(saved(tmp_path, Image.fromarray(noise)))
    assert pixels.dtype == numpy.uint8
    assert pixels.flags.writeable
    assert numpy.array_equal(pixels, noise)


@pytest.mark.parametrize(
    ("size", "rows"), [((80, 40), slice(2, 6)), ((4, 2), slice(2, 6))], ids=["reduced", "enlarged"]
)
def test_proportions_are_kept_on_white(tmp_path, size, rows):
    path = saved(tmp_path, Image.new("RGB", size, tuple(RED)))
    pixels = READER.read(path)
    assert (pixels[rows] == RED).all()
    assert (numpy.delete(pixels, range(8)[rows], axis=0) == WHITE).all()


@pytest.mark.parametrize("size", [(80, 40), (40, 80), (40, 40)])
def test_the_extent_maps_pixels_of_the_file_to_those_read(tmp_path, size):
    picture = Image.new("RGB", size, tuple(BLUE))
    picture.paste(tuple(RED), (10, 20, 20, 30))
    path = saved(tmp_path, picture)
    left, top, right, bottom = READER.extent(path, 8)
    assert right - left == bottom - top == max(size)
    red = PictureSourceConfig(size=max(size)).read(path)[:, :, 0] == 255
    red &= PictureSourceConfig(size=max(size)).read(path)[:, :, 2] == 0
    rows, columns = red.nonzero()
    scale = max(size) / (right - left)
    assert (columns.min(), rows.min()) == ((10 - left) * scale, (20 - top) * scale)
    assert (columns.max() + 1, rows.max() + 1) == ((20 - left) * scale, (30 - top) * scale)


@pytest.mark.parametrize(("orientation", "red"), [(1, "top"), (3, "bottom"), (6, "right"), (8, "left")])
def test_a_picture_is_turned_as_its_camera_was_held(tmp_path, orientation, red):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, halves(16, 8), exif=exif)
    pixels = PictureSourceConfig(size=16).read(path)
    edges = {"top": pixels[4, 8], "bottom": pixels[11, 8], "left": pixels[8, 4], "right": pixels[8, 11]}
    assert edges[red].tolist() == RED
    upright = (0, -4, 16, 12) if orientation < 5 else (-4, 0, 12, 16)
    assert READER.extent(path, 8) == upright


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK"])
def test_every_kind_of_pixels_becomes_red_green_and_blue(tmp_path, mode):
    name, options = ("file.jpg", {"quality": 100}) if mode == "CMYK" else ("file.png", {})
    pixels = READER.read(saved(tmp_path, Image.new("RGB", (8, 8), "white").convert(mode), name, **options))
    assert pixels.shape == (8, 8, 3)
    assert (pixels >= 254).all()


@pytest.mark.parametrize("kind", ["PNG", "PPM"])
def test_greys_of_16_bits_are_scaled(tmp_path, kind):
    grey = Image.fromarray(numpy.full((8, 8), 257 * 100, dtype=numpy.uint16))
    assert (READER.read(saved(tmp_path, grey, "file", format=kind)) == 100).all()


def transparent(mode):
    picture = Image.new("RGBA", (8, 8), (*RED, 255))
    picture.paste((0, 0, 0, 0), (0, 4, 8, 8))
    return picture.quantize(4) if mode == "P" else picture.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
def test_what_is_transparent_is_white(tmp_path, mode):
    pixels = READER.read(saved(tmp_path, transparent(mode)))
    assert (pixels[4:] == 255).all()
    assert not (pixels[:4] == 255).all()


def test_half_transparent_pixels_are_mixed_with_white(tmp_path):
    pixels = READER.read(saved(tmp_path, Image.new("RGBA", (8, 8), (255, 0, 0, 51))))
    assert (pixels == [255, 204, 204]).all()


def header(width, height):
    """A PNG that is nothing but what it says of its size."""
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + content + struct.pack(">I", zlib.crc32(content))
    empty = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + chunk + empty


def noise(folder, name):
    values = numpy.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=numpy.uint8)
    return saved(folder, Image.fromarray(values), name).read_bytes()


BROKEN = {
    "missing": (None, r"there is no such picture"),
    "empty": (lambda folder: b"", "must be a picture in PNG, JPEG"),
    "text": (lambda folder: b"a picture of a cat", "must be a picture in PNG, JPEG"),
    "other kind": (lambda folder: saved(folder, halves(), "a.tiff").read_bytes(), "must be a picture in PNG, JPEG"),
    "huge": (lambda folder: header(100_000, 100_000), f"must have at most {MOST_PIXELS:,} pixels, but has many more"),
    "above Pillow's first limit": (lambda folder: header(10_000, 10_000), "must have at most .* has many more"),
    "just too large": (
        lambda folder: header(8192, 8193),
        r"must have at most 67,108,864 pixels, but has 8,192 x 8",
    ),
    "cut off PNG": (lambda folder: noise(folder, "a.png")[:5000], "is cut off or damaged"),
    "cut off JPEG": (lambda folder: noise(folder, "a.jpg")[:2000], "is cut off or damaged"),
    "cut off GIF": (lambda folder: noise(folder, "a.gif")[:2000], "is cut off or damaged"),
    "cut off WebP": (lambda folder: noise(folder, "a.webp")[:1000], "(is cut off or damaged|must be a picture)"),
    "cut off PPM": (lambda folder: noise(folder, "a.ppm")[:2000], "is cut off or damaged"),
    "damaged": (lambda folder: noise(folder, "a.png")[:200] + b"x" * 900, "is cut off or damaged"),
    "floating point": (lambda folder: b"Pf\n2 2\n-1.0\n" + bytes(16), "floating-point"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_read_is_one_error_that_names_it(tmp_path, case):
    content, message = BROKEN[case]
    path = tmp_path / "wanted.png"
    if content:
        path.write_bytes(content(tmp_path))
    with pytest.raises(DataError, match=message) as error:
        READER.read(path)
    assert str(error.value).count(str(path)) == 1


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(DataError, match="must be a picture, but is a folder"):
        READER.read(tmp_path)


@pytest.mark.parametrize("kind", FORMATS)
def test_no_damage_is_anything_but_an_error(tmp_path, kind):
    """Whatever bytes have changed, a file is read or refused."""
    whole = saved(tmp_path, halves(32, 32), "file", format=kind).read_bytes()
    draw, path = numpy.random.default_rng(2), tmp_path / "damaged"
    refused = 0
    for _ in range(60):
        content = bytearray(whole)
        for place in draw.integers(0, min(len(whole), 400), 4):
            content[place] = draw.integers(256)
        path.write_bytes(content)
        try:
            assert READER.read(path).shape == (8, 8, 3)
        except DataError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused

"""Samples of sound files: WAV here, FLAC and Ogg by soundfile."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy
from numpy.typing import NDArray

from nmt.core.errors import DataError, NmtError
from nmt.core.storage.files import existing_file, reporting_os_errors

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
STREAMED = 0x7FFFF000
"""Sizes from here on are what programs write that do not know the size yet: the data goes on to the end of the file."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sound file must be.

    Args:
        rate: samples a second.
        seconds: its greatest length.
    """

    rate: int
    seconds: float

    def check(self, path: Path, *, rate: int, channels: int, samples: int) -> None:
        """Check what a header says.

        Raises:
            DataError: it is something else; says how to convert it.
        """
        if channels != 1:
            raise DataError(f"{path}: must have one channel, but has {channels}; mix them first, as `sox -c 1` does")
        if rate != self.rate:
            raise DataError(
                f"{path}: must have {self.rate} samples a second, as data.source.rate says, but has {rate}; convert it "
                "first, as `sox -r` does"
            )
        if not samples:
            raise DataError(f"{path}: must hold sound, but has no samples")
        if samples > self.seconds * rate:
            raise DataError(
                f"{path}: must be at most {self.seconds:g} seconds long, as data.source.max_seconds says, but lasts "
                f"{samples / rate:.1f}"
            )


def read_waveform(path: Path, limits: Limits) -> NDArray[numpy.float32]:
    """Read the samples (N,) of a file with one channel, between -1 and 1, with N at least 1.

    Raises:
        DataError: the file is missing, damaged, of another kind or not as the limits say.
        NmtError: it needs soundfile, which is not installed.
    """
    with reporting_os_errors("read it", path), existing_file(path, "sound file").open("rb") as file:
        start = file.read(12)
        if start[:4] == b"RIFF" and start[8:] == b"WAVE":
            samples = _read_wav(path, file, limits)
        elif start[:4] in {b"fLaC", b"OggS"}:
            file.seek(0)
            samples = _read_compressed(path, file, limits)
        else:
            found = f"begins with {start!r}" if start else "is empty"
            raise DataError(f"{path}: must be a WAV, FLAC or Ogg file, but {found}")
    if not bool(numpy.isfinite(samples).all()):
        raise DataError(f"{path}: must hold finite numbers, but has NaN or infinity")
    return samples


def _read_wav(path: Path, file: IO[bytes], limits: Limits) -> NDArray[numpy.float32]:
    """Read the chunks after the first 12 bytes: ``fmt``, others, ``data``."""
    form: tuple[int, int, int] | None = None
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"fmt ":
            form = _wav_form(path, file.read(size + size % 2), limits)
        elif name != b"data":
            file.seek(size + size % 2, 1)
        elif form is None:
            break
        else:
            kind, bits, rate = form
            size = _remaining(file) if size >= STREAMED else size
            limits.check(path, rate=rate, channels=1, samples=size * 8 // bits)
            data = file.read(size)
            if len(data) < size:
                raise DataError(f"{path}: is cut off: {size:,} bytes of sound are announced, but {len(data):,} follow")
            return _wav_samples(data[: size - size % (bits // 8)], kind, bits)
    missing = "description of its sound (fmt)" if form is None else "sound (data)"
    raise DataError(f"{path}: is damaged or cut off: a WAV file without a {missing}")


def _wav_form(path: Path, head: bytes, limits: Limits) -> tuple[int, int, int]:
    """Return the kind of samples, their bits and the rate from a ``fmt`` chunk."""
    if len(head) < 16:
        raise DataError(f"{path}: is damaged or cut off: a WAV file whose header has {len(head)} bytes, not 16")
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", head[:16])
    if kind == EXTENSIBLE and len(head) >= 26:
        (kind,) = struct.unpack("<H", head[24:26])
    if (kind, bits) not in {(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)}:
        raise DataError(
            f"{path}: must hold PCM of 8, 16, 24 or 32 bits or floats, but has format {kind} with {bits} bits; convert "
            "it first, as `sox -e signed -b 16` does"
        )
    limits.check(path, rate=rate, channels=channels, samples=1)
    return kind, bits, rate


def _remaining(file: IO[bytes]) -> int:
    here = file.tell()
    size = file.seek(0, 2) - here
    file.seek(here)
    return size


def _wav_samples(data: bytes, kind: int, bits: int) -> NDArray[numpy.float32]:
    if kind == FLOAT:
        return numpy.frombuffer(data, f"<f{bits // 8}").astype(numpy.float32)
    whole: NDArray[Any]
    if bits == 8:  # the only ones without a sign
        whole = numpy.frombuffer(data, numpy.uint8) - 128.0
    elif bits == 24:
        low, middle, high = numpy.frombuffer(data, numpy.uint8).reshape(-1, 3).T.astype(numpy.int32)
        whole = low + (middle << 8) + (high.astype(numpy.int8).astype(numpy.int32) << 16)
    else:
        whole = numpy.frombuffer(data, f"<i{bits // 8}")
    return (whole / 2.0 ** (bits - 1)).astype(numpy.float32)


def _read_compressed(path: Path, file: IO[bytes], limits: Limits) -> NDArray[numpy.float32]:
    soundfile = _soundfile(path)
    try:
        with soundfile.SoundFile(file) as sound:
            limits.check(path, rate=sound.samplerate, channels=sound.channels, samples=sound.frames)
            samples: NDArray[Any] = sound.read(dtype="float32")
            announced = sound.frames
    except soundfile.SoundFileError as error:
        raise DataError(f"{path}: is damaged or cut off: {error}") from error
    if len(samples) < announced:
        raise DataError(f"{path}: is cut off: {announced:,} samples are announced, but {len(samples):,} can be read")
    return samples


def _soundfile(path: Path) -> ModuleType:
    try:
        import soundfile
    except (ImportError, OSError):  # the package, or the library that it needs
        raise NmtError(
            f"{path}: FLAC and Ogg need the package soundfile, which is not there; install it with: pip install "
            "'nmt[sound]'; or convert to WAV"
        ) from None
    library: ModuleType = soundfile
    return library

"""Speech and other sound: mel filterbanks of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy
import torch
from numpy.typing import NDArray

from nmt.core.config.ranges import Positive, PositiveInt
from nmt.core.errors import DataError
from nmt.data.source.family import FeatureSourceConfig, SourceConfig
from nmt.data.source.filterbank import SHIFT, WINDOW, frame_count, log_mel
from nmt.data.source.waveform import Limits, read_waveform

Normalisation = Literal["mean-variance", "mean", "none"]
LEAST_RATE = 1000
FRAMES_OF_A_PIECE = 4
"""Speech has fewer pieces than one for each so many frames."""
LEAST_DEVIATION = 1e-3  # that of digital silence is rounding alone


@SourceConfig.registry.register("sound")
@dataclass(frozen=True, slots=True, kw_only=True)
class SoundSourceConfig(FeatureSourceConfig):
    """Log mel filterbanks of recordings with one channel: a frame of 25 ms every 10 ms, as in Kaldi.

    WAV files need no other package, FLAC and Ogg need ``nmt[sound]``. Other rates and several channels are refused:
    a conversion that nobody sees could make training and use differ.

    Args:
        bins: number of mel filters.
        rate: samples a second that every file must have.
        normalise: make the mean of every filter 0, and its variance 1, over a recording.
        max_seconds: longer recordings are refused.
    """

    noun: ClassVar[str] = "sound file"
    task: ClassVar[str] = "automatic-speech-recognition"
    unit: ClassVar[str] = "seconds"

    bins: PositiveInt = 80
    rate: PositiveInt = 16000
    normalise: Normalisation = "mean-variance"
    max_seconds: Positive = 60.0

    def problems(self) -> Iterator[tuple[str, str]]:
        """Rates with too few samples for a frame, and more filters than frequencies."""
        if self.rate < LEAST_RATE:
            yield "rate", f"must be at least {LEAST_RATE} samples a second, but is {self.rate}"
        elif self.bins > self.rate * WINDOW / 2:
            most = int(self.rate * WINDOW / 2)
            yield "bins", f"must be at most {most}, the frequencies that a frame has at this rate, but is {self.bins}"

    @property
    def input_size(self) -> int:
        """Number of filters."""
        return self.bins

    def read(self, path: Path) -> NDArray[numpy.float32]:
        """Read frames (L, bins).

        Raises:
            DataError: the file is missing, damaged, of another kind, rate or number of channels, or too long or short.
            NmtError: it needs soundfile, which is not installed.
        """
        samples = read_waveform(path, Limits(self.rate, self.max_seconds))
        if not frame_count(len(samples), self.rate):
            raise DataError(
                f"{path}: must have at least {int(self.rate * WINDOW)} samples, {1000 * WINDOW:g} ms, but has "
                f"{len(samples)}"
            )
        frames = log_mel(torch.from_numpy(samples), self.rate, self.bins)
        if self.normalise != "none":
            frames = frames - frames.mean(0)
        if self.normalise == "mean-variance":
            frames = frames / frames.square().mean(0).sqrt().clamp_min(LEAST_DEVIATION)
        if not bool(frames.isfinite().all()):
            raise DataError(f"{path}: must be a recording, but its samples are too large to compute with")
        return frames.numpy()

    def units(self, length: int) -> int:
        """Return one for each 40 ms: limits of the target length count twice as many pieces, by default."""
        return -(-length // FRAMES_OF_A_PIECE)

    def extent(self, path: Path, length: int) -> tuple[float, ...]:  # noqa: ARG002
        """Tell from where to where in seconds the frames reach, each up to where the next one is nearer."""
        begin = (WINDOW - SHIFT) / 2
        return begin, begin + SHIFT * length

    def labels(self, shape: Sequence[int], length: int) -> list[str]:
        """Name positions by the middle of their time, in seconds."""
        begin, end = self.extent(Path(), length)
        return [f"{begin + (index + 0.5) * (end - begin) / shape[0]:.2f}" for index in range(shape[0])]

"""Logarithmic mel filterbanks, as Kaldi computes them (``compute-fbank-feats --dither=0``)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

WINDOW, SHIFT = 0.025, 0.01
"""Length of a frame and distance between two, in seconds."""
LOWEST = 20.0
"""The lowest frequency of the lowest filter, in Hertz; the highest of the highest is half the rate."""
PRE_EMPHASIS = 0.97
LARGEST = 2.0**15  # Kaldi's samples are 16-bit integers


def frame_count(samples: int, rate: int) -> int:
    """Number of whole frames in so many samples."""
    size, shift = _sizes(rate)
    return 0 if samples < size else 1 + (samples - size) // shift


def log_mel(samples: Tensor, rate: int, bins: int) -> Tensor:
    """Compute log energies (L, bins) of samples (N,) between -1 and 1, in float32.

    From each frame its mean is subtracted, then ``x_i - 0.97 x_{i-1}`` is taken, and the result is multiplied by the
    povey window ``(0.5 - 0.5 cos(2 pi i / (n - 1)))^0.85``. Power spectra are weighed by triangles on the mel scale.

    Args:
        samples: at least one frame.
        rate: samples a second.
        bins: number of filters.
    """
    size, shift = _sizes(rate)
    frames = (samples * LARGEST).unfold(0, size, shift)
    frames = frames - frames.mean(1, keepdim=True)
    frames = frames - PRE_EMPHASIS * torch.cat([frames[:, :1], frames[:, :-1]], 1)
    padded = 2 ** math.ceil(math.log2(size))
    window = torch.hann_window(size, periodic=False).pow(0.85)
    power = torch.fft.rfft(frames * window, padded).abs().square()[:, :-1]
    energies: Tensor = power @ mel_filters(rate, bins, padded).T
    return energies.clamp_min(torch.finfo(torch.float32).eps).log()


def mel_filters(rate: int, bins: int, padded: int) -> Tensor:
    """Weights (bins, padded / 2) of the frequencies below half the rate, in spectra of ``padded`` samples.

    Triangles overlap by half, and their corners have equal distances in mel, ``1127 ln(1 + f / 700)``.
    """
    corners = torch.linspace(_mel(LOWEST), _mel(rate / 2), bins + 2, dtype=torch.float64)
    left, middle, right = (corners[begin : begin + bins, None] for begin in range(3))
    mels = 1127.0 * torch.log1p(torch.arange(padded // 2, dtype=torch.float64) * rate / padded / 700.0)
    rising, falling = (mels - left) / (middle - left), (right - mels) / (right - middle)
    return torch.minimum(rising, falling).clamp_min(0.0).float()


def _mel(frequency: float) -> float:
    return 1127.0 * math.log1p(frequency / 700.0)


def _sizes(rate: int) -> tuple[int, int]:
    """Samples of a frame and between two."""
    return int(rate * WINDOW), int(rate * SHIFT)

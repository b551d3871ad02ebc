"""Seeds derived by name, so that every random choice depends only on its purpose."""

from __future__ import annotations

import hashlib
import random

import numpy
import torch


def derive_seed(seed: int, *parts: int | str) -> int:
    """Derive an independent seed in [0, 2**63) from a root seed and its purpose, such as ``"order", epoch``.

    It is the same on every machine, Python version and process (unlike ``hash``).
    """
    text = "\x1f".join([str(seed), *(str(part) for part in parts)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (every device)."""
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)

"""Arithmetic as exact as float32 allows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact() -> Iterator[None]:
    """Keep a GPU from rounding the factors of float32 products to 10 bits (TF32).

    Recurrent layers of cuDNN do so by default. With it, the translation of a line would depend on its batch.
    """
    matmul, recurrent = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, recurrent.allow_tf32
    matmul.allow_tf32 = recurrent.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, recurrent.allow_tf32 = before

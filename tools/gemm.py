"""Peak speed of matrix products on this machine, to which the shares in the benchmarks are relative."""

from __future__ import annotations

from collections.abc import Callable

import torch

from nmt.model.fast.onednn import PrepackedWeight


def gemm_gflops(dtype: torch.dtype, device: torch.device, clock: Callable[[], float]) -> float:
    """GFLOP/s of a large matrix product in the fastest way of this toolkit: on a CPU with a packed weight.

    Args:
        dtype: of the factors.
        device: where to compute.
        clock: seconds, after the work so far has finished.
    """
    rows, width, height = (1024, 512, 2048) if device.type == "cpu" else (8192, 8192, 8192)
    multiply = PrepackedWeight(torch.randn(height, width, device=device), None, dtype)
    inputs = torch.randn(rows, width, device=device)
    multiply(inputs)
    began = clock()
    for _ in range(4):
        multiply(inputs)
    return 4 * 2e-9 * rows * width * height / (clock() - began)

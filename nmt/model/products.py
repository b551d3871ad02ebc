"""Products of a matrix that no longer changes with many vectors."""

from __future__ import annotations

import platform
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional


class Product:
    """``W x + b`` for one W and many x.

    On x86 processors oneDNN multiplies by a W that it has laid out before. In float32 that takes half the time of the
    product that torch chooses where the processor is not Intel's, and a tenth less where it is.

    Args:
        weight: (N, M) float32.
        bias: (N,) or ``None``.
        dtype: of the factors; sums are float32.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.weight = weight.detach().to(dtype)
        self.bias = None if bias is None else bias.detach().to(dtype)
        self.packed = packed(self.weight)

    def __call__(self, inputs: Tensor) -> Tensor:
        """(..., N) float32 of inputs (..., M) float32."""
        inputs = inputs.to(self.dtype)
        if self.packed is None or not inputs.numel():
            return functional.linear(inputs, self.weight, self.bias).float()
        product = torch.ops.mkldnn._linear_pointwise(inputs, self.packed, self.bias, "none", [], "")
        return cast("Tensor", product).float()


def packed(weight: Tensor) -> Any | None:
    """Lay a weight (N, M) out for oneDNN; ``None`` where its products are not to be had, or not known to be faster."""
    if weight.device.type != "cpu" or platform.machine() not in {"x86_64", "AMD64"}:
        return None
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    try:
        return torch.ops.mkldnn._reorder_linear_weight(weight, None)
    except (AttributeError, RuntimeError):  # no public operation: another version of torch may not have it
        return None

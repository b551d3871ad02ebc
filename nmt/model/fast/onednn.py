"""Matrix products by oneDNN where torch would use another library."""

from __future__ import annotations

import functools
import platform
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional


class PrepackedWeight:
    """``W x + b`` for one W and many x.

    On x86 processors oneDNN multiplies by a reordered copy of W. In float32 this halves the time of torch's default
    product on processors other than Intel's, and saves a tenth on Intel's.

    Args:
        weight: (N, M) float32.
        bias: (N,) or ``None``.
        dtype: dtype of the factors. Sums are float32, but the result is rounded to this dtype.
        rounded: whether the result is rounded. If not, it has float32 precision: the rounded factors are multiplied in
            float32, as not every processor has a product of two bf16 matrices that gives float32.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, *, rounded: bool = True) -> None:
        self.factors = dtype
        self.dtype = dtype if rounded else torch.float32
        self.weight = weight.detach().to(dtype).to(self.dtype)
        self.bias = None if bias is None else bias.detach().to(self.dtype)
        self.reordered = reordered(self.weight)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"reordered": None}  # cannot be copied

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.reordered = reordered(self.weight)

    def __call__(self, inputs: Tensor) -> Tensor:
        """(..., N) float32 of inputs (..., M) float32."""
        return self.product(inputs).float()

    def product(self, inputs: Tensor) -> Tensor:
        """(..., N) of inputs (..., M) float32, in bf16 if the result is rounded to it."""
        inputs = self.rounded(inputs)
        if self.reordered is None or not inputs.numel():
            return functional.linear(inputs, self.weight, self.bias)
        return cast("Tensor", torch.ops.mkldnn._linear_pointwise(inputs, self.reordered, self.bias, "none", [], ""))

    def rounded(self, inputs: Tensor) -> Tensor:
        """Inputs as factors of the product; to round them again changes nothing."""
        return inputs.to(self.factors).to(self.dtype)

    def elements(self, factors: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Elements (b, n) of the product of rounded inputs (N, M), at rows (b, n) and columns (b, n)."""
        found = (factors[rows] * self.weight[columns]).sum(-1)
        return found if self.bias is None else found + self.bias[columns]

    def columns(self, factors: Tensor, columns: Tensor) -> Tensor:
        """Some columns (m,) of the product of rounded inputs (N, M): (N, m)."""
        return functional.linear(factors, self.weight[columns], None if self.bias is None else self.bias[columns])


def reordered(weight: Tensor) -> Any | None:
    """Reorder a weight (N, M) for oneDNN; ``None`` where its products are unavailable, or not known to be faster."""
    if weight.device.type != "cpu" or not _has_onednn():
        return None
    return torch.ops.mkldnn._reorder_linear_weight(weight, None)


def linear(rows: Tensor, weight: Tensor, plus: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """``rows W^T``, or ``plus + rows W^T``, without a gradient; in float32 by oneDNN, as in ``PrepackedWeight``.

    Args:
        rows: (N, M); may be a transposed view.
        weight: W (K, M), likewise; a slice of a matrix must be made contiguous, or it is a hundred times slower.
        plus: (N, K) or (K,).
        out: (N, K) receives the result.
    """
    if not uses_onednn(rows) or not rows.numel():
        if plus is None:
            return torch.mm(rows, weight.t(), out=out)
        return torch.addmm(plus, rows, weight.t(), out=out)
    multiply: Any = torch.ops.mkldnn._linear_pointwise
    if plus is None or plus.dim() == 1:
        found: Tensor = multiply(rows, weight, plus, "none", [], "")
    else:
        found = multiply.binary(rows, plus, weight, None, "add")
    return found if out is None else out.copy_(found)


def paired_linear(rows: Tensor, weights: Tensor, plus: Tensor | None = None) -> Tensor:
    """Two products in one tensor: ``rows`` (2, N, M), ``weights`` (2, K, M) and ``plus`` (2, K); see ``linear``."""
    if uses_onednn(rows):
        offsets = (None, None) if plus is None else plus
        return torch.stack([linear(*each) for each in zip(rows, weights, offsets, strict=True)])
    if plus is None:
        return torch.bmm(rows, weights.transpose(1, 2))
    return torch.baddbmm(plus.unsqueeze(1), rows, weights.transpose(1, 2))


def uses_onednn(rows: Tensor) -> bool:
    """Whether ``linear`` uses oneDNN instead of torch's default library."""
    return rows.dtype == torch.float32 and rows.device.type == "cpu" and _has_onednn()


@functools.cache
def _has_onednn() -> bool:
    if platform.machine() not in {"x86_64", "AMD64"} or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    try:  # these operations are not public: another version of torch may lack them
        matrix = torch.eye(2, dtype=torch.float32, device="cpu")
        reordered = torch.ops.mkldnn._reorder_linear_weight(matrix, None)
        found = torch.ops.mkldnn._linear_pointwise(matrix, reordered, None, "none", [], "")
        found = torch.ops.mkldnn._linear_pointwise.binary(found, matrix, matrix, None, "add")
    except (AttributeError, RuntimeError):
        return False
    return torch.equal(found, 2.0 * matrix)

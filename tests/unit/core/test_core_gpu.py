"""What the core does on a GPU: rounding, determinism, memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nmt.core.machine.batch_halving import Halving
from nmt.core.machine.device import autocast, full_float32, kernels, resolve_device, resolve_precision
from nmt.core.tensors import running_sum

pytestmark = pytest.mark.gpu
HALF = 2**29


def test_the_device_is_found_and_its_precision(cuda: torch.device) -> None:
    assert resolve_device("auto") == cuda
    last = f"cuda:{torch.cuda.device_count() - 1}"
    assert resolve_device(last) == torch.device(last)
    native = torch.cuda.get_device_capability(cuda) >= (8, 0)
    assert resolve_precision("auto", cuda) == ("bf16" if native else "fp32")
    matrix = torch.ones(2, 2, device=cuda)
    with autocast(cuda, "bf16"):
        assert (matrix @ matrix).dtype == torch.bfloat16


def test_full_float32_is_not_rounded(cuda: torch.device) -> None:
    torch.manual_seed(1)
    layer, inputs = nn.GRU(64, 64, batch_first=True).double(), torch.randn(8, 20, 64).double()
    expected = layer(inputs)[0]
    layer, placed = layer.float().to(cuda), inputs.float().to(cuda)
    with torch.no_grad(), autocast(cuda, "bf16"), full_float32(cuda):
        found = layer(placed)[0]
        product = placed @ placed.transpose(1, 2)
    assert (found.cpu().double() - expected).abs().max() < 1e-5
    assert (product.cpu().double() - inputs @ inputs.transpose(1, 2)).abs().max() < 1e-4


def test_a_running_sum_is_deterministic(cuda: torch.device) -> None:
    row = torch.rand(3, 50, device=cuda, dtype=torch.float64)
    with kernels(deterministic=True):
        found = running_sum(row)
    torch.testing.assert_close(found, row.cumsum(-1))


@pytest.mark.usefixtures("little_memory")
def test_a_batch_that_does_not_fit_is_halved(cuda: torch.device) -> None:
    def compute(rows: list[int]) -> int:
        return torch.empty(len(rows), HALF // 3, dtype=torch.uint8, device=cuda).shape[0]

    found = list(Halving("cuda", "%d rows do not fit")([range(8), range(1)], compute))
    assert [rows for rows, _ in found] == [[0, 1], [2, 3], [4, 5], [6, 7], [0]]
    assert [result for _, result in found] == [2, 2, 2, 2, 1]

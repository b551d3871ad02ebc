"""Batches that memory does not hold are computed in halves."""

from __future__ import annotations

import re

import pytest
import torch

from nmt.core.machine.batch_halving import Halving


def test_batches_are_halved_down_to_single_rows(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given_back: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(True))

    def total(rows: list[int]) -> int:
        if len(rows) > 2 or 9 in rows:
            raise MemoryError
        return sum(rows)

    halving = Halving("cuda", "%d are too many")
    found = list(halving([[1, 2, 3, 4, 5], [9, 7], [6]], total))
    assert found == [([1, 2], 3), ([3], 3), ([4, 5], 9), ([9], None), ([7], 7), ([6], 6)]
    assert len(given_back) == 3, "for five, three and two rows"
    assert [record.getMessage() for record in caplog.records] == ["5 are too many"]


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def broken(rows: list[int]) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="multiplied"):
        list(Halving("cpu", "%d")([[1, 2]], broken))


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported at some other call"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_short_of_memory_on_a_gpu(error: Exception, short: bool) -> None:
    found = iter(Halving("cpu", "%d")([range(2)], lambda rows: _raised(error) if len(rows) > 1 else rows[0]))
    if short:
        assert list(found) == [([0], 0), ([1], 1)]
    else:
        with pytest.raises(RuntimeError, match=re.escape(str(error)[:20])):
            list(found)


def _raised(error: Exception) -> int:
    raise error

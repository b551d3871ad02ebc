"""Blocks of the steps of a recurrence."""

from __future__ import annotations

import pytest
import torch

from nmt.model.fast.gru import BLOCK_ROWS, blocks_of_steps


@pytest.mark.parametrize(
    ("steps", "rows"), [(14, 73), (16, 256), (7, 1000), (3, 5000), (100, 24), (1, 1), (0, 4), (5, 0)]
)
def test_blocks_of_steps(steps: int, rows: int) -> None:
    """They cover all steps once, last first, in blocks of even length, at least one."""
    blocks = list(blocks_of_steps(steps, rows, torch.device("cpu")))
    assert [step for block in blocks for step in reversed(range(steps)[block])] == list(reversed(range(steps)))
    sizes = [block.stop - block.start for block in blocks]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= max(1, BLOCK_ROWS // max(1, rows))
    assert list(blocks_of_steps(steps, rows, torch.device("cuda"))) == [slice(0, steps)]

"""What the tests of recurrences with a gradient of their own share: small sharp models and ragged rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest
import torch
from torch import Tensor

from nmt.data.batch import Tokens
from nmt.model.fast import gru
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig


def sharp(config: Seq2SeqConfig, dtype: torch.dtype = torch.float64, scale: float = 4.0) -> Seq2Seq:
    torch.manual_seed(2)
    model = config.build(11, 11).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(scale)
            else:
                parameter.normal_()
    return model


def rows(*lengths: int, seed: int) -> Tokens:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, 11, (len(lengths), max(lengths)), generator=generator)
    return Tokens(ids, torch.tensor(lengths))


SOURCE, TARGET = rows(6, 1, 4, 3, seed=0), rows(2, 5, 7, 1, seed=1)


def in_small_blocks(monkeypatch: pytest.MonkeyPatch, recurrence: ModuleType) -> list[int]:
    """Let a backward pass take at most three steps of four rows together; returns where it counts the steps of each."""
    seen: list[int] = []

    def spy(before: Tensor, gates: Tensor, proposed: Tensor) -> Tensor:
        seen.append(before.shape[-3])
        return gru.gru_slopes(before, gates, proposed)

    monkeypatch.setattr(gru, "BLOCK_ROWS", 12)
    monkeypatch.setattr(recurrence, "gru_slopes", spy)
    return seen


@contextmanager
def kept_bytes() -> Iterator[Callable[[], int]]:
    """Count the bytes that autograd keeps for the backward pass of what is done inside, once a storage."""
    kept: dict[int, int] = {}
    alive = []  # no address is given out twice

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield lambda: sum(kept.values())
    alive.clear()

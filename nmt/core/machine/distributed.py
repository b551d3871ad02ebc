"""Rank and number of the processes of a training run (``torch.distributed``); 0 and 1 without a process group."""

from __future__ import annotations

import torch.distributed


def _joined() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def rank() -> int:
    """Return the rank of this process, from 0."""
    return torch.distributed.get_rank() if _joined() else 0


def world_size() -> int:
    """Return the number of processes."""
    return torch.distributed.get_world_size() if _joined() else 1

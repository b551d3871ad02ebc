"""Who this process is among those of one training run, by ``torch.distributed``; alone if no group was joined."""

from __future__ import annotations

import torch.distributed


def _joined() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def rank() -> int:
    """Return the number of this process, from 0."""
    return torch.distributed.get_rank() if _joined() else 0


def world_size() -> int:
    """Return the number of processes."""
    return torch.distributed.get_world_size() if _joined() else 1

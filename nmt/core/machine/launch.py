"""What torchrun tells each process that it starts, by environment variables; needs no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass

_NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, slots=True)
class Launch:
    """Place of this process among those of one training.

    Args:
        rank: number of this process, from 0.
        world_size: number of processes.
        local_rank: number of this process on its machine, from 0.
        local_world_size: number of processes on this machine.
        machines: number of machines.
    """

    rank: int
    world_size: int
    local_rank: int
    local_world_size: int
    machines: int

    def __str__(self) -> str:
        return f"process {self.rank} of {self.world_size}"

    @property
    def command(self) -> str:
        """How ``nmt-train`` is started with as many processes."""
        several = f" --nnodes {self.machines} --rdzv-endpoint HOST:PORT" if self.machines > 1 else ""
        return f"torchrun{several} --nproc-per-node {self.local_world_size} -m nmt.cli.train"


def launch() -> Launch | None:
    """Return the place of this process, or ``None`` if torchrun has not started it."""
    if not all(name in os.environ for name in _NEEDED):
        return None

    def number(name: str, default: int) -> int:
        return int(os.environ.get(name, default))

    world_size = number("WORLD_SIZE", 1)
    return Launch(
        rank=number("RANK", 0),
        world_size=world_size,
        local_rank=number("LOCAL_RANK", 0),
        local_world_size=number("LOCAL_WORLD_SIZE", world_size),
        machines=number("GROUP_WORLD_SIZE", 1),
    )


def train_command() -> str:
    """How to start a training like this one: ``nmt-train``, or the same by torchrun."""
    launched = launch()
    return "nmt-train" if launched is None else launched.command

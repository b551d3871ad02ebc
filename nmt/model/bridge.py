"""Bridges: how the decoder's initial state depends on the source."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn

from nmt.model.cells import CellKind, has_memory_cell
from nmt.model.encoder.base import Encoder
from nmt.model.encoder.words import Words
from nmt.model.memory import BridgeKind, CellState, SourceMemory


def conflict(kind: BridgeKind, encoder: Encoder | Words) -> str | None:
    """Say which bridges fit an encoder ("must be ...") if this one does not; else ``None``."""
    missing = _missing(encoder)
    if kind not in missing:
        return None
    choice = " or ".join(each for each in get_args(BridgeKind) if each not in missing)
    return f"must be {choice} with this encoder, which provides no {missing[kind]}, but is {kind}"


def _missing(encoder: Encoder | Words) -> dict[BridgeKind, str]:
    """What an encoder does not provide, keyed by the bridge that reads it."""
    missing: dict[BridgeKind, str] = {}
    if encoder.backward_size is None:
        missing["first-backward"] = "state of a backward direction"
    if not encoder.state_sizes:
        missing["last"] = "final states"
    return missing


class Bridge(nn.Module):
    """Computes the initial state of every decoder layer.

    ``first-backward``: ``s_0 = tanh(W_s h_1)`` of the backward annotation of the first word (Bahdanau et al., 2015,
    appendix A.2.2). ``last``: ``tanh(W_s s)`` of the final state of the encoder layer at the same height (the top one
    for higher decoder layers). ``mean``: ``tanh(W_s m)`` of the mean annotation (Sennrich et al., 2017). ``zero``: 0.
    With ``last``, an LSTM's memory cell is a projection of the encoder's cell without tanh if both are LSTMs; otherwise
    it starts at zero.

    Args:
        kind: kind of bridge.
        encoder: what gives the memory that it reads.
        cell: kind of the decoder's cells.
        size: size H of the decoder's layers.
        layers: number of decoder layers.

    Raises:
        ValueError: the encoder does not provide what this kind reads.
    """

    def __init__(self, kind: BridgeKind, encoder: Encoder | Words, *, cell: CellKind, size: int, layers: int) -> None:
        super().__init__()
        problem = conflict(kind, encoder)
        if problem:
            raise ValueError(f"the bridge {problem}")
        self.kind: BridgeKind = kind
        self.cell: CellKind = cell
        self.size = size
        self.heights = [min(layer, len(encoder.state_sizes) - 1) for layer in range(layers)]
        if kind == "last":
            sizes = [encoder.state_sizes[height] for height in self.heights]
        elif kind == "first-backward" and encoder.backward_size is not None:
            sizes = [encoder.backward_size] * layers
        else:
            sizes = [encoder.memory_size] * layers
        self.W_s = nn.ModuleList(nn.Linear(each, size) for each in sizes if kind != "zero")
        carries_cell = kind == "last" and has_memory_cell(cell) and has_memory_cell(encoder.cell)
        self.W_cell = nn.ModuleList(nn.Linear(each, size) for each in sizes if carries_cell)

    def forward(self, memory: SourceMemory) -> tuple[CellState, ...]:
        """Return the initial state of every layer, (B, H) each, in the dtype of the memory."""
        dtype = memory.values.dtype
        zeros = memory.values.new_zeros(memory.values.shape[0], self.size)
        states = []
        for layer, height in enumerate(self.heights):
            hidden = zeros if self.kind == "zero" else torch.tanh(self.W_s[layer](self._view(memory, height)).to(dtype))
            cell = None
            if has_memory_cell(self.cell):
                encoded = memory.states[height].cell if len(self.W_cell) else None
                cell = zeros if encoded is None else self.W_cell[layer](encoded).to(dtype)
            states.append(CellState(hidden, cell))
        return tuple(states)

    def _view(self, memory: SourceMemory, height: int) -> Tensor:
        if self.kind == "last":
            return memory.states[height].hidden
        if self.kind == "mean":
            return memory.mean
        if memory.first_backward is None:
            raise TypeError("the encoder gave a backward_size, but its memory has no first_backward")
        return memory.first_backward

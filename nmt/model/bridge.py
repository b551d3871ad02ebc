"""Bridges: how the decoder's first state comes from the source."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from nmt.model.cells import CellKind
from nmt.model.encoder.base import Encoder
from nmt.model.memory import CellState, SourceMemory

BridgeKind = Literal["first-backward", "last", "mean", "zero"]


class Bridge(nn.Module):
    """Initial state of every decoder layer.

    ``first-backward``: ``s_0 = tanh(W_s h_1)`` of the backward annotation of the first word (Bahdanau et al., 2015,
    appendix A.2.2). ``last``: ``tanh(W_s s)`` of the last states of the encoder layer at the same height (the top one
    for decoder layers above). ``mean``: ``tanh(W_s m)`` of the mean annotation (Sennrich et al., 2017). ``zero``: 0.
    An LSTM's memory cell is projected without tanh from the encoder's cell where there is one, else it starts at zero.

    Args:
        kind: which.
        encoder: the encoder whose memory it reads.
        cell: kind of the decoder's cells.
        size: size H of the decoder's layers.
        layers: number of decoder layers.
    """

    def __init__(self, kind: BridgeKind, encoder: Encoder, *, cell: CellKind, size: int, layers: int) -> None:
        super().__init__()
        self.kind: BridgeKind = kind
        self.cell: CellKind = cell
        self.size = size
        self.heights = [min(layer, len(encoder.state_sizes) - 1) for layer in range(layers)]
        if kind == "last":
            sizes = [encoder.state_sizes[height] for height in self.heights]
        elif kind == "first-backward":
            sizes = [encoder.memory_size // 2] * layers
        else:
            sizes = [encoder.memory_size] * layers
        self.W_s = nn.ModuleList(nn.Linear(each, size) for each in sizes if kind != "zero")
        carries_cell = kind == "last" and cell == "lstm" and encoder.cell == "lstm"
        self.W_cell = nn.ModuleList(nn.Linear(each, size) for each in sizes if carries_cell)

    def forward(self, memory: SourceMemory) -> tuple[CellState, ...]:
        """Give the initial state of every layer, (B, H) each, in the dtype of the memory."""
        dtype = memory.values.dtype
        zeros = memory.values.new_zeros(memory.values.shape[0], self.size)
        states = []
        for layer, height in enumerate(self.heights):
            hidden = zeros if self.kind == "zero" else torch.tanh(self.W_s[layer](self._view(memory, height)).to(dtype))
            cell = None
            if self.cell == "lstm":
                encoded = memory.states[height].cell
                cell = self.W_cell[layer](encoded).to(dtype) if len(self.W_cell) and encoded is not None else zeros
            states.append(CellState(hidden, cell))
        return tuple(states)

    def _view(self, memory: SourceMemory, height: int) -> Tensor:
        if self.kind == "first-backward":
            return memory.first_backward
        if self.kind == "last":
            return memory.states[height].hidden
        mask = memory.mask.unsqueeze(-1)
        return memory.values.masked_fill(~mask, 0.0).sum(1) / memory.lengths.unsqueeze(1).to(memory.values.dtype)

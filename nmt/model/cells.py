"""Recurrent layers: a cell with a context besides its input, and stacks of plain layers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nmt.model.dropout import Dropout
from nmt.model.memory import CellState

CellKind = Literal["gru", "lstm"]
ContextGate = Literal["none", "source", "target", "both"]
GATES: dict[CellKind, int] = {"gru": 3, "lstm": 4}


class ContextCell(nn.Module):
    """A GRU or LSTM cell with an input known for all steps and a context known only step by step; either may be absent.

    ``h' = cell(W x + C c, h)``. ``project`` computes the input's part ``W x`` for all steps at once. The GRU is that of
    Cho et al. (2014), but with the reset gate applied after the recurrent product (as in cuDNN) rather than before it:
    ``n = tanh(W_n x + C_n c + b + r * (U_n h + b'))``. The LSTM has no peepholes.

    A context gate (Tu et al., 2017, section 3) weighs the contributions of source and target, ``z = sigmoid(W_z x +
    U_z h + C_z c)``: ``source`` is f(W x + U h, z * C c), ``target`` is f(z * (W x + U h), C c), ``both`` is
    f((1 - z) * (W x + U h), z * C c). The paper defines it for a simple recurrence; here the same z weighs both parts
    (with their biases) of every gate and of the candidate. The gate's rows are the last of W, U and C.

    Args:
        kind: ``gru`` or ``lstm``.
        input_size: size E of the input; 0 for a cell without input.
        context_size: size D of the context; 0 for a cell without context.
        size: size H of the state.
        context_gate: which side is gated; requires a context.
    """

    def __init__(
        self,
        kind: CellKind,
        *,
        input_size: int,
        context_size: int,
        size: int,
        context_gate: ContextGate = "none",
    ) -> None:
        super().__init__()
        self.kind: CellKind = kind
        self.size = size
        self.context_gate: ContextGate = context_gate
        self.gates = GATES[kind] + (context_gate != "none")
        gates = self.gates * size
        self.W = nn.Linear(input_size, gates) if input_size else None
        self.C = nn.Linear(context_size, gates, bias=not input_size) if context_size else None
        self.U = nn.Linear(size, gates, bias=kind == "gru")

    def project(self, inputs: Tensor) -> Tensor:
        """Project inputs (..., E) to their part of the gates (..., G * H)."""
        if self.W is None:
            raise TypeError("this cell has no input besides its context")
        projected: Tensor = self.W(inputs)
        return projected

    def forward(self, projected: Tensor | None, context: Tensor | None, state: CellState) -> CellState:
        """Advance one step.

        Args:
            projected: (N, G * H) from ``project``, or ``None`` for a cell without input.
            context: (N, D), or ``None`` for a cell without context.
            state: N rows.

        Returns:
            The new state, in the dtype of the old one.
        """
        parts = [] if projected is None else [projected]
        if self.C is not None and context is not None:
            parts.append(self.C(context))
        recurrent = self.U(state.hidden)
        if self.context_gate == "none":
            driven = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        else:
            driven, recurrent = self._gated(parts, recurrent)
        dtype, size = state.hidden.dtype, self.size
        if self.kind == "gru":
            reset, update = torch.sigmoid((driven[:, : 2 * size] + recurrent[:, : 2 * size]).to(dtype)).chunk(2, dim=1)
            candidate = torch.tanh(driven[:, 2 * size :].to(dtype) + reset * recurrent[:, 2 * size :].to(dtype))
            return CellState(torch.lerp(candidate, state.hidden, update))
        if state.cell is None:
            raise TypeError("an LSTM cell needs a state with a memory cell")
        entry, forget, candidate, out = (driven + recurrent).to(dtype).chunk(4, dim=1)
        cell = torch.sigmoid(forget) * state.cell + torch.sigmoid(entry) * torch.tanh(candidate)
        return CellState(torch.sigmoid(out) * torch.tanh(cell), cell)

    def _gated(self, parts: list[Tensor], recurrent: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the context gate to the source (the last part) and the target (the rest): (N, G * H) each."""
        shape = (-1, self.gates, self.size)
        source, target = parts[-1].view(shape), recurrent.view(shape)
        inputs = parts[0].view(shape) if len(parts) == 2 else None
        summed = source[:, -1] + target[:, -1]
        gate = torch.sigmoid(summed if inputs is None else summed + inputs[:, -1]).unsqueeze(1)
        source, target = source[:, :-1], target[:, :-1]
        driven = source * gate if self.context_gate in {"source", "both"} else source
        weight = {"source": None, "target": gate, "both": 1.0 - gate}[self.context_gate]
        if weight is not None:
            target = target * weight
        if inputs is not None:
            driven = driven + (inputs[:, :-1] if weight is None else inputs[:, :-1] * weight)
        return driven.flatten(1), target.flatten(1)


class RnnStack(nn.Module):
    """Plain unidirectional layers, run over whole sequences or one step at a time.

    Args:
        kind: ``gru`` or ``lstm``.
        input_size: size of the lowest layer's input.
        size: size H of every layer.
        layers: number of layers, possibly 0.
        dropout: applied to the input of every layer except the lowest (and of the lowest if ``dropout_first``).
        dropout_first: whether dropout applies to the lowest layer's input too, as it is another layer's output.
    """

    def __init__(
        self,
        kind: CellKind,
        *,
        input_size: int,
        size: int,
        layers: int,
        dropout: Dropout,
        dropout_first: bool = False,
    ) -> None:
        super().__init__()
        rnn = nn.GRU if kind == "gru" else nn.LSTM
        self.size = size
        self.layers = nn.ModuleList(
            rnn(input_size if index == 0 else size, size, batch_first=True) for index in range(layers)
        )
        self.dropout = dropout
        self.dropout_first = dropout_first

    def forward(
        self, inputs: Tensor, states: Sequence[CellState], masks: Sequence[Tensor | None] | None = None
    ) -> tuple[Tensor, tuple[CellState, ...]]:
        """Run inputs (B, T, E) from the given states.

        Args:
            inputs: (B, T, E).
            states: one per layer.
            masks: from ``draw_masks``, to share variational masks between single-step calls.

        Returns:
            The top layer's outputs (B, T, H), or the inputs if there are no layers; and the new states.
        """
        new_states: list[CellState] = []
        outputs = inputs
        for index, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            below = outputs
            if index or self.dropout_first:
                mask = masks[index] if masks else None
                below = self.dropout(outputs) if mask is None else outputs * mask
            outputs, new_state = run_rnn(layer, below, state)
            new_states.append(new_state)
        return outputs, tuple(new_states)

    def draw_masks(self, like: Tensor) -> tuple[Tensor, ...] | None:
        """Draw the variational masks of one unrolled target, (B, 1, H) per layer; ``None`` if none are shared."""
        if not (self.training and self.dropout.variational and self.dropout.rate):
            return None
        shape = (like.shape[0], 1, self.size)
        return tuple(self.dropout.mask(like.new_empty(shape)) for _ in self.layers)


def run_rnn(layer: nn.Module, inputs: Tensor, state: CellState) -> tuple[Tensor, CellState]:
    """Run one ``nn.GRU`` or ``nn.LSTM`` layer over (B, T, E) from a state."""
    hidden = state.hidden.unsqueeze(0)
    with _unrounded(inputs.device):
        if state.cell is None:
            outputs, final = layer(inputs, hidden)
            return outputs, CellState(final.squeeze(0))
        outputs, (final, cell) = layer(inputs, (hidden, state.cell.unsqueeze(0)))
        return outputs, CellState(final.squeeze(0), cell.squeeze(0))


def run_packed(layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, CellState]:
    """Run one bidirectional layer over padded rows (B, S, E) of the given lengths (B,).

    Returns:
        outputs (B, S, 2H), zero on padding, and the concatenated final states of both directions, forward first:
        hidden (and cell) of (B, 2H).
    """
    packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
    with _unrounded(inputs.device):
        outputs, final = layer(packed)
    parts = final if isinstance(final, tuple) else (final,)
    joined = [part.transpose(0, 1).flatten(1) for part in parts]
    return pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])[0], CellState(*joined)


def _unrounded(device: torch.device) -> AbstractContextManager[object]:
    """Context without autocast on a GPU, where cuDNN's layers would compute in float16, even if bf16 is requested.

    Gradients of single units are too small for float16. TF32, cuDNN's default, is about as fast.
    """
    return nullcontext() if device.type == "cpu" else torch.autocast(device.type, enabled=False)

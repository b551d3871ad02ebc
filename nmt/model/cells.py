"""Recurrent layers: a cell with a context besides its input, layers of such cells, and stacks of layers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nmt.model.dropout import Dropout
from nmt.model.memory import CellState

CellKind = Literal["gru", "lstm", "ln-gru", "ln-lstm"]
"""``ln-`` stands for layer normalisation within the gates."""
ContextGate = Literal["none", "source", "target", "both"]
GATES: dict[CellKind, int] = {"gru": 3, "lstm": 4, "ln-gru": 3, "ln-lstm": 4}


def has_memory_cell(kind: CellKind | None) -> bool:
    """Whether the states of a kind of cells have a memory cell beside the hidden state."""
    return kind in {"lstm", "ln-lstm"}


class GateNorm(nn.GroupNorm):
    """Layer normalisation of each of G gates by itself; on a CPU in half the time of ``nn.GroupNorm``."""

    def forward(self, gates: Tensor) -> Tensor:
        """Normalise (..., G * H), in the precision of the gain."""
        parts = gates.to(self.weight.dtype).view(*gates.shape[:-1], self.num_groups, -1)
        normed = functional.layer_norm(parts, parts.shape[-1:], eps=self.eps).flatten(-2)
        return torch.addcmul(self.bias, normed, self.weight)


class ContextCell(nn.Module):
    """A GRU or LSTM cell with an input known for all steps and a context known only step by step; either may be absent.

    ``h' = cell(W x + C c, h)``. ``project`` computes the input's part ``W x`` for all steps at once. The GRU is that of
    Cho et al. (2014), but with the reset gate applied after the recurrent product (as in cuDNN) rather than before it:
    ``n = tanh(W_n x + C_n c + b + r * (U_n h + b'))``. The LSTM has no peepholes.

    A context gate (Tu et al., 2017, section 3) weighs the contributions of source and target, ``z = sigmoid(W_z x +
    U_z h + C_z c)``: ``source`` is f(W x + U h, z * C c), ``target`` is f(z * (W x + U h), C c), ``both`` is
    f((1 - z) * (W x + U h), z * C c). The paper defines it for a simple recurrence; here the same z weighs both parts
    (with their biases) of every gate and of the candidate. The gate's rows are the last of W, U and C.

    The kinds ``ln-gru`` and ``ln-lstm`` are those of Ba et al. (2016), supplementary material, and of Nematus: what the
    input (and context) gives, ``W x + C c``, and what the state gives, ``U h``, are normalised apart, each with a gain
    and a bias (there are no others). An LSTM's memory cell is normalised too where the state reads it, ``h' = o *
    tanh(LN(c'))``. The mean and variance are those of one gate, as in RNMT+ (Chen et al., 2018, section 4.1); Nematus
    takes them over both gates of a GRU, Ba et al. over all. A context gate weighs before the norms, and has none.
    Gains of what recurs and of the memory cell begin at 0.1, as in Cooijmans et al. (2017, section 4), who normalise
    the same parts over batches. From 1 on gradients grow from step to step: that of an untrained Luong model of LSTMs
    of 512 units is a thousand times as long as without norms. The gain of what the input gives begins at 1, as in Ba
    et al.; from 0.1 on training starts more slowly.

    Deep transition (Miceli Barone et al., 2017, section 2.3): further cells of the same kind follow within the step,
    ``h_k = cell_k(h_{k-1})``. They have neither input nor context, and no gate: what drives a gate is ``U h + b``.

    Args:
        kind: ``gru`` or ``lstm``, or with layer normalisation ``ln-gru`` or ``ln-lstm``.
        input_size: size E of the input; 0 for a cell without input.
        context_size: size D of the context; 0 for a cell without context.
        size: size H of the state.
        context_gate: which side is gated; requires a context.
        transition: number of further cells.
    """

    def __init__(
        self,
        kind: CellKind,
        *,
        input_size: int,
        context_size: int,
        size: int,
        context_gate: ContextGate = "none",
        transition: int = 0,
    ) -> None:
        super().__init__()
        self.kind: CellKind = kind
        self.size = size
        self.context_gate: ContextGate = context_gate
        self.gates = GATES[kind] + (context_gate != "none")
        gates = self.gates * size
        plain = not kind.startswith("ln-")  # a norm has a bias of its own
        self.W = nn.Linear(input_size, gates, bias=plain) if input_size else None
        self.C = nn.Linear(context_size, gates, bias=plain and not input_size) if context_size else None
        alone = not (input_size or context_size)
        self.U = nn.Linear(size, gates, bias=kind == "gru" or (plain and alone))
        # Of what drives the gates, of what recurs, and of an LSTM's memory cell.
        normed = [] if plain else [0 if alone else GATES[kind], GATES[kind], int(has_memory_cell(kind))]
        self.norms = nn.ModuleList(GateNorm(each, each * size) if each else nn.Identity() for each in normed)
        for norm in self.norms[1:]:
            if isinstance(norm, GateNorm):
                nn.init.constant_(norm.weight, 0.1)
        self.further = nn.ModuleList(
            ContextCell(kind, input_size=0, context_size=0, size=size) for _ in range(transition)
        )

    def project(self, inputs: Tensor) -> Tensor:
        """Project inputs (..., E) to their part of the gates (..., G * H)."""
        if self.W is None:
            raise TypeError("this cell has no input besides its context")
        projected: Tensor = self.W(inputs)
        return projected if self.C is not None else self._normalised(0, projected)

    def forward(self, projected: Tensor | None, context: Tensor | None, state: CellState) -> CellState:
        """Advance one step, through all cells.

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
        driven: Tensor | None = None
        if self.context_gate != "none":
            driven, recurrent = self._gated(parts, recurrent)
        elif parts:
            driven = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        if self.C is not None and driven is not None:
            driven = self._normalised(0, driven)
        state = self._advanced(driven, self._normalised(1, recurrent), state)
        for cell in self.further:
            state = cell(None, None, state)
        return state

    def _advanced(self, driven: Tensor | None, recurrent: Tensor, state: CellState) -> CellState:
        """The step of this cell alone, by what drives its gates (N, G * H), if anything does, and what recurs."""
        dtype, size = state.hidden.dtype, self.size
        if not has_memory_cell(self.kind):
            gates, proposed = recurrent[:, : 2 * size], recurrent[:, 2 * size :]
            gates = gates if driven is None else driven[:, : 2 * size] + gates
            reset, update = torch.sigmoid(gates.to(dtype)).chunk(2, dim=1)
            candidate = reset * proposed.to(dtype)
            if driven is not None:
                candidate = driven[:, 2 * size :].to(dtype) + candidate
            return CellState(torch.lerp(torch.tanh(candidate), state.hidden, update))
        if state.cell is None:
            raise TypeError("an LSTM cell needs a state with a memory cell")
        gates = recurrent if driven is None else driven + recurrent
        entry, forget, candidate, out = gates.to(dtype).chunk(4, dim=1)
        cell = torch.sigmoid(forget) * state.cell + torch.sigmoid(entry) * torch.tanh(candidate)
        return CellState(torch.sigmoid(out) * torch.tanh(self._normalised(2, cell)), cell)

    def _normalised(self, part: int, values: Tensor) -> Tensor:
        """Normalise what drives the gates (part 0), what recurs (1) or the memory cell (2), if the kind does so."""
        return self.norms[part](values) if self.norms else values

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


class LoopedRnn(nn.Module):
    """A layer that torch has none of, as a loop over positions: of normalised cells, or of several cells a step.

    Args:
        kind: kind of the cells.
        input_size: size E of the inputs.
        size: size H of the state of each direction.
        bidirectional: whether there is a second direction, from the end of each row.
        transition: number of further cells of each step.
    """

    def __init__(
        self, kind: CellKind, input_size: int, size: int, *, bidirectional: bool = False, transition: int = 0
    ) -> None:
        super().__init__()
        self.cells = nn.ModuleList(
            ContextCell(kind, input_size=input_size, context_size=0, size=size, transition=transition)
            for _ in range(1 + bidirectional)
        )

    def forward(self, inputs: Tensor, state: CellState) -> tuple[Tensor, CellState]:
        """Run one direction over (B, T, E) from a state: outputs (B, T, H) and the last state."""
        (cell,) = self._directions()
        outputs = []
        for projected in cell.project(inputs).unbind(1):
            state = cell(projected, None, state)
            outputs.append(state.hidden)
        return torch.stack(outputs, 1), state

    def both_ways(self, inputs: Tensor, mask: Tensor) -> tuple[Tensor, CellState]:
        """Run both directions over padded rows (B, S, E) from states of zero; padding leaves a state as it is.

        Returns:
            outputs (B, S, 2H), arbitrary on padding, and the final states of both directions, forward first: (B, 2H).
        """
        outputs, finals = [], []
        for backward, cell in enumerate(self._directions()):
            zeros = cell.U.weight.new_zeros(inputs.shape[0], cell.size)
            state = CellState(zeros, zeros if has_memory_cell(cell.kind) else None)
            steps = list(zip(cell.project(inputs).unbind(1), mask.unsqueeze(2).unbind(1), strict=True))
            found = []
            for projected, real in reversed(steps) if backward else steps:
                new = cell(projected, None, state)
                held = None
                if new.cell is not None and state.cell is not None:
                    held = torch.where(real, new.cell, state.cell)
                state = CellState(torch.where(real, new.hidden, state.hidden), held)
                found.append(state.hidden)
            outputs.append(torch.stack(found[::-1] if backward else found, 1))
            finals.append(state)
        cells = [final.cell for final in finals if final.cell is not None]
        hidden = torch.cat([final.hidden for final in finals], 1)
        return torch.cat(outputs, 2), CellState(hidden, torch.cat(cells, 1) if cells else None)

    def _directions(self) -> list[ContextCell]:
        return [cast("ContextCell", cell) for cell in self.cells]


def rnn_layer(
    kind: CellKind, input_size: int, size: int, *, bidirectional: bool = False, transition: int = 0
) -> nn.Module:
    """Build a recurrent layer: torch's own, or a ``LoopedRnn``, whose arguments these are."""
    if transition or kind.startswith("ln-"):
        return LoopedRnn(kind, input_size, size, bidirectional=bidirectional, transition=transition)
    rnn = nn.LSTM if has_memory_cell(kind) else nn.GRU
    return rnn(input_size, size, batch_first=True, bidirectional=bidirectional)


class RnnStack(nn.Module):
    """Unidirectional layers, run over whole sequences or one step at a time.

    Args:
        kind: kind of the cells.
        input_size: size of the lowest layer's input.
        size: size H of every layer.
        layers: number of layers, possibly 0.
        dropout: applied to the input of every layer except the lowest (and of the lowest if ``dropout_first``).
        dropout_first: whether dropout applies to the lowest layer's input too, as it is another layer's output.
        residual: whether a layer's input, where dropout applies to it, is added to its output.
        context_size: size D of a context that every layer reads beside its input; 0 for none.
        transition: number of further cells of each layer.
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
        residual: bool = False,
        context_size: int = 0,
        transition: int = 0,
    ) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.ModuleList(
            rnn_layer(kind, (size if index else input_size) + context_size, size, transition=transition)
            for index in range(layers)
        )
        self.dropout = dropout
        self.dropout_first = dropout_first
        self.residual = residual
        self.reads_context = context_size > 0

    def forward(
        self,
        inputs: Tensor,
        states: Sequence[CellState],
        masks: Sequence[Tensor | None] | None = None,
        context: Tensor | None = None,
    ) -> tuple[Tensor, tuple[CellState, ...]]:
        """Run inputs (B, T, E) from the given states.

        Args:
            inputs: (B, T, E).
            states: one per layer.
            masks: from ``draw_masks``, to share variational masks between single-step calls.
            context: (B, T, D), for layers that read one.

        Returns:
            The top layer's outputs (B, T, H), or the inputs if there are no layers; and the new states.
        """
        new_states: list[CellState] = []
        outputs = inputs
        for index, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            below = outputs
            if above := index or self.dropout_first:
                mask = masks[index] if masks else None
                below = self.dropout(outputs) if mask is None else outputs * mask
            seen = torch.cat([below, context], -1) if self.reads_context and context is not None else below
            outputs, new_state = run_rnn(layer, seen, state)
            if self.residual and above:
                outputs = outputs + below
            new_states.append(new_state)
        return outputs, tuple(new_states)

    def draw_masks(self, like: Tensor) -> tuple[Tensor, ...] | None:
        """Draw the variational masks of one unrolled target, (B, 1, H) per layer; ``None`` if none are shared."""
        if not (self.training and self.dropout.variational and self.dropout.rate):
            return None
        shape = (like.shape[0], 1, self.size)
        return tuple(self.dropout.mask(like.new_empty(shape)) for _ in self.layers)


def run_rnn(layer: nn.Module, inputs: Tensor, state: CellState) -> tuple[Tensor, CellState]:
    """Run one layer of one direction over (B, T, E) from a state."""
    if isinstance(layer, LoopedRnn):
        outputs, state = layer(inputs, state)
        return outputs, state
    hidden = state.hidden.unsqueeze(0)
    with _unrounded(inputs.device):
        if state.cell is None:
            outputs, final = layer(inputs, hidden)
            return outputs, CellState(final.squeeze(0))
        outputs, (final, cell) = layer(inputs, (hidden, state.cell.unsqueeze(0)))
        return outputs, CellState(final.squeeze(0), cell.squeeze(0))


def run_packed(layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, CellState]:
    """Run one bidirectional layer of torch's over padded rows (B, S, E) of the given lengths (B,).

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

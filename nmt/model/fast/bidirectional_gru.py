"""A bidirectional GRU layer over padded rows as one differentiable function with a hand-written gradient.

``nn.GRU`` runs packed rows step by step under autograd, one direction after the other. Here both directions take a step
together, each weight gradient is one product for a block of steps, and shapes do not depend on the lengths.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nmt.core.tensors import product_dtype
from nmt.model.fast.gru import accumulated, blocks_of_steps, gru_slopes, gru_step, gru_step_backward
from nmt.model.fast.onednn import paired_linear, uses_onednn


def fusible(layer: nn.Module, inputs: Tensor) -> TypeGuard[nn.GRU]:
    """Whether ``bidirectional_gru`` is faster: in training on a CPU, with products in bf16 or by oneDNN.

    It saves overhead around the products, which matters less if products are slow or there is no gradient. On other
    devices ``nn.GRU`` is already one function.
    """
    if not isinstance(layer, nn.GRU) or inputs.device.type != "cpu":
        return False
    return torch.is_grad_enabled() and (product_dtype(inputs) == torch.bfloat16 or uses_onednn(inputs))


def bidirectional_gru(layer: nn.GRU, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Run one bidirectional layer over padded rows, from states of zero.

    Args:
        layer: bidirectional, of one layer.
        inputs: (B, S, E); values on padding are not read.
        mask: (B, S) bool, ``True`` = real; padding comes last.

    Returns:
        outputs (B, S, 2H), zero on padding, and final states (B, 2H): forward, then backward. Both have the dtype of
        the weights.
    """
    W, U, b, c = paired_weights(layer)
    low = product_dtype(W)
    with torch.autocast(W.device.type, enabled=False):
        run: tuple[Tensor, Tensor] = _PairedGru.apply(inputs.to(low), ~mask, W, U, b, c)  # type: ignore[no-untyped-call]
    return run


class _PairedGru(torch.autograd.Function):
    """Two GRUs side by side, one from each end of the rows; ``n = tanh(W_n x + b_n + r * (U_n h + c_n))``.

    Internally the first axis is the direction and the second is time: at step i the forward direction reads position i
    and the backward one position S - 1 - i. On padding the update gate is 1, so the state stays unchanged and the
    gradients of the gates are zero. Products use the dtype of the inputs (low), everything else that of the weights.
    There is no second derivative: asking for one raises.
    """

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any, inputs: Tensor, padding: Tensor, W: Tensor, U: Tensor, b: Tensor, c: Tensor
    ) -> tuple[Tensor, Tensor]:
        low, high, size = inputs.dtype, U.dtype, U.shape[2]
        batch, steps, _ = inputs.shape
        read = both_ways(inputs.masked_fill(padding.unsqueeze(2), 0.0))
        still = both_ways(padding.unsqueeze(2))
        from_state = U.to(low)
        # All biases except c_n, which the reset gate multiplies.
        offset = b.clone()
        offset[:, : 2 * size] += c[:, : 2 * size]
        driven = paired_linear(read.flatten(1, 2), W.to(low), offset.to(low)).view(2, steps, batch, -1)
        hiddens = U.new_empty(2, steps + 1, batch, size)
        hiddens[:, 0] = 0.0
        gates = U.new_empty(2, steps, batch, 3 * size)
        # The factor of the reset gate: U_n h + c_n.
        proposed = U.new_empty(2, steps, batch, size)
        proposed_offset = c[:, 2 * size :].unsqueeze(1)
        for step in range(steps):
            state = hiddens[:, step]
            recurrent = paired_linear(state.to(low), from_state).to(high)
            torch.add(recurrent[..., 2 * size :], proposed_offset, out=proposed[:, step])
            gates[:, step] = driven[:, step]
            gru_step(
                gates[:, step],
                recurrent[..., : 2 * size],
                proposed[:, step],
                state,
                out=hiddens[:, step + 1],
                still=still[:, step],
            )
        ctx.save_for_backward(padding, W, U, read, hiddens, gates, proposed)
        outputs, last = side_by_side(hiddens[:, 1:])
        return outputs.masked_fill(padding.unsqueeze(2), 0.0), last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor, grad_last: Tensor) -> tuple[Tensor | None, ...]:
        padding, W, U, read, hiddens, gates, proposed = ctx.saved_tensors
        low, high, size = read.dtype, U.dtype, U.shape[2]
        steps, batch = read.shape[1:3]
        masked = grad_outputs.masked_fill(padding.unsqueeze(2), 0.0).transpose(0, 1)
        grad_hiddens = torch.stack([masked[..., :size], masked[..., size:].flip(0)])
        entry, from_state = W.to(low), U.to(low)
        grad_read = torch.empty_like(read)
        grad_state = grad_last.view(batch, 2, size).transpose(0, 1).clone(memory_format=torch.contiguous_format)
        sums: list[Tensor] = []
        for block in blocks_of_steps(steps, batch, gates.device):
            slopes = gru_slopes(hiddens[:, block], gates[:, block], proposed[:, block])
            grad_driven = gates.new_empty(gates[:, block].shape, dtype=low)
            grad_recurrent = torch.empty_like(grad_driven)
            for i in reversed(range(slopes.shape[1])):
                grad_state += grad_hiddens[:, block.start + i]
                gru_step_backward(
                    grad_state,
                    slopes[:, i],
                    gates[:, block.start + i],
                    grad_driven=grad_driven[:, i],
                    grad_recurrent=grad_recurrent[:, i],
                )
                grad_state += paired_linear(grad_recurrent[:, i], from_state.transpose(1, 2))
            grad_driven, grad_recurrent = grad_driven.flatten(1, 2), grad_recurrent.flatten(1, 2)
            inputs, before = read[:, block].flatten(1, 2), hiddens[:, block].to(low).flatten(1, 2)
            grad_read[:, block] = paired_linear(grad_driven, entry.transpose(1, 2)).view_as(read[:, block])
            parts = (
                paired_linear(grad_driven.transpose(1, 2), inputs.transpose(1, 2)),
                paired_linear(grad_recurrent.transpose(1, 2), before.transpose(1, 2)),
                grad_driven.sum(1, dtype=high),
                grad_recurrent.sum(1, dtype=high),
            )
            sums = accumulated(sums, parts, high)
            del slopes, grad_driven, grad_recurrent, parts  # before there are those of the next block
        grad_inputs = (grad_read[0] + grad_read[1].flip(0)).transpose(0, 1)
        return (grad_inputs, None, *sums)


def paired_weights(layer: nn.GRU) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """W (2, 3H, E), U (2, 3H, H), and their biases b and c (2, 3H), for both directions of a layer."""
    weights = list(layer.parameters())
    W, U, b, c = (torch.stack(pair) for pair in zip(weights[:4], weights[4:], strict=True))
    return W, U, b, c


def side_by_side(hiddens: Tensor) -> tuple[Tensor, Tensor]:
    """Convert states (2, S, B, H) of both directions to outputs (B, S, 2H) by position and final states (B, 2H)."""
    outputs = torch.cat([hiddens[0], hiddens[1].flip(0)], dim=2).transpose(0, 1)
    return outputs, hiddens[:, -1].transpose(0, 1).flatten(1)


def both_ways(rows: Tensor) -> Tensor:
    """Rows (B, S, F) in the reading order of each direction: (2, S, B, F)."""
    columns = rows.transpose(0, 1)
    return torch.stack([columns, columns.flip(0)])

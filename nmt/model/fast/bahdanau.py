"""The recurrence of Bahdanau's decoder as one differentiable function with a hand-written gradient.

Autograd would record every small operation of every step, add to each weight's gradient at every step, and store the
(B, S, A) energies of all steps. Here each weight gradient is one product for a block of steps, and energies are
recomputed in the backward pass: memory grows with B * T * (H + S), not B * T * S * A.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.model.attention.base import Prepared
from nmt.model.attention.scored import SoftAttention
from nmt.model.cells import ContextCell
from nmt.model.fast.gru import (
    accumulated,
    blocks_of_steps,
    gru_slopes,
    gru_step,
    gru_step_backward,
    weight_gradient,
)
from nmt.model.fast.onednn import linear
from nmt.model.fast.scores import StepAttention, recurrence_inputs, step_keys


def fused_unroll(
    attention: SoftAttention, cell: ContextCell, projected: Tensor, prepared: Prepared, hidden: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Attend with s_{t-1} and update the state, for all t.

    Args:
        attention: an attention that ``fusible`` accepts.
        cell: a GRU over input and context.
        projected: (B, T, 3H) the input's part of the gates.
        prepared: the source, B rows.
        hidden: (B, H) state before the first step.

    Returns:
        hidden states (B, T, H), contexts (B, T, D), weights (B, T, S).
    """
    inputs = recurrence_inputs(attention, cell, projected, prepared, hidden)
    with torch.autocast(hidden.device.type, enabled=False):
        outputs: tuple[Tensor, Tensor, Tensor] = _AttendingGru.apply(*inputs)  # type: ignore[no-untyped-call]
    return outputs


class _AttendingGru(torch.autograd.Function):
    """Steps of soft attention and a GRU; names as in ``AdditiveScore`` and ``ContextCell``.

    Without W_a and v_a the state itself is the query, and the score is a product with the keys. Matrix products use the
    dtype of ``projected`` (low), everything else that of ``hidden`` (high). Internally tensors are time-major, so that
    each step is a contiguous block. There is no second derivative: asking for one raises.
    """

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any,
        projected: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor,
        hidden: Tensor,
        W_a: Tensor | None,
        v_a: Tensor | None,
        C: Tensor,
        U: Tensor,
        U_bias: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        low, high = projected.dtype, hidden.dtype
        (batch, steps, _), size = projected.shape, hidden.shape[1]
        width = 0 if W_a is None else W_a.shape[0]
        driven = projected.transpose(0, 1).contiguous()
        # One product multiplies the state by U (for the gates) and by W_a (for the query).
        from_state, from_context = (U if W_a is None else torch.cat([U, W_a])).to(low), C.to(low)
        keys = step_keys(keys.to(high), v_a)
        hiddens = hidden.new_empty(steps + 1, batch, size)
        hiddens[0] = hidden
        # Of that product, what the backward pass needs: the part that r multiplies, and the query.
        kept = projected.new_empty(steps, batch, size + width)
        gates = hidden.new_empty(steps, batch, 3 * size)
        weights = hidden.new_empty(steps, batch, keys.shape[1])
        contexts = projected.new_empty(steps, batch, values.shape[2])
        attention = StepAttention(keys, values, v_a, weights, contexts)
        for step in range(steps):
            state = hiddens[step]
            product = linear(state.to(low), from_state)
            kept[step] = product[:, 2 * size :]
            context = attention.attend(step, product[:, 3 * size :].to(high) if width else state, mask)
            of_gates = product[:, : 3 * size] + U_bias
            gates[step] = linear(context, from_context, driven[step])
            gru_step(gates[step], of_gates[:, : 2 * size], of_gates[:, 2 * size :], state, out=hiddens[step + 1])
        run = (hiddens, kept, gates, weights, contexts)
        ctx.save_for_backward(keys, values, v_a, *run, from_state, from_context, U_bias)
        return hiddens[1:].transpose(0, 1), contexts.transpose(0, 1), weights.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_hiddens: Tensor, grad_contexts: Tensor, grad_weights: Tensor
    ) -> tuple[Tensor | None, ...]:
        keys, values, v_a, *run, from_state, from_context, U_bias = ctx.saved_tensors
        hiddens, kept, gates, weights, contexts = run
        low, high, size = kept.dtype, hiddens.dtype, hiddens.shape[2]
        (steps, batch, _), width = gates.shape, kept.shape[2] - size
        attention = StepAttention(keys, values, v_a, weights, contexts)
        grad_driven, grad_attended = torch.empty_like(gates, dtype=low), torch.empty_like(contexts)
        grad_state = torch.zeros_like(hiddens[0])
        sums: list[Tensor] = []
        for block in blocks_of_steps(steps, batch, gates.device):
            slopes = gru_slopes(hiddens[block], gates[block], kept[block, :, :size] + U_bias[2 * size :])
            grad_products = kept.new_empty(len(slopes), batch, from_state.shape[0])
            at_gates, at_query = torch.split(grad_products, [3 * size, width], dim=2)
            for i in reversed(range(len(slopes))):
                step = block.start + i
                grad_state += grad_hiddens[:, step]
                gru_step_backward(
                    grad_state, slopes[i], gates[step], grad_driven=grad_driven[step], grad_recurrent=at_gates[i]
                )
                linear(grad_driven[step], from_context.t(), grad_contexts[:, step], out=grad_attended[step])
                query = kept[step, :, size:].to(high) if width else hiddens[step]
                grad_query = attention.backward(step, query, grad_attended[step], grad_weights[:, step])
                if width:
                    at_query[i] = grad_query
                else:
                    grad_state += grad_query
                grad_state += linear(grad_products[i], from_state.t())
            parts = (
                weight_gradient(grad_products, hiddens[block]),
                weight_gradient(grad_driven[block], contexts[block]),
                at_gates.sum((0, 1), dtype=high),
            )
            sums = accumulated(sums, parts, high)
            del slopes, grad_products, at_gates, at_query, parts  # before there are those of the next block
        by_state, by_context, by_bias = sums
        grad_keys, grad_values, grad_v_a = attention.gradients(grad_attended)
        return (
            grad_driven.transpose(0, 1),
            grad_keys,
            grad_values,
            None,
            grad_state,
            by_state[3 * size :] if width else None,
            grad_v_a,
            by_context,
            by_state[: 3 * size],
            by_bias,
        )

"""The recurrence of Luong's decoder with input feeding as one differentiable function.

Its gradient is hand-written, as in ``fast.bahdanau``: one product per weight and block of steps, energies recomputed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.core.tensors import product_dtype, tanh_
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


def fused_feeding_unroll(
    attention: SoftAttention,
    cell: ContextCell,
    W_c: Tensor,
    *,
    projected: Tensor,
    prepared: Prepared,
    hidden: Tensor,
    feed: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """For all t: update the state with the last attentional vector, attend with h_t, combine both.

    Args:
        attention: an attention that ``scores.fusible`` accepts.
        cell: a GRU over input and attentional vector.
        W_c: (F, D + H) maps context and state to the attentional vector.
        projected: (B, T, 3H) the input's part of the gates.
        prepared: the source, B rows.
        hidden: (B, H) state before the first step.
        feed: (B, F) attentional vector before it.

    Returns:
        attentional vectors (B, T, F), under autocast in its lower precision; weights (B, T, S); states (B, T, H).
    """
    inputs = (*recurrence_inputs(attention, cell, projected, prepared, hidden), feed.to(product_dtype(hidden)), W_c)
    with torch.autocast(hidden.device.type, enabled=False):
        outputs: tuple[Tensor, Tensor, Tensor] = _FeedingGru.apply(*inputs)  # type: ignore[no-untyped-call]
    return outputs


class _FeedingGru(torch.autograd.Function):
    """Steps of a GRU, soft attention and the attentional vector; names as in ``AdditiveScore`` and ``ContextCell``.

    One product multiplies a state by its part of W_c, by U for the gates of the next step, and by W_a for its query.
    Dtypes and layout are those of ``fast.bahdanau``. There is no second derivative: asking for one raises.
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
        feed: Tensor,
        W_c: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        low, high = projected.dtype, hidden.dtype
        (batch, steps, _), size, context_size = projected.shape, hidden.shape[1], values.shape[2]
        sizes = [W_c.shape[0], 3 * size, 0 if W_a is None else W_a.shape[0]]
        driven = projected.transpose(0, 1).contiguous()
        parts = [W_c[:, context_size:], U, *(() if W_a is None else (W_a,))]
        from_state, from_feed = torch.cat(parts).to(low), C.to(low)
        from_context = W_c[:, :context_size].to(low).contiguous()
        keys = step_keys(keys.to(high), v_a)
        hiddens = hidden.new_empty(steps + 1, batch, size)
        hiddens[0] = hidden
        # Of the products with ``from_state``, what the backward pass needs: the part of a state, including the initial
        # one, that r multiplies, and its query.
        kept = projected.new_empty(steps + 1, batch, size + sizes[2])
        product = linear(hidden.to(low), from_state)
        kept[0] = product[:, -kept.shape[2] :]
        gates = hidden.new_empty(steps, batch, 3 * size)
        weights = hidden.new_empty(steps, batch, keys.shape[1])
        contexts = projected.new_empty(steps, batch, context_size)
        feeds = projected.new_empty(steps + 1, batch, W_c.shape[0])
        feeds[0] = feed
        attention = StepAttention(keys, values, v_a, weights, contexts)
        for step in range(steps):
            of_gates = torch.split(product, sizes, dim=1)[1] + U_bias
            gates[step] = linear(feeds[step], from_feed, driven[step])
            reset_update, proposed = of_gates[:, : 2 * size], of_gates[:, 2 * size :]
            state = gru_step(gates[step], reset_update, proposed, hiddens[step], out=hiddens[step + 1])
            product = linear(state.to(low), from_state)
            kept[step + 1] = product[:, -kept.shape[2] :]
            for_feed, _, for_query = torch.split(product, sizes, dim=1)
            context = attention.attend(step, for_query.to(high) if sizes[2] else state, mask)
            feeds[step + 1] = tanh_(linear(context, from_context, for_feed).to(high))
        run = (hiddens, kept, gates, weights, contexts, feeds)
        ctx.save_for_backward(keys, values, v_a, *run, from_state, from_context, from_feed, U_bias)
        return feeds[1:].transpose(0, 1), weights.transpose(0, 1), hiddens[1:].transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_features: Tensor, grad_weights: Tensor, grad_hiddens: Tensor
    ) -> tuple[Tensor | None, ...]:
        keys, values, v_a, *run, from_state, from_context, from_feed, U_bias = ctx.saved_tensors
        hiddens, kept, gates, weights, contexts, feeds = run
        low, high, size = kept.dtype, hiddens.dtype, hiddens.shape[2]
        (steps, batch, _), width = gates.shape, kept.shape[2] - size
        sizes = [feeds.shape[2], 3 * size, width]
        attention = StepAttention(keys, values, v_a, weights, contexts)
        grad_driven, grad_attended = torch.empty_like(gates, dtype=low), torch.empty_like(contexts)
        grad_state, grad_feed = torch.zeros_like(hiddens[0]), torch.zeros_like(feeds[0], dtype=high)
        # Of the product of the state before a block: that before the first is not a query, the last drives no gates.
        at_first = kept.new_zeros(batch, from_state.shape[0])
        sums: list[Tensor] = []
        for block in blocks_of_steps(steps, batch, gates.device):
            slopes = gru_slopes(hiddens[block], gates[block], kept[block, :, :size] + U_bias[2 * size :])
            flat = 1.0 - feeds[block.start + 1 : block.stop + 1].to(high).square()
            grad_products = kept.new_zeros(len(slopes) + 1, batch, from_state.shape[0])
            grad_products[-1] = at_first
            at_feed, at_gates, at_query = torch.split(grad_products, sizes, dim=2)
            for i in reversed(range(len(slopes))):
                step = block.start + i
                grad_state += grad_hiddens[:, step]
                at_feed[i + 1] = (grad_features[:, step] + grad_feed) * flat[i]
                linear(at_feed[i + 1], from_context.t(), out=grad_attended[step])
                query = kept[step + 1, :, size:].to(high) if width else hiddens[step + 1]
                grad_query = attention.backward(step, query, grad_attended[step], grad_weights[:, step])
                if width:
                    at_query[i + 1] = grad_query
                else:
                    grad_state += grad_query
                grad_state += linear(grad_products[i + 1], from_state.t())
                gru_step_backward(
                    grad_state, slopes[i], gates[step], grad_driven=grad_driven[step], grad_recurrent=at_gates[i]
                )
                grad_feed = linear(grad_driven[step], from_feed.t()).to(high)
            at_first = grad_products[0].clone()
            first = int(block.start > 0)  # the state before this block is the last of the next one
            parts = (
                weight_gradient(grad_products[first:], hiddens[block.start + first : block.stop + 1]),
                weight_gradient(at_feed[1:], contexts[block]),
                weight_gradient(grad_driven[block], feeds[block]),
                at_gates[:-1].sum((0, 1), dtype=high),
            )
            sums = accumulated(sums, parts, high)
            del slopes, flat, grad_products, at_feed, at_gates, at_query, parts  # before there are those of the next
        by_state, by_context, by_feed, by_bias = sums
        grad_state += linear(at_first, from_state.t())
        grad_keys, grad_values, grad_v_a = attention.gradients(grad_attended)
        for_feed, for_gates, for_query = torch.split(by_state, sizes)
        return (
            grad_driven.transpose(0, 1),
            grad_keys,
            grad_values,
            None,
            grad_state,
            for_query if width else None,
            grad_v_a,
            by_feed,
            for_gates,
            by_bias,
            grad_feed.to(low),
            torch.cat([by_context, for_feed], dim=1),
        )

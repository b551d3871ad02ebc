"""The recurrence of Luong's decoder with input feeding as one differentiable function.

Its gradient is hand-written, as in ``fast.bahdanau``: one product per weight after the loop, energies recomputed.
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
from nmt.model.fast.gru import gru_slopes, gru_step, gru_step_backward
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

    One product multiplies a state by W_a for its query, by its part of W_c, and by U for the gates of the next step.
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
        width = 0 if W_a is None else W_a.shape[0]
        driven = projected.transpose(0, 1).contiguous()
        parts = [U, W_c[:, context_size:]] if W_a is None else [W_a, U, W_c[:, context_size:]]
        from_state, from_feed = torch.cat(parts).to(low), C.to(low)
        from_context = W_c[:, :context_size].to(low).contiguous()
        keys = step_keys(keys.to(high), v_a)
        hiddens = hidden.new_empty(steps + 1, batch, size)
        hiddens[0] = hidden
        # Products of the states, including the initial one, with ``from_state``.
        products = projected.new_empty(steps + 1, batch, from_state.shape[0])
        for_query, for_gates, for_feed = torch.split(products, [width, 3 * size, W_c.shape[0]], dim=2)
        linear(hidden.to(low), from_state, out=products[0])
        gates = hidden.new_empty(steps, batch, 3 * size)
        weights = hidden.new_empty(steps, batch, keys.shape[1])
        contexts = projected.new_empty(steps, batch, context_size)
        feeds = projected.new_empty(steps + 1, batch, W_c.shape[0])
        feeds[0] = feed
        attention = StepAttention(keys, values, v_a, weights, contexts)
        for step in range(steps):
            of_gates = for_gates[step] + U_bias
            gates[step] = linear(feeds[step], from_feed, driven[step])
            reset_update, proposed = of_gates[:, : 2 * size], of_gates[:, 2 * size :]
            state = gru_step(gates[step], reset_update, proposed, hiddens[step], out=hiddens[step + 1])
            linear(state.to(low), from_state, out=products[step + 1])
            context = attention.attend(step, for_query[step + 1].to(high) if width else state, mask)
            feeds[step + 1] = tanh_(linear(context, from_context, for_feed[step + 1]).to(high))
        run = (hiddens, products, gates, weights, contexts, feeds)
        ctx.save_for_backward(keys, values, v_a, *run, from_state, from_context, from_feed, U_bias)
        return feeds[1:].transpose(0, 1), weights.transpose(0, 1), hiddens[1:].transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_features: Tensor, grad_weights: Tensor, grad_hiddens: Tensor
    ) -> tuple[Tensor | None, ...]:
        keys, values, v_a, *run, from_state, from_context, from_feed, U_bias = ctx.saved_tensors
        hiddens, products, gates, weights, contexts, feeds = run
        low, high, size = products.dtype, hiddens.dtype, hiddens.shape[2]
        parts = [products.shape[2] - 3 * size - feeds.shape[2], 3 * size, feeds.shape[2]]
        (width, *_), (for_query, for_gates, _) = parts, torch.split(products, parts, dim=2)
        attention = StepAttention(keys, values, v_a, weights, contexts)
        slopes = gru_slopes(hiddens[:-1], gates, for_gates[:-1, :, 2 * size :] + U_bias[2 * size :])
        flat = 1.0 - feeds[1:].to(high).square()
        # The last state drives no gates, and the initial state is not a query.
        grad_products = torch.zeros_like(products)
        at_query, at_gates, at_feed = torch.split(grad_products, parts, dim=2)
        grad_driven, grad_attended = torch.empty_like(gates, dtype=low), torch.empty_like(contexts)
        grad_state, grad_feed = torch.zeros_like(hiddens[0]), torch.zeros_like(feeds[0], dtype=high)
        for step in reversed(range(gates.shape[0])):
            grad_state += grad_hiddens[:, step]
            at_feed[step + 1] = (grad_features[:, step] + grad_feed) * flat[step]
            linear(at_feed[step + 1], from_context.t(), out=grad_attended[step])
            query = for_query[step + 1].to(high) if width else hiddens[step + 1]
            grad_query = attention.backward(step, query, grad_attended[step], grad_weights[:, step])
            if width:
                at_query[step + 1] = grad_query
            else:
                grad_state += grad_query
            grad_state += linear(grad_products[step + 1], from_state.t())
            gru_step_backward(
                grad_state, slopes[step], gates[step], grad_driven=grad_driven[step], grad_recurrent=at_gates[step]
            )
            grad_feed = linear(grad_driven[step], from_feed.t()).to(high)
        grad_state += linear(grad_products[0], from_state.t())
        by_state = linear(grad_products.flatten(0, 1).t(), hiddens.flatten(0, 1).to(low).t()).to(high)
        by_query, by_gates, by_feed = torch.split(by_state, parts)
        by_context = linear(at_feed[1:].flatten(0, 1).t(), contexts.flatten(0, 1).t())
        grad_keys, grad_values, grad_v_a = attention.gradients(grad_attended)
        return (
            grad_driven.transpose(0, 1),
            grad_keys,
            grad_values,
            None,
            grad_state,
            by_query if width else None,
            grad_v_a,
            linear(grad_driven.flatten(0, 1).t(), feeds[:-1].flatten(0, 1).t()).to(high),
            by_gates,
            at_gates.sum((0, 1), dtype=high),
            grad_feed.to(low),
            torch.cat([by_context.to(high), by_feed], dim=1),
        )

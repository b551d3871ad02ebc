"""The recurrence of Luong's decoder with input feeding as one differentiable function.

Its gradient is written by hand, as in ``fused``: products of weights after the loop, energies made anew.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.core.tensors import masked_softmax, product_dtype, tanh_
from nmt.model.attention.base import Prepared
from nmt.model.attention.scored import SoftAttention
from nmt.model.cells import ContextCell
from nmt.model.fast.gru import gru_slopes, gru_step, gru_step_backward
from nmt.model.fast.onednn import linear
from nmt.model.fast.scores import score_parts, softmax_gradient, step_keys, step_score


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
    """Recur with the last attentional vector, attend with h_t, combine both, for all t.

    Args:
        attention: as ``fused.fusible`` wants it.
        cell: a GRU over input and attentional vector.
        W_c: (F, D + H) makes the attentional vector of context and state.
        projected: (B, T, 3H) the input's part of the gates.
        prepared: the source, B rows.
        hidden: (B, H) state before the first step.
        feed: (B, F) attentional vector before it.

    Returns:
        attentional vectors (B, T, F), under autocast of its lower precision; weights (B, T, S); states (B, T, H).
    """
    if cell.C is None:
        raise TypeError("needs a cell that takes a context")
    low = product_dtype(hidden)
    with torch.autocast(hidden.device.type, enabled=False):
        keys, W_a, v_a = score_parts(attention, prepared)
        outputs: tuple[Tensor, Tensor, Tensor] = _FeedingGru.apply(  # type: ignore[no-untyped-call]
            projected.to(low),
            keys.to(low),
            prepared.values.to(hidden.dtype),
            prepared.mask,
            hidden,
            feed.to(low),
            W_a,
            v_a,
            cell.C.weight,
            cell.U.weight,
            cell.U.bias,
            W_c,
        )
    return outputs


class _FeedingGru(torch.autograd.Function):
    """Steps of a GRU, soft attention and the attentional vector; names as in ``AdditiveScore`` and ``ContextCell``.

    One product multiplies a state by W_a for its query, by its part of W_c, and by U for the gates of the next step.
    Dtypes and layout are those of ``fused``. There is no second derivative: asking for one raises.
    """

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any,
        projected: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor,
        hidden: Tensor,
        feed: Tensor,
        W_a: Tensor | None,
        v_a: Tensor | None,
        C: Tensor,
        U: Tensor,
        U_bias: Tensor,
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
        score = step_score(keys, v_a)
        hiddens = hidden.new_empty(steps + 1, batch, size)
        hiddens[0] = hidden
        # What the states are multiplied to, from the one before the first step on.
        products = projected.new_empty(steps + 1, batch, from_state.shape[0])
        linear(hidden.to(low), from_state, out=products[0])
        gates = hidden.new_empty(steps, batch, 3 * size)
        weights = hidden.new_empty(steps, batch, keys.shape[1])
        contexts = projected.new_empty(steps, batch, context_size)
        feeds = projected.new_empty(steps + 1, batch, W_c.shape[0])
        feeds[0] = feed
        for step in range(steps):
            of_gates = products[step, :, width : width + 3 * size] + U_bias
            gates[step] = linear(feeds[step], from_feed, driven[step])
            reset_update, proposed = of_gates[:, : 2 * size], of_gates[:, 2 * size :]
            state = gru_step(gates[step], reset_update, proposed, hiddens[step], out=hiddens[step + 1])
            multiplied = linear(state.to(low), from_state, out=products[step + 1])
            query = multiplied[:, :width].to(high) if width else state
            weights[step] = masked_softmax(score.energies(query), mask)
            contexts[step] = torch.bmm(weights[step].unsqueeze(1), values).squeeze(1)
            combined = linear(contexts[step], from_context, multiplied[:, width + 3 * size :])
            feeds[step + 1] = tanh_(combined.to(high))
        ctx.save_for_backward(
            keys,
            values,
            hiddens,
            products,
            gates,
            weights,
            contexts,
            feeds,
            v_a,
            from_context,
            from_state,
            from_feed,
            U_bias,
        )
        return feeds[1:].transpose(0, 1), weights.transpose(0, 1), hiddens[1:].transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_features: Tensor, grad_weights: Tensor, grad_hiddens: Tensor
    ) -> tuple[Tensor | None, ...]:
        (
            keys,
            values,
            hiddens,
            products,
            gates,
            weights,
            contexts,
            feeds,
            v_a,
            from_context,
            from_state,
            from_feed,
            U_bias,
        ) = ctx.saved_tensors
        low, high, size = products.dtype, hiddens.dtype, hiddens.shape[2]
        width, steps = products.shape[2] - 3 * size - feeds.shape[2], gates.shape[0]
        of_gates = slice(width, width + 3 * size)
        score = step_score(keys, v_a)
        slopes = gru_slopes(
            hiddens[:-1], gates, products[:-1, :, width + 2 * size : width + 3 * size] + U_bias[2 * size :]
        )
        flat = 1.0 - feeds[1:].to(high).square()
        # The last state drives no gates, and the first one (before the first step) is no query.
        grad_products = torch.zeros_like(products)
        grad_driven, grad_attended = torch.empty_like(gates, dtype=low), torch.empty_like(contexts)
        grad_state, grad_feed = torch.zeros_like(hiddens[0]), torch.zeros_like(feeds[0], dtype=high)
        for step in reversed(range(steps)):
            grad_state += grad_hiddens[:, step]
            grad_product = grad_products[step + 1]
            grad_product[:, width + 3 * size :] = (grad_features[:, step] + grad_feed) * flat[step]
            linear(grad_product[:, width + 3 * size :], from_context.t(), out=grad_attended[step])
            at_weights = (values * grad_attended[step].to(high).unsqueeze(1)).sum(2).add_(grad_weights[:, step])
            query = products[step + 1, :, :width].to(high) if width else hiddens[step + 1]
            grad_query = score.backward(query, softmax_gradient(weights[step], at_weights))
            if width:
                grad_product[:, :width] = grad_query
            else:
                grad_state += grad_query
            grad_state += linear(grad_product, from_state.t())
            gru_step_backward(
                grad_state,
                slopes[step],
                gates[step],
                grad_driven=grad_driven[step],
                grad_recurrent=grad_products[step, :, of_gates],
            )
            grad_feed = linear(grad_driven[step], from_feed.t()).to(high)
        grad_state += linear(grad_products[0], from_state.t())
        by_state = linear(grad_products.flatten(0, 1).t(), hiddens.flatten(0, 1).to(low).t()).to(high)
        by_feed = linear(grad_driven.flatten(0, 1).t(), feeds[:-1].flatten(0, 1).t())
        grad_combined = grad_products[1:, :, width + 3 * size :].flatten(0, 1)
        by_context = linear(grad_combined.t(), contexts.flatten(0, 1).t())
        grad_keys, grad_v_a = score.gradients()
        return (
            grad_driven.transpose(0, 1),
            grad_keys.to(low),
            torch.bmm(weights.permute(1, 2, 0).to(low), grad_attended.transpose(0, 1)).to(high),
            None,
            grad_state,
            grad_feed.to(low),
            by_state[:width] if width else None,
            grad_v_a,
            by_feed.to(high),
            by_state[of_gates],
            grad_products[:, :, of_gates].sum((0, 1), dtype=high),
            torch.cat([by_context.to(high), by_state[width + 3 * size :]], dim=1),
        )

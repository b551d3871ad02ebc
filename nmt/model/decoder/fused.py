"""The recurrence of Bahdanau's decoder as one differentiable function, with its gradient written by hand.

Autograd would add a node for every small operation of every step, a product and an addition into each weight's gradient
a step, and keep the (B, S, A) energies of all steps. Here the gradients of the weights are one product each after the
loop, and the energies are computed anew in the backward pass: memory grows with B * T * (H + S), not B * T * S * A.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.core.tensors import masked_softmax
from nmt.model.attention.base import Attention, Prepared
from nmt.model.attention.scored import SoftAttention
from nmt.model.attention.scores import AdditiveScore
from nmt.model.cells import ContextCell

# Within e^80 neither factor of e^2q e^2k is zero or infinite, so no product is undefined. Beyond |x| = 40 (tanh is 1 to
# the last digit from 20 on) a query and a key of opposite signs would no longer cancel exactly.
_LARGEST = 80.0


def fusible(attention: Attention, cell: ContextCell) -> TypeGuard[SoftAttention]:
    """Whether ``fused_unroll`` computes what these do: additive attention by a softmax, and a GRU without a gate."""
    return (
        type(attention) is SoftAttention
        and type(attention.score) is AdditiveScore
        and attention.normalise is masked_softmax
        and cell.kind == "gru"
        and cell.context_gate == "none"
    )


def fused_unroll(
    attention: SoftAttention, cell: ContextCell, projected: Tensor, prepared: Prepared, hidden: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Attend with s_{t-1} and recur, for all t.

    Args:
        attention: soft and additive.
        cell: a GRU over input and context.
        projected: (B, T, 3H) the input's part of the gates.
        prepared: the source, B rows.
        hidden: (B, H) state before the first step.

    Returns:
        hidden states (B, T, H), contexts (B, T, D), weights (B, T, S).
    """
    score = attention.score
    if not isinstance(score, AdditiveScore) or cell.C is None:
        raise TypeError("needs additive attention and a cell that takes a context")
    device = hidden.device.type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
    with torch.autocast(device, enabled=False):
        outputs: tuple[Tensor, Tensor, Tensor] = _AdditiveGru.apply(  # type: ignore[no-untyped-call]
            projected.to(low),
            prepared.keys.to(low),
            prepared.values.to(hidden.dtype),
            prepared.mask,
            hidden,
            score.W_a.weight,
            score.v_a.weight,
            cell.C.weight,
            cell.U.weight,
            cell.U.bias,
        )
    return outputs


class _AdditiveGru(torch.autograd.Function):
    """Steps of additive attention and a GRU; names as in ``AdditiveScore`` and ``ContextCell``.

    Products run in the dtype of ``projected`` (low), everything else in that of ``hidden`` (high). Inside, tensors are
    time-major, so that one step is one contiguous block. There is no second derivative: asking for one raises.
    """

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any,
        projected: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor,
        hidden: Tensor,
        W_a: Tensor,
        v_a: Tensor,
        C: Tensor,
        U: Tensor,
        U_bias: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        low, high = projected.dtype, hidden.dtype
        (batch, steps, _), size, width = projected.shape, hidden.shape[1], W_a.shape[0]
        driven = projected.transpose(0, 1).contiguous()
        # The state is multiplied by W_a for the query and by U for the gates: one product.
        from_state = torch.cat([W_a, U]).to(low)
        from_context, energy = C.to(low), v_a.squeeze(0)
        keys = exponential(keys.to(high))
        hiddens = hidden.new_empty(steps + 1, batch, size)
        hiddens[0] = hidden
        recurrent = projected.new_empty(steps, batch, width + 3 * size)
        gates = hidden.new_empty(steps, batch, 3 * size)
        weights = hidden.new_empty(steps, batch, keys.shape[1])
        contexts = projected.new_empty(steps, batch, values.shape[2])
        bias_gates, bias_candidate = U_bias[: 2 * size], U_bias[2 * size :]
        for step in range(steps):
            state = hiddens[step]
            torch.mm(state.to(low), from_state.t(), out=recurrent[step])
            query, of_gates = recurrent[step, :, :width], recurrent[step, :, width : width + 2 * size]
            of_candidate = recurrent[step, :, width + 2 * size :]
            # v tanh is sum(v) - 2 v r, and the softmax does not see what is the same for all positions.
            energies = complement(keys, exponential(query.to(high))) @ energy
            weights[step] = masked_softmax(energies.mul_(-2.0), mask)
            contexts[step] = torch.bmm(weights[step].unsqueeze(1), values).squeeze(1)
            step_gates = torch.addmm(driven[step], contexts[step], from_context.t()).to(high)
            reset_update, candidate = step_gates[:, : 2 * size], step_gates[:, 2 * size :]
            reset_update.add_(of_gates).add_(bias_gates).sigmoid_()
            candidate.addcmul_(reset_update[:, :size], of_candidate + bias_candidate).tanh_()
            torch.lerp(candidate, state, reset_update[:, size:], out=hiddens[step + 1])
            gates[step] = step_gates
        ctx.save_for_backward(
            keys, values, hiddens, recurrent, gates, weights, contexts, from_state, from_context, energy, U_bias
        )
        return hiddens[1:].transpose(0, 1), contexts.transpose(0, 1), weights.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_hiddens: Tensor, grad_contexts: Tensor, grad_weights: Tensor
    ) -> tuple[Tensor | None, ...]:
        keys, values, hiddens, recurrent, gates, weights, contexts, from_state, from_context, energy, U_bias = (
            ctx.saved_tensors
        )
        low, high, width, size = recurrent.dtype, hiddens.dtype, energy.shape[0], hiddens.shape[2]
        grad_recurrent, grad_driven = torch.empty_like(recurrent), torch.empty_like(gates, dtype=low)
        grad_attended = torch.empty_like(contexts)
        # tanh' = 4 r (1 - r): the gradients of keys and queries are 4 v_a times the sums made here.
        grad_keys, grad_energy, grad_state = (
            torch.zeros_like(keys),
            torch.zeros_like(energy),
            torch.zeros_like(hiddens[0]),
        )
        factor = 4.0 * energy
        for step in reversed(range(gates.shape[0])):
            grad_state += grad_hiddens[:, step]
            query, of_candidate = recurrent[step, :, :width], recurrent[step, :, width + 2 * size :]
            reset, update, candidate = gates[step].chunk(3, dim=1)
            # h' = n + u (h - n) and n = tanh(d + r m): the gradients in front of each non-linearity.
            at_candidate = grad_state * (1.0 - update) * (1.0 - candidate * candidate)
            at_update = grad_state * (hiddens[step] - candidate) * update * (1.0 - update)
            at_reset = at_candidate * (of_candidate + U_bias[2 * size :]) * reset * (1.0 - reset)
            torch.cat([at_reset, at_update, at_candidate], dim=1, out=grad_driven[step])
            grad_recurrent[step, :, width : width + 2 * size] = grad_driven[step, :, : 2 * size]
            grad_recurrent[step, :, width + 2 * size :] = at_candidate * reset

            torch.addmm(grad_contexts[:, step], grad_driven[step], from_context, out=grad_attended[step])
            at_weights = (values * grad_attended[step].unsqueeze(1)).sum(2) + grad_weights[:, step]
            weighted = weights[step] * at_weights
            at_energies = weighted - weights[step] * weighted.sum(1, keepdim=True)
            rest = complement(keys, exponential(query.to(high)))
            grad_energy -= 2.0 * (at_energies.flatten() @ rest.flatten(0, 1))
            slope = torch.addcmul(rest, rest, rest, value=-1)
            grad_keys.addcmul_(slope, at_energies.unsqueeze(2))
            grad_recurrent[step, :, :width] = torch.bmm(at_energies.unsqueeze(1), slope).squeeze(1) * factor

            grad_state *= update
            grad_state += grad_recurrent[step] @ from_state
        by_state = grad_recurrent.flatten(0, 1).t() @ hiddens[:-1].flatten(0, 1).to(low)
        by_context = grad_driven.flatten(0, 1).t() @ contexts.flatten(0, 1)
        return (
            grad_driven.transpose(0, 1),
            (grad_keys * factor).to(low),
            torch.bmm(weights.permute(1, 2, 0).to(low), grad_attended.transpose(0, 1)).to(high),
            None,
            grad_state,
            by_state[:width].to(high),
            grad_energy.unsqueeze(0),
            by_context.to(high),
            by_state[width:].to(high),
            grad_recurrent[:, :, width:].sum((0, 1), dtype=high),
        )


def exponential(x: Tensor) -> Tensor:
    """``e^2x``, kept within the range of float32 for products of two."""
    return (2.0 * x).clamp_(-_LARGEST, _LARGEST).exp_()


def complement(keys: Tensor, query: Tensor) -> Tensor:
    """``r = 1 / (1 + e^2(q + k))``, from which ``tanh(q + k) = 1 - 2 r``, given the exponentials of both.

    A product, a sum and a reciprocal for each of B * S * A elements and step, where tanh takes five times as long.

    Args:
        keys: (B, S, A) exponentials.
        query: (B, A) exponentials.
    """
    return torch.addcmul(torch.ones_like(keys[:1, :1]), keys, query.unsqueeze(1)).reciprocal_()

"""Attention with one query per sentence and step, and its gradient, for the fused recurrences.

The (B, S, A) energies of a step are not stored, but recomputed in the backward pass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeGuard

import torch
from torch import Tensor

from nmt.core.tensors import masked_softmax, product_dtype
from nmt.model.attention.base import Attention, Prepared
from nmt.model.attention.marginal import MarginalAttention
from nmt.model.attention.scored import SoftAttention
from nmt.model.attention.scores import AdditiveScore, DotScore, GeneralScore
from nmt.model.cells import ContextCell

# Largest exponents for which neither factor of e^2q e^2k is zero or infinite, so no product is undefined.
_LARGEST = {torch.float32: 80.0, torch.float64: 700.0}
# From here on tanh is 1 to the last digit of float32.
_SATURATED = 20.0


def fusible(attention: Attention, cell: ContextCell) -> TypeGuard[SoftAttention]:
    """Whether a fused recurrence supports these: one head, softmax, a known score; one GRU cell without gate.

    16-bit parameters could not represent the exponentials of an additive score.
    """
    return (
        type(attention) in {SoftAttention, MarginalAttention}
        and type(attention.score) in {AdditiveScore, DotScore, GeneralScore}
        and attention.normalise is masked_softmax
        and type(cell) is ContextCell
        and cell.kind == "gru"
        and cell.context_gate == "none"
        and not cell.further
        and cell.U.weight.dtype in {torch.float32, torch.float64}
    )


def recurrence_inputs(
    attention: SoftAttention, cell: ContextCell, projected: Tensor, prepared: Prepared, hidden: Tensor
) -> tuple[Tensor | None, ...]:
    """Input tensors of the fused recurrence of an attention and a GRU, in the right dtypes.

    Products use the dtype of autocast (low), everything else that of the state.

    Returns:
        ``projected`` and keys (B, S, A) in low; values, mask and ``hidden``; W_a (A, D_q) and v_a (1, A) of an additive
        score, which projects the query (``None`` for others); C, U and the bias of U of the cell.

    Raises:
        TypeError: the score is not supported, or the cell takes no context.
    """
    if cell.C is None:
        raise TypeError("needs a cell that takes a context")
    score, keys, W_a, v_a = attention.score, prepared.keys, None, None
    if isinstance(score, AdditiveScore):
        W_a, v_a = score.W_a.weight, score.v_a.weight
    elif isinstance(score, DotScore | GeneralScore):
        keys = keys if score.scale == 1.0 else keys * score.scale
    else:
        raise TypeError(f"{type(score).__name__} is no score of one query a step")
    low, values = product_dtype(hidden), prepared.values.to(hidden.dtype)
    of_cell = (cell.C.weight, cell.U.weight, cell.U.bias)
    return projected.to(low), keys.to(low), values, prepared.mask, hidden, W_a, v_a, *of_cell


class StepAttention:
    """Soft attention with one query per sentence and step; weights and contexts of all T steps are stored.

    Args:
        keys: (B, S, A) from ``step_keys``.
        values: (B, S, D) annotations.
        v_a: (1, A) of an additive score.
        weights: (T, B, S) receives the weights.
        contexts: (T, B, D) receives the contexts.
    """

    def __init__(self, keys: Tensor, values: Tensor, v_a: Tensor | None, weights: Tensor, contexts: Tensor) -> None:
        self.score = ProductSteps(keys, keys.dtype) if v_a is None else AdditiveSteps(keys, v_a.squeeze(0))
        self.values, self.weights, self.contexts = values, weights, contexts

    def attend(self, step: int, query: Tensor, mask: Tensor) -> Tensor:
        """Return the context (B, D) of queries (B, A), over positions where the mask (B, S) is true."""
        self.weights[step] = masked_softmax(self.score.energies(query), mask)
        self.contexts[step] = torch.bmm(self.weights[step].unsqueeze(1), self.values).squeeze(1)
        return self.contexts[step]

    def backward(self, step: int, query: Tensor, grad_context: Tensor, grad_weights: Tensor) -> Tensor:
        """Return the gradient of queries (B, A) from those of contexts (B, D) and weights (B, S)."""
        at_weights = (self.values * grad_context.to(self.values.dtype).unsqueeze(1)).sum(2).add_(grad_weights)
        return self.score.backward(query, softmax_gradient(self.weights[step], at_weights))

    def gradients(self, grad_contexts: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return gradients of keys (B, S, A), values (B, S, D) and v_a over all steps, from contexts' (T, B, D)."""
        grad_keys, grad_v_a = self.score.gradients()
        low = grad_contexts.dtype
        grad_values = torch.bmm(self.weights.permute(1, 2, 0).to(low), grad_contexts.transpose(0, 1))
        return grad_keys.to(low), grad_values.to(self.values.dtype), grad_v_a


class StepScore(ABC):
    """A score with one query per sentence and step, and its gradient summed over the steps.

    Args:
        keys: (B, S, A) from ``step_keys``.
        dtype: dtype of the results.
    """

    def __init__(self, keys: Tensor, dtype: torch.dtype) -> None:
        self.keys = keys
        self.dtype = dtype
        self._grad_keys: Tensor | None = None

    @abstractmethod
    def energies(self, query: Tensor) -> Tensor:
        """Score queries (B, A): (B, S), up to a constant over the positions."""

    @abstractmethod
    def backward(self, query: Tensor, grad_energies: Tensor) -> Tensor:
        """Return the gradient of queries (B, A) from that of their energies (B, S), and accumulate that of the keys."""

    @abstractmethod
    def gradients(self) -> tuple[Tensor, Tensor | None]:
        """Gradients over all steps: of the plain keys (B, S, A), and of v_a (1, A) if there is one."""

    @property
    def grad_keys(self) -> Tensor:
        """(B, S, A) sum over the steps so far."""
        if self._grad_keys is None:
            self._grad_keys = torch.zeros_like(self.keys, dtype=self.dtype)
        return self._grad_keys


class AdditiveSteps(StepScore):
    """``v_a tanh(q + k)`` as ``sum(v_a) - 2 v_a r``, without the sum, to which the softmax is invariant.

    Args:
        keys: (B, S, A) exponentials.
        energy: (A,) v_a.
    """

    def __init__(self, keys: Tensor, energy: Tensor) -> None:
        super().__init__(keys, energy.dtype)
        self.energy = energy
        self._grad_energy = torch.zeros_like(energy)

    def energies(self, query: Tensor) -> Tensor:
        """A product, a sum and a reciprocal per element."""
        return (self._rest(query) @ self.energy).mul_(-2.0)

    def backward(self, query: Tensor, grad_energies: Tensor) -> Tensor:
        """``tanh' = 4 r (1 - r)``; the factor 4 v_a is applied after the sum."""
        rest = self._rest(query)
        self._grad_energy -= 2.0 * (grad_energies.flatten() @ rest.flatten(0, 1))
        slope = rest.addcmul_(rest, rest, value=-1)
        self.grad_keys.addcmul_(slope, grad_energies.unsqueeze(2))
        return torch.bmm(grad_energies.unsqueeze(1), slope).squeeze(1).mul_(4.0 * self.energy)

    def gradients(self) -> tuple[Tensor, Tensor | None]:
        """Of keys and v_a."""
        return self.grad_keys.mul_(4.0 * self.energy), self._grad_energy.unsqueeze(0)

    def _rest(self, query: Tensor) -> Tensor:
        return complement(self.keys, exponential(query.to(self.keys.dtype)).unsqueeze(1)).to(self.dtype)


class ProductSteps(StepScore):
    """``q k``."""

    def energies(self, query: Tensor) -> Tensor:
        """A sum of products: a batched product with one column takes five times as long."""
        return (self.keys * query.unsqueeze(1)).sum(2)

    def backward(self, query: Tensor, grad_energies: Tensor) -> Tensor:
        """The gradient of each factor is the other."""
        self.grad_keys.addcmul_(grad_energies.unsqueeze(2), query.unsqueeze(1))
        return torch.bmm(grad_energies.unsqueeze(1), self.keys).squeeze(1)

    def gradients(self) -> tuple[Tensor, Tensor | None]:
        """Of the keys."""
        return self.grad_keys, None


def step_keys(keys: Tensor, v_a: Tensor | None) -> Tensor:
    """Keys for ``StepAttention``: exponentials for an additive score."""
    return keys if v_a is None else exponential_keys(keys)


def softmax_gradient(weights: Tensor, grad_weights: Tensor) -> Tensor:
    """Gradient of energies from that of their softmax, over the last axis."""
    weighted = weights * grad_weights
    return weighted.addcmul_(weights, weighted.sum(-1, keepdim=True), value=-1.0)


def exponential(x: Tensor) -> Tensor:
    """``e^2x``, clamped so that a product of two stays defined in its dtype."""
    largest = _LARGEST[x.dtype]
    return (2.0 * x).clamp_(-largest, largest).exp_()


def exponential_keys(keys: Tensor) -> Tensor:
    """``e^2k`` for which ``complement`` is exact with any query; in float64 if float32 does not suffice.

    A query clamped to 40 saturates tanh with every key up to 20, as the unclamped query does. With a larger key, a
    query of opposite sign must not be clamped.
    """
    beyond = keys.numel() > 0 and bool(keys.abs().amax() > _SATURATED)
    return exponential(keys.double() if beyond else keys)


def complement(keys: Tensor, query: Tensor) -> Tensor:
    """``r = 1 / (1 + e^2(q + k))``, from which ``tanh(q + k) = 1 - 2 r``, given the exponentials of both.

    It takes a product, a sum and a reciprocal per element and step; tanh takes five times as long.

    Args:
        keys: (B, S, A) exponentials.
        query: exponentials of the same dtype, (B, 1, A), or any shape broadcastable with the keys.
    """
    return torch.addcmul(keys.new_ones(1), keys, query).reciprocal_()

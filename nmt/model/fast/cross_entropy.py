"""The cross-entropy of an output layer, without storing the logits of all tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.core.tensors import product_dtype
from nmt.model.fast.onednn import linear

# 512 rows of an 8k vocabulary are 16 MiB of float32: they stay in the last-level cache between the passes over them.
# The number is even, so that twins stay together.
CHUNK_ROWS = 512


def fused_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, smoothing: float, consistency: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, total negative log-likelihood and that of each token (N,); arguments as in ``OutputLayer.token_losses``.

    Args:
        features: (N, F).
        weight: (V, F).
        bias: (V,).
        targets: (N,) int64.
        smoothing: label smoothing epsilon.
        consistency: weight of the divergence of twins.
    """
    low = features.to(product_dtype(features))
    with torch.autocast(features.device.type, enabled=False):  # what it computes in float32 stays so
        losses: tuple[Tensor, Tensor, Tensor] = _FusedCrossEntropy.apply(  # type: ignore[no-untyped-call]
            low, weight, bias, targets, smoothing, consistency
        )
    return losses


class _FusedCrossEntropy(torch.autograd.Function):
    """Label-smoothed cross-entropy of a linear layer, in chunks of rows.

    With p = softmax(W t + b) and q = (1 - eps) onehot(y) + eps / V, the loss is ``-sum_v q_v log p_v`` and its gradient
    in the logits ``p - q``. Both are computed while a chunk's logits exist, so nothing of size (N, V) is stored. The
    term of eps / V is the same for every piece: it follows from sums of W, b and t, without a pass over the logits.
    Products (and logits) have the dtype of the features, everything else is float32 (float64 for float64 features).
    There is no second derivative: asking for one raises.

    Twins with distributions p and q and ``d = log p - log q`` add ``c sum_v (p_v - q_v) d_v / 2``; its gradient is
    ``c (p (d - KL(p || q)) + p - q) / 2`` in the logits of p, and the same with p and q exchanged in those of q.
    """

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        smoothing: float,
        consistency: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        low = features.dtype
        high = torch.float64 if low == torch.float64 else torch.float32
        rows, pieces = features.shape[0], weight.shape[0]
        table, offset = weight.to(low), bias.to(low)
        needed = any(ctx.needs_input_grad[:3])
        grad_features = torch.empty_like(features) if needed else None
        grad_weight = torch.zeros(weight.shape, dtype=high, device=weight.device) if needed else None
        grad_bias = torch.zeros_like(bias, dtype=high) if needed else None
        loss = torch.zeros((), dtype=high, device=features.device)
        token_nll = torch.empty(rows, dtype=high, device=features.device)
        normalisers = torch.zeros((), dtype=high, device=features.device)
        for start in range(0, rows, CHUNK_ROWS):
            chosen = slice(start, start + CHUNK_ROWS)
            chunk = features[chosen]
            wanted = targets[chosen].unsqueeze(1)
            logits = linear(chunk, table, offset)
            probabilities = torch.softmax(logits, dim=1, dtype=high)
            normaliser = _normaliser(logits, probabilities)
            token_nll[chosen] = (normaliser - logits.gather(1, wanted)).squeeze(1)
            normalisers += normaliser.sum()
            pull = None
            if consistency:
                divergence, pull = _twin_divergence(probabilities, logits.to(high).sub_(normaliser))
                loss += consistency * divergence
            if grad_features is None or grad_weight is None or grad_bias is None:
                continue
            del logits
            grad_logits = probabilities.scatter_add_(1, wanted, torch.full_like(wanted, smoothing - 1.0, dtype=high))
            if pull is not None:
                grad_logits.add_(pull, alpha=consistency)
            grad_bias += grad_logits.sum(0)
            grad_low = grad_logits.to(low)
            linear(grad_low, table.t(), out=grad_features[chosen])
            grad_weight += linear(grad_low.t(), chunk.t())
            del probabilities, grad_logits, grad_low, pull  # before the next chunk's are there
        nll = token_nll.sum()
        loss += (1.0 - smoothing) * nll
        if smoothing:
            share = smoothing / pieces
            all_features, all_weights = features.sum(0, dtype=high), table.sum(0, dtype=high)
            logits_sum = all_features @ all_weights + rows * offset.sum(dtype=high)
            loss += smoothing * normalisers - share * logits_sum
            if grad_features is not None and grad_weight is not None and grad_bias is not None:
                grad_features -= share * all_weights
                grad_weight -= share * all_features
                grad_bias -= share * rows
        if needed:
            ctx.save_for_backward(grad_features, grad_weight, grad_bias)
            ctx.dtypes = (weight.dtype, bias.dtype)
        ctx.mark_non_differentiable(nll, token_nll)
        return loss, nll, token_nll

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_loss: Tensor, _grad_nll: Tensor, _grad_token_nll: Tensor) -> tuple[Tensor | None, ...]:
        grad_features, grad_weight, grad_bias = ctx.saved_tensors
        weight_dtype, bias_dtype = ctx.dtypes
        return (
            grad_features * grad_loss.to(grad_features.dtype),
            (grad_weight * grad_loss).to(weight_dtype),
            (grad_bias * grad_loss).to(bias_dtype),
            None,
            None,
            None,
        )


def _twin_divergence(probabilities: Tensor, log_probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """Divergence of twins (rows 2i and 2i + 1 of (N, V)), summed, and its gradient (N, V) in their logits."""
    pairs = probabilities.view(-1, 2, probabilities.shape[1])
    first, second = log_probabilities.view_as(pairs).unbind(1)
    ratio = (first - second).unsqueeze(1)
    # KL(p || q) and -KL(q || p).
    signed = (pairs * ratio).sum(2, keepdim=True)
    pull = pairs * (ratio - signed)
    pull[:, 1].neg_()
    gap = pairs[:, 0] - pairs[:, 1]
    pull[:, 0] += gap
    pull[:, 1] -= gap
    return (signed[:, 0] - signed[:, 1]).sum() / 2.0, pull.div_(2.0).flatten(0, 1)


def _normaliser(logits: Tensor, probabilities: Tensor) -> Tensor:
    """``log sum_v e^l_v`` (N, 1), from the most probable piece: its probability is never too small for a logarithm."""
    return logits.amax(1, keepdim=True).to(probabilities.dtype) - probabilities.amax(1, keepdim=True).log_()

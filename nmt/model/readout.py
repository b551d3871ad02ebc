"""From decoder states to features, and from features to logits or, directly, to a loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from nmt.core.tensors import product_dtype
from nmt.model.products import product


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutConfig:
    """Deep output (Pascanu et al., 2014) of the Bahdanau and conditional decoders.

    Args:
        activation: ``maxout`` over pairs (Bahdanau et al., 2015, appendix A.2.2) or ``tanh`` (Sennrich et al., 2017).
        size: size of the features; by default the embeddings'.
        state: which state the readout sees. ``current`` is s_i, as in the paper's equation 4,
            ``p(y_i) = g(y_{i-1}, s_i, c_i)``; ``previous`` is s_{i-1}, as in its appendix A.2.2,
            ``t_i = U_o s_{i-1} + V_o E y_{i-1} + C_o c_i``.
    """

    activation: Literal["maxout", "tanh"] = "maxout"
    size: int | None = None
    state: Literal["current", "previous"] = "current"

    def problems(self) -> Iterator[tuple[str, str]]:
        """Sizes that are not positive."""
        if self.size is not None and self.size < 1:
            yield "size", f"must be at least 1, but is {self.size}"


class Readout(nn.Module):
    """``t = U_o s + V_o E y + C_o c + b``, then maxout over pairs or tanh.

    Args:
        config: its shape.
        state_size: size of s.
        embedding_size: size of the embedding of the previous target word.
        context_size: size of c.
    """

    def __init__(self, config: ReadoutConfig, *, state_size: int, embedding_size: int, context_size: int) -> None:
        super().__init__()
        self.size = config.size or embedding_size
        self.maxout = config.activation == "maxout"
        width = 2 * self.size if self.maxout else self.size
        self.U_o = nn.Linear(state_size, width)
        self.V_o = nn.Linear(embedding_size, width, bias=False)
        self.C_o = nn.Linear(context_size, width, bias=False)

    def forward(self, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """Features (..., F) of states (..., H), embeddings (..., E) and contexts (..., D)."""
        combined: Tensor = self.U_o(state) + self.V_o(embedded) + self.C_o(context)
        if self.maxout:
            return torch.maximum(combined[..., ::2], combined[..., 1::2])
        return torch.tanh(combined)


class OutputLayer(nn.Module):
    """``logits = W_o t + b``.

    Args:
        size: size F of the features.
        vocabulary_size: number of target pieces V.
        tied: the target embedding's weight (V, F) if shared with it (Press and Wolf, 2017).
    """

    def __init__(self, size: int, vocabulary_size: int, *, tied: nn.Parameter | None = None) -> None:
        super().__init__()
        self.weight = tied if tied is not None else nn.Parameter(torch.empty(vocabulary_size, size))
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        # Whether losses may take a path of their own; it gives what the plain one gives.
        self.fast = True

    def forward(self, features: Tensor) -> Tensor:
        """Logits (..., V)."""
        return functional.linear(features, self.weight, self.bias)

    def token_losses(
        self, features: Tensor, targets: Tensor, *, smoothing: float = 0.0, consistency: float = 0.0
    ) -> TokenLoss:
        """Cross-entropy summed over tokens; a fast one keeps no (N, V) logits.

        Args:
            features: (N, F) of the real tokens.
            targets: (N,) int64.
            smoothing: label smoothing epsilon (Szegedy et al., 2016), spread evenly over the whole vocabulary.
            consistency: weight of the divergence between the distributions of rows 2i and 2i + 1, which are twins, two
                readings of one token: ``(KL(p || q) + KL(q || p)) / 2`` is added for each pair (Liang et al., 2021).
        """
        if self.fast:
            low = features.to(product_dtype(features))
            with torch.autocast(features.device.type, enabled=False):  # what it computes in float32 stays so
                loss, nll, token_nll = _FusedCrossEntropy.apply(  # type: ignore[no-untyped-call]
                    low, self.weight, self.bias, targets, smoothing, consistency
                )
        else:
            loss, nll, token_nll = _plain_losses(self(features), targets, smoothing, consistency)
        return TokenLoss(loss=loss, nll=nll.detach(), tokens=targets.numel(), token_nll=token_nll.detach())

    @torch.no_grad()
    def smoothed_scores(self, features: Tensor, targets: Tensor, *, smoothing: float) -> Tensor:
        """``(1 - eps) log p(y) + eps / V sum_v log p(v)`` of features (N, F), without a gradient: (N,) in nats."""
        parts = zip(torch.split(features, CHUNK_ROWS), torch.split(targets, CHUNK_ROWS), strict=True)
        return torch.cat([plain_scores(log_softmax(self(part)), wanted, smoothing)[1] for part, wanted in parts])


@dataclass(frozen=True, slots=True)
class TokenLoss:
    """A loss summed over tokens.

    Args:
        loss: scalar, in nats, smoothed, with the divergence of twins; carries the gradient.
        nll: scalar negative log-likelihood in nats, for perplexity.
        tokens: number of tokens summed over.
        token_nll: (N,) the parts of ``nll``.
    """

    loss: Tensor
    nll: Tensor
    tokens: int
    token_nll: Tensor | None = None


def log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities (..., V) of logits, in float32, or float64 where these are."""
    return torch.log_softmax(logits if logits.dtype == torch.float64 else logits.float(), dim=-1)


def plain_scores(log_probs: Tensor, targets: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Log-probability of each target piece (N,), plain and smoothed, by log-probabilities (N, V)."""
    plain = log_probs.gather(1, targets.unsqueeze(1)).squeeze(1)
    return plain, (1.0 - smoothing) * plain + smoothing * log_probs.mean(1)


def _normaliser(logits: Tensor, probabilities: Tensor) -> Tensor:
    """``log sum_v e^l_v`` (N, 1), from the most probable piece: its probability is never too small for a logarithm."""
    return logits.amax(1, keepdim=True).to(probabilities.dtype) - probabilities.amax(1, keepdim=True).log_()


def _plain_losses(
    logits: Tensor, targets: Tensor, smoothing: float, consistency: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, its negative log-likelihood and that of each token (N,) by logits (N, V), as the formulas stand."""
    log_probs = log_softmax(logits)
    plain, smoothed = plain_scores(log_probs, targets, smoothing)
    loss = -smoothed.sum()
    if consistency:
        first, second = log_probs[::2], log_probs[1::2]
        loss = loss + consistency * ((first.exp() - second.exp()) * (first - second)).sum() / 2.0
    return loss, -plain.sum(), -plain


# 512 rows of an 8k vocabulary are 16 MiB of float32: they stay in the last-level cache between the passes over them.
# The number is even, so that twins stay together.
CHUNK_ROWS = 512


class _FusedCrossEntropy(torch.autograd.Function):
    """Smoothed cross-entropy of a linear layer, by chunks of rows.

    With p = softmax(W t + b) and q = (1 - eps) onehot(y) + eps / V, the loss is ``-sum_v q_v log p_v`` and its
    gradient by the logits ``p - q``. Both are made while a chunk's logits exist, so nothing of size (N, V) is kept.
    What eps / V adds is the same for every piece: sums over W, b and t give it, without a pass over the logits. The
    products (and the logits) have the dtype of the features, everything else is float32 (float64 for float64 features).
    There is no second derivative: asking for one raises.

    Twins with distributions p and q and ``d = log p - log q`` add ``c sum_v (p_v - q_v) d_v / 2``; its gradient is
    ``c (p (d - KL(p || q)) + p - q) / 2`` by the logits of p, and the same with p and q exchanged by those of q.
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
        nll = torch.zeros((), dtype=high, device=features.device)
        token_nll = torch.empty(rows, dtype=high, device=features.device)
        normalisers = torch.zeros((), dtype=high, device=features.device)
        for start in range(0, rows, CHUNK_ROWS):
            chosen = slice(start, start + CHUNK_ROWS)
            chunk = features[chosen]
            wanted = targets[chosen].unsqueeze(1)
            logits = product(chunk, table, offset)
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
            product(grad_low, table.t(), out=grad_features[chosen])
            grad_weight += product(grad_low.t(), chunk.t())
        nll += token_nll.sum()
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
    """Divergence of twins (rows 2i and 2i + 1 of (N, V)), summed, and its gradient (N, V) by their logits."""
    pairs = probabilities.view(-1, 2, probabilities.shape[1])
    first, second = log_probabilities.view_as(pairs).unbind(1)
    ratio = (first - second).unsqueeze(1)
    # KL(p || q) and, with its sign turned, KL(q || p).
    signed = (pairs * ratio).sum(2, keepdim=True)
    pull = pairs * (ratio - signed)
    pull[:, 1].neg_()
    gap = pairs[:, 0] - pairs[:, 1]
    pull[:, 0] += gap
    pull[:, 1] -= gap
    return (signed[:, 0] - signed[:, 1]).sum() / 2.0, pull.div_(2.0).flatten(0, 1)

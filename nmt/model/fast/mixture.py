"""Scores of pairs of target token and source position, without storing the logits of all pairs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.core.tensors import product_dtype, remaining_sum
from nmt.model.fast.onednn import linear

# Maximum number of logits per chunk of pairs: 16 MiB of float32. On a CPU, more rows than ``_MOST_ROWS`` do not speed
# up products, and fewer logits stay in the cache.
MOST_LOGITS = 2**22
_MOST_ROWS = 512
# Least probability that has full precision in float32, as does its logarithm.
_LEAST = 1e-30
# A token is first scored from its most probable positions, until this much prior mass is left.
_FIRST_MASS = 2.0**-6


def fused_position_scores(
    queries: Tensor,
    positions: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    scale: Tensor | None,
    owners: Tensor,
    mask: Tensor,
    log_prior: Tensor | None,
    targets: Tensor,
    smoothing: float,
) -> tuple[Tensor, Tensor]:
    """Score target tokens from every position, with few passes over the logits and a hand-written gradient.

    Arguments are those of ``readout.mixture.position_scores``, with its features in parts; returns plain and smoothed
    scores (N, S).
    """
    low = product_dtype(queries)
    with torch.autocast(queries.device.type, enabled=False):
        scores: tuple[Tensor, Tensor] = _PairScores.apply(  # type: ignore[no-untyped-call]
            queries.to(low),
            positions.flatten(0, 1).to(low),
            weight,
            bias,
            scale,
            owners,
            mask,
            None if log_prior is None else log_prior.detach().masked_fill(~mask, -torch.inf),
            targets,
            smoothing,
        )
    return scores


class _PairScores(torch.autograd.Function):
    """Log-probabilities of each token's piece from each of its positions, plain and smoothed.

    With p = softmax(W t + b), gradients g of ``log p_y`` and h of the smoothed score give the logits the gradient
    ``(g + (1 - eps) h) onehot(y) + eps h / V - (g + h) p``. The term of eps / V is the same for every piece: it follows
    from sums of W and t. Products have the dtype of the queries, everything else is float32 (float64 for float64
    queries). Nothing of size V is stored. There is no second derivative: asking for one raises.

    The backward pass skips pairs with negligible gradients in the logits: less than the squared precision of products
    (2^-14 for bf16, 2^-46 for float32) times the largest of the same token. For most words this is most of the source.
    The size of a gradient is that at y plus ``|g + h| (1 - p_y) + eps |h|`` for all other pieces. Given a prior, the
    forward pass skips pairs too: each token is scored first where its prior is large, and then from all positions
    except those whose total prior is below that fraction of both the sum and its gradient in the logits.
    """

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any,
        queries: Tensor,
        annotations: Tensor,
        weight: Tensor,
        bias: Tensor,
        scale: Tensor | None,
        owners: Tensor,
        mask: Tensor,
        log_prior: Tensor | None,
        targets: Tensor,
        smoothing: float,
    ) -> tuple[Tensor, Tensor]:
        high = torch.float64 if queries.dtype == torch.float64 else torch.float32
        table, offset = weight.to(queries.dtype), bias.to(queries.dtype)
        mean_weight, mean_bias = weight.mean(0, dtype=high), bias.mean(dtype=high)
        plain, smoothed = queries.new_full((2, *mask.shape), -torch.inf, dtype=high)

        def read(tokens: Tensor, places: Tensor) -> None:
            rows = owners[tokens] * mask.shape[1] + places
            for part in _chunks(len(tokens), weight.shape[0]):
                _, features = _pair_features(queries, annotations, scale, tokens[part], rows[part])
                logits = linear(features, table, offset)
                wanted = targets[tokens[part]].unsqueeze(1)
                normaliser = _normaliser(logits, torch.softmax(logits, dim=1, dtype=high), wanted)
                score = logits.gather(1, wanted).squeeze(1) - normaliser
                mean = features.to(high) @ mean_weight + mean_bias
                at = (tokens[part], places[part])
                plain[at] = score
                smoothed[at] = (1.0 - smoothing) * score + smoothing * (mean - normaliser)

        if log_prior is None:
            read(*mask.nonzero(as_tuple=True))
        else:
            # Positions of each token, most probable first, and the total prior of each and all after it.
            ranked, order = log_prior.sort(dim=1, descending=True)
            rest = remaining_sum(ranked.exp())
            first = rest > _FIRST_MASS
            read(*_at_ranks(first, order))
            # Scores are at most 0, smoothed ones at most -eps log V: the sums can grow by no more than the rest.
            posterior = (log_prior + smoothed).exp() * weight.shape[0] ** smoothing
            gradient = (posterior * (1.0 - plain.exp() + smoothing)).sum(1)
            least = torch.minimum((log_prior + plain).exp().sum(1), gradient)
            matters = rest > torch.finfo(queries.dtype).eps ** 2 * least.unsqueeze(1)
            read(*_at_ranks(matters & ~first, order))
        ctx.save_for_backward(queries, annotations, weight, bias, scale, owners, targets, plain)
        ctx.smoothing = smoothing
        return plain, smoothed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_plain: Tensor, grad_smoothed: Tensor) -> tuple[Tensor | None, ...]:
        queries, annotations, weight, bias, scale, owners, targets, plain = ctx.saved_tensors
        low, high, smoothing = queries.dtype, grad_plain.dtype, ctx.smoothing
        total, towards = grad_plain + grad_smoothed, grad_plain + (1.0 - smoothing) * grad_smoothed
        wanted = plain.exp()
        size = (towards - total * wanted).abs() + total.abs() * (1.0 - wanted) + smoothing * grad_smoothed.abs()
        size = size.masked_fill(plain.isneginf(), 0.0)
        negligible = torch.finfo(low).eps ** 2 * size.amax(1, keepdim=True)
        # Non-finite gradients are kept, so that they surface.
        tokens, places = ((size > negligible) | ~size.isfinite()).nonzero(as_tuple=True)
        rows, targets = owners[tokens] * plain.shape[1] + places, targets[tokens]
        total, towards, grad_smoothed = (each[tokens, places] for each in (total, towards, grad_smoothed))
        share = grad_smoothed * (smoothing / weight.shape[0])
        table, offset, sum_weight = weight.to(low), bias.to(low), weight.sum(0, dtype=high)
        grad_queries = torch.zeros_like(queries, dtype=high)
        grad_annotations = torch.zeros_like(annotations, dtype=high)
        grad_weight, grad_bias = torch.zeros_like(weight, dtype=high), torch.zeros_like(bias, dtype=high)
        for part in _chunks(len(tokens), weight.shape[0]):
            activated, features = _pair_features(queries, annotations, scale, tokens[part], rows[part])
            grad_logits = torch.softmax(linear(features, table, offset), dim=1, dtype=high)
            grad_logits.mul_(-total[part].unsqueeze(1))
            grad_logits.scatter_add_(1, targets[part].unsqueeze(1), towards[part].unsqueeze(1))
            grad_bias += grad_logits.sum(0)
            grad_low = grad_logits.to(low)
            grad_weight += linear(grad_low.t(), features.t())
            grad_weight += share[part] @ features.to(high)
            grad_features = linear(grad_low, table.t()) + share[part].unsqueeze(1) * sum_weight
            if scale is not None:
                grad_features *= scale[tokens[part]]
            grad_sums = grad_features * (1.0 - activated.to(high).square())
            grad_queries.index_add_(0, tokens[part], grad_sums)
            grad_annotations.index_add_(0, rows[part], grad_sums)
        return (
            grad_queries.to(low),
            grad_annotations.to(low),
            grad_weight.to(weight.dtype),
            (grad_bias + share.sum()).to(bias.dtype),
            None,
            None,
            None,
            None,
            None,
            None,
        )


def _at_ranks(chosen: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (P,) and positions (P,) of the chosen ranks (N, S)."""
    tokens, ranks = chosen.nonzero(as_tuple=True)
    return tokens, order[tokens, ranks]


def _pair_features(
    queries: Tensor, annotations: Tensor, scale: Tensor | None, tokens: Tensor, rows: Tensor
) -> tuple[Tensor, Tensor]:
    """Features (P, F) of pairs, before and after dropout."""
    activated = torch.tanh(queries.index_select(0, tokens) + annotations.index_select(0, rows))
    if scale is None:
        return activated, activated
    return activated, (activated * scale.index_select(0, tokens)).to(activated.dtype)


def _normaliser(logits: Tensor, probabilities: Tensor, wanted: Tensor) -> Tensor:
    """``log sum_v e^l_v`` (P,), from the wanted piece (P, 1), or from the most probable one if it is too improbable."""
    probability = probabilities.gather(1, wanted)
    rare = (probability.squeeze(1) < _LEAST).nonzero().squeeze(1)
    if len(rare):
        wanted = wanted.index_copy(0, rare, logits[rare].argmax(1, keepdim=True))
        probability = probabilities.gather(1, wanted)
    return (logits.gather(1, wanted) - probability.log_()).squeeze(1)


def _chunks(pairs: int, pieces: int) -> list[slice]:
    size = rows_at_once(pieces)
    return [slice(start, start + size) for start in range(0, pairs, size)]


def rows_at_once(pieces: int) -> int:
    """Maximum number of pairs per chunk, given V."""
    return max(1, min(_MOST_ROWS, MOST_LOGITS // pieces))

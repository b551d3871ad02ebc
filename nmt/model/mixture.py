"""The readout of a latent alignment: a word's probability from every source position, and the mixture of them all.

A readout a position makes B x T x S features and B x T x S x V logits. Neither is kept: pairs of a target token and a
source position are read out in chunks, and in the backward pass once more, save those whose gradient rounding loses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from nmt.core.tensors import product_dtype, remaining_sum
from nmt.model.products import product
from nmt.model.readout import OutputLayer, log_softmax, plain_scores

# Logits of pairs of a token and a position that exist at the same time: 16 MiB of float32. On a CPU more rows than the
# second make products no quicker, and fewer logits stay in the cache.
MOST_LOGITS = 2**22
_MOST_ROWS = 512
# Probabilities from here on have all their digits in float32, and so has their logarithm.
_LEAST = 1e-30
# A token is read out from its most probable positions first, until this much of its prior is left.
_FIRST_MASS = 2.0**-6


@dataclass(frozen=True, slots=True)
class Pairs:
    """Target tokens and the source positions that each may come from, before they are combined.

    Args:
        queries: (N, F) part of each token in the attentional vector.
        positions: (B, S, F) part of each annotation.
        owners: (N,) int64 row of each token's sentence.
        mask: (N, S) bool, the positions to read a token out from.
        scale: (N, F) to multiply features with (dropout, the same for all positions of a token); ``None`` for none.
    """

    queries: Tensor
    positions: Tensor
    owners: Tensor
    mask: Tensor
    scale: Tensor | None = None


@dataclass(frozen=True, slots=True)
class PositionScores:
    """What each position says of each token.

    Args:
        log_likelihood: (N, S) ``log p(y_n | s)`` in nats; -inf where the mask is false or nothing was read out.
        smoothed: (N, S) ``(1 - eps) log p(y_n | s) + eps / V sum_v log p(v | s)``; likewise.
    """

    log_likelihood: Tensor
    smoothed: Tensor


def position_scores(
    pairs: Pairs,
    targets: Tensor,
    output: OutputLayer,
    *,
    smoothing: float = 0.0,
    log_prior: Tensor | None = None,
) -> PositionScores:
    """Score target tokens from every position.

    Labels are smoothed for each position by itself, not for the mixture: the mean over the vocabulary of a mixture's
    log-probabilities would need all of them at once.

    Args:
        pairs: tokens and positions.
        targets: (N,) int64.
        output: the output layer.
        smoothing: label smoothing epsilon.
        log_prior: (N, S) from ``log_weights`` where all that is wanted is ``logsumexp_s(log_prior + score)``: positions
            that cannot change it, as the prior of all of them together is too small, may be left at -inf.
    """
    if output.fast:
        return _fused_scores(pairs, targets, output=output, smoothing=smoothing, log_prior=log_prior)
    return _looped_scores(pairs, targets, output=output, smoothing=smoothing)


def _looped_scores(pairs: Pairs, targets: Tensor, *, output: OutputLayer, smoothing: float) -> PositionScores:
    """By chunks of pairs, as the formulas stand."""
    annotations = pairs.positions.flatten(0, 1)
    tokens, places = pairs.mask.nonzero(as_tuple=True)

    def chunk(tokens: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        rows = pairs.owners[tokens] * pairs.positions.shape[1] + places
        _, features = _pair_features(pairs.queries, annotations, pairs.scale, tokens, rows)
        return plain_scores(log_softmax(output(features)), targets[tokens], smoothing)

    size = _rows_at_once(output.weight.shape[0])
    parts = [
        checkpoint(chunk, *part, use_reentrant=False, preserve_rng_state=False)
        for part in zip(torch.split(tokens, size), torch.split(places, size), strict=True)
    ]
    plain, smoothed = (torch.cat(column) for column in zip(*parts, strict=True))
    nothing = plain.new_full(pairs.mask.shape, -torch.inf)
    return PositionScores(nothing.masked_scatter(pairs.mask, plain), nothing.masked_scatter(pairs.mask, smoothed))


def _fused_scores(
    pairs: Pairs, targets: Tensor, *, output: OutputLayer, smoothing: float, log_prior: Tensor | None
) -> PositionScores:
    """The same with few passes over the logits, and a gradient of its own."""
    low = product_dtype(pairs.queries)
    with torch.autocast(pairs.queries.device.type, enabled=False):
        plain, smoothed = _PairScores.apply(  # type: ignore[no-untyped-call]
            pairs.queries.to(low),
            pairs.positions.flatten(0, 1).to(low),
            output.weight,
            output.bias,
            pairs.scale,
            pairs.owners,
            pairs.mask,
            None if log_prior is None else log_prior.detach().masked_fill(~pairs.mask, -torch.inf),
            targets,
            smoothing,
        )
    return PositionScores(plain, smoothed)


class _PairScores(torch.autograd.Function):
    """Log-probabilities of each token's piece from each of its positions, plain and smoothed.

    With p = softmax(W t + b), gradients g of ``log p_y`` and h of the smoothed one come to
    ``(g + (1 - eps) h) onehot(y) + eps h / V - (g + h) p`` by the logits. What eps / V adds is the same for every
    piece: sums over W and t give it. Products have the dtype of the queries, everything else is float32 (float64 for
    float64 queries). Nothing of size V is kept. There is no second derivative: asking for one raises.

    A pair whose gradient by the logits is less than the square of the products' precision (2^-14 for bf16, 2^-46 for
    float32) of the largest of its token's is left out: of most words, that is most of the source. Its size is that at y
    and, for all other pieces together, ``|g + h| (1 - p_y) + eps |h|``. Where the prior is given, the forward pass
    leaves pairs out too. Each token is read out where its prior is large first, and then from all positions but those
    whose whole prior is less than that share both of the sum and of its gradient by the logits.
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
                logits = product(features, table, offset)
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
            # Positions of each token, the most probable first, and the prior of each together with all after it.
            ranked, order = log_prior.sort(dim=1, descending=True)
            rest = remaining_sum(ranked.exp())
            first = rest > _FIRST_MASS
            read(*_at_ranks(first, order))
            # No score is above 0, no smoothed one above -eps log V: the sums can grow by no more than the rest.
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
        # What is not finite stays, to be seen.
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
            grad_logits = torch.softmax(product(features, table, offset), dim=1, dtype=high)
            grad_logits.mul_(-total[part].unsqueeze(1))
            grad_logits.scatter_add_(1, targets[part].unsqueeze(1), towards[part].unsqueeze(1))
            grad_bias += grad_logits.sum(0)
            grad_low = grad_logits.to(low)
            grad_weight += product(grad_low.t(), features.t())
            grad_weight += share[part] @ features.to(high)
            grad_features = product(grad_low, table.t()) + share[part].unsqueeze(1) * sum_weight
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
    """Tokens (P,) and positions (P,) of the ranks (N, S) that are chosen."""
    tokens, ranks = chosen.nonzero(as_tuple=True)
    return tokens, order[tokens, ranks]


def _pair_features(
    queries: Tensor, annotations: Tensor, scale: Tensor | None, tokens: Tensor, rows: Tensor
) -> tuple[Tensor, Tensor]:
    """Features (P, F) of pairs, before and after they are multiplied by what the dropout of their tokens says."""
    activated = torch.tanh(queries.index_select(0, tokens) + annotations.index_select(0, rows))
    if scale is None:
        return activated, activated
    return activated, (activated * scale.index_select(0, tokens)).to(activated.dtype)


def _normaliser(logits: Tensor, probabilities: Tensor, wanted: Tensor) -> Tensor:
    """``log sum_v e^l_v`` (P,), from the wanted piece (P, 1), or the most probable one where that is too improbable."""
    probability = probabilities.gather(1, wanted)
    rare = (probability.squeeze(1) < _LEAST).nonzero().squeeze(1)
    if len(rare):
        wanted = wanted.index_copy(0, rare, logits[rare].argmax(1, keepdim=True))
        probability = probabilities.gather(1, wanted)
    return (logits.gather(1, wanted) - probability.log_()).squeeze(1)


def _chunks(pairs: int, pieces: int) -> list[slice]:
    size = _rows_at_once(pieces)
    return [slice(start, start + size) for start in range(0, pairs, size)]


def log_weights(weights: Tensor, mask: Tensor) -> Tensor:
    """Logarithm of attention weights (N, S), -inf where the mask is false; a weight of 0 counts as the least above."""
    floored = weights.clamp_min(torch.finfo(weights.dtype).tiny).log()
    return floored.masked_fill(~mask, -torch.inf)


def mixture_log_probs(pairs: Pairs, log_prior: Tensor, output: OutputLayer) -> Tensor:
    """``log sum_s a_ns p(v | s)`` for every piece v.

    Args:
        pairs: tokens (the mask is that of the real positions) and positions.
        log_prior: (N, S) from ``log_weights``.
        output: the output layer.

    Returns:
        (N, V) in nats.
    """
    size = max(1, _rows_at_once(output.weight.shape[0]) // max(1, pairs.mask.shape[1]))
    mixed = []
    for part in torch.split(torch.arange(len(pairs.owners), device=pairs.owners.device), size):
        annotations = pairs.positions.index_select(0, pairs.owners[part])
        features = torch.tanh(pairs.queries[part].unsqueeze(1) + annotations)
        given = log_softmax(output(features))
        mixed.append(torch.logsumexp(given + log_prior[part].unsqueeze(2), dim=1))
    return torch.cat(mixed)


def _rows_at_once(pieces: int) -> int:
    return max(1, min(_MOST_ROWS, MOST_LOGITS // pieces))

"""The readout of a latent alignment: a word's probability from every source position, and the mixture of them all.

A readout a position makes B x T x S features and B x T x S x V logits. Neither is kept: pairs of a target token and a
source position are read out in chunks, and in the backward pass once more, save those whose gradient rounding loses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from nmt.model.fast.mixture import fused_position_scores, pair_features, rows_at_once
from nmt.model.readout import OutputLayer, log_softmax, plain_scores


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
        plain, smoothed = fused_position_scores(
            pairs.queries,
            pairs.positions,
            output.weight,
            output.bias,
            scale=pairs.scale,
            owners=pairs.owners,
            mask=pairs.mask,
            log_prior=log_prior,
            targets=targets,
            smoothing=smoothing,
        )
        return PositionScores(plain, smoothed)
    return _looped_scores(pairs, targets, output=output, smoothing=smoothing)


def _looped_scores(pairs: Pairs, targets: Tensor, *, output: OutputLayer, smoothing: float) -> PositionScores:
    """By chunks of pairs, as the formulas stand."""
    annotations = pairs.positions.flatten(0, 1)
    tokens, places = pairs.mask.nonzero(as_tuple=True)

    def chunk(tokens: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        rows = pairs.owners[tokens] * pairs.positions.shape[1] + places
        _, features = pair_features(pairs.queries, annotations, pairs.scale, tokens, rows)
        return plain_scores(log_softmax(output(features)), targets[tokens], smoothing)

    size = rows_at_once(output.weight.shape[0])
    parts = [
        checkpoint(chunk, *part, use_reentrant=False, preserve_rng_state=False)
        for part in zip(torch.split(tokens, size), torch.split(places, size), strict=True)
    ]
    plain, smoothed = (torch.cat(column) for column in zip(*parts, strict=True))
    nothing = plain.new_full(pairs.mask.shape, -torch.inf)
    return PositionScores(nothing.masked_scatter(pairs.mask, plain), nothing.masked_scatter(pairs.mask, smoothed))


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
    size = max(1, rows_at_once(output.weight.shape[0]) // max(1, pairs.mask.shape[1]))
    mixed = []
    for part in torch.split(torch.arange(len(pairs.owners), device=pairs.owners.device), size):
        annotations = pairs.positions.index_select(0, pairs.owners[part])
        features = torch.tanh(pairs.queries[part].unsqueeze(1) + annotations)
        given = log_softmax(output(features))
        mixed.append(torch.logsumexp(given + log_prior[part].unsqueeze(2), dim=1))
    return torch.cat(mixed)

"""The readout of a latent alignment: a word's probability from every source position, and the mixture over positions.

One readout per position makes B x T x S features and B x T x S x V logits. Neither is stored: pairs of target token and
source position are scored in chunks, which the backward pass recomputes, except for pairs with negligible gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from nmt.data.batch import Tokens
from nmt.model.attention.base import Prepared
from nmt.model.decoder.output import DecoderOutput
from nmt.model.dropout import Dropout
from nmt.model.fast.cross_entropy import CHUNK_ROWS
from nmt.model.fast.mixture import fused_position_scores, rows_at_once
from nmt.model.readout.output_layer import OutputLayer, TokenLoss, at_tokens, log_softmax, plain_scores, real_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentOutput(DecoderOutput):
    """Decoder output with a latent alignment, where position s has features ``tanh(W_c [h_s; q])``.

    ``features`` are those of the expected context; ``weights`` are the probabilities of the positions.

    Args:
        queries: (..., H) q.
        memory: prepared memory with the annotations h, B rows.
        W_c: (F, D + H).
    """

    queries: Tensor
    memory: Prepared
    W_c: Tensor

    def of_words(self, places: slice) -> Self:
        """Select some words of whole targets."""
        return replace(DecoderOutput.of_words(self, places), queries=self.queries[:, places])

    def joined(self, steps: Sequence[Self]) -> Self:
        """Join all steps of a target, of which this is the last, to one output."""
        return replace(DecoderOutput.joined(self, steps), queries=torch.stack([step.queries for step in steps], 1))


@dataclass(frozen=True, slots=True)
class PositionFeatures:
    """Features ``tanh(query + position)`` of N target tokens at every source position, as their two summands.

    Args:
        queries: (N, F) each token's part of the attentional vector.
        positions: (B, S, F) each annotation's part.
        owners: (N,) int64 row of each token's sentence.
        mask: (N, S) bool, the positions from which to score a token.
        scale: (N, F) factor of the features (dropout, shared by all positions of a token); ``None`` for none.
    """

    queries: Tensor
    positions: Tensor
    owners: Tensor
    mask: Tensor
    scale: Tensor | None = None


@dataclass(frozen=True, slots=True)
class PositionScores:
    """Score of each token from each position.

    Args:
        log_likelihood: (N, S) ``log p(y_n | s)`` in nats; -inf where the mask is false or the pair was skipped.
        smoothed: (N, S) ``(1 - eps) log p(y_n | s) + eps / V sum_v log p(v | s)``; likewise.
    """

    log_likelihood: Tensor
    smoothed: Tensor


class MixtureOutputLayer(OutputLayer):
    """``p(y) = sum_s a_s softmax(W_o t_s + b)`` of the features t_s of every source position s with probability a_s.

    Deng et al. (2018), section 3; Shankar et al. (2018).

    Args:
        size: size F of the features.
        vocabulary_size: number of target pieces V.
        tied: the target embedding's weight (V, F) if shared with it.
        dropout: dropout of features, for whole targets; shared by all positions of a token.
        in_search: whether search uses the mixture too, instead of ``softmax(W_o t + b)`` of the expected context.
    """

    def __init__(
        self,
        size: int,
        vocabulary_size: int,
        *,
        tied: nn.Parameter | None = None,
        dropout: Dropout | None = None,
        in_search: bool = True,
    ) -> None:
        super().__init__(size, vocabulary_size, tied=tied, dropout=dropout)
        self.in_search = in_search

    @property
    def rounds(self) -> bool:
        """See ``OutputLayer``; a mixture has many products."""
        return super().rounds and not self.in_search

    def log_probs(self, output: DecoderOutput) -> Tensor:
        """Log-probabilities (..., V) of every piece, as used in search."""
        if not self.in_search:
            return super().log_probs(output)
        features = position_features(output)
        log_prior = log_weights(output.weights.flatten(0, -3).squeeze(1), features.mask)
        mixed = mixture_log_probs(features, log_prior, self)
        return mixed.view(*output.features.shape[:-1], -1)

    def loss(self, output: DecoderOutput, target: Tokens, *, smoothing: float = 0.0) -> TokenLoss:
        """Negative log-likelihood, summed over the real target tokens, with positions marginalised out exactly."""
        log_prior = self.log_prior(output, target)
        scores = self.position_scores(output, target, log_prior=log_prior, smoothing=smoothing)
        loss = -torch.logsumexp(log_prior + scores.smoothed, dim=1).sum()
        token_nll = -torch.logsumexp(log_prior + scores.log_likelihood, dim=1).detach()
        return TokenLoss(loss=loss, nll=token_nll.sum(), tokens=token_nll.numel(), token_nll=token_nll)

    def log_prior(self, output: DecoderOutput, target: Tokens) -> Tensor:
        """Prior log-probability (N, S) of every position for the N real tokens; -inf on padding."""
        rows = real_tokens(target)
        mask = _latent(output).memory.mask.index_select(0, rows // target.ids.shape[1])
        return log_weights(at_tokens(output.weights.squeeze(2), rows), mask)

    def position_scores(
        self,
        output: DecoderOutput,
        target: Tokens,
        *,
        chosen: Tensor | None = None,
        log_prior: Tensor | None = None,
        smoothing: float = 0.0,
    ) -> PositionScores:
        """Score the N real tokens of a target from the source positions.

        Args:
            output: a whole target.
            target: B rows.
            chosen: (N, S) bool, the positions to score from; by default all real ones.
            log_prior: (N, S) if only the sum over positions is needed: see the function ``position_scores``.
            smoothing: label smoothing epsilon.
        """
        rows = real_tokens(target)
        every = position_features(output)
        scale = None
        if self.training and self.dropout.rate:
            scale = at_tokens(self.dropout(torch.ones_like(output.features)), rows)
        mask = every.mask.index_select(0, rows)
        features = PositionFeatures(
            every.queries.index_select(0, rows),
            every.positions,
            every.owners.index_select(0, rows),
            mask if chosen is None else chosen & mask,
            scale,
        )
        return position_scores(features, at_tokens(target.ids, rows), self, smoothing=smoothing, log_prior=log_prior)

    @torch.no_grad()
    def expected_scores(self, output: DecoderOutput, target: Tokens, *, smoothing: float = 0.0) -> Tensor:
        """Log-probabilities (N,) of the real tokens given the expected context, with label smoothing."""
        rows = real_tokens(target)
        parts = (torch.split(at_tokens(each, rows), CHUNK_ROWS) for each in (output.features, target.ids))
        scored = (
            plain_scores(log_softmax(self(features)), ids, smoothing) for features, ids in zip(*parts, strict=True)
        )
        return torch.cat([smoothed for _, smoothed in scored])


def position_features(output: DecoderOutput) -> PositionFeatures:
    """Features of all words of B targets, or of one step's hypotheses of B sentences, at all source positions."""
    output = _latent(output)
    values, size = output.memory.values, output.queries.shape[-1]
    queries = output.queries.reshape(values.shape[0], -1, size)
    of_context, of_query = torch.split(output.W_c, [values.shape[2], size], dim=1)
    owners = torch.arange(queries.shape[0], device=queries.device).repeat_interleave(queries.shape[1])
    return PositionFeatures(
        functional.linear(queries, of_query).flatten(0, 1),
        functional.linear(values, of_context),
        owners,
        output.memory.mask.index_select(0, owners),
    )


def _latent(output: DecoderOutput) -> LatentOutput:
    if not isinstance(output, LatentOutput):
        raise TypeError("only what a latent alignment gave can be read out position by position")
    return output


def position_scores(
    features: PositionFeatures,
    targets: Tensor,
    output: OutputLayer,
    *,
    smoothing: float = 0.0,
    log_prior: Tensor | None = None,
) -> PositionScores:
    """Score target tokens from every position.

    Label smoothing applies to each position separately, not to the mixture: the mean over the vocabulary of the
    mixture's log-probabilities would need all logits at once.

    Args:
        features: features of N tokens, with the mask of the positions to score from.
        targets: (N,) int64.
        output: the output layer.
        smoothing: label smoothing epsilon.
        log_prior: (N, S) from ``log_weights`` if only ``logsumexp_s(log_prior + score)`` is needed: then positions
            whose total prior is too small to change it may be left at -inf.
    """
    if output.fast:
        plain, smoothed = fused_position_scores(
            features.queries,
            features.positions,
            output.weight,
            output.bias,
            scale=features.scale,
            owners=features.owners,
            mask=features.mask,
            log_prior=log_prior,
            targets=targets,
            smoothing=smoothing,
        )
        return PositionScores(plain, smoothed)
    return _looped_scores(features, targets, output=output, smoothing=smoothing)


def _looped_scores(
    features: PositionFeatures, targets: Tensor, *, output: OutputLayer, smoothing: float
) -> PositionScores:
    """Score chunks of pairs by the plain formulas."""
    annotations = features.positions.flatten(0, 1)
    tokens, places = features.mask.nonzero(as_tuple=True)

    def chunk(tokens: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        rows = features.owners[tokens] * features.positions.shape[1] + places
        activated = torch.tanh(features.queries.index_select(0, tokens) + annotations.index_select(0, rows))
        if features.scale is not None:
            activated = (activated * features.scale.index_select(0, tokens)).to(activated.dtype)
        return plain_scores(log_softmax(output(activated)), targets[tokens], smoothing)

    size = rows_at_once(output.weight.shape[0])
    parts = [
        checkpoint(chunk, *part, use_reentrant=False, preserve_rng_state=False)
        for part in zip(torch.split(tokens, size), torch.split(places, size), strict=True)
    ]
    plain, smoothed = (torch.cat(column) for column in zip(*parts, strict=True))
    nothing = plain.new_full(features.mask.shape, -torch.inf)
    return PositionScores(nothing.masked_scatter(features.mask, plain), nothing.masked_scatter(features.mask, smoothed))


def log_weights(weights: Tensor, mask: Tensor) -> Tensor:
    """Log of attention weights (N, S), -inf where the mask is false; zero becomes the least positive normal number."""
    floored = weights.clamp_min(torch.finfo(weights.dtype).tiny).log()
    return floored.masked_fill(~mask, -torch.inf)


def mixture_log_probs(features: PositionFeatures, log_prior: Tensor, output: OutputLayer) -> Tensor:
    """``log sum_s a_ns p(v | s)`` (N, V) for every piece v, in nats, given ``log_weights`` (N, S)."""
    size = max(1, rows_at_once(output.weight.shape[0]) // max(1, features.mask.shape[1]))
    mixed = []
    for part in torch.split(torch.arange(len(features.owners), device=features.owners.device), size):
        annotations = features.positions.index_select(0, features.owners[part])
        given = log_softmax(output(torch.tanh(features.queries[part].unsqueeze(1) + annotations)))
        mixed.append(torch.logsumexp(given + log_prior[part].unsqueeze(2), dim=1))
    return torch.cat(mixed)

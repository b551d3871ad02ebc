"""Lexical guidance: supervision of attention by a lexicon that is learnt jointly with the model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from nmt.core.config.ranges import NonNegative, PositiveInt, Range, Rate
from nmt.core.tensors import length_mask
from nmt.data.batch import Batch, Tokens, as_tokens
from nmt.model.decoder.output import DecoderOutput
from nmt.model.seq2seq import Seq2Seq
from nmt.training.objective.base import Term, TermConfig
from nmt.training.objective.guided_alignment import LEAST_WEIGHT

# Logits of the lexicon kept for the backward pass; if there are more, they are recomputed.
KEPT_LOGITS = 2**24


@TermConfig.registry.register("lexical-guidance")
@dataclass(frozen=True, slots=True, kw_only=True)
class LexicalGuidanceConfig(TermConfig):
    """Guidance of the attention by a lexicon learnt only from the training pairs.

    Args:
        size: size of the lexicon's source embeddings.
        dropout: of these embeddings.
        null_probability: p0, the prior probability that a target piece is aligned to no source piece.
        diagonal: lambda, how strongly the prior prefers the same relative position in both sentences; 0 is uniform.
        shifted: whether to supervise the attention of the step whose query has read the piece
            (``shifted-attention``), instead of the step that predicts it.
    """

    reads_pieces: ClassVar[bool] = True

    size: PositiveInt = 128
    dropout: Rate = 0.1
    null_probability: Annotated[float, Range("above 0 and below 1", lambda prior: 0 < prior < 1)] = 0.08
    diagonal: NonNegative = 4.0
    shifted: bool = True

    def build(self, model: Seq2Seq) -> Term:
        """Build the term with its lexicon, initialised from the global random state."""
        lexicon = Lexicon(
            model.source_words.num_embeddings, model.output.weight.shape[0], size=self.size, dropout=self.dropout
        )
        delay = model.decoder.attention_shift if self.shifted else 0
        return LexicalGuidance(lexicon, null_probability=self.null_probability, diagonal=self.diagonal, delay=delay)


class Lexicon(nn.Module):
    """``p(y | x) = softmax_y(O e(x) + b)``: context-free translation probabilities of source pieces.

    A neural form of the lexical probabilities of Brown et al. (1993), with parameters shared between pieces.

    Args:
        source_vocabulary: number of source pieces.
        target_vocabulary: number of target pieces V.
        size: size d of an embedding.
        dropout: of the embeddings; all occurrences of a piece in a batch share one mask.
    """

    def __init__(self, source_vocabulary: int, target_vocabulary: int, *, size: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(source_vocabulary, size)
        self.output = nn.Linear(size, target_vocabulary)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.embedding.weight, std=0.3)
        nn.init.zeros_(self.output.bias)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Log-probabilities (B, T, S) of target ids (B, T), each given every one of the source ids (B, S).

        The softmax is computed once per distinct piece of the batch, not per occurrence.
        """
        pieces, places = torch.unique(source, return_inverse=True)
        embedded = self.dropout(self.embedding(pieces))
        normaliser = self._normaliser(embedded)[places]
        rows = functional.embedding(target, self.output.weight)
        logits = torch.bmm(rows, embedded[places].transpose(1, 2)) + self.output.bias[target].unsqueeze(2)
        return _exact(logits) - normaliser.unsqueeze(1)

    def _normaliser(self, embedded: Tensor) -> Tensor:
        """``log sum_y exp(o_y e + b_y)`` of embeddings (N, d): (N,)."""
        rows = max(1, KEPT_LOGITS // self.output.out_features)
        if len(embedded) <= rows:
            return self._log_sum(embedded)
        parts = [
            cast("Tensor", checkpoint(self._log_sum, part, use_reentrant=False)) for part in torch.split(embedded, rows)
        ]
        return torch.cat(parts)

    def _log_sum(self, embedded: Tensor) -> Tensor:
        return torch.logsumexp(_exact(self.output(embedded)), dim=-1)


class LexicalGuidance(Term):
    """The loss of the lexicon, and guidance of the attention by its posterior.

        q_ts  ~  pi_ts p(y_t | x_s)
        -sum_t log sum_s pi_ts p(y_t | x_s)  -  sum_t sum_s q_ts log a_(t+k)s

    The first sum is model 1 of Brown et al. (1993) under the diagonal prior of Dyer et al. (2013), section 2:
    ``pi_ts = (1 - p0) exp(-lambda |(s - 1/2) / S - (t - 1/2) / T|) / Z_t`` for the s-th of S source pieces, and p0 for
    the null word, which is the source's eos: attention to it means no word. This sum trains the lexicon only.
    The second is guided alignment (Chen et al., 2016) by the posterior q in place of given links, as Garg et al. (2019)
    and Chen et al. (2020) guide attention by a model's own alignments; q is not differentiated, heads are averaged.
    k is 0, or the steps until a query has read the piece. Both sums exclude the target's eos, the second also pieces
    whose step is past the end of the target.

    Args:
        lexicon: the lexicon.
        null_probability: p0.
        diagonal: lambda.
        delay: k.
    """

    def __init__(self, lexicon: Lexicon, *, null_probability: float, diagonal: float, delay: int) -> None:
        super().__init__()
        self.lexicon = lexicon
        self.null_probability = null_probability
        self.diagonal = diagonal
        self.delay = delay

    def forward(self, batch: Batch, output: DecoderOutput) -> Tensor:
        """Return both sums for a batch."""
        joint = self.log_joint(batch)
        evidence = torch.logsumexp(joint, dim=-1)
        posterior = (joint - evidence.unsqueeze(2)).exp().detach()
        size = joint.shape[1]
        words = length_mask(batch.target.lengths - 1, size)
        guided = length_mask(batch.target.lengths - max(1, self.delay), size)[:, : size - self.delay]
        weights = output.weights.mean(2)[:, self.delay :].to(posterior.dtype)
        taught = (posterior[:, : size - self.delay] * weights.clamp_min(LEAST_WEIGHT).log()).sum(2)
        return -evidence.masked_fill(~words, 0.0).sum() - taught.masked_fill(~guided, 0.0).sum()

    def log_joint(self, batch: Batch) -> Tensor:
        """``log pi_ts p(y_t | x_s)``: (B, T, S), -inf on padded source positions."""
        source = as_tokens(batch.source)
        translated: Tensor = self.lexicon(source.ids, batch.target.ids)
        return translated + self._log_prior(source, batch.target).to(translated.dtype)

    def _log_prior(self, source: Tokens, target: Tokens) -> Tensor:
        """``log pi_ts``: (B, T, S), -inf on padded source positions."""
        shares = _shares(target).unsqueeze(2) - _shares(source).unsqueeze(1)
        pieces = length_mask(source.lengths - 1, source.ids.shape[1]).unsqueeze(1)
        distances = (-self.diagonal * shares.abs()).masked_fill(~pieces, torch.finfo(shares.dtype).min)
        log_prior = torch.log_softmax(distances, dim=-1) + math.log1p(-self.null_probability)
        null = length_mask(source.lengths, source.ids.shape[1]).unsqueeze(1) & ~pieces
        return log_prior.masked_fill(~pieces, -torch.inf).masked_fill(null, math.log(self.null_probability))


def _shares(tokens: Tokens) -> Tensor:
    """Relative position of the middle of each piece in its sentence without eos: (B, L), 0 to 1 within it."""
    lengths = (tokens.lengths - 1).clamp_min(1).unsqueeze(1)
    middles: Tensor = torch.arange(tokens.ids.shape[1], device=tokens.ids.device).unsqueeze(0) + 0.5
    return torch.div(middles, lengths)


def _exact(logits: Tensor) -> Tensor:
    """Convert logits below single precision to float32."""
    return logits if logits.dtype == torch.float64 else logits.float()

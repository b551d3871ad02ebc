"""The output layer: maps features to logits, to log-probabilities for search, or to a loss for training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nmt.core.tensors import length_mask
from nmt.data.batch import Tokens
from nmt.model.attention.base import Prepared
from nmt.model.decoder.output import DecoderOutput
from nmt.model.dropout import Dropout
from nmt.model.fast.cross_entropy import fused_cross_entropy
from nmt.model.fast.onednn import PrepackedWeight
from nmt.model.readout.rounded_logits import RoundedLogits


@dataclass(frozen=True, slots=True)
class TokenLoss:
    """A loss summed over tokens.

    Args:
        loss: scalar in nats, with label smoothing (and the divergence of two forward passes); carries the gradient.
        nll: scalar negative log-likelihood in nats, for perplexity.
        tokens: number of tokens summed over.
        token_nll: (N,) the terms of ``nll``.
    """

    loss: Tensor
    nll: Tensor
    tokens: int
    token_nll: Tensor | None = None


class OutputLayer(nn.Module):
    """``p(y) = softmax(W_o t + b)`` of the features t.

    Args:
        size: size F of the features.
        vocabulary_size: number of target pieces V.
        tied: the target embedding's weight (V, F) if shared with it (Press and Wolf, 2017).
        dropout: dropout of features, for whole targets.
    """

    def __init__(
        self, size: int, vocabulary_size: int, *, tied: nn.Parameter | None = None, dropout: Dropout | None = None
    ) -> None:
        super().__init__()
        self.weight = tied if tied is not None else nn.Parameter(torch.empty(vocabulary_size, size))
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.dropout = Dropout(0.0) if dropout is None else dropout
        # Whether losses may take a fast path, which computes the same as the plain one.
        self.fast = True
        self.prepacked: PrepackedWeight | None = None
        self.rounding: PrepackedWeight | None = None

    def prepack(self, dtype: torch.dtype) -> None:
        """Pack the weight for search, in a copy whose weights no longer change; ``dtype`` is that of the factors.

        Logits are float32, not rounded to bf16, but a search may begin with rounded ones (``rounded_logits``).
        """
        weight, bias = self.affine()
        self.prepacked = PrepackedWeight(weight, bias, dtype, rounded=False)
        self.rounding = PrepackedWeight(weight, bias, dtype) if dtype == torch.bfloat16 else None

    @property
    def piece_rows(self) -> tuple[nn.Parameter, ...]:
        """Parameters with one row per target piece."""
        return self.weight, self.bias

    def affine(self) -> tuple[Tensor, Tensor]:
        """Matrix (V, F) and bias (V,) of the logits."""
        return self.weight, self.bias

    def complete(self, output: DecoderOutput, prepared: Prepared) -> DecoderOutput:  # noqa: ARG002
        """Add to a decoder's features what else the logits are computed from; here nothing."""
        return output

    def forward(self, features: Tensor) -> Tensor:
        """Logits (..., V) of features (..., F)."""
        if self.prepacked is not None:
            return self.prepacked(features)
        return functional.linear(features, *self.affine())

    def log_probs(self, output: DecoderOutput) -> Tensor:
        """Log-probabilities (..., V) of every piece, as used in search."""
        return torch.log_softmax(self(output.features), dim=-1)

    @property
    def rounds(self) -> bool:
        """Whether there are ``rounded_logits``: packed in bf16, if search uses the softmax of one product."""
        return self.rounding is not None

    def rounded_logits(self, features: Tensor) -> RoundedLogits:
        """Logits of features (N, F) of one step in bf16, to be refined where it matters.

        Raises:
            ValueError: there are none.
        """
        if self.rounding is None or self.prepacked is None:
            raise ValueError("logits are rounded only after prepack(torch.bfloat16)")
        return RoundedLogits.of(features, self.rounding, self.prepacked)

    def loss(self, output: DecoderOutput, target: Tokens, *, smoothing: float = 0.0) -> TokenLoss:
        """Label-smoothed cross-entropy, summed over the real target tokens; ``smoothing`` is the epsilon."""
        rows = real_tokens(target)
        return self.token_losses(at_tokens(output.features, rows), at_tokens(target.ids, rows), smoothing=smoothing)

    def consistent_loss(
        self, output: DecoderOutput, target: Tokens, *, smoothing: float = 0.0, consistency: float
    ) -> TokenLoss:
        """Cross-entropy of two forward passes of a batch, plus the divergence of their distributions.

        Args:
            output: output for B rows, followed by the same rows with other dropout masks.
            target: these 2B rows.
            smoothing: label smoothing epsilon.
            consistency: weight of the divergence of a token's two distributions.
        """
        rows = real_tokens(target).view(2, -1).t().flatten()
        features, targets = at_tokens(output.features, rows), at_tokens(target.ids, rows)
        return self.token_losses(features, targets, smoothing=smoothing, consistency=consistency)

    def token_losses(
        self, features: Tensor, targets: Tensor, *, smoothing: float = 0.0, consistency: float = 0.0
    ) -> TokenLoss:
        """Cross-entropy summed over tokens; the fast path stores no (N, V) logits.

        Args:
            features: (N, F) features of the real tokens.
            targets: (N,) int64.
            smoothing: label smoothing epsilon (Szegedy et al., 2016), spread evenly over the whole vocabulary.
            consistency: weight of the divergence between rows 2i and 2i + 1, two forward passes of the same token:
                ``(KL(p || q) + KL(q || p)) / 2`` is added for each pair (R-Drop; Liang et al., 2021).
        """
        if self.fast:
            loss, nll, token_nll = fused_cross_entropy(
                features, *self.affine(), targets, smoothing=smoothing, consistency=consistency
            )
        else:
            loss, nll, token_nll = _plain_losses(self(features), targets, smoothing, consistency)
        return TokenLoss(loss=loss, nll=nll.detach(), tokens=targets.numel(), token_nll=token_nll.detach())


def real_tokens(target: Tokens) -> Tensor:
    """Indices (N,) int64 of the N real tokens in flattened (B, T) ids."""
    return length_mask(target.lengths, target.ids.shape[1]).flatten().nonzero().squeeze(1)


def at_tokens(values: Tensor, rows: Tensor) -> Tensor:
    """Values (N, ...) selected from (B, T, ...) at indices from ``real_tokens``."""
    return values.flatten(0, 1).index_select(0, rows)


def log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities (..., V) of logits, in float32, or in float64 for float64 logits."""
    return torch.log_softmax(logits if logits.dtype == torch.float64 else logits.float(), dim=-1)


def plain_scores(log_probs: Tensor, targets: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Log-probability of each target piece (N,), plain and smoothed, from log-probabilities (N, V)."""
    plain = log_probs.gather(1, targets.unsqueeze(1)).squeeze(1)
    return plain, (1.0 - smoothing) * plain + smoothing * log_probs.mean(1)


def _plain_losses(
    logits: Tensor, targets: Tensor, smoothing: float, consistency: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, total negative log-likelihood and that of each token (N,) from logits (N, V), by the plain formulas."""
    log_probs = log_softmax(logits)
    plain, smoothed = plain_scores(log_probs, targets, smoothing)
    loss = -smoothed.sum()
    if consistency:
        first, second = log_probs[::2], log_probs[1::2]
        loss = loss + consistency * ((first.exp() - second.exp()) * (first - second)).sum() / 2.0
    return loss, -plain.sum(), -plain

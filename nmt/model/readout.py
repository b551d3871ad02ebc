"""From decoder states to features, and from features to logits or, directly, to a loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from nmt.model.fast.cross_entropy import CHUNK_ROWS, fused_cross_entropy


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
            loss, nll, token_nll = fused_cross_entropy(
                features, self.weight, self.bias, targets, smoothing=smoothing, consistency=consistency
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

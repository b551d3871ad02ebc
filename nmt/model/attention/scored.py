"""Common base of attentions with a score: keys, heads, and the context as a weighted sum."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nmt.core.errors import wrong_result
from nmt.core.tensors import masked_softmax
from nmt.model.attention.base import (
    Attention,
    AttentionConfig,
    AttentionOutput,
    AttentionState,
    Prepared,
    Score,
    ScoreConfig,
)
from nmt.model.attention.scores import AdditiveConfig
from nmt.model.memory import SourceMemory

Normalise = Callable[[Tensor, Tensor], Tensor]
"""Maps energies (..., S) and a mask broadcastable to them to weights (..., S), zero where the mask is false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredConfig(AttentionConfig):
    """Attention with a score.

    Args:
        score: how well a query and an annotation match.
    """

    score: ScoreConfig = field(default_factory=AdditiveConfig)

    def check(self, query_size: int, memory_size: int) -> str | None:
        """Ask the score whether the sizes fit."""
        problem = self.score.check(query_size, memory_size)
        return f"score {problem}" if problem else None

    def conflicts(self, *, ordered: bool, grid: bool) -> Iterator[tuple[str, str]]:
        """Report conflicts of the score too: it may need an ordered source."""
        yield from AttentionConfig.conflicts(self, ordered=ordered, grid=grid)
        if self.score.needs_order and not ordered and not self.needs_order:
            name = self.score.registry.called(type(self.score))
            yield (
                "score",
                f"must not be {name} where the source has no order, as it counts positions; choose additive",
            )


def one_head(config: ScoredConfig) -> Iterator[tuple[str, str]]:
    """Yield a problem if the score has several heads: each would choose its own position."""
    if config.score.head_count > 1:
        own = config.registry.called(type(config))
        name = config.score.registry.called(type(config.score))
        yield "score", f"must have one head for {own} attention, but is {name}; choose additive, dot or general"


class ScoredAttention(Attention):
    """Attention with a score.

    With several heads, each weighs its own projection of the annotations: ``c = W_o [c_1; ...; c_K]`` with ``c_k =
    sum_j a_kj (W_v h_j)_k`` (Vaswani et al., 2017, section 3.2.2). With one head annotations are not projected.

    Args:
        score: the score.
        context_size: size D of annotations and contexts.
        heads: number of heads of the score.
    """

    def __init__(self, score: Score, *, context_size: int, heads: int = 1) -> None:
        super().__init__(context_size=context_size, heads=heads)
        self.score = score
        self.elements_per_pair = score.elements_per_pair
        share = heads * math.ceil(context_size / heads)
        self.W_v = nn.Linear(context_size, share, bias=False) if heads > 1 else None
        self.W_o = nn.Linear(share, context_size, bias=False) if heads > 1 else None

    def prepare(self, memory: SourceMemory) -> Prepared:
        """Project keys and values once."""
        return Prepared(
            keys=self.score.keys(memory.values),
            values=memory.values if self.W_v is None else self.W_v(memory.values).to(memory.values.dtype),
            mask=memory.mask,
            lengths=memory.lengths,
        )

    def energies(self, query: Tensor, prepared: Prepared, keys: Tensor | None = None) -> Tensor:
        """Score (B, Q, D_q) against every position: (B, Q, heads, S), in the dtype of the values.

        Keys per query (B, Q, S, A) replace those of the memory.

        Raises:
            ConfigError: the score returns something else.
        """
        scored = self.score(query, prepared.keys if keys is None else keys)
        plain = (*query.shape[:2], prepared.mask.shape[1])
        full = (*query.shape[:2], self.heads, prepared.mask.shape[1])
        if getattr(scored, "shape", None) not in ((full, plain) if self.heads == 1 else (full,)):
            shape = f"(B, Q, S) = {plain}" if self.heads == 1 else f"(B, Q, heads, S) = {full}"
            raise wrong_result(self.score.forward, f"energies of shape {shape}", scored)
        energies: Tensor = scored.to(prepared.values.dtype)
        return energies if energies.dim() == 4 else energies.unsqueeze(2)

    def blend(self, weights: Tensor, prepared: Prepared) -> Tensor:
        """Contexts (B, Q, D) from weights (B, Q, heads, S); under autocast in its lower precision."""
        if self.W_o is None:
            return torch.bmm(weights.squeeze(2), prepared.values)
        values = prepared.values.view(*prepared.mask.shape, self.heads, -1)
        context: Tensor = self.W_o(torch.einsum("bqhs,bshd->bqhd", weights, values).flatten(2))
        return context


class SoftAttention(ScoredAttention):
    """``a = softmax(e)``, ``c = sum_j a_j h_j``: Bahdanau et al. (2015), equations 5 and 6.

    Args:
        score: the score.
        context_size: size D of annotations and contexts.
        heads: number of heads of the score.
        normalise: replaces the softmax.
    """

    def __init__(
        self, score: Score, *, context_size: int, heads: int = 1, normalise: Normalise = masked_softmax
    ) -> None:
        super().__init__(score, context_size=context_size, heads=heads)
        self.normalise = normalise

    def forward(self, query: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:
        """Weigh all positions; under autocast weights are float32 and contexts have its lower precision."""
        weights = self.normalise(self.energies(query, prepared), prepared.mask[:, None, None])
        return AttentionOutput(self.blend(weights, prepared), weights, state)

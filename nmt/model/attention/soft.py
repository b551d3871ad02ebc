"""Soft (global) attention: every source position, weighted by a softmax of the scores."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

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


@AttentionConfig.registry.register("soft")
@dataclass(frozen=True, slots=True, kw_only=True)
class SoftConfig(AttentionConfig):
    """Soft attention over the whole source.

    Args:
        score: how a query and an annotation match.
    """

    score: ScoreConfig = field(default_factory=AdditiveConfig)

    def check(self, query_size: int, memory_size: int) -> str | None:
        """Ask the score whether the sizes fit."""
        problem = self.score.check(query_size, memory_size)
        return f"score {problem}" if problem else None

    def build(self, query_size: int, memory_size: int) -> Attention:
        """Build the attention."""
        return SoftAttention(self.score.build(query_size, memory_size), context_size=memory_size)


class SoftAttention(Attention):
    """``a = softmax(e)``, ``c = sum_j a_j h_j``: Bahdanau et al. (2015), equations 5 and 6."""

    def __init__(self, score: Score, *, context_size: int) -> None:
        super().__init__(context_size=context_size)
        self.score = score

    def prepare(self, memory: SourceMemory) -> Prepared:
        """Project the keys once."""
        return Prepared(
            keys=self.score.keys(memory.values),
            values=memory.values,
            mask=memory.mask,
            lengths=memory.lengths,
            summary=memory.states[-1].hidden,
        )

    def forward(self, query: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:
        """Weigh all positions; under autocast weights are float32, contexts of its lower precision."""
        energies = self.score(query, prepared.keys)
        weights = masked_softmax(energies.to(prepared.values.dtype), prepared.mask.unsqueeze(1))
        context = torch.bmm(weights, prepared.values)
        return AttentionOutput(context, weights.unsqueeze(2), state)

"""Hard attention: one source position, sampled in training and the most probable one in translation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nmt.core.config.ranges import Rate
from nmt.model.attention.base import Attention, AttentionConfig, AttentionOutput, AttentionState, Prepared, Score
from nmt.model.attention.scored import ScoredConfig, SoftAttention, one_head
from nmt.model.memory import SourceMemory


@AttentionConfig.registry.register("hard")
@dataclass(frozen=True, slots=True, kw_only=True)
class HardConfig(ScoredConfig):
    """Hard attention of Xu et al. (2015), section 4.1; ``training.objective: reinforce`` trains it.

    Args:
        score: how well a query and an annotation match.
        expected: fraction of training sentences that use the expected context, as in soft attention, instead of a
            sampled one; one half in the paper.
    """

    samples: ClassVar[bool] = True

    expected: Rate = 0.5

    def problems(self) -> Iterator[tuple[str, str]]:
        """Scores with several heads."""
        yield from one_head(self)

    def build(self, query_size: int, memory_size: int) -> Attention:
        """Build the attention."""
        score = self.score.build(query_size, memory_size)
        return HardAttention(score, context_size=memory_size, expected=self.expected)


@dataclass(frozen=True, slots=True)
class HardState(AttentionState):
    """State of hard attention.

    Args:
        expected: (N, 1) 1 for sentences that use the expected context, else 0; ``None`` if none does.
    """

    expected: Tensor | None = None


class HardAttention(SoftAttention):
    """``s ~ Multinoulli(a)``, ``c = h_s`` with ``a = softmax(e)``: Xu et al. (2015), equations 8 and 9.

    In evaluation ``s = argmax a``. The returned weights are ``a``; they carry a gradient for entropy, penalties and
    alignments. The context carries a gradient to the annotation only. ``log_prob`` is ``log a_s``, and 0 for sentences
    that use the expected context.
    """

    samples = True

    def __init__(self, score: Score, *, context_size: int, expected: float) -> None:
        super().__init__(score, context_size=context_size)
        self.expected = expected

    def initial_state(self, memory: SourceMemory) -> AttentionState:
        """Sample which sentences use the expected context."""
        if not self.training or not self.expected:
            return HardState()
        drawn = torch.rand(memory.mask.shape[0], 1, device=memory.mask.device) < self.expected
        return HardState(drawn.to(memory.values.dtype))

    def forward(self, query: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:
        """Attend to one position."""
        soft = super().forward(query, prepared, state)
        weights = soft.weights.squeeze(2)
        position = self.choose(weights.detach())
        context = torch.gather(prepared.values, 1, position.expand(-1, -1, prepared.values.shape[2]))
        log_prob = weights.gather(2, position).squeeze(2).clamp_min(torch.finfo(weights.dtype).tiny).log()
        if isinstance(state, HardState) and state.expected is not None:
            # One flag per hypothesis, or one per sentence if all target positions attend at once.
            expected = state.expected.view(query.shape[0], -1, 1)
            context = torch.lerp(context, soft.context.to(context.dtype), expected.to(context.dtype))
            log_prob = log_prob * (1.0 - expected.squeeze(2))
        return AttentionOutput(context, soft.weights, state, log_prob)

    def choose(self, weights: Tensor) -> Tensor:
        """Choose positions by weights (B, Q, S): (B, Q, 1) int64, sampled in training, else the most probable."""
        if self.training:
            # Dividing by exponential noise makes argmax a sample from the weights (Gumbel-max); padding has none.
            weights = weights / torch.empty_like(weights).exponential_()
        return weights.argmax(-1, keepdim=True)

"""Local attention: a window around one position, which is monotonic or predicted."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import PositiveInt
from nmt.core.tensors import masked_softmax
from nmt.model.attention.base import (
    Attention,
    AttentionConfig,
    AttentionOutput,
    AttentionState,
    Prepared,
    RowSum,
    Score,
)
from nmt.model.attention.scored import ScoredAttention, ScoredConfig
from nmt.model.memory import SourceMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConfig(ScoredConfig):
    """Local attention of Luong et al. (2015), section 3.2.

    Args:
        score: how well a query and an annotation match.
        window: D, the number of positions on either side of the centre; 10 in the paper.
    """

    needs_order: ClassVar[bool] = True

    window: PositiveInt = 10

    def problems(self) -> Iterator[tuple[str, str]]:
        """Scores that depend on positions themselves."""
        if self.score.needs_order:
            name, score = self.registry.called(type(self)), self.score.registry.called(type(self.score))
            message = f"must not be {score} in {name}: the paper defines it for global attention only; choose general"
            yield "score", message


@AttentionConfig.registry.register("local-m")
@dataclass(frozen=True, slots=True, kw_only=True)
class MonotonicLocalConfig(LocalConfig):
    """Local attention whose window advances by one position per word; fields as in ``LocalConfig``."""

    def build(self, query_size: int, memory_size: int) -> Attention:
        """Build the attention."""
        return MonotonicLocalAttention(
            self.score.build(query_size, memory_size),
            context_size=memory_size,
            heads=self.score.head_count,
            window=self.window,
        )


@AttentionConfig.registry.register("local-p")
@dataclass(frozen=True, slots=True, kw_only=True)
class PredictiveLocalConfig(LocalConfig):
    """Local attention with a window around a predicted position; fields as in ``LocalConfig``."""

    @property
    def row_sum(self) -> RowSum:
        """The Gaussian reduces the weights, which are not normalised again."""
        return "at most one"

    def build(self, query_size: int, memory_size: int) -> Attention:
        """Build the attention."""
        return PredictiveLocalAttention(
            self.score.build(query_size, memory_size),
            context_size=memory_size,
            heads=self.score.head_count,
            window=self.window,
            query_size=query_size,
        )


def position_dtype(values: Tensor) -> torch.dtype:
    """The dtype of values, but at least float32: bf16 cannot tell all positions beyond 256 apart."""
    return torch.promote_types(values.dtype, torch.float32)


class LocalAttention(ScoredAttention):
    """A softmax over the positions s with ``|s - p_t| <= D``, counted from 1 to the true length of each sentence.

    The window is cut off at the ends of the sentence. All positions are scored and the window is a mask: sentences are
    short, and gathering the keys of each hypothesis would cost more than it saves.
    """

    def __init__(self, score: Score, *, context_size: int, heads: int, window: int) -> None:
        super().__init__(score, context_size=context_size, heads=heads)
        self.window = window

    @abstractmethod
    def centre(self, query: Tensor, prepared: Prepared, state: AttentionState) -> tuple[Tensor, AttentionState]:
        """Return p_t (B, Q), counted from 1, and the new state."""

    def reweigh(self, weights: Tensor, distance: Tensor) -> Tensor:  # noqa: ARG002
        """Rescale weights (B, Q, heads, S) by the distances ``s - p_t`` (B, Q, 1, S)."""
        return weights

    def forward(self, query: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:
        """Weigh the positions in the window."""
        centre, new = self.centre(query, prepared, state)
        places = torch.arange(
            1, prepared.mask.shape[1] + 1, device=centre.device, dtype=position_dtype(prepared.values)
        )
        distance = (places - centre.to(places.dtype).unsqueeze(-1)).unsqueeze(2)
        seen = (distance.abs() <= self.window) & prepared.mask[:, None, None]
        weights = self.reweigh(masked_softmax(self.energies(query, prepared), seen), distance)
        return AttentionOutput(self.blend(weights, prepared), weights, new)


@dataclass(frozen=True, slots=True)
class MonotonicState(AttentionState):
    """Position of a monotonic window.

    Args:
        step: (N,) int64 number of target words so far.
    """

    step: Tensor


class MonotonicLocalAttention(LocalAttention):
    """local-m, ``p_t = t``: Luong et al. (2015), section 3.2.

    Beyond the source length the window stays at the end, ``p_t = min(t, S)``; the paper does not define an empty
    window.
    """

    recurrent = True

    def initial_state(self, memory: SourceMemory) -> AttentionState:
        """No word yet."""
        return MonotonicState(torch.zeros_like(memory.lengths))

    def centre(self, query: Tensor, prepared: Prepared, state: AttentionState) -> tuple[Tensor, AttentionState]:
        """Advance by one position."""
        if not isinstance(state, MonotonicState):
            raise TypeError("local-m needs the state that it began with")
        step = state.step + 1
        return torch.minimum(step.view(query.shape[0], -1), prepared.lengths.unsqueeze(1)), MonotonicState(step)


class PredictiveLocalAttention(LocalAttention):
    """local-p, ``p_t = S sigmoid(v_p^T tanh(W_p h_t) / sqrt(H))``, ``a_t(s) = align(s) exp(-(s - p_t)^2 / 2 sigma^2)``.

    Luong et al. (2015), equations 9 and 10, with sigma = D / 2 and S the sentence's true length. ``align`` is the
    softmax over the window; as in the paper, its product with the Gaussian is not normalised again. The factor
    1 / sqrt(H), with H the query size, is not in the paper, which trains by plain gradient descent. An Adam update
    moves every element of v_p by the learning rate, which changes the product by up to H times that; without the
    factor, windows jump to an end of the sentence and never return.
    """

    def __init__(self, score: Score, *, context_size: int, heads: int, window: int, query_size: int) -> None:
        super().__init__(score, context_size=context_size, heads=heads, window=window)
        self.W_p = nn.Linear(query_size, query_size, bias=False)
        self.v_p = nn.Linear(query_size, 1, bias=False)

    def centre(self, query: Tensor, prepared: Prepared, state: AttentionState) -> tuple[Tensor, AttentionState]:
        """Predict the centre."""
        # No matrix product with v_p: autocast would round it, which can shift the centre by a whole position.
        hidden = torch.tanh(self.W_p(query).to(position_dtype(prepared.values)))
        share = torch.sigmoid((hidden * self.v_p.weight[0]).sum(-1) / math.sqrt(hidden.shape[-1]))
        return prepared.lengths.unsqueeze(1) * share, state

    def reweigh(self, weights: Tensor, distance: Tensor) -> Tensor:
        """Favour positions near the predicted one."""
        deviation = self.window / 2.0
        return weights * torch.exp(-(distance * distance) / (2.0 * deviation * deviation))

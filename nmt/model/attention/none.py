"""No attention: the plain encoder-decoder, which sees the source only as a fixed-size vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from nmt.model.attention.base import Attention, AttentionConfig, AttentionOutput, AttentionState, Prepared, RowSum
from nmt.model.memory import SourceMemory


@AttentionConfig.registry.register("none")
@dataclass(frozen=True, slots=True, kw_only=True)
class NoAttentionConfig(AttentionConfig):
    """The plain encoder-decoder.

    Args:
        context: ``summary`` gives the decoder the encoder's final state at every step (Cho et al., 2014), or the mean
            annotation if the encoder has none; ``zero`` gives it only its initial state (Sutskever et al., 2014).
    """

    context: Literal["summary", "zero"] = "summary"

    @property
    def row_sum(self) -> RowSum:
        """There are no weights."""
        return "no weights"

    def build(self, query_size: int, memory_size: int) -> Attention:  # noqa: ARG002
        """Build it."""
        return NoAttention(context_size=memory_size, zero=self.context == "zero")


class NoAttention(Attention):
    """The same context at every step, and no weights."""

    def __init__(self, *, context_size: int, zero: bool) -> None:
        super().__init__(context_size=context_size, heads=0)
        self.zero = zero

    def prepare(self, memory: SourceMemory) -> Prepared:
        """Keep the source as one vector."""
        summary = memory.summary
        return Prepared(
            keys=memory.values[:, :0, :0],
            values=memory.values,
            mask=memory.mask,
            lengths=memory.lengths,
            summary=summary.new_zeros(summary.shape) if self.zero else summary,
        )

    def forward(self, query: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:
        """Give every query the same context."""
        sentences, queries, _ = query.shape
        if prepared.summary is None:
            raise TypeError("no attention needs the memory that it has prepared itself")
        context = prepared.summary.unsqueeze(1).expand(-1, queries, -1)
        weights = query.new_zeros(sentences, queries, 0, prepared.mask.shape[1])
        return AttentionOutput(context, weights, state)

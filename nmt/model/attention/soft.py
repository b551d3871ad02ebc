"""Soft (global) attention: every source position, weighted by a softmax of the scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nmt.core.tensors import masked_softmax
from nmt.model.attention.base import Attention, AttentionConfig, RowSum
from nmt.model.attention.coverage import CoverageConfig, CoveredAttention
from nmt.model.attention.scored import Normalise, ScoredConfig, SoftAttention
from nmt.model.attention.sentinel import SentinelAttention


@AttentionConfig.registry.register("soft")
@dataclass(frozen=True, slots=True, kw_only=True)
class SoftConfig(ScoredConfig):
    """Soft attention over the whole source.

    Args:
        score: how a query and an annotation match.
        coverage: what is remembered of the attention that each position has had, and told to the score.
        sentinel: let a word come from the decoder's own memory in place of the source (Lu et al., 2017).
    """

    coverage: CoverageConfig | None = None
    sentinel: bool = False

    @property
    def reads_sentinel(self) -> bool:
        """Where it is asked to."""
        return self.sentinel

    @property
    def row_sum(self) -> RowSum:
        """A sentinel takes its share."""
        return "at most one" if self.sentinel else "one"

    def problems(self) -> Iterator[tuple[str, str]]:
        """Scores that cannot be told of coverage, or cannot score a sentinel."""
        name = self.score.registry.called(type(self.score))
        if self.coverage is not None and not self.score.accepts_coverage:
            yield "score", f"must be additive (or concat) to be told of coverage, but is {name}; or set coverage: null"
        if not self.sentinel:
            return
        if self.coverage is not None:
            yield "coverage", "must be null beside a sentinel: no paper says how much of a source a sentinel covers"
        if self.score.head_count > 1 or self.score.needs_order:
            choice = "additive, concat, dot, scaled-dot or general"
            yield "score", f"must be {choice} to score a sentinel, but is {name}; or set sentinel: false"

    def check(self, query_size: int, memory_size: int) -> str | None:
        """A sentinel takes the place of an annotation, so it must have its size."""
        if self.sentinel and query_size != memory_size:
            return (
                f"with a sentinel needs decoder states and annotations of one size, but they have {query_size} and "
                f"{memory_size}; make the decoder's size twice the encoder's"
            )
        return ScoredConfig.check(self, query_size, memory_size)

    def build(self, query_size: int, memory_size: int) -> Attention:
        """Build the attention."""
        score = self.score.build(query_size, memory_size)
        if self.coverage is not None:
            return CoveredAttention(
                score,
                self.coverage.build(query_size, memory_size),
                context_size=memory_size,
                normalise=self.normaliser(),
            )
        if self.sentinel:
            return SentinelAttention(score, context_size=memory_size, normalise=self.normaliser())
        return SoftAttention(score, context_size=memory_size, heads=self.score.head_count, normalise=self.normaliser())

    def normaliser(self) -> Normalise:
        """Give the function from energies to weights."""
        return masked_softmax

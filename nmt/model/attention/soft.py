"""Soft (global) attention: every source position, weighted by a softmax of the scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nmt.core.config.ranges import PositiveInt
from nmt.core.tensors import masked_softmax
from nmt.model.attention.base import Attention, AttentionConfig, RowSum
from nmt.model.attention.coverage import CoverageConfig, CoveredAttention
from nmt.model.attention.scored import Normalise, ScoredConfig, SoftAttention
from nmt.model.attention.sentinel import SentinelAttention
from nmt.model.attention.stacked import looking


@AttentionConfig.registry.register("soft")
@dataclass(frozen=True, slots=True, kw_only=True)
class SoftConfig(ScoredConfig):
    """Soft attention over the whole source.

    Args:
        score: how well a query and an annotation match.
        coverage: coverage model; tracks the past attention of each position and informs the score.
        sentinel: let a word come from the decoder's memory instead of the source (Lu et al., 2017).
        looks: how often to look for each word; what a look reads tells the next where to look (Yang et al., 2016).
    """

    coverage: CoverageConfig | None = None
    sentinel: bool = False
    looks: PositiveInt = 1

    @property
    def reads_sentinel(self) -> bool:
        """Whether ``sentinel`` is set."""
        return self.sentinel

    @property
    def row_sum(self) -> RowSum:
        """A sentinel takes part of the weight."""
        return "at most one" if self.sentinel else "one"

    def problems(self) -> Iterator[tuple[str, str]]:
        """Scores that cannot use coverage, or cannot score a sentinel."""
        name = self.score.registry.called(type(self.score))
        if self.coverage is not None and not self.score.accepts_coverage:
            yield "score", f"must be additive (or concat) to use coverage, but is {name}; or set coverage: null"
        if self.looks > 1 and (self.sentinel or self.coverage is not None):
            yield "looks", "must be 1 with a sentinel or coverage, which count what one look gives"
        if not self.sentinel:
            return
        if self.coverage is not None:
            yield "coverage", "must be null with a sentinel: no paper defines how much of a source a sentinel covers"
        if self.score.head_count > 1 or self.score.needs_order:
            choice = "additive, concat, dot, scaled-dot or general"
            yield "score", f"must be {choice} to score a sentinel, but is {name}; or set sentinel: false"

    def conflicts(self, *, ordered: bool, grid: bool) -> Iterator[tuple[str, str]]:
        """Report conflicts of the coverage model too: it may need an ordered source."""
        yield from ScoredConfig.conflicts(self, ordered=ordered, grid=grid)
        if self.coverage is not None and self.coverage.needs_order and not ordered:
            name = self.coverage.registry.called(type(self.coverage))
            yield "coverage", f"must not be {name} where the source has no order, as it looks along it; choose neural"

    def check(self, query_size: int, memory_size: int) -> str | None:
        """Check sizes; a sentinel replaces an annotation, so it must have the same size."""
        if self.sentinel and query_size != memory_size:
            return (
                f"with a sentinel needs decoder states and annotations of the same size, but they have {query_size} "
                f"and {memory_size}; make the decoder's size twice the encoder's"
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
        heads = self.score.head_count
        soft = SoftAttention(score, context_size=memory_size, heads=heads, normalise=self.normaliser())
        return looking(soft, query_size, self.looks)

    def normaliser(self) -> Normalise:
        """Return the function from energies to weights."""
        return masked_softmax

"""Latent alignment: a word comes from one source position, which is marginalised out exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from nmt.model.attention.base import Attention, AttentionConfig, Score
from nmt.model.attention.scored import ScoredConfig, SoftAttention, one_head


@AttentionConfig.registry.register("marginal")
@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalConfig(ScoredConfig):
    """Attention as a latent variable: Deng et al. (2018), Shankar et al. (2018).

    Args:
        score: how well a query and an annotation match.
        translation: the distribution used in search. ``mixture`` is the exact one, ``sum_s a_s p(y | s)``, and costs
            one readout per source position; ``expectation`` is ``p(y | sum_s a_s h_s)``, which costs as much as soft
            attention but is not what was trained.
    """

    latent: ClassVar[bool] = True

    translation: Literal["mixture", "expectation"] = "mixture"

    def problems(self) -> Iterator[tuple[str, str]]:
        """Scores with several heads."""
        yield from one_head(self)

    def build(self, query_size: int, memory_size: int) -> Attention:
        """Build the attention."""
        score = self.score.build(query_size, memory_size)
        return MarginalAttention(score, context_size=memory_size, mixes=self.translation == "mixture")


class MarginalAttention(SoftAttention):
    """``p(y_t) = sum_s a_ts p(y_t | h_t, h_s)``: Deng et al. (2018), section 3; Shankar et al. (2018).

    Input feeding carries the attentional vector of the expected context ``sum_s a_ts h_s``, as in Deng et al., so the
    sum over positions is exact for each word.
    """

    latent: ClassVar[bool] = True

    def __init__(self, score: Score, *, context_size: int, mixes: bool) -> None:
        super().__init__(score, context_size=context_size)
        self._mixes = mixes

    @property
    def mixes(self) -> bool:
        """Whether search uses the exact mixture."""
        return self._mixes

"""Greedy search: always the most probable token."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from nmt.data.batch import Tokens
from nmt.search.hypothesis import Hypothesis
from nmt.search.limits import LengthLimits, Vocabulary
from nmt.search.scorer import Scorer
from nmt.search.search_config import SearchConfig
from nmt.search.stepper import Stepper
from nmt.search.strategies.rollout import Choice, rollout


def greedy_search(
    stepper: Stepper,
    source: Tokens,
    config: SearchConfig,
    *,
    bos_id: int,
    eos_id: int,
    forbid: Sequence[int] = (),
    keep_weights: bool = True,
) -> list[list[Hypothesis]]:
    """Decode B sentences with the most probable token at every step.

    The same as a beam of one, without its bookkeeping; but of several tokens that are exactly equal either may take
    another one.

    Returns:
        One hypothesis a sentence.
    """
    limits = LengthLimits.of(source, config)
    vocabulary = Vocabulary(eos_id, forbid, source.ids.device)

    def choose(log_probs: Tensor, sentences: Tensor, length: int) -> Choice:
        log_probs, cut = vocabulary.end(log_probs, limits.reached(sentences, length))
        # As many as a beam of one takes, so that with small vocabularies both settle ties alike.
        values, tokens = vocabulary.best(log_probs, limits.minimum[sentences] > length, 2)
        values, order = values.sort(dim=2, descending=True, stable=True)
        chosen, best = tokens.gather(2, order[:, :, :1]).squeeze(2), values[:, :, 0]
        return Choice(chosen, best, chosen == eos_id, best == float("-inf"), cut)

    return rollout(
        stepper,
        source,
        choose,
        bos_id=bos_id,
        maximum=limits.maximum,
        scorer=Scorer.of(config),
        keep_weights=keep_weights,
    )

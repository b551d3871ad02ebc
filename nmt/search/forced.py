"""Forced decoding: probability and attention weights of a given target."""

from __future__ import annotations

import torch
from torch import Tensor

from nmt.data.batch import DecodingStep, Source, Tokens
from nmt.search.hypothesis import Hypothesis
from nmt.search.length_limits import LengthLimits
from nmt.search.scorer import Scorer
from nmt.search.search_config import SearchConfig
from nmt.search.stepper import Stepper
from nmt.search.strategies.rollout import Choice, finished, rollout


def force(
    stepper: Stepper,
    source: Source,
    target: Tokens,
    *,
    bos_id: int,
    config: SearchConfig | None = None,
    keep_weights: bool = True,
) -> list[Hypothesis]:
    """Score B given targets, each ending in eos, step by step, as search would score them.

    The config has the penalties of the score, by default those of search.

    Returns:
        One finished hypothesis per sentence; a target with probability zero has a score of -inf.

    Raises:
        ValueError: the numbers of targets and sources differ, or a target lacks even eos.
    """
    if target.rows != source.rows:
        raise ValueError(f"target must have as many rows as source ({source.rows}), but has {target.rows}")
    if bool((target.lengths < 1).any()):
        raise ValueError("target must end in eos in every row, but a row is empty")

    def choose(step: DecodingStep, sentences: Tensor, length: int, full: Tensor | None) -> Choice:  # noqa: ARG001
        tokens = target.ids[sentences, length].unsqueeze(1)
        ends = (target.lengths[sentences] == length + 1).unsqueeze(1)
        chosen = step.log_probs.gather(2, tokens.unsqueeze(2)).squeeze(2)
        return Choice(tokens, chosen, ends, torch.zeros_like(ends))

    lengths = target.lengths - 1
    steps = rollout(
        stepper,
        source,
        choose,
        bos_id=bos_id,
        limits=LengthLimits(lengths, lengths, min(lengths.tolist(), default=0)),
        scorer=Scorer.of(config or SearchConfig()),
        keep_weights=keep_weights,
    )
    return [row[0] for row in finished(steps)]

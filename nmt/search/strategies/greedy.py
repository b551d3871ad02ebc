"""Greedy search: always the most probable token."""

from __future__ import annotations

import torch
from torch import Tensor

from nmt.data.batch import DecodingStep, Source
from nmt.search.allowed_tokens import AllowedTokens, Symbols
from nmt.search.length_limits import LengthLimits
from nmt.search.scorer import Scorer
from nmt.search.search_config import SearchConfig
from nmt.search.stepper import Stepper
from nmt.search.strategies.rollout import Choice, Steps, rollout


def greedy_steps(
    stepper: Stepper, source: Source, config: SearchConfig, symbols: Symbols, *, keep_weights: bool = True
) -> Steps:
    """Decode B sentences with the most probable token at every step; arguments as in ``nmt.search.search.search``.

    The result equals that of a beam of one, except that exact ties between tokens may be broken differently.

    Returns:
        The steps of the search, after which there is one hypothesis per sentence.
    """
    limits, allowed = LengthLimits.of(source, config), AllowedTokens(symbols, source.device)

    def choose(step: DecodingStep, sentences: Tensor, length: int, full: Tensor | None) -> Choice:
        log_probs, cut = allowed.end(step.log_probs, full)
        early = limits.minimum[sentences] > length
        if step.refine is None:
            best, chosen = allowed.best_of_each(log_probs, early)
        else:
            ranked = allowed.best_of_all(torch.zeros_like(log_probs[:, :, 0]), log_probs, early, 1, step.refine)
            best, chosen = ranked.token_log_probs, ranked.tokens
        return Choice(chosen, best, chosen == symbols.eos_id, best == float("-inf"), cut)

    return rollout(
        stepper,
        source,
        choose,
        bos_id=symbols.bos_id,
        limits=limits,
        scorer=Scorer.of(config),
        keep_weights=keep_weights,
        rough=True,
    )

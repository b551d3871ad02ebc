"""Ancestral sampling with truncation, seeded per line."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nmt.core.seeding import derive_seed
from nmt.data.batch import DecodingStep, Source
from nmt.search.allowed_tokens import AllowedTokens, Symbols
from nmt.search.hypothesis import Hypothesis
from nmt.search.length_limits import LengthLimits
from nmt.search.scorer import Scorer
from nmt.search.search_config import SearchConfig
from nmt.search.stepper import Stepper
from nmt.search.strategies.rollout import Choice, finished, rollout


def sample(
    stepper: Stepper,
    source: Source,
    config: SearchConfig,
    symbols: Symbols,
    *,
    line_keys: Sequence[int],
    keep_weights: bool = True,
) -> list[list[Hypothesis]]:
    """Draw ``config.n_best`` translations of each of B sentences independently; arguments as in ``nmt.search.search``.

    A token is drawn by the Gumbel-max trick (Gumbel 1954): the argmax of ``log p - log E`` with one exponential number
    E per piece. Each sample has its own generator, seeded by ``config.seed``, the line's key and the sample's number.
    So a line's samples depend neither on the batch nor on how many are drawn. (Inverse transform sampling would need
    only one random number, but with thousands of pieces the result would often depend on the last digits of a float,
    which depend on the batch. Here they matter only for ties.)

    A hypothesis's log-probabilities are those before temperature and truncation. At the maximum length only eos can be
    drawn.

    Returns:
        ``n_best`` hypotheses per sentence, best first; some may be equal.
    """
    limits, allowed = LengthLimits.of(source, config), AllowedTokens(symbols, source.device)
    generators = [_generators(config, key) for key in line_keys]

    def choose(step: DecodingStep, sentences: Tensor, length: int, full: Tensor | None) -> Choice:
        log_probs = step.log_probs
        possible, cut = allowed.end(log_probs, full)
        possible = allowed.mask(possible, limits.minimum[sentences] > length)
        # At the first step all samples of a sentence share one row of probabilities.
        noise = _exponential([generators[row] for row in sentences.tolist()], log_probs.shape[2]).to(log_probs.device)
        chosen = _drawn(possible, noise, config)
        possible, log_probs = (rows.expand(-1, config.n_best, -1).gather(2, chosen) for rows in (possible, log_probs))
        chosen, stuck = chosen.squeeze(2), possible.squeeze(2) == float("-inf")
        return Choice(chosen, log_probs.squeeze(2), chosen == symbols.eos_id, stuck, cut)

    steps = rollout(
        stepper,
        source,
        choose,
        bos_id=symbols.bos_id,
        limits=limits,
        scorer=Scorer.of(config),
        width=config.n_best,
        keep_weights=keep_weights,
    )
    return finished(steps)


def _drawn(log_probs: Tensor, noise: Tensor, config: SearchConfig) -> Tensor:
    """Draw a token for each sample, (b, n_best, 1), from (b, 1 or n_best, V) and the noise (b, n_best, V)."""
    logits, tokens = truncated(log_probs, config)
    if tokens is None:
        return (logits - noise.log()).argmax(2, keepdim=True)
    tokens = tokens.expand(-1, config.n_best, -1)
    return tokens.gather(2, (logits - noise.gather(2, tokens).log()).argmax(2, keepdim=True))


def truncated(log_probs: Tensor, config: SearchConfig) -> tuple[Tensor, Tensor | None]:
    """Apply temperature, then top-k, then top-p truncation to (b, k, V), -inf where a token is not allowed.

    Top-p keeps the smallest set of most probable tokens whose probabilities sum to p or more (Holtzman et al. 2020,
    section 3.1), after the other two.

    Returns:
        Unnormalised log-probabilities (b, k, C), -inf where truncated, and their tokens; or (b, k, V) and ``None`` if
        they are in vocabulary order.
    """
    tokens = None
    if 0 < config.top_k < log_probs.shape[2]:
        log_probs, tokens = log_probs.topk(config.top_k, dim=2)
    elif config.top_p < 1:
        log_probs, tokens = log_probs.sort(dim=2, descending=True, stable=True)
    logits = log_probs / config.temperature
    if config.top_p < 1:
        probabilities = torch.softmax(logits, dim=2)
        before = probabilities.cumsum(2) - probabilities
        logits = logits.masked_fill(before >= config.top_p, float("-inf"))
    return logits, tokens


def _generators(config: SearchConfig, key: int) -> list[torch.Generator]:
    """Make the generator of each sample of a line."""
    seeds = [derive_seed(config.seed, "sampling", key, number) for number in range(config.n_best)]
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def _exponential(generators: Sequence[Sequence[torch.Generator]], count: int) -> Tensor:
    """Draw ``count`` exponentially distributed numbers from each generator: (b, n_best, count) float32, above 0."""
    drawn = torch.empty(len(generators), len(generators[0]), count)
    for row, line in enumerate(generators):
        for number, generator in enumerate(line):
            drawn[row, number].exponential_(generator=generator)
    return drawn.clamp(min=torch.finfo(drawn.dtype).tiny)

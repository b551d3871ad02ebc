"""Ancestral sampling, with truncation, from random numbers that belong to the line."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nmt.core.seeding import derive_seed
from nmt.data.batch import Tokens
from nmt.search.hypothesis import Hypothesis
from nmt.search.limits import LengthLimits, Vocabulary
from nmt.search.options import SearchConfig
from nmt.search.rollout import Choice, rollout
from nmt.search.scorer import Scorer
from nmt.search.stepper import Stepper


def sample(
    stepper: Stepper,
    source: Tokens,
    config: SearchConfig,
    *,
    bos_id: int,
    eos_id: int,
    forbid: Sequence[int] = (),
    keep_weights: bool = True,
    line_keys: Sequence[int] | None = None,
) -> list[list[Hypothesis]]:
    """Draw ``config.n_best`` translations of each of B sentences, independently (two may be the same).

    A token is drawn by the inverse of the distribution function at one uniform number a step. Those numbers come from a
    generator seeded by ``config.seed``, the line's key and the number of the sample: a line's samples depend neither on
    the batch nor on the device, and drawing more of them leaves the first ones as they are. The hypotheses'
    log-probabilities are those of the model, before temperature and truncation.

    Args:
        stepper: the model.
        source: B sentences.
        config: ``temperature``, ``top_k``, ``top_p``, ``seed``, ``n_best``, lengths and penalties are used.
        bos_id: first input.
        eos_id: end of sentence.
        forbid: pieces never produced.
        keep_weights: whether to return attention weights.
        line_keys: a number of its own for every line, such as its number in the file; the row by default.

    Returns:
        ``n_best`` hypotheses a sentence, best first.

    Raises:
        ValueError: there are not B keys.
    """
    keys = range(source.rows) if line_keys is None else line_keys
    if len(keys) != source.rows:
        raise ValueError(f"line_keys must have one key a sentence ({source.rows}), but has {len(keys)}")
    device = source.ids.device
    limits = LengthLimits.of(source, config)
    vocabulary = Vocabulary(eos_id, forbid, device)
    uniforms = _uniforms(config, keys, limits.maximum.tolist()).to(device)

    def choose(log_probs: Tensor, sentences: Tensor, length: int) -> Choice:
        allowed = vocabulary.mask(log_probs, limits.minimum[sentences] > length)
        probabilities, tokens = truncated(allowed, config)
        # The single row of the first step serves every sample of its sentence.
        points = torch.unflatten(uniforms[sentences, :, length], 1, (log_probs.shape[1], -1))
        places = invert(probabilities, points)
        if tokens is not None:
            places = tokens.gather(2, places)
        chosen = places.flatten(1)
        stuck = allowed.gather(2, places).flatten(1) == float("-inf")
        return Choice(chosen, log_probs.gather(2, places).flatten(1), chosen == eos_id, stuck)

    return rollout(
        stepper,
        source,
        choose,
        bos_id=bos_id,
        maximum=limits.maximum,
        scorer=Scorer.of(config),
        width=config.n_best,
        keep_weights=keep_weights,
    )


def truncated(log_probs: Tensor, config: SearchConfig) -> tuple[Tensor, Tensor | None]:
    """Sharpen or flatten a distribution and cut off its tail: temperature, then top-k, then top-p.

    Top-p keeps the smallest set of most probable tokens whose probabilities sum to p or more (Holtzman et al. 2020,
    section 3.1), after the other two.

    Args:
        log_probs: (b, k, V); -inf where a token is not allowed.
        config: ``temperature``, ``top_k`` and ``top_p`` are used.

    Returns:
        Unnormalised probabilities (b, k, C) and their tokens, or (b, k, V) and ``None`` if nothing was cut.
    """
    tokens = None
    if 0 < config.top_k < log_probs.shape[2]:
        log_probs, tokens = log_probs.topk(config.top_k, dim=2)
    elif config.top_p < 1:
        log_probs, tokens = log_probs.sort(dim=2, descending=True, stable=True)
    probabilities = torch.softmax(log_probs / config.temperature, dim=2)
    if config.top_p < 1:
        if tokens is None:
            probabilities, tokens = probabilities.sort(dim=2, descending=True, stable=True)
        before = probabilities.cumsum(2) - probabilities
        probabilities = probabilities.masked_fill(before >= config.top_p, 0.0)
    return probabilities, tokens


def invert(probabilities: Tensor, points: Tensor) -> Tensor:
    """Find where the distribution function first exceeds a point.

    Args:
        probabilities: (b, k, C), unnormalised.
        points: (b, k, m) float64 in [0, 1).

    Returns:
        (b, k, m) int64 places among the C, never one of probability zero.
    """
    cumulative = probabilities.double().nan_to_num().cumsum(2)
    total = cumulative[:, :, -1:]
    # Rounding must not carry a point up to the total itself, beyond the last place of positive probability.
    scaled = torch.minimum(points * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, scaled, right=True).clamp(max=probabilities.shape[2] - 1)


def _uniforms(config: SearchConfig, keys: Sequence[int], longest: Sequence[int]) -> Tensor:
    """Draw every number that may be needed: (B, n_best, T) float64."""
    drawn = torch.zeros(len(keys), config.n_best, max(longest, default=0) + 1, dtype=torch.float64)
    for row, (key, length) in enumerate(zip(keys, longest, strict=True)):
        for number in range(config.n_best):
            generator = torch.Generator().manual_seed(derive_seed(config.seed, "sampling", key, number))
            drawn[row, number, : length + 1] = torch.rand(length + 1, generator=generator, dtype=torch.float64)
    return drawn

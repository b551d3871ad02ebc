"""Ancestral sampling, with truncation, from random numbers that belong to the line."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nmt.core.seeding import derive_seed
from nmt.data.batch import Tokens
from nmt.search.hypothesis import Hypothesis
from nmt.search.limits import LengthLimits, Vocabulary
from nmt.search.scorer import Scorer
from nmt.search.search_config import SearchConfig
from nmt.search.stepper import Stepper
from nmt.search.strategies.rollout import Choice, rollout


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

    A token is drawn by the Gumbel-max trick (Gumbel 1954): the largest of ``log p - log E`` with one exponential number
    E for every piece. Those numbers come from a generator of each sample's own, seeded by ``config.seed``, the line's
    key and the number of the sample: a line's samples do not depend on the batch, and drawing more of them leaves the
    first ones as they are. (The inverse of the distribution function would need one number instead, but among thousands
    of pieces the last digits of a float, which do depend on the batch, would often decide; here only a tie lets them.)
    The hypotheses' log-probabilities are those of the model, before temperature and truncation. One that reaches the
    longest target ends there: eos is then the only piece left to draw.

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
    generators = [
        [
            torch.Generator().manual_seed(derive_seed(config.seed, "sampling", key, number))
            for number in range(config.n_best)
        ]
        for key in keys
    ]

    def choose(log_probs: Tensor, sentences: Tensor, length: int) -> Choice:
        possible, cut = vocabulary.end(log_probs, limits.reached(sentences, length))
        allowed = vocabulary.mask(possible, limits.minimum[sentences] > length)
        logits, tokens = truncated(allowed, config)
        # At the first step one row of probabilities serves every sample of its sentence.
        noise = _exponential([generators[row] for row in sentences.tolist()], log_probs.shape[2]).to(device)
        if tokens is not None:
            tokens = tokens.expand(-1, config.n_best, -1)
            noise = noise.gather(2, tokens)
        places = (logits - noise.log()).argmax(2, keepdim=True)
        chosen = places if tokens is None else tokens.gather(2, places)
        allowed, log_probs = (rows.expand(-1, config.n_best, -1).gather(2, chosen) for rows in (allowed, log_probs))
        chosen = chosen.squeeze(2)
        stuck = allowed.squeeze(2) == float("-inf")
        return Choice(chosen, log_probs.squeeze(2), chosen == eos_id, stuck, cut)

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
        Unnormalised log-probabilities (b, k, C), -inf where cut off, and their tokens; or (b, k, V) and ``None`` if
        they are in the order of the vocabulary.
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


def _exponential(generators: Sequence[Sequence[torch.Generator]], count: int) -> Tensor:
    """Draw ``count`` exponentially distributed numbers from each generator: (b, n_best, count) float32, above 0."""
    drawn = torch.empty(len(generators), len(generators[0]), count)
    for row, line in enumerate(generators):
        for number, generator in enumerate(line):
            drawn[row, number].exponential_(generator=generator)
    return drawn.clamp(min=torch.finfo(drawn.dtype).tiny)

"""One call for every strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nmt.core.errors import ConfigError, Problem
from nmt.data.batch import Tokens
from nmt.search.allowed_tokens import Symbols
from nmt.search.constraint import ConstrainedStepper, Constraint
from nmt.search.hypothesis import Hypothesis
from nmt.search.search_config import SearchConfig
from nmt.search.stepper import Stepper
from nmt.search.strategies.ancestral import sample
from nmt.search.strategies.beam import BeamSearch
from nmt.search.strategies.greedy import greedy_search
from nmt.search.strategies.trace import BeamTrace


def search(
    stepper: Stepper,
    source: Tokens,
    config: SearchConfig,
    symbols: Symbols,
    *,
    n_best: int | None = None,
    keep_weights: bool = True,
    line_keys: Sequence[int] | None = None,
    constraint: Constraint | None = None,
    trace: BeamTrace | None = None,
) -> list[list[Hypothesis]]:
    """Translate B sentences.

    Args:
        stepper: the model.
        source: the sentences, on the stepper's device.
        config: strategy, lengths, penalties.
        symbols: bos, eos, and the pieces that are never produced.
        n_best: hypotheses a sentence, in place of ``config.n_best``.
        keep_weights: whether to return attention weights.
        line_keys: a number of its own for every line, by which samples are drawn and a constraint knows the line; the
            row by default.
        constraint: restricts or guides the search line by line; without one nothing is computed for it.
        trace: gets the trees that a beam grows; other strategies grow none.

    Returns:
        One list a sentence, best first. A beam returns at least one hypothesis, and fewer than ``n_best`` if fewer
        finished.

    Raises:
        ConfigError: the configuration is impossible, or asks for a coverage penalty of a model without attention.
        CheckpointError: the model gives NaN.
        ValueError: there are not B line keys, or the constraint gives what it may not.
    """
    if n_best is not None:
        config = replace(config, n_best=n_best)
    if problems := [Problem(path, message) for path, message in config.problems()]:
        raise ConfigError(problems)
    keys = range(source.rows) if line_keys is None else line_keys
    if len(keys) != source.rows:
        raise ValueError(f"line_keys must have one key a sentence ({source.rows}), but has {len(keys)}")
    if constraint is not None:
        stepper = ConstrainedStepper(stepper, constraint, keys)
    if config.strategy == "sampling":
        return sample(stepper, source, config, symbols, line_keys=keys, keep_weights=keep_weights)
    if config.strategy == "greedy":
        return greedy_search(stepper, source, config, symbols, keep_weights=keep_weights)
    return BeamSearch(stepper, config, symbols, keep_weights=keep_weights, trace=trace)(source)

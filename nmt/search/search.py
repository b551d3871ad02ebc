"""Entry point for all search strategies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nmt.core.config.ranges import problems_of
from nmt.core.errors import ConfigError, Problem
from nmt.data.batch import Source
from nmt.search.allowed_tokens import Symbols
from nmt.search.constraint import Added, ConstrainedStepper, Constraint
from nmt.search.control.controls import Controls
from nmt.search.copied_symbols import CopiedSymbols
from nmt.search.hypothesis import Hypothesis
from nmt.search.repetition import Repetition
from nmt.search.search_config import SearchConfig
from nmt.search.stepper import Stepper
from nmt.search.strategies.allocation import Allocation
from nmt.search.strategies.ancestral_sampling import sample
from nmt.search.strategies.beam import BeamSearch
from nmt.search.strategies.greedy import greedy_steps
from nmt.search.strategies.rollout import Steps, finished
from nmt.search.strategies.trace import BeamTrace


def search(
    stepper: Stepper,
    source: Source,
    config: SearchConfig,
    symbols: Symbols,
    *,
    n_best: int | None = None,
    keep_weights: bool = True,
    line_keys: Sequence[int] | None = None,
    constraint: Constraint | None = None,
    controls: Controls | None = None,
    trace: BeamTrace | None = None,
) -> list[list[Hypothesis]]:
    """Translate B sentences.

    Args:
        stepper: the model.
        source: the sentences, on the stepper's device.
        config: strategy, lengths, penalties.
        symbols: bos, eos, and forbidden pieces.
        n_best: hypotheses per sentence; overrides ``config.n_best``.
        keep_weights: whether to return attention weights.
        line_keys: a number for every sentence, which seeds sampling and identifies the line to ``constraint``; by
            default its row.
        constraint: restricts or guides the search, line by line.
        controls: prefixes and phrases of some sentences; where phrases must occur, the strategy must be beam.
        trace: records the search trees of beam search; other strategies do not use it.

    Returns:
        One list per sentence, best first. Beam search returns at least one hypothesis, and fewer than ``n_best`` if
        fewer finished.

    Raises:
        ConfigError: the configuration is invalid, or has a coverage penalty for a model without attention.
        CheckpointError: the model gives NaN.
        ValueError: there are not B line keys, or the constraint gives invalid values.
    """
    if n_best is not None:
        config = replace(config, n_best=n_best)
    if problems := [Problem(path, message) for path, message in problems_of(config)]:
        raise ConfigError(problems)
    keys = range(source.rows) if line_keys is None else line_keys
    stepper = _restricted(stepper, source, config, symbols, keys, constraint=constraint, controls=controls)
    allocation = None
    if controls is not None and controls.require:
        if config.strategy != "beam":
            message = f"must be beam where phrases must occur, but is {config.strategy}"
            raise ConfigError([Problem("strategy", message)])
        allocation = Allocation(controls, symbols.eos_id)
    if config.strategy == "sampling":
        return sample(stepper, source, config, symbols, line_keys=keys, keep_weights=keep_weights)
    if config.strategy == "greedy":
        return finished(greedy_steps(stepper, source, config, symbols, keep_weights=keep_weights))
    return BeamSearch(stepper, config, symbols, keep_weights=keep_weights, trace=trace, allocation=allocation)(source)


def greedily(
    stepper: Stepper,
    source: Source,
    config: SearchConfig,
    symbols: Symbols,
    *,
    keep_weights: bool = True,
    line_keys: Sequence[int],
    constraint: Constraint | None = None,
    controls: Controls | None = None,
) -> Steps:
    """Translate B sentences by greedy search step by step; arguments and hypotheses are those of ``search``.

    Returns:
        The steps; each computes only when it is asked for.
    """
    stepper = _restricted(stepper, source, config, symbols, line_keys, constraint=constraint, controls=controls)
    return greedy_steps(stepper, source, config, symbols, keep_weights=keep_weights)


def _restricted(
    stepper: Stepper,
    source: Source,
    config: SearchConfig,
    symbols: Symbols,
    keys: Sequence[int],
    *,
    constraint: Constraint | None,
    controls: Controls | None,
) -> Stepper:
    """Let what may be copied, a constraint, the rules against repetition and controls change what a model gives."""
    if len(keys) != source.rows:
        raise ValueError(f"line_keys must have one key a sentence ({source.rows}), but has {len(keys)}")
    if symbols.copied:
        stepper = ConstrainedStepper(stepper, CopiedSymbols(symbols.copied), keys)
    if constraint is not None:
        stepper = ConstrainedStepper(stepper, Added(constraint), keys)
    restriction = Repetition(config, controls) if config.limits_repetition else controls
    return stepper if restriction is None else ConstrainedStepper(stepper, restriction, range(source.rows))

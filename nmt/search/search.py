"""One call for every strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nmt.core.errors import ConfigError, Problem
from nmt.data.batch import Tokens
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
    *,
    bos_id: int,
    eos_id: int,
    forbid: Sequence[int] = (),
    n_best: int | None = None,
    keep_weights: bool = True,
    line_keys: Sequence[int] | None = None,
    trace: BeamTrace | None = None,
) -> list[list[Hypothesis]]:
    """Translate B sentences.

    Args:
        stepper: the model.
        source: the sentences, on the stepper's device.
        config: strategy, lengths, penalties.
        bos_id: first input.
        eos_id: end of sentence.
        forbid: pieces never produced, such as pad, bos and unk; eos among them is passed over.
        n_best: hypotheses a sentence, in place of ``config.n_best``.
        keep_weights: whether to return attention weights.
        line_keys: for sampling, a number of its own for every line; the row by default.
        trace: gets the trees that a beam grows; other strategies grow none.

    Returns:
        One list a sentence, best first. A beam returns at least one hypothesis, and fewer than ``n_best`` if fewer
        finished.

    Raises:
        ConfigError: the configuration is impossible, or asks for a coverage penalty of a model without attention.
        CheckpointError: the model gives NaN.
    """
    if n_best is not None:
        config = replace(config, n_best=n_best)
    if problems := [Problem(path, message) for path, message in config.problems()]:
        raise ConfigError(problems)
    if config.strategy == "sampling":
        return sample(
            stepper,
            source,
            config,
            bos_id=bos_id,
            eos_id=eos_id,
            forbid=forbid,
            keep_weights=keep_weights,
            line_keys=line_keys,
        )
    if config.strategy == "greedy":
        return greedy_search(
            stepper, source, config, bos_id=bos_id, eos_id=eos_id, forbid=forbid, keep_weights=keep_weights
        )
    beam = BeamSearch(
        stepper, config, bos_id=bos_id, eos_id=eos_id, forbid=forbid, keep_weights=keep_weights, trace=trace
    )
    return beam(source)

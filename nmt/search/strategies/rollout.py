"""Decoding without a beam: every hypothesis is extended independently until it ends."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from nmt.core.tensors import select_columns, select_rows
from nmt.data.batch import DecodingStep, Source
from nmt.search.hypothesis import Hypothesis
from nmt.search.length_limits import LengthLimits
from nmt.search.scorer import Scorer
from nmt.search.stepper import Stepper, refuse_nan, step_of
from nmt.search.strategies.history import Ends, History, Record


@dataclass(frozen=True, slots=True)
class Choice:
    """The next token of k hypotheses of each of b sentences.

    Args:
        tokens: (b, k) int64.
        log_probs: (b, k) under the model.
        ends: (b, k) bool, whether that token is the last.
        stuck: (b, k) bool, whether no token was allowed.
        cut: see ``Record``; one row may stand for all hypotheses of a sentence.
    """

    tokens: Tensor
    log_probs: Tensor
    ends: Tensor
    stuck: Tensor
    cut: Tensor | None = None

    def record(self, parents: Tensor, weights: Tensor | None) -> Record:
        """Convert to a record, in which every hypothesis continues its parent (b, k)."""
        cut = None if self.cut is None else self.cut.expand_as(parents)
        return Record(parents, self.tokens, self.log_probs, self.log_probs, weights, cut)


class Chooser(Protocol):
    """Chooses the next token of every hypothesis independently."""

    def __call__(self, step: DecodingStep, sentences: Tensor, length: int, full: Tensor | None) -> Choice:
        """Choose.

        Args:
            step: with ``log_probs`` (b, k, V) float32; k is 1 at the first step.
            sentences: (b,) int64, the active sentences.
            length: tokens so far.
            full: (b,) bool from ``LengthLimits.reached``, or ``None``.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Rows:
    """The b active sentences, k hypotheses each; ``ends`` has length -1 for those that have not ended yet."""

    log_probs: Tensor
    coverage: Tensor | None
    mask: Tensor
    ends: Ends


Steps: TypeAlias = Generator[tuple[Tensor, Tensor], None, list[list[Hypothesis]]]
"""A search that pauses after each step, and tells the sentences that go on (b,) and the tokens just added (b, k)."""


def finished(steps: Steps) -> list[list[Hypothesis]]:
    """Take all steps, and return the hypotheses of each sentence."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            hypotheses: list[list[Hypothesis]] = end.value
            return hypotheses


@torch.no_grad()
def rollout(
    stepper: Stepper,
    source: Source,
    chooser: Chooser,
    *,
    bos_id: int,
    limits: LengthLimits,
    scorer: Scorer,
    width: int = 1,
    keep_weights: bool = True,
    rough: bool = False,
) -> Steps:
    """Decode ``width`` hypotheses per sentence; a sentence leaves the batch when all its hypotheses have ended.

    Args:
        stepper: the model.
        source: B sentences.
        chooser: chooses the tokens.
        bos_id: first input of the decoder.
        limits: maximum lengths without the last token; hypotheses that have not ended then are unfinished.
        scorer: computes the scores.
        width: hypotheses per sentence.
        keep_weights: whether to return attention weights.
        rough: whether the chooser refines rough log-probabilities.

    Returns:
        The steps, after which there are ``width`` hypotheses per sentence, best first.
    """
    if not source.rows:
        return []
    device = source.device
    divisors = scorer.divisors(int(limits.maximum.max()) + 1, device)
    tokens = torch.full((source.rows, 1), bos_id, dtype=torch.int64, device=device)
    prepared, state = stepper.start(source)
    mask = stepper.mask(source, prepared)
    history, rows = History(source, mask), _begin(mask, width)
    take = step_of(stepper, rough=rough)
    length = 0
    while len(history.sentences):
        shape = tokens.shape
        full = limits.reached(history.sentences, length)
        step = take(tokens.flatten(), prepared, state, full)
        log_probs = torch.unflatten(step.log_probs.float(), 0, shape)
        choice = chooser(replace(step, log_probs=log_probs), history.sentences, length, full)
        # At the first step one row stands for all hypotheses of its sentence.
        weights = None if step.weights is None else torch.unflatten(step.weights, 0, shape).expand(-1, width, -1)
        own = torch.arange(width, device=device).expand_as(choice.tokens)
        history.add(choice.record(own, weights if keep_weights else None))
        coverage = scorer.add_coverage(rows.coverage, weights)
        rows = _follow(rows, choice, coverage, full, scorer=scorer, divisors=divisors, length=length)
        done = (rows.ends.lengths >= 0).all(1)
        staying = (~done).nonzero().squeeze(1)
        tokens, state = choice.tokens, step.state
        if len(staying) < len(done):
            _retire(history, rows, done.nonzero().squeeze(1), staying)
            prepared, rows, tokens = select_rows((prepared, rows, tokens), staying)
        if len(staying) < len(done) or shape[1] < width:
            incoming = own[staying].clamp(max=shape[1] - 1)
            state = select_rows(state, (staying.unsqueeze(1) * shape[1] + incoming).flatten())
        length += 1
        yield history.sentences, tokens
    return history.hypotheses()


def _begin(mask: Tensor, width: int) -> _Rows:
    zeros = torch.zeros(len(mask), width, dtype=torch.int64, device=mask.device)
    open_ends = Ends(zeros.float(), zeros - 1, zeros, zeros.bool())
    return _Rows(zeros.float(), None, mask, open_ends)


def _retire(history: History, rows: _Rows, leaving: Tensor, staying: Tensor) -> None:
    """Remove sentences whose hypotheses have all ended, given their positions among the b; best hypotheses first."""
    refuse_nan(rows.log_probs[leaving])
    ends = select_rows(rows.ends, leaving)
    best_first = ends.scores.argsort(dim=1, descending=True, stable=True)
    history.retire(leaving, staying, select_columns(ends, best_first))


def _follow(
    rows: _Rows,
    choice: Choice,
    coverage: Tensor | None,
    full: Tensor | None,
    *,
    scorer: Scorer,
    divisors: Tensor,
    length: int,
) -> _Rows:
    """Add the chosen tokens, and record which hypotheses end here."""
    log_probs = rows.log_probs + choice.log_probs
    before = rows.log_probs / divisors[length]
    after = log_probs / divisors[length + 1]
    if (penalty := scorer.coverage(coverage, rows.mask)) is not None:
        after = after + penalty
    if (penalty := scorer.coverage(rows.coverage, rows.mask)) is not None:
        before = before + penalty
    finishes = choice.ends & ~choice.stuck
    cut = choice.stuck if full is None else full.unsqueeze(1) | choice.stuck
    here = (rows.ends.lengths < 0) & (finishes | cut)
    slots = torch.arange(here.shape[1], device=here.device).expand_as(here)
    ends = Ends(
        scores=torch.where(here, torch.where(finishes, after, before), rows.ends.scores),
        lengths=torch.where(here, length, rows.ends.lengths),
        slots=slots,
        finished=torch.where(here, finishes, rows.ends.finished),
    )
    return _Rows(log_probs, coverage, rows.mask, ends)

"""Exact batched beam search."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nmt.core.tensors import select_columns, select_rows
from nmt.data.batch import Source
from nmt.search.allowed_tokens import AllowedTokens, Symbols
from nmt.search.hypothesis import Hypothesis
from nmt.search.length_limits import LengthLimits
from nmt.search.scorer import Scorer
from nmt.search.search_config import SearchConfig
from nmt.search.stepper import Stepper, refuse_nan, step_of
from nmt.search.strategies.allocation import Allocation
from nmt.search.strategies.candidates import Candidates
from nmt.search.strategies.history import Ends, History, Record
from nmt.search.strategies.trace import BeamTrace, Ranking


@dataclass(frozen=True, slots=True)
class _Beam:
    """The b active sentences, with k live hypotheses each (1 before the first step, then K).

    Args:
        tokens: (b, k) int64, last token of each live hypothesis.
        log_probs: (b, k) log-probability of each live hypothesis, descending; -inf marks an empty slot.
        coverage: (b, k, S) sum of attention so far, if tracked.
        mask: (b, S) bool, real source pieces.
        limits: length limits, (b,).
        bound_divisor: (b,) length penalty of the maximum target length.
        kept: the n best finished hypotheses so far, best first.
        found: (b,) int64, number of finished hypotheses in total.
    """

    tokens: Tensor
    log_probs: Tensor
    coverage: Tensor | None
    mask: Tensor
    limits: LengthLimits
    bound_divisor: Tensor
    kept: Ends
    found: Tensor


class BeamSearch:
    """Beam search for the hypotheses with the highest score, with K live hypotheses per sentence.

    At each step the 2K most probable continuations of a sentence are ranked by log-probability (all have the same
    length, so no length penalty is needed; the coverage penalty applies only at the end). Among the first K, those
    ending in eos finish; the first K not ending in eos stay live. Each parent has one eos, so the 2K always contain K
    others: finished hypotheses never narrow the beam.

    A sentence is done when

    - ``patience * K`` hypotheses have finished (Kasai et al. 2022; with a beam of one this makes greedy search); or
    - no live hypothesis can still enter the n best finished ones (``Scorer.bound``), so that the result could not
      change; or
    - the maximum length is reached: there only eos is allowed.

    If none has finished by then, as eos has probability zero, the live hypotheses are returned unfinished. Done
    sentences leave the batch. Results do not depend on the other sentences of the batch. Ties are broken by the earlier
    hypothesis, then the lower piece id; which tied continuations enter the 2K last is decided by torch,
    deterministically. With rough log-probabilities (``RoughStepper``) some more are ranked, and then refined.

    Args:
        stepper: the model.
        config: strategy options; ``beam_size``, ``n_best``, ``patience``, lengths and penalties are used.
        symbols: see ``Symbols``.
        keep_weights: whether to return attention weights.
        trace: records all rankings; without one nothing is recorded.
        allocation: gives the beam of some sentences to hypotheses that have come differently far.
    """

    def __init__(
        self,
        stepper: Stepper,
        config: SearchConfig,
        symbols: Symbols,
        *,
        keep_weights: bool = True,
        trace: BeamTrace | None = None,
        allocation: Allocation | None = None,
    ) -> None:
        self._stepper = stepper
        # An allocation reads log-probabilities of continuations that are not ranked.
        self._step = step_of(stepper, rough=allocation is None)
        self._config = config
        self._scorer = Scorer.of(config)
        self._symbols = symbols
        self._keep_weights = keep_weights
        self._trace = trace
        self._allocation = allocation
        self._enough = math.ceil(config.patience * config.beam_size)

    @torch.no_grad()
    def __call__(self, source: Source) -> list[list[Hypothesis]]:
        """Search B sentences; returns up to ``n_best`` hypotheses each, best first."""
        if not source.rows:
            return []
        allowed = AllowedTokens(self._symbols, source.device)
        limits = LengthLimits.of(source, self._config)
        divisors = self._scorer.divisors(int(limits.maximum.max()) + 1, source.device)
        prepared, state = self._stepper.start(source)
        mask = self._stepper.mask(source, prepared)
        history, beam = History(source, mask), self._begin(mask, limits, divisors)
        length = 0
        while len(history.sentences):
            full = limits.reached(history.sentences, length)
            step = self._step(beam.tokens.flatten(), prepared, state, full)
            weights = None if step.weights is None else torch.unflatten(step.weights, 0, beam.tokens.shape)
            coverage = self._scorer.add_coverage(beam.coverage, weights)
            log_probs = torch.unflatten(step.log_probs.float(), 0, beam.tokens.shape)
            log_probs, cut = allowed.end(log_probs, full)
            early = limits.minimum[history.sentences] > length
            ranked = allowed.best_of_all(beam.log_probs, log_probs, early, 2 * self._config.beam_size, step.refine)
            if self._allocation is not None:
                best = allowed.best_of_each(log_probs, early)
                ranked = self._allocation(
                    ranked,
                    best,
                    before=beam.log_probs,
                    log_probs=log_probs,
                    state=step.state,
                    sentences=history.sentences,
                )
            kept, found = self._collect(beam, ranked, coverage, divisors, length)
            places = ranked.ends.byte().argsort(dim=1, stable=True)[:, : self._config.beam_size]
            live = select_columns(ranked, places)
            if self._trace is not None:
                scores = self._scores(beam, coverage, ranked.log_probs, ranked.parents, divisors[length + 1])
                self._trace.add(history.sentences, self._ranking(ranked, scores, places))
            endings = _endings(log_probs[:, :, self._symbols.eos_id], ranked)
            shown = weights if self._keep_weights else None
            history.add(Record(live.parents, live.tokens, live.token_log_probs, endings, shown, cut))
            done = self._done(beam, live, kept, found, length)
            staying = (~done).nonzero().squeeze(1)
            if len(staying) < len(done):
                leaving = done.nonzero().squeeze(1)
                refuse_nan(ranked.log_probs[leaving, 0])
                history.retire(leaving, staying, self._returned(beam, kept, divisors, length, leaving))
                prepared = select_rows(prepared, staying)
            width = beam.tokens.shape[1]
            beam = replace(beam, kept=kept, found=found, tokens=live.tokens, log_probs=live.log_probs)
            beam, state = self._advance(
                beam, step.state, coverage=coverage, parents=live.parents, staying=staying, width=width
            )
            length += 1
        return history.hypotheses()

    def _begin(self, mask: Tensor, limits: LengthLimits, divisors: Tensor) -> _Beam:
        rows, device = len(mask), mask.device
        start = torch.zeros(rows, 1, dtype=torch.int64, device=device)
        places = torch.zeros(rows, self._config.n_best, dtype=torch.int64, device=device)
        empty = torch.full(places.shape, float("-inf"), device=device)
        return _Beam(
            tokens=start + self._symbols.bos_id,
            log_probs=start.float(),
            coverage=None,
            mask=mask,
            limits=limits,
            bound_divisor=divisors[limits.maximum + 1],
            kept=Ends(scores=empty, lengths=places - 1, slots=places, finished=places.bool()),
            found=start.squeeze(1),
        )

    def _collect(
        self, beam: _Beam, ranked: Candidates, coverage: Tensor | None, divisors: Tensor, length: int
    ) -> tuple[Ends, Tensor]:
        """Merge the hypotheses that finish at this step into the n best of each sentence."""
        first = slice(self._config.beam_size)
        parents, ends = ranked.parents[:, first], ranked.ends[:, first]
        scores = self._scores(beam, coverage, ranked.log_probs[:, first], parents, divisors[length + 1])
        kept = beam.kept
        scores = torch.cat([kept.scores, scores.masked_fill(~ends, float("-inf"))], 1)
        # Stable: of two equal scores the earlier comes first.
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        scores, order = scores[:, : self._config.n_best], order[:, : self._config.n_best]
        lengths = torch.where(ends, length, -1)
        lengths = torch.cat([kept.lengths, lengths], 1).gather(1, order)
        slots = torch.cat([kept.slots, parents], 1).gather(1, order)
        merged = Ends(scores=scores, lengths=lengths, slots=slots, finished=torch.ones_like(slots, dtype=torch.bool))
        return merged, beam.found + ends.sum(1)

    def _scores(
        self, beam: _Beam, coverage: Tensor | None, log_probs: Tensor, parents: Tensor, divisor: Tensor
    ) -> Tensor:
        """Score continuations (b, n) of some parents as if nothing followed them."""
        scores = log_probs / divisor
        penalty = self._scorer.coverage(coverage, beam.mask)
        return scores if penalty is None else scores + penalty.gather(1, parents)

    def _ranking(self, ranked: Candidates, scores: Tensor, live: Tensor) -> Ranking:
        finishes = ranked.ends.clone()
        finishes[:, self._config.beam_size :] = False
        log_probs = ranked.token_log_probs, ranked.log_probs
        return Ranking(ranked.parents, ranked.tokens, *log_probs, scores, finishes, live)

    def _done(self, beam: _Beam, live: Candidates, kept: Ends, found: Tensor, length: int) -> Tensor:
        bound = self._scorer.bound(live.log_probs.amax(1), beam.bound_divisor)
        # Negated, so that an empty beam (-inf) or NaN ends the search too.
        hopeless = ~(bound > kept.scores[:, -1])
        return hopeless | (found >= self._enough) | (beam.limits.maximum <= length)

    def _returned(self, beam: _Beam, kept: Ends, divisors: Tensor, length: int, leaving: Tensor) -> Ends:
        """Return the n best of the leaving sentences, or their unfinished hypotheses if none has finished."""
        count = self._config.n_best
        scores = beam.log_probs[leaving] / divisors[length]
        penalty = self._scorer.coverage(beam.coverage, beam.mask)
        if penalty is not None:
            scores = scores + penalty[leaving]
        scores, slots = scores.sort(dim=1, descending=True, stable=True)
        missing = (0, max(0, count - scores.shape[1]))
        scores = torch.nn.functional.pad(scores, missing, value=float("-inf"))[:, :count]
        slots = torch.nn.functional.pad(slots, missing)[:, :count]
        kept = select_rows(kept, leaving)
        finished = (kept.lengths[:, :1] >= 0).expand_as(slots)
        return Ends(
            scores=torch.where(finished, kept.scores, scores),
            lengths=torch.where(finished, kept.lengths, torch.where(scores > float("-inf"), length, -1)),
            slots=torch.where(finished, kept.slots, slots),
            finished=finished,
        )

    def _advance(
        self, beam: _Beam, state: Any, *, coverage: Tensor | None, parents: Tensor, staying: Tensor, width: int
    ) -> tuple[_Beam, Any]:
        """Remove done sentences, and give every live hypothesis its parent's state and coverage."""
        if len(staying) < len(parents):
            beam = select_rows(replace(beam, coverage=None), staying)
            parents = parents[staying]
        rows = (staying.unsqueeze(1) * width + parents).flatten()
        if coverage is not None:
            coverage = torch.unflatten(coverage.flatten(0, 1)[rows], 0, parents.shape)
        return replace(beam, coverage=coverage), select_rows(state, rows)


def _endings(rough: Tensor, ranked: Candidates) -> Tensor:
    """Log-probability of eos of every hypothesis (b, k), as ranked where it was."""
    places = torch.where(ranked.ends, ranked.parents, rough.shape[1])
    return torch.nn.functional.pad(rough, (0, 1)).scatter(1, places, ranked.token_log_probs)[:, :-1]

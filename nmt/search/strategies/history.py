"""Back-pointers: tokens, parent hypotheses and attention weights of every step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.data.batch import Source
from nmt.search.hypothesis import Hypothesis


@dataclass(frozen=True, slots=True)
class Record:
    """One search step over the b active sentences, from k hypotheses each to K.

    Args:
        parents: (b, K) int64, the incoming hypothesis that each outgoing one continues.
        tokens: (b, K) int64, the token it adds.
        log_probs: (b, K) that token's log-probability.
        endings: (b, k) log-probability of ending each incoming hypothesis here.
        weights: (b, k, S) attention weights of the step, or ``None``.
        cut: (b, k) bool, whether the length limit, not the model, would end each incoming hypothesis here; ``None`` if
            no sentence has reached the limit.
    """

    parents: Tensor
    tokens: Tensor
    log_probs: Tensor
    endings: Tensor
    weights: Tensor | None
    cut: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Ends:
    """Ends of the hypotheses of b sentences, n per sentence.

    Args:
        scores: (b, n).
        lengths: (b, n) int64 tokens without eos; negative marks an empty slot.
        slots: (b, n) int64 index among the hypotheses of that length.
        finished: (b, n) bool, whether eos follows.
    """

    scores: Tensor
    lengths: Tensor
    slots: Tensor
    finished: Tensor


class History:
    """Records of all steps, from which hypotheses are traced back.

    Args:
        source: the sentences searched, B.
        mask: (B, S) bool, positions of their memories.
    """

    def __init__(self, source: Source, mask: Tensor) -> None:
        self._columns = mask.sum(1)
        self._sentences = torch.arange(source.rows, device=source.device)
        self._positions = self._sentences
        self._records: list[tuple[Tensor, Record]] = []
        self._retired: list[tuple[Tensor, Ends]] = []

    @property
    def sentences(self) -> Tensor:
        """(b,) int64 the active sentences, ascending."""
        return self._sentences

    def add(self, record: Record) -> None:
        """Append a step."""
        self._records.append((self._positions, record))

    def retire(self, leaving: Tensor, staying: Tensor, ends: Ends) -> None:
        """Remove sentences, given their positions among the b, from the search; the others stay.

        ``ends`` holds the hypotheses of those that leave, in this order, best first.
        """
        self._retired.append((self._sentences[leaving], ends))
        self._sentences = self._sentences[staying]
        self._positions = torch.zeros_like(self._positions)
        self._positions[self._sentences] = torch.arange(len(self._sentences), device=self._positions.device)

    def hypotheses(self) -> list[list[Hypothesis]]:
        """Trace back the hypotheses of all retired sentences; one list per sentence, in source order."""
        results: list[list[Hypothesis]] = [[] for _ in range(len(self._columns))]
        if not self._retired:
            return results
        places = [(ends.lengths >= 0).nonzero(as_tuple=True) for _, ends in self._retired]
        pairs = list(zip(self._retired, places, strict=True))
        sentences = torch.cat([rows[place[0]] for (rows, _), place in pairs])
        lengths, slots, finished, scores = (
            torch.cat([getattr(ends, name)[place] for (_, ends), place in pairs])
            for name in ("lengths", "slots", "finished", "scores")
        )
        traced = self._trace(sentences, lengths, slots)
        columns = [each.tolist() for each in (sentences, scores, lengths, finished)]
        memory_lengths = self._columns.tolist()
        for row, fields in enumerate(zip(*columns, traced.tokens, traced.log_probs, traced.cut, strict=True)):
            sentence, score, length, ended, tokens, log_probs, cut = fields
            scored = log_probs[: length + ended]
            weights = traced.weights
            if weights is not None:
                weights = weights[row, : length + ended, : memory_lengths[sentence]].clone()
            results[sentence].append(
                Hypothesis(
                    tokens=tokens[:length],
                    score=score,
                    log_prob=math.fsum(scored),
                    token_log_probs=scored,
                    finished=ended,
                    cut=cut or not ended,
                    weights=weights,
                )
            )
        return results

    def _trace(self, sentences: Tensor, lengths: Tensor, slots: Tensor) -> _Traced:
        """Follow the parents of R hypotheses at once, from the last step to the first."""
        tokens, log_probs, weights = [], [], []
        cut = torch.zeros_like(lengths, dtype=torch.bool)
        for step in reversed(range(len(self._records))):
            positions, record = self._records[step]
            rows = positions[sentences]
            inside = lengths > step
            # A hypothesis that ended before this step reads an arbitrary row, which its length cuts off afterwards.
            incoming = torch.where(inside, record.parents[rows, slots], slots)
            tokens.append(record.tokens[rows, slots])
            log_probs.append(torch.where(inside, record.log_probs[rows, slots], record.endings[rows, incoming]))
            if record.weights is not None:
                weights.append(record.weights[rows, incoming])
            if record.cut is not None:
                cut |= (lengths == step) & record.cut[rows, incoming]
            slots = incoming
        stacked = torch.stack(weights[::-1], dim=1).float().cpu() if weights else None
        return _Traced(
            torch.stack(tokens[::-1], 1).tolist(), torch.stack(log_probs[::-1], 1).tolist(), cut.tolist(), stacked
        )


@dataclass(frozen=True, slots=True)
class _Traced:
    """R hypotheses with their values at every search step; values after a hypothesis's last step are arbitrary."""

    tokens: Sequence[list[int]]
    log_probs: Sequence[list[float]]
    cut: Sequence[bool]
    weights: Tensor | None

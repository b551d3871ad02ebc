"""Forced alignment: a given target goes through the model, and its attention gives the links."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch

from nmt.core.errors import ConfigError, Problem
from nmt.data.batch import Tokens
from nmt.data.bucketing import length_batches
from nmt.search.forced import force
from nmt.search.hypothesis import Hypothesis
from nmt.search.options import SearchConfig
from nmt.translation.bundle import Bundle
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine, cut, unseen
from nmt.translation.precision import exact
from nmt.translation.translator import WINDOW, check_ensemble, stepper_of, without_attention

BATCH_TOKENS = 4096


class Aligner:
    """Scores given targets and aligns them to their sources by the attention they cause.

    Args:
        bundles: one model, or several over the same vocabularies, whose attention is averaged.
        batch_tokens: pieces of the longer side of a batch, padding counted.

    Raises:
        CheckpointError: the models of an ensemble do not share vocabularies and normalisation.
        ConfigError: no model has attention.
    """

    def __init__(self, bundles: Sequence[Bundle], *, batch_tokens: int = BATCH_TOKENS) -> None:
        check_ensemble(bundles)
        if not any(bundle.has_attention for bundle in bundles):
            raise ConfigError(f"nothing can be aligned: {without_attention(bundles)}")
        if batch_tokens < 1:
            raise ConfigError([Problem("batch_tokens", f"must be 1 or more, but is {batch_tokens}")])
        self.bundles = tuple(bundles)
        self._batch_tokens = batch_tokens
        self._vocabularies = bundles[0].vocabularies
        self._normalisations = bundles[0].normalisations
        # The coverage penalty judges translations; of the given ones it would only cost time.
        self._search = SearchConfig(length_penalty=bundles[0].search.length_penalty)
        self._stepper = stepper_of(bundles)

    @classmethod
    def load(
        cls, runs: Path | str | Sequence[Path | str], *, device: str = "auto", checkpoint: str | None = None
    ) -> Aligner:
        """Load one run, or several as an ensemble.

        Args:
            runs: a run folder or several.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
            checkpoint: name of a checkpoint; by default the best one.

        Raises:
            NmtError: a run cannot be loaded, or its model has no attention.
        """
        paths = [runs] if isinstance(runs, str | Path) else list(runs)
        return cls([Bundle.load(path, device=device, checkpoint=checkpoint) for path in paths])

    def align(self, sources: Iterable[str], targets: Iterable[str]) -> list[ScoredTarget]:
        """Align sentence pairs.

        Raises:
            NmtError: the model is damaged.
            ValueError: there are not as many targets as sources.
        """
        return list(self.align_pairs(zip(sources, targets, strict=True)))

    def align_pairs(
        self, pairs: Iterable[tuple[str, str]], *, window: int = WINDOW, first: int = 1
    ) -> Iterator[ScoredTarget]:
        """Align a stream of sentence pairs as it comes.

        Args:
            pairs: source and target, read a window at a time.
            window: pairs that are sorted by length and forced together.
            first: number of the first pair.

        Yields:
            Each target with its score and attention. A pair of which a side is blank meets no model: it has a score of
            0, no attention and no links.

        Raises:
            NmtError: the model is damaged.
        """
        stream = iter(pairs)
        while several := list(itertools.islice(stream, window)):
            yield from self._window(several, first)
            first += len(several)

    def _window(self, pairs: list[tuple[str, str]], first: int) -> list[ScoredTarget]:
        sources = [
            SourceLine(first + index, source, self._cut(source, "source")) for index, (source, _) in enumerate(pairs)
        ]
        targets = [self._cut(target, "target") for _, target in pairs]
        readable = [row for row, target in enumerate(targets) if target.ids and sources[row].pieces.ids]
        lengths = [max(len(targets[row].ids), len(sources[row].pieces.ids)) + 1 for row in readable]
        found: dict[int, Hypothesis] = {}
        for places in length_batches(lengths, self._batch_tokens):
            rows = [readable[place] for place in places]
            forced = self._force([sources[row].pieces for row in rows], [targets[row] for row in rows])
            found.update(zip(rows, forced, strict=True))
        return [
            ScoredTarget(source, text, target, found[row]) if row in found else unseen(source, text, target)
            for row, (source, target, (_, text)) in enumerate(zip(sources, targets, pairs, strict=True))
        ]

    def _cut(self, text: str, side: str) -> Pieces:
        if not text.strip():
            return Pieces()
        return cut(text, getattr(self._vocabularies, side), getattr(self._normalisations, side))

    def _force(self, sources: list[Pieces], targets: list[Pieces]) -> list[Hypothesis]:
        vocabularies, device = self._vocabularies, self.bundles[0].device
        sides = [
            Tokens.pad([[*row.ids, model.eos_id] for row in rows], model.pad_id).to(device)
            for rows, model in ((sources, vocabularies.source), (targets, vocabularies.target))
        ]
        with torch.inference_mode(), exact():
            return force(self._stepper, *sides, bos_id=vocabularies.target.bos_id, config=self._search)

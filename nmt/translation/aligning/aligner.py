"""Forced alignment: a given target goes through the model, and what it depends on gives the links."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from nmt.alignment.soft_alignment import row_shares
from nmt.core.characters import is_blank
from nmt.core.device import exact
from nmt.core.errors import ConfigError, Problem, is_out_of_memory
from nmt.core.logging import Reached, Shares, logger
from nmt.data.batch import Tokens
from nmt.data.bucketing import length_batches
from nmt.search.forced import force
from nmt.search.hypothesis import Hypothesis
from nmt.search.search_config import SearchConfig
from nmt.text.subword import SubwordModel
from nmt.translation.aligning.evidence import EvidenceConfig, Forced, check_evidence, evidence, signed
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine, Unit, cut, unseen
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.translator import WINDOW, check_ensemble, steppers_of, together

BATCH_TOKENS = 4096
MAX_PIECES = 1000


class Aligner:
    """Scores given targets and aligns them to their sources, by the attention they cause or by other evidence.

    Args:
        bundles: one model, or several over the same vocabularies, whose weights are averaged.
        by: by what words are aligned.
        unit: what a word is.
        batch_tokens: pieces of the longer side of a batch, padding counted.
        max_pieces: a pair with a longer side is left unaligned, and a warning names it.

    Attributes:
        unaligned: numbers of the pairs that were left unaligned so far, though neither side is blank.

    Raises:
        CheckpointError: the models of an ensemble do not share vocabularies and normalisation.
        ConfigError: a model has nothing to align by, or a number is below 1.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        *,
        by: EvidenceConfig | None = None,
        unit: Unit = "whitespace",
        batch_tokens: int = BATCH_TOKENS,
        max_pieces: int = MAX_PIECES,
    ) -> None:
        check_ensemble(bundles)
        self.by = by or EvidenceConfig()
        self.unit: Unit = unit
        for bundle in bundles:
            if self.by.way != "attention" or not any(each.has_attention for each in bundles):
                check_evidence(self.by, bundle)
        problems = [Problem(path, message) for path, message in self.by.problems()]
        for name, value in (("batch_tokens", batch_tokens), ("max_pieces", max_pieces)):
            if value < 1:
                problems.append(Problem(name, f"must be 1 or more, but is {value}"))
        if problems:
            raise ConfigError(problems)
        self.bundles = tuple(bundles)
        self.unaligned: list[int] = []
        self._max_pieces = max_pieces
        self._batch_tokens = batch_tokens
        self._vocabularies = bundles[0].vocabularies
        self._normalisations = bundles[0].normalisations
        # The coverage penalty judges translations; of the given ones it would only cost time.
        self._search = SearchConfig(length_penalty=bundles[0].search.length_penalty)
        self._models = steppers_of(bundles)
        self._stepper = together(self._models)

    @classmethod
    def load(
        cls,
        runs: Path | str | Sequence[Path | str],
        *,
        device: str = "auto",
        checkpoint: str | None = None,
        by: EvidenceConfig | None = None,
        unit: Unit = "whitespace",
    ) -> Aligner:
        """Load one run, or several as an ensemble.

        Args:
            runs: a run folder or several.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
            checkpoint: name of a checkpoint; by default the best one.
            by: see the class.
            unit: see the class.

        Raises:
            NmtError: a run cannot be loaded, or its model has nothing to align by.
        """
        paths = [runs] if isinstance(runs, str | Path) else list(runs)
        return cls([Bundle.load(path, device=device, checkpoint=checkpoint) for path in paths], by=by, unit=unit)

    def align(self, sources: Iterable[str], targets: Iterable[str]) -> list[ScoredTarget]:
        """Align sentence pairs.

        Raises:
            NmtError: the model is damaged.
            ValueError: there are not as many targets as sources.
        """
        return list(self.align_pairs(zip(sources, targets, strict=True)))

    def align_pairs(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        window: int = WINDOW,
        first: int = 1,
        reached: Reached | None = None,
    ) -> Iterator[ScoredTarget]:
        """Align a stream of sentence pairs as it comes.

        Args:
            pairs: source and target, read a window at a time.
            window: pairs that are sorted by length and forced together.
            first: number of the first pair.
            reached: told after each batch how many pairs are done, by the pieces that they have.

        Yields:
            Each target with its score and weights. A pair of which a side is blank meets no model: it has a score of
            0, no weights and no links; so has one that is too long, of which a warning tells.

        Raises:
            NmtError: the model is damaged.
        """
        stream, begin = iter(pairs), first
        while several := list(itertools.islice(stream, window)):
            yield from self._window(several, first, Shares(reached, first - begin, len(several)))
            first += len(several)

    def _window(self, pairs: list[tuple[str, str]], first: int, shares: Shares) -> list[ScoredTarget]:
        for model in self._models:
            model.refresh()
        sources = [
            SourceLine(first + index, source, self._cut(source, "source")) for index, (source, _) in enumerate(pairs)
        ]
        targets = [self._cut(target, "target") for _, target in pairs]
        long = self._too_long(sources, targets)
        readable = [row for row, target in enumerate(targets) if target.ids and sources[row].pieces.ids]
        readable = [row for row in readable if row not in long]
        lengths = [max(len(targets[row].ids), len(sources[row].pieces.ids)) + 1 for row in readable]
        work = dict(zip(readable, lengths, strict=True))
        found: dict[int, Hypothesis] = {}
        waiting = [[readable[place] for place in places] for places in length_batches(lengths, self._batch_tokens)]
        while waiting:
            rows = waiting.pop()
            try:
                forced = self._force([sources[row] for row in rows], [targets[row] for row in rows])
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or len(rows) == 1:
                    raise
                forced = None  # tried again outside, where the error no longer holds what it was computing with
            if forced is None:
                waiting += [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
            else:
                found.update(zip(rows, forced, strict=True))
                shares.add(sum(work[row] for row in rows), of=sum(lengths))
        return [
            ScoredTarget(source, text, target, found[row]) if row in found else unseen(source, text, target)
            for row, (source, target, (_, text)) in enumerate(zip(sources, targets, pairs, strict=True))
        ]

    def _too_long(self, sources: list[SourceLine], targets: list[Pieces]) -> set[int]:
        """Find the rows that are not aligned for their length, and say so."""
        long = set()
        for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
            counts = {"source": len(source.pieces.ids), "target": len(target.ids)}
            side = max(counts, key=counts.__getitem__)
            if counts[side] > self._max_pieces and min(counts.values()):
                long.add(row)
                self.unaligned.append(source.number)
                logger.warning(
                    "line %d is left unaligned: its %s has %d pieces, and more than %d are not aligned at once; see "
                    "--max-pieces",
                    source.number,
                    side,
                    counts[side],
                    self._max_pieces,
                )
        return long

    def _cut(self, text: str, side: str) -> Pieces:
        if is_blank(text):
            return Pieces()
        return cut(text, getattr(self._vocabularies, side), getattr(self._normalisations, side), self.unit)

    def _force(self, sources: list[SourceLine], targets: list[Pieces]) -> list[Hypothesis]:
        vocabularies, device = self._vocabularies, self.bundles[0].device
        source = _padded([each.pieces for each in sources], vocabularies.source).to(device)
        target = _padded(targets, vocabularies.target).to(device)
        by_attention = self.by.way == "attention"
        with torch.inference_mode(), exact(device):
            hypotheses = force(
                self._stepper,
                source,
                target,
                bos_id=vocabularies.target.bos_id,
                config=self._search,
                keep_weights=by_attention,
            )
        if by_attention:
            return hypotheses
        words, numbers = [each.pieces.words for each in sources], [each.number for each in sources]
        batch = Forced(source, target, words, numbers)
        with exact(device):
            scores = torch.stack([evidence(self.by, bundle, batch) for bundle in self.bundles]).mean(0).cpu()
        sizes = zip(target.lengths.tolist(), source.lengths.tolist(), strict=True)
        matrices = [matrix[:rows, :columns] for matrix, (rows, columns) in zip(scores, sizes, strict=True)]
        if signed(self.by.way):
            matrices = [torch.from_numpy(row_shares(matrix.numpy())).float() for matrix in matrices]
        return [replace(each, weights=matrix) for each, matrix in zip(hypotheses, matrices, strict=True)]


def _padded(rows: Sequence[Pieces], model: SubwordModel) -> Tokens:
    return Tokens.pad([[*row.ids, model.eos_id] for row in rows], model.pad_id)

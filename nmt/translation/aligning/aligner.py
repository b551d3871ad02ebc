"""Forced alignment: links from the source positions that a given target depends on under forced decoding."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from nmt.alignment.soft_alignment import row_shares
from nmt.core.characters import is_blank
from nmt.core.config.ranges import problems_of
from nmt.core.errors import ConfigError, Problem
from nmt.core.logging import Reached, Shares, logger
from nmt.core.machine.batch_halving import Halving
from nmt.core.machine.device import full_float32
from nmt.data.batch import as_tokens
from nmt.data.bucketing import length_batches
from nmt.search.forced import force
from nmt.search.hypothesis import Hypothesis
from nmt.search.search_config import SearchConfig
from nmt.text.placeholders import Masked
from nmt.translation.aligning.evidence import EvidenceConfig, Forced, check_evidence, evidence, signed
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine, Unit, cut, led, unseen
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.models import Models, counts_below_one, file_reader, load_bundles
from nmt.translation.windows import WINDOW

BATCH_TOKENS = 4096
MAX_PIECES = 1000


class Aligner:
    """Scores given targets and aligns them to their sources, by attention or other evidence.

    Args:
        bundles: one model, or several over the same vocabularies, whose weights are averaged.
        by: the evidence for the alignment.
        unit: definition of a word.
        batch_tokens: pieces of the longer side of a batch, including padding.
        max_pieces: a pair with a longer side is left unaligned, with a warning. So is a pair that does not fit into
            memory by itself; a batch that does not fit is halved until it does.
        root: folder that paths of sources start from, if they are files.
        target_language: of the targets, for a model of several, unless a source begins with its tag.

    Attributes:
        divided: divides a source into its tag, possibly empty, and its text.
        unaligned: numbers of the pairs left unaligned so far, although neither side is blank.

    Raises:
        CheckpointError: the models of an ensemble do not share vocabularies and normalisation.
        DataError: the model does not translate into the language.
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
        root: Path | str = ".",
        target_language: str | None = None,
    ) -> None:
        self._models = Models(bundles)
        self._files = file_reader(self._models, root)
        if target_language is not None:
            self._models.tags.of_language(target_language)
        self.divided = partial(self._models.tags.divided, usual=target_language)
        self.by = by or EvidenceConfig()
        self.unit: Unit = unit
        self._tags = {tag: self._cut(tag, Masked(tag), "source") for tag in ("", *self._models.tags.known)}
        for bundle in bundles:
            if self.by.way != "attention" or not self._models.have_attention:
                check_evidence(self.by, bundle)
        problems = [Problem(path, message) for path, message in problems_of(self.by)]
        problems += counts_below_one(batch_tokens=batch_tokens, max_pieces=max_pieces)
        if problems:
            raise ConfigError(problems)
        self.bundles = tuple(bundles)
        self.unaligned: list[int] = []
        self._max_pieces = max_pieces
        self._batch_tokens = batch_tokens
        self._halving = Halving(
            self._models.device.type,
            "a batch of %d pairs does not fit into memory; it is aligned in halves (smaller batches from the start "
            "are faster: see --batch-tokens)",
        )
        # The coverage penalty ranks hypotheses; for given targets it would only cost time.
        self._search = SearchConfig(length_penalty=bundles[0].search.length_penalty)

    @classmethod
    def load(
        cls,
        runs: Path | str | Sequence[Path | str],
        *,
        device: str = "auto",
        checkpoint: str | None = None,
        by: EvidenceConfig | None = None,
        unit: Unit = "whitespace",
        target_language: str | None = None,
    ) -> Aligner:
        """Load one run, or several as an ensemble; arguments as for ``Bundle.load`` and the class.

        Raises:
            NmtError: a run cannot be loaded, or its model has nothing to align by.
        """
        bundles = load_bundles(runs, device=device, checkpoint=checkpoint)
        return cls(bundles, by=by, unit=unit, target_language=target_language)

    def align(self, sources: Iterable[str], targets: Iterable[str]) -> list[ScoredTarget]:
        """Align sentence pairs.

        Raises:
            NmtError: the model is damaged.
            ValueError: the numbers of sources and targets differ.
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
        """Align a stream of sentence pairs incrementally.

        Args:
            pairs: source and target, read a window at a time.
            window: number of pairs that are sorted by length and forced together.
            first: number of the first pair.
            reached: called after each batch with the number of pairs done, estimated by pieces.

        Yields:
            Each target with its score and weights. A pair with a blank side is not given to the model: its score is
            0, without weights or links. So is a pair that is too long, with a warning.

        Raises:
            NmtError: the model is damaged.
        """
        stream, begin = iter(pairs), first
        while several := list(itertools.islice(stream, window)):
            yield from self._window(several, first, Shares(reached, first - begin, len(several)))
            first += len(several)

    def _window(self, pairs: list[tuple[str, str]], first: int, shares: Shares) -> list[ScoredTarget]:
        self._models.refresh()
        tagged = [self.divided(source) for source, _ in pairs]
        masked = [self._masked(text, target) for (_, text), (_, target) in zip(tagged, pairs, strict=True)]
        sources = self._sources(tagged, [source for source, _ in masked], first)
        targets = [self._cut(text, known, "target") for (_, text), (_, known) in zip(pairs, masked, strict=True)]
        long = self._too_long(sources, targets)
        readable = [row for row, target in enumerate(targets) if target.ids and sources[row].readable]
        readable = [row for row in readable if row not in long]
        lengths = [max(len(targets[row].ids) + 1, sources[row].size) for row in readable]
        found: dict[int, Hypothesis] = {}

        def forced(places: list[int]) -> list[Hypothesis]:
            rows = [readable[place] for place in places]
            return self._force([sources[row] for row in rows], [targets[row] for row in rows])

        for places, hypotheses in self._halving(length_batches(lengths, self._batch_tokens), forced):
            if hypotheses is None:
                (place,) = places
                self._leave(sources[readable[place]], "it does not fit into memory")
            else:
                found.update(zip((readable[place] for place in places), hypotheses, strict=True))
            shares.add(sum(lengths[place] for place in places), of=sum(lengths))
        return [
            ScoredTarget(source, text, target, found[row]) if row in found else unseen(source, text, target)
            for row, (source, target, (_, text)) in enumerate(zip(sources, targets, pairs, strict=True))
        ]

    def _masked(self, source: str, target: str) -> tuple[Masked, Masked]:
        placeholders = self._models.placeholders
        return (Masked(source), Masked(target)) if placeholders is None else placeholders.mask_pair(source, target)

    def _sources(self, tagged: Sequence[tuple[str, str]], masked: Sequence[Masked], first: int) -> list[SourceLine]:
        """Read sources, each given as a tag and a text."""
        numbers = range(first, first + len(tagged))
        if self._files is None:
            return [
                led(SourceLine(number, text, self._cut(text, known, "source"), known.found), tag, self._tags[tag])
                for number, (tag, text), known in zip(numbers, tagged, masked, strict=True)
            ]
        sources = self._files.read([text for _, text in tagged], numbers)
        for source in sources:
            if source.problem:
                self.unaligned.append(source.number)
                logger.warning("line %d is left unaligned: %s", source.number, source.problem)
        return sources

    def _leave(self, source: SourceLine, why: str) -> None:
        self.unaligned.append(source.number)
        logger.warning("line %d is left unaligned: %s; see --max-pieces", source.number, why)

    def _too_long(self, sources: list[SourceLine], targets: list[Pieces]) -> set[int]:
        """Find the rows that are too long to be aligned, and warn of them."""
        long = set()
        for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
            counts = {"source": len(source.pieces.ids), "target": len(target.ids)}
            if source.features is not None:
                del counts["source"]
            side = max(counts, key=counts.__getitem__)
            if counts[side] > self._max_pieces and min(counts.values()):
                long.add(row)
                many = f"its {side} has {counts[side]} pieces, but at most {self._max_pieces} are aligned at once"
                self._leave(source, many)
        return long

    def _cut(self, text: str, masked: Masked, side: str) -> Pieces:
        if is_blank(text):
            return Pieces()
        models = self._models
        return cut(text, getattr(models.vocabularies, side), getattr(models.normalisations, side), self.unit, masked)

    def _force(self, sources: list[SourceLine], targets: list[Pieces]) -> list[Hypothesis]:
        models = self._models
        source, target = models.sources(sources), models.targets(targets)
        by_attention = self.by.way == "attention"
        with torch.inference_mode(), full_float32(models.device):
            hypotheses = force(
                models.stepper,
                source,
                target,
                bos_id=models.vocabularies.target.bos_id,
                config=self._search,
                keep_weights=by_attention,
            )
        if by_attention:
            return hypotheses
        words, numbers = [each.pieces.words for each in sources], [each.number for each in sources]
        batch = Forced(as_tokens(source), target, words, numbers)
        with full_float32(models.device):
            scores = torch.stack([evidence(self.by, bundle, batch) for bundle in self.bundles]).mean(0).cpu()
        sizes = zip(target.lengths.tolist(), source.lengths.tolist(), strict=True)
        matrices = [matrix[:rows, :columns] for matrix, (rows, columns) in zip(scores, sizes, strict=True)]
        if signed(self.by.way):
            matrices = [torch.from_numpy(row_shares(matrix.numpy())).float() for matrix in matrices]
        return [replace(each, weights=matrix) for each, matrix in zip(hypotheses, matrices, strict=True)]

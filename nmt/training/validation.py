"""Validation: perplexity under teacher forcing, and metrics of search results on raw text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, Literal, TypeVar

import numpy
import torch
from numpy.typing import NDArray

from nmt.core.config.ranges import NonNegativeInt, PositiveInt
from nmt.core.errors import DataError
from nmt.core.logging import Progress, logger
from nmt.core.machine.batch_halving import Halving
from nmt.core.machine.device import Precision, autocast, full_float32
from nmt.core.machine.distributed import gathered, rank, world_size
from nmt.data.batch import Source, Tokens
from nmt.data.bucketing import Indices, length_batches
from nmt.data.encoded import EncodedCorpus
from nmt.metrics.aer import AlignmentScore
from nmt.metrics.score import Score, bleu, chrf
from nmt.metrics.tokenizer import Tokenizer, misfit
from nmt.model.model_stepper import ModelStepper
from nmt.model.seq2seq import Seq2Seq
from nmt.search.allowed_tokens import Symbols
from nmt.search.hypothesis import Hypothesis
from nmt.search.search import search
from nmt.search.search_config import SearchConfig
from nmt.text.vocabularies import Vocabularies
from nmt.training.attention_aer import GoldAlignment
from nmt.training.validation_result import MOST_NATS, ON_REQUEST, Part, Sample, Selection, Validation

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationConfig:
    """How a model is validated.

    Args:
        select: metric for checkpoint selection, early stopping and the plateau schedule. Ties (BLEU of 0, a perfect
            score) are broken by chrF, then by perplexity.
        search: search settings; greedy search is fast, and ranks checkpoints as beam search does.
        tokenize: sacreBLEU's tokenizer; ``auto`` chooses by the script of the references.
        lowercase: compare lower-cased text.
        limit: translate only the first sentences, this many; ``null`` is all. Perplexity uses all.
        samples: number of sample translations shown.
        batch_tokens: target tokens of a batch; in search source pieces, times the beam size.
        gold: file of gold links of the validation set (Pharaoh or TALP), relative to ``data.root``. Adds the alignment
            error rate of arg-max links from the attention under forced decoding of the references.
        gold_first_index: index of the first word of a sentence in that file.
        gold_tokenized: whether words in that file are separated by spaces (U+0020) only, and not by any white
            space.
    """

    select: Selection = "bleu"
    search: SearchConfig = field(default_factory=lambda: SearchConfig(strategy="greedy"))
    tokenize: Tokenizer = "auto"
    lowercase: bool = False
    limit: PositiveInt | None = None
    samples: NonNegativeInt = 3
    batch_tokens: PositiveInt = 4096
    gold: str | None = None
    gold_first_index: Literal[0, 1] = 0
    gold_tokenized: bool = False

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield values that need gold links."""
        if self.select == "aer" and self.gold is None:
            yield (
                "select",
                "must be bleu, chrf, wer, cer, exact or perplexity where there is no gold alignment; or give gold",
            )
        if self.gold_tokenized and self.gold is None:
            yield "gold_tokenized", "needs gold: it says how words in that file are counted"

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield keys that need gold links, and the size of the n-best list, of which only the best is used."""
        if self.gold is None:
            yield "gold_first_index", "has no effect without gold"
        yield "search.n_best", "has no effect: a validation reads the best translation alone"
        yield "search.mbr", "has no effect: a validation reads the best translation by the model's score"


class Validator:
    """Validates a model on one encoded corpus.

    Where several processes train, each computes some of the batches, and all get the result of the whole.

    Args:
        config: how to validate.
        corpus: the validation set.
        vocabularies: of both sides.
        device: device of the model.
        precision: of matrix products; search always runs in float32, since it compares hypotheses.
        gold: gold links of the corpus.
        parts: names of the corpora that were joined.
        tags: of sources, which are never written.
    """

    def __init__(
        self,
        config: ValidationConfig,
        corpus: EncodedCorpus,
        vocabularies: Vocabularies,
        *,
        device: torch.device,
        precision: Precision,
        gold: GoldAlignment | None = None,
        parts: Sequence[str] = (),
        tags: Sequence[str] = (),
    ) -> None:
        self.config = config
        self.corpus = corpus
        self.vocabularies = vocabularies
        self.device = device
        self.precision: Precision = precision
        self.gold = gold
        self.parts = parts
        self.tags = tags
        self._see_tokenizer()
        self._halving = Halving(
            device.type,
            "a batch of %d sentences does not fit into memory in validation; it is computed in halves, as later "
            "ones will be without a message; a smaller training.validation.batch_tokens is faster",
        )

    def _see_tokenizer(self) -> None:
        references = (self.corpus.target_text(index) for index in range(len(self.corpus)))
        problem = misfit(self.config.tokenize, references)
        if problem is not None:
            logger.warning("training.validation.tokenize: %s", problem)

    def __call__(self, model: Seq2Seq) -> Validation:
        """Validate a model; its training mode is restored.

        Raises:
            DataError: a pair does not fit into memory by itself.
        """
        was_training = model.training
        model.eval()
        try:
            perplexity, alignment = self._force(model)
            config = replace(self.config.search, n_best=1, mbr="none")
            hypotheses = [best for (best,) in self._translate(model, config, self.spread(self.config.samples))]
        finally:
            model.train(was_training)
        texts, references = self._texts([hypothesis.tokens for hypothesis in hypotheses])
        by_bleu, by_chrf = self._scores(texts, references)
        shown = ((index, hypotheses[index]) for index in self.spread(self.config.samples))
        samples = tuple(self._sample(index, best) for index, best in shown)
        selected, parts = self._selected(texts, references), tuple(self._parts(texts, references))
        return Validation(perplexity, by_bleu, by_chrf, samples, alignment, selected, parts)

    def _parts(self, texts: list[str], references: list[str]) -> Iterator[Part]:
        """Score the translations of each corpus, where there are several."""
        if len(self.parts) < 2:
            return
        first = 0
        for name, size in zip(self.parts, self.corpus.parts, strict=True):
            own = slice(first, first + size)
            yield Part(name, *self._scores(texts[own], references[own]))
            first += size

    @property
    def count(self) -> int:
        """Number of pairs that are translated."""
        return min(self.config.limit or len(self.corpus), len(self.corpus))

    def spread(self, most: int, *, without: Iterable[int] = ()) -> list[int]:
        """Rows of at most that many sentences, spread over those that are translated, and always the same."""
        rows = sorted({*range(self.count)} - {*without})
        wanted = min(most, len(rows))
        return [rows[number * len(rows) // wanted] for number in range(wanted)]

    def translations(
        self, model: Seq2Seq, search: SearchConfig, rows: Sequence[int] | None = None
    ) -> list[list[Hypothesis]]:
        """Translate by another search than the configured one, without attention; the training mode is restored.

        Args:
            model: the model.
            search: the search.
            rows: of the corpus; by default those that a validation translates.

        Returns:
            For each sentence its n best.

        Raises:
            DataError: a pair does not fit into memory by itself.
        """
        was_training = model.training
        model.eval()
        try:
            return self._translate(model, search, (), rows)
        finally:
            model.train(was_training)

    def scores(self, targets: Sequence[Sequence[int]], rows: Sequence[int] | None = None) -> tuple[Score, Score]:
        """Return BLEU and chrF of a translation of each sentence, given in pieces; ``rows`` as in ``translations``."""
        return self._scores(*self._texts(targets, rows))

    def _scores(self, texts: list[str], references: list[str]) -> tuple[Score, Score]:
        by_bleu = bleu(texts, references, tokenize=self.config.tokenize, lowercase=self.config.lowercase)
        return by_bleu, chrf(texts, references, lowercase=self.config.lowercase)

    def selected(self, targets: Sequence[Sequence[int]], rows: Sequence[int] | None = None) -> Score | None:
        """Return the score of translations by the selection metric, if only that asks for it."""
        return self._selected(*self._texts(targets, rows)) if self.config.select in ON_REQUEST else None

    def _selected(self, texts: list[str], references: list[str]) -> Score | None:
        measure = ON_REQUEST.get(self.config.select)
        return None if measure is None else measure(texts, references, lowercase=self.config.lowercase)

    def _texts(
        self, targets: Sequence[Sequence[int]], rows: Sequence[int] | None = None
    ) -> tuple[list[str], list[str]]:
        """Return translations and references as texts."""
        rows = range(self.count) if rows is None else rows
        texts = [self._text(row, tokens) for row, tokens in zip(rows, targets, strict=True)]
        return texts, [self.corpus.target_text(row) for row in rows]

    def _text(self, index: int, tokens: Sequence[int]) -> str:
        """The text of a translation, with what is copied from its source."""
        return self.corpus.restored(index, self.vocabularies.target.decode(tokens))

    def _sample(self, index: int, hypothesis: Hypothesis) -> Sample:
        return Sample(
            source=self.corpus.source_text(index),
            reference=self.corpus.target_text(index),
            translation=self._text(index, hypothesis.tokens),
            source_pieces=self._columns(index, hypothesis),
            hypothesis=hypothesis,
        )

    def _columns(self, index: int, hypothesis: Hypothesis) -> tuple[str, ...]:
        features = self.corpus.features
        if features is None:
            return tuple(self.vocabularies.source.pieces(self.corpus.source_ids(index)))
        words = []
        if self.vocabularies.has_source:
            words = self.vocabularies.source.pieces(self.corpus.source_ids(index)[1:])
        count = 0 if hypothesis.weights is None else hypothesis.weights.shape[1] - len(words)
        return (*features.source.labels((count,), int(self.corpus.source_lengths[index])), *words)

    def _source(self, indices: Sequence[int]) -> Source:
        return self.corpus.sources(indices, self.vocabularies).to(self.device)

    @torch.inference_mode()
    def _force(self, model: Seq2Seq) -> tuple[float, AlignmentScore | None]:
        """Forced decoding of the references: perplexity, and agreement of the attention with gold links."""

        def forced(rows: list[int]) -> tuple[float, int, list[NDArray[Any]]]:
            target = self.vocabularies.target
            given = Tokens.pad([self.corpus.target_ids(row) for row in rows], target.pad_id).to(self.device)
            source = self._source(rows)
            with autocast(self.device, self.precision):
                output = model(source, given, target.bos_id)
                loss = model.loss(output, given)
            weights = []
            if self.gold is not None:
                matrices = output.weights.float().mean(2).cpu().numpy()
                sizes = zip(given.lengths.tolist(), source.lengths.tolist(), strict=True)
                weights = [matrix[:length, :width] for matrix, (length, width) in zip(matrices, sizes, strict=True)]
            return float(loss.nll), loss.tokens, weights

        every, lengths = range(len(self.corpus)), self.corpus.target_lengths
        found = self._by_batches("validating", every, lengths, self.config.batch_tokens, forced)
        mean = sum(nll for _, (nll, _, _) in found) / sum(tokens for _, (_, tokens, _) in found)
        perplexity = math.exp(MOST_NATS if math.isnan(mean) else min(mean, MOST_NATS))
        if self.gold is None:
            return perplexity, None
        weights = {row: each for rows, (_, _, found_here) in found for row, each in zip(rows, found_here, strict=True)}
        return perplexity, self.gold.score(weights)

    def _translate(
        self, model: Seq2Seq, config: SearchConfig, shown: Sequence[int], rows: Sequence[int] | None = None
    ) -> list[list[Hypothesis]]:
        """Translate the first sentences of the set, or ``rows``; those that are shown keep their attention."""
        rows = range(self.count) if rows is None else rows
        masking = self.corpus.masking
        copied = () if masking is None else masking.placeholders.ids(self.vocabularies)
        stepper, symbols = ModelStepper(model), Symbols.of(self.vocabularies.target, copied=copied, tags=self.tags)

        def searched(some: list[int]) -> list[list[Hypothesis]]:
            with full_float32(self.device):
                found = search(stepper, self._source(some), config, symbols, keep_weights=bool(shown))
            # Weights are parts of large tensors, and only those of the samples are looked at.
            return [
                [replace(each, weights=None if each.weights is None else each.weights.clone()) for each in best]
                if row in shown
                else [replace(each, weights=None) for each in best]
                for row, best in zip(some, found, strict=True)
            ]

        size = max(1, self.config.batch_tokens // config.width)
        batches = self._by_batches("validating by search", rows, self.corpus.source_lengths, size, searched)
        found = {row: each for some, results in batches for row, each in zip(some, results, strict=True)}
        return [found[row] for row in rows]

    def _by_batches(
        self,
        doing: str,
        rows: Sequence[int],
        lengths: NDArray[Any],
        size: int,
        compute: Callable[[list[int]], Result],
    ) -> list[tuple[list[int], Result]]:
        """Compute corpus rows in batches of ``size`` tokens; a batch that does not fit into memory is halved.

        Raises:
            DataError: a pair does not fit into memory by itself.
        """
        chosen = numpy.asarray(rows)
        batches = [chosen[batch] for batch in length_batches(lengths[chosen], size)]
        own = batches[rank() :: world_size()]
        with Progress(doing, unit="sentences", total=sum(map(len, own)), passing=True) as shown:
            parts = gathered(lambda: [*self._computed(own, compute, shown)])
        # In the order of the batches, in which one process would add up their losses.
        return [each for turn in zip_longest(*parts) for each in turn if each is not None]

    def _computed(
        self, batches: Sequence[Indices], compute: Callable[[list[int]], Result], shown: Progress
    ) -> Iterator[tuple[list[int], Result]]:
        for rows, result in self._halving(batches, compute):
            if result is None:
                sizes = f"{self.corpus.source_lengths[rows[0]]} source and {self.corpus.target_lengths[rows[0]]} target"
                raise DataError(
                    f"pair {self.corpus.line(rows[0]) + 1} of the validation corpus ({sizes} pieces) does not fit into "
                    "memory by itself; leave it out"
                )
            shown.advance(len(rows))
            yield rows, result

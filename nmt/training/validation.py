"""Validation: perplexity with the given targets, and BLEU and chrF by real search on raw text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import torch
from numpy.typing import NDArray

from nmt.core.errors import DataError
from nmt.core.logging import logger
from nmt.core.machine.device import Precision, autocast, full_float32
from nmt.core.machine.halving import Halving
from nmt.data.batch import Tokens
from nmt.data.bucketing import length_batches
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

_MOST_NATS = 700.0  # of a token; exp(710) would not be finite, as JSON wants it
_OVERFLOWN = math.exp(_MOST_NATS)
Selection = Literal["bleu", "chrf", "perplexity", "aer"]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationConfig:
    """How a model is validated.

    Args:
        select: the metric by which checkpoints are chosen, training stops early and a plateau is seen. Where it cannot
            tell two apart (BLEU of 0, a perfect score), the next does: chrF, then perplexity.
        search: how validation sentences are translated; greedy search is fast, and ranks checkpoints as a beam does.
        tokenize: sacreBLEU's tokenizer; ``auto`` is what fits the script of the references.
        lowercase: compare lower-cased text.
        limit: translate only that many sentences of the set, the first ones; ``null`` is all. Perplexity uses all.
        samples: sample translations shown.
        batch_tokens: target tokens of a batch; source pieces in search, the hypotheses of a beam counted.
        gold: file of gold links of the validation set (Pharaoh or TALP), its path starting from ``data.root``: adds the
            alignment error rate of the attention, linked by arg-max while the model is forced to write the references.
        gold_first_index: the number that file gives the first word of a sentence.
        gold_tokenized: whether that file counts what stands between spaces (U+0020) as a word, and not what stands
            between white space of any kind.
    """

    select: Selection = "bleu"
    search: SearchConfig = field(default_factory=lambda: SearchConfig(strategy="greedy"))
    tokenize: Tokenizer = "auto"
    lowercase: bool = False
    limit: int | None = None
    samples: int = 3
    batch_tokens: int = 4096
    gold: str | None = None
    gold_first_index: Literal[0, 1] = 0
    gold_tokenized: bool = False

    def problems(self) -> Iterator[tuple[str, str]]:
        """Values outside their range."""
        if self.select == "aer" and self.gold is None:
            yield "select", "must be bleu, chrf or perplexity where there is no gold alignment; or give gold"
        if self.gold_tokenized and self.gold is None:
            yield "gold_tokenized", "needs gold, whose words it tells how to count"
        if self.limit is not None and self.limit < 1:
            yield "limit", f"must be at least 1, but is {self.limit}"
        if self.samples < 0:
            yield "samples", f"must be at least 0, but is {self.samples}"
        if self.batch_tokens < 1:
            yield "batch_tokens", f"must be at least 1, but is {self.batch_tokens}"

    def idle(self) -> Iterator[tuple[str, str]]:
        """What needs gold links, and an n-best list, of which only the best is used."""
        if self.gold is None:
            yield "gold_first_index", "does nothing without gold"
        yield "search.n_best", "does nothing: a validation reads the best translation alone"


@dataclass(frozen=True, slots=True)
class Sample:
    """One validation sentence as translated.

    Args:
        source: raw source line.
        reference: raw target line.
        translation: what search gave.
        source_pieces: source pieces, eos included, the columns of the weights.
        hypothesis: the hypothesis, with its attention weights.
    """

    source: str
    reference: str
    translation: str
    source_pieces: tuple[str, ...]
    hypothesis: Hypothesis


@dataclass(frozen=True, slots=True)
class Validation:
    """What a validation found.

    Args:
        perplexity: exp of the mean negative log-likelihood of a target token, eos counted.
        bleu: of the translations, with its signature.
        chrf: likewise.
        samples: a few translations.
        alignment: how the attention agrees with gold links, where these are given.
    """

    perplexity: float
    bleu: Score
    chrf: Score
    samples: tuple[Sample, ...]
    alignment: AlignmentScore | None = None

    def __str__(self) -> str:
        shown = score_text(self.perplexity, "perplexity")
        line = f"perplexity {shown}, BLEU {self.bleu.value:.2f}, chrF {self.chrf.value:.2f}"
        return line if self.alignment is None else f"{line}, AER {self.alignment.aer:.4f}"

    def value(self, selection: Selection) -> float:
        """The selection metric, larger being better: perplexity and alignment error rate are negated."""
        if selection == "perplexity":
            return -self.perplexity
        if selection == "aer":
            # Without a link nothing was measured; where no gold link is sure, the formula would call it perfect.
            return -1.0 if self.alignment is None or not self.alignment.links else -self.alignment.aer
        return self.bleu.value if selection == "bleu" else self.chrf.value


def score_text(value: float, metric: str) -> str:
    """Show a score in a few characters: error rates with four digits, others with two, however large they are."""
    if metric == "perplexity" and value >= _OVERFLOWN:
        return "too large to show"
    if metric == "aer":
        return f"{value:.4f}"
    return f"{value:.2f}" if value < 1e6 else f"{value:.1e}"


class Validator:
    """Validates a model on one encoded corpus.

    Args:
        config: how.
        corpus: the validation set.
        vocabularies: of both sides.
        device: where the model is.
        precision: of the products; search compares hypotheses, so it always runs in float32.
        gold: gold links of the corpus.
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
    ) -> None:
        self.config = config
        self.corpus = corpus
        self.vocabularies = vocabularies
        self.device = device
        self.precision: Precision = precision
        self.gold = gold
        self._see_tokenizer()
        self._halving = Halving(
            device.type,
            "a batch of %d sentences does not fit into memory in validation; it is computed in halves, and so will "
            "be others, without a further word; a smaller training.validation.batch_tokens is quicker",
        )

    def _see_tokenizer(self) -> None:
        references = (self.corpus.target_text(index) for index in range(len(self.corpus)))
        problem = misfit(self.config.tokenize, references)
        if problem is not None:
            logger.warning("training.validation.tokenize: %s", problem)

    def __call__(self, model: Seq2Seq) -> Validation:
        """Validate a model; it is left in the mode in which it came.

        Raises:
            DataError: a pair does not fit into memory by itself.
        """
        was_training = model.training
        model.eval()
        try:
            perplexity, alignment = self._force(model)
            count = min(self.config.limit or len(self.corpus), len(self.corpus))
            hypotheses = self._translate(model, count)
        finally:
            model.train(was_training)
        decode = self.vocabularies.target.decode
        translations = [decode(hypothesis.tokens) for hypothesis in hypotheses]
        references = [self.corpus.target_text(index) for index in range(count)]
        config = self.config
        return Validation(
            perplexity=perplexity,
            bleu=bleu(translations, references, tokenize=config.tokenize, lowercase=config.lowercase),
            chrf=chrf(translations, references, lowercase=config.lowercase),
            samples=tuple(self._sample(index, hypotheses[index], translations[index]) for index in self._shown(count)),
            alignment=alignment,
        )

    def _shown(self, count: int) -> Sequence[int]:
        # Spread over the set, the same ones every time, so that progress can be read from line to line.
        wanted = min(self.config.samples, count)
        return [number * count // wanted for number in range(wanted)]

    def _sample(self, index: int, hypothesis: Hypothesis, translation: str) -> Sample:
        return Sample(
            source=self.corpus.source_text(index),
            reference=self.corpus.target_text(index),
            translation=translation,
            source_pieces=tuple(self.vocabularies.source.pieces(self.corpus.source_ids(index))),
            hypothesis=hypothesis,
        )

    def _source(self, indices: Sequence[int]) -> Tokens:
        rows = [self.corpus.source_ids(index) for index in indices]
        return Tokens.pad(rows, self.vocabularies.source.pad_id).to(self.device)

    @torch.inference_mode()
    def _force(self, model: Seq2Seq) -> tuple[float, AlignmentScore | None]:
        """Run the references through the model: perplexity, and how its attention agrees with gold links."""
        weights: dict[int, NDArray[Any]] = {}

        def forced(rows: list[int]) -> tuple[float, int]:
            target = self.vocabularies.target
            given = Tokens.pad([self.corpus.target_ids(row) for row in rows], target.pad_id).to(self.device)
            source = self._source(rows)
            with autocast(self.device, self.precision):
                output = model(source, given, target.bos_id)
                loss = model.loss(output, given)
            if self.gold is not None:
                matrices = output.weights.float().mean(2).cpu().numpy()
                sizes = zip(given.lengths.tolist(), source.lengths.tolist(), strict=True)
                for row, matrix, (length, width) in zip(rows, matrices, sizes, strict=True):
                    weights[row] = matrix[:length, :width]
            return float(loss.nll), loss.tokens

        found = self._by_batches(self.corpus.target_lengths, self.config.batch_tokens, forced)
        losses, counts = zip(*(loss for _, loss in found), strict=True)
        mean = sum(losses) / sum(counts)
        perplexity = math.exp(_MOST_NATS if math.isnan(mean) else min(mean, _MOST_NATS))
        return perplexity, None if self.gold is None else self.gold.score(weights)

    def _translate(self, model: Seq2Seq, count: int) -> list[Hypothesis]:
        """Translate the first sentences of the set."""
        stepper, symbols = ModelStepper(model), Symbols.of(self.vocabularies.target)
        config = replace(self.config.search, n_best=1)

        def searched(rows: list[int]) -> list[list[Hypothesis]]:
            with full_float32(self.device):
                return search(stepper, self._source(rows), config, symbols)

        found: dict[int, Hypothesis] = {}
        size = max(1, self.config.batch_tokens // config.width)
        for rows, results in self._by_batches(self.corpus.source_lengths[:count], size, searched):
            found.update(zip(rows, (best[0] for best in results), strict=True))
        return [found[row] for row in range(count)]

    def _by_batches(
        self, lengths: NDArray[Any], size: int, compute: Callable[[list[int]], Result]
    ) -> Iterator[tuple[list[int], Result]]:
        """Compute rows of the corpus by batches of so many tokens, in halves where memory does not hold a batch.

        Raises:
            DataError: a pair does not fit into memory by itself.
        """
        for rows, result in self._halving(length_batches(lengths, size), compute):
            if result is None:
                sizes = f"{self.corpus.source_lengths[rows[0]]} source and {self.corpus.target_lengths[rows[0]]} target"
                raise DataError(
                    f"pair {self.corpus.line(rows[0]) + 1} of the validation corpus ({sizes} pieces) does not fit into "
                    "memory by itself; leave it out"
                )
            yield rows, result


def scores_of(validation: Validation) -> dict[str, Any]:
    """What the log keeps of a validation: its scores, with their signatures."""
    alignment = {} if validation.alignment is None else {"aer": validation.alignment.aer}
    return {
        **alignment,
        "perplexity": validation.perplexity,
        "bleu": validation.bleu.value,
        "bleu_signature": validation.bleu.signature,
        "chrf": validation.chrf.value,
        "chrf_signature": validation.chrf.signature,
    }

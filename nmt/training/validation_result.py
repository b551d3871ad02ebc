"""What a validation measured, as values to compare, as text and for the log."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from nmt.metrics.aer import AlignmentScore
from nmt.metrics.error_rates import cer, exact, wer
from nmt.metrics.score import Score
from nmt.search.hypothesis import Hypothesis

MOST_NATS = 700.0  # per token; exp(710) would overflow, and JSON needs finite numbers
_OVERFLOWN = math.exp(MOST_NATS)
Selection = Literal["bleu", "chrf", "wer", "cer", "exact", "perplexity", "aer"]
ON_REQUEST: dict[str, Callable[..., Score]] = {"wer": wer, "cer": cer, "exact": exact}


@dataclass(frozen=True, slots=True)
class Sample:
    """One translated validation sentence.

    Args:
        source: raw source line.
        reference: raw target line.
        translation: the translation by search.
        source_pieces: source pieces with eos, or names of positions; the columns of the weights.
        hypothesis: the hypothesis, with its attention weights.
    """

    source: str
    reference: str
    translation: str
    source_pieces: tuple[str, ...]
    hypothesis: Hypothesis


@dataclass(frozen=True, slots=True)
class Part:
    """Scores of one of several validation corpora.

    Args:
        name: of the corpus.
        bleu: of its translations, with its signature.
        chrf: likewise.
    """

    name: str
    bleu: Score
    chrf: Score

    def __str__(self) -> str:
        return f"{self.name}: BLEU {self.bleu.value:.2f}, chrF {self.chrf.value:.2f}"


@dataclass(frozen=True, slots=True)
class Validation:
    """Results of a validation.

    Args:
        perplexity: exp of the mean negative log-likelihood per target token, eos included.
        bleu: of the translations, with its signature.
        chrf: likewise.
        samples: a few translations.
        alignment: agreement of the attention with gold links, if given.
        selected: WER, CER or share of exact translations, if the best checkpoint is chosen by one of them.
        parts: scores of each corpus, where there are several.
    """

    perplexity: float
    bleu: Score
    chrf: Score
    samples: tuple[Sample, ...]
    alignment: AlignmentScore | None = None
    selected: Score | None = None
    parts: tuple[Part, ...] = ()

    def __str__(self) -> str:
        shown = score_text(self.perplexity, "perplexity")
        line = f"perplexity {shown}, BLEU {self.bleu.value:.2f}, chrF {self.chrf.value:.2f}"
        if self.selected is not None:
            line = f"{line}, {self.selected.name} {self.selected.value:.2f}"
        return line if self.alignment is None else f"{line}, AER {self.alignment.aer:.4f}"

    def value(self, selection: Selection) -> float:
        """Value of the selection metric, larger is better: perplexity and error rates are negated."""
        if selection == "perplexity":
            return -self.perplexity
        if selection == "aer":
            # Without any links the score is the worst: with no sure gold links the formula would give a perfect one.
            return -1.0 if self.alignment is None or not self.alignment.links else -self.alignment.aer
        if selection in ON_REQUEST:
            if self.selected is None:
                raise ValueError(f"this validation has not measured {selection}")
            return self.selected.value if self.selected.higher_is_better else -self.selected.value
        return self.bleu.value if selection == "bleu" else self.chrf.value


def score_text(value: float, metric: str) -> str:
    """Format a score briefly, however large: error rates with four decimals, others with two."""
    if metric == "perplexity" and value >= _OVERFLOWN:
        return "too large to show"
    if metric == "aer":
        return f"{value:.4f}"
    return f"{value:.2f}" if value < 1e6 else f"{value:.1e}"


def scores_of(validation: Validation) -> dict[str, Any]:
    """Scores of a validation for the log, with signatures."""
    alignment = {} if validation.alignment is None else {"aer": validation.alignment.aer}
    selected: dict[str, Any] = {}
    if (score := validation.selected) is not None:
        name = score.name.lower()
        selected = {name: score.value, f"{name}_signature": score.signature}
    parts = {part.name: {"bleu": part.bleu.value, "chrf": part.chrf.value} for part in validation.parts}
    return {
        **alignment,
        **selected,
        "perplexity": validation.perplexity,
        "bleu": validation.bleu.value,
        "bleu_signature": validation.bleu.signature,
        "chrf": validation.chrf.value,
        "chrf_signature": validation.chrf.signature,
        **({"corpora": parts} if parts else {}),
    }

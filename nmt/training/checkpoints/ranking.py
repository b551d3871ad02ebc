"""Ranking of validations by the selection metric; further metrics break ties."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nmt.training.checkpoints.run_state import Kept
from nmt.training.validation_result import Selection, Validation, score_text

# BLEU is 0 without any 4-gram match, a perfect score cannot improve, and an error rate without links is undefined.
# Perplexity always changes.
_ORDER: dict[Selection, tuple[Selection, ...]] = {
    "bleu": ("bleu", "chrf", "perplexity"),
    "chrf": ("chrf", "perplexity"),
    "wer": ("wer", "chrf", "perplexity"),
    "cer": ("cer", "chrf", "perplexity"),
    "exact": ("exact", "chrf", "perplexity"),
    "aer": ("aer", "perplexity"),
    "perplexity": ("perplexity", "chrf"),
}
# Scores that are printed alike count as equal; perplexity is compared exactly.
_DIGITS = {"bleu": 2, "chrf": 2, "wer": 2, "cer": 2, "exact": 2, "aer": 4}
WORST: dict[Selection, float] = {"bleu": 0.0, "chrf": 0.0, "exact": 0.0, "aer": -1.0, "wer": -100.0, "cer": -100.0}
"""Values of translations that have nothing in common with their references."""
NAMES: dict[Selection, str] = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "wer": "WER",
    "cer": "CER",
    "exact": "exact match",
    "aer": "AER",
    "perplexity": "perplexity",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Comparison of a validation with the best one before.

    Args:
        better: whether it is better; the first one always is.
        by: the deciding metric; ``None`` if all metrics tie, or there was no validation before.
        tied: whether the selection metric ties.
    """

    better: bool
    by: Selection | None = None
    tied: bool = False

    def __str__(self) -> str:
        """Text for the log, after the scores; may be empty."""
        if not self.tied:
            return " (best so far)" if self.better else ""
        if self.by is None:
            return " (as good as the best so far)"
        return f" ({'best' if self.better else 'not the best'} so far, by {NAMES[self.by]})"


def kept(step: int, validation: Validation, selection: Selection) -> Kept:
    """Stored scores of a checkpoint, the selection metric first, larger is better."""
    value, *then = (validation.value(each) for each in _ORDER[selection])
    return Kept(step, value, tuple(then))


def explained(validation: Validation, selection: Selection) -> str:
    """Explain how a tie on the selection metric is broken, and what else could be done."""
    others = ", then ".join(NAMES[each] for each in _ORDER[selection][1:])
    value = score_text(abs(validation.value(selection)), selection)
    return (
        f"{NAMES[selection]} is {value}, as in the best validation so far, and cannot rank the two checkpoints; "
        f"such ties are broken by {others}, also for early stopping and the plateau schedule; to use "
        f"{_ORDER[selection][1]} from the start, set training.validation.select"
    )


def compared(one: Kept, other: Kept, selection: Selection) -> Verdict:
    """Compare the first with the second; scores missing in an older state are ignored."""
    for place, (metric, mine, its) in enumerate(zip(_ORDER[selection], _marks(one), _marks(other), strict=False)):
        shown, against = _rounded(mine, metric), _rounded(its, metric)
        if shown != against:
            return Verdict(shown > against, metric, tied=place > 0)
    return Verdict(better=False, tied=True)


def ranked(before: tuple[Kept, ...], new: Kept, selection: Selection) -> tuple[tuple[Kept, ...], Verdict]:
    """Insert a checkpoint into the ranking, best first and after its equals, and compare it with the best."""
    verdict = compared(new, before[0], selection) if before else Verdict(better=True)
    place = next((i for i, each in enumerate(before) if compared(new, each, selection).better), len(before))
    return (*before[:place], new, *before[place:]), verdict


def _marks(each: Kept) -> tuple[float, ...]:
    return each.value, *each.then


def _rounded(value: float, metric: Selection) -> float:
    if math.isnan(value):
        return -math.inf
    return round(value, _DIGITS[metric]) if metric in _DIGITS else value

"""Which of two validations is better, also where the metric asked for cannot tell: then the next one decides."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nmt.training.checkpoints.run_state import Kept
from nmt.training.validation import Selection, Validation, score_text

# BLEU without a single match of four words is 0 whatever is translated, and a perfect score stays what it is; an error
# rate without links to count is no score at all. Perplexity always moves.
_ORDER: dict[Selection, tuple[Selection, ...]] = {
    "bleu": ("bleu", "chrf", "perplexity"),
    "chrf": ("chrf", "perplexity"),
    "aer": ("aer", "perplexity"),
    "perplexity": ("perplexity", "chrf"),
}
# Scores that look the same are the same; perplexity is compared as it is.
_DIGITS = {"bleu": 2, "chrf": 2, "aer": 4}
NAMES: dict[Selection, str] = {"bleu": "BLEU", "chrf": "chrF", "aer": "AER", "perplexity": "perplexity"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a validation compares with the best one before.

    Args:
        better: whether it is better; the first one always is.
        by: the metric that says so; ``None`` where no metric tells them apart, or there was none before.
        tied: whether the metric asked for could not tell.
    """

    better: bool
    by: Selection | None = None
    tied: bool = False

    def __str__(self) -> str:
        """What the log says of it, after the scores; empty where there is nothing to say."""
        if not self.tied:
            return " (best so far)" if self.better else ""
        if self.by is None:
            return " (as good as the best so far)"
        return f" ({'best' if self.better else 'not the best'} so far, by {NAMES[self.by]})"


def kept(step: int, validation: Validation, selection: Selection) -> Kept:
    """What is remembered of a checkpoint: its scores, the one asked for first, larger being better."""
    value, *then = (validation.value(each) for each in _ORDER[selection])
    return Kept(step, value, tuple(then))


def explained(validation: Validation, selection: Selection) -> str:
    """Say, where a metric could not tell two checkpoints apart, what is done and what could be."""
    others = ", then ".join(NAMES[each] for each in _ORDER[selection][1:])
    value = score_text(abs(validation.value(selection)), selection)
    return (
        f"{NAMES[selection]} is {value} as in the best validation before, so it cannot tell the two checkpoints apart: "
        f"where that is so, {others} says which is better, when training stops and when the rate is cut; "
        f"training.validation.select={_ORDER[selection][1]} compares by that from the start"
    )


def compared(one: Kept, other: Kept, selection: Selection) -> Verdict:
    """Say whether the first is better than the second; what an older state does not know decides nothing."""
    for place, (metric, mine, its) in enumerate(zip(_ORDER[selection], _marks(one), _marks(other), strict=False)):
        shown, against = _rounded(mine, metric), _rounded(its, metric)
        if shown != against:
            return Verdict(shown > against, metric, tied=place > 0)
    return Verdict(better=False, tied=True)


def ranked(before: tuple[Kept, ...], new: Kept, selection: Selection) -> tuple[tuple[Kept, ...], Verdict]:
    """Put a checkpoint in its place among others, best first and behind its equals, and compare it with the best."""
    verdict = compared(new, before[0], selection) if before else Verdict(better=True)
    place = next((i for i, each in enumerate(before) if compared(new, each, selection).better), len(before))
    return (*before[:place], new, *before[place:]), verdict


def _marks(each: Kept) -> tuple[float, ...]:
    return each.value, *each.then


def _rounded(value: float, metric: Selection) -> float:
    if math.isnan(value):
        return -math.inf
    return round(value, _DIGITS[metric]) if metric in _DIGITS else value

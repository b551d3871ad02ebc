"""The ``search`` section of a recipe."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

# Upper limits: larger values would only exhaust time, memory, or the range of float32.
_LARGEST = {
    "max_length_ratio": 1000,
    "max_length_offset": 100_000,
    "min_length_ratio": 1000,
    "length_penalty": 10,
    "coverage_penalty": 1000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """How translations are searched for.

    Lengths count target pieces without eos; a relative length is a multiple of the number of source pieces without eos,
    rounded down.

    Args:
        strategy: ``beam``; ``greedy`` (equal to a beam of one, but faster); ``sampling`` from the distribution.
        beam_size: live hypotheses per sentence.
        n_best: hypotheses returned per sentence, or samples drawn. Beam hypotheses are distinct, so there may be fewer;
            a wider beam gives more. Samples may repeat.
        patience: a sentence is done once ``patience * beam_size`` hypotheses have finished (Kasai et al. 2022); 1 is
            the usual rule, larger values search longer.
        max_length_ratio: with ``max_length_offset`` the maximum target length: ``ratio * source + offset``.
        max_length_offset: see ``max_length_ratio``, in pieces.
        min_length_ratio: minimum target length as a multiple of the source length.
        min_length: minimum target length in pieces; the larger of the two minima applies, capped at the maximum.
        length_penalty: alpha of Wu et al. (2016), eq. 14, at most 10; 0 ranks by log-probability, 1 nearly by its mean.
        coverage_penalty: beta of Wu et al. (2016), eq. 14; 0 is none.
        temperature: sampling temperature; the distribution is proportional to ``p ** (1 / temperature)``.
        top_k: sample only from the k most probable pieces; 0 is all.
        top_p: nucleus sampling: sample only from the fewest pieces whose probabilities reach p (Holtzman et al. 2020);
            1 is all.
        seed: root seed of the random numbers of every line.
    """

    strategy: Literal["beam", "greedy", "sampling"] = "beam"
    beam_size: int = 5
    n_best: int = 1
    patience: float = 1.0
    max_length_ratio: float = 2.0
    max_length_offset: int = 10
    min_length_ratio: float = 0.0
    min_length: int = 0
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 1

    @property
    def width(self) -> int:
        """Batch rows per sentence: the hypotheses or samples extended in parallel."""
        return {"beam": self.beam_size, "greedy": 1, "sampling": self.n_best}[self.strategy]

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield the path of each invalid field and what it must be."""
        for name, least in (("beam_size", 1), ("n_best", 1), ("min_length", 0), ("top_k", 0)):
            if getattr(self, name) < least:
                yield name, f"must be {least} or more, but is {getattr(self, name)}"
        for name, most in _LARGEST.items():
            value = getattr(self, name)
            if not 0 <= value <= most:
                yield name, f"must be between 0 and {most:,}, but is {value}"
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            yield "temperature", f"must be above 0, but is {self.temperature}; strategy greedy is the limit at 0"
        if not 0 < self.top_p <= 1:
            yield "top_p", f"must be above 0 and at most 1, but is {self.top_p}"
        if not (math.isfinite(self.patience) and self.patience >= 1):
            yield "patience", f"must be a finite number of 1 or more, but is {self.patience}"
        yield from self._conflicts()

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield options without effect under the strategy."""
        if self.strategy != "sampling":
            for name in ("temperature", "top_k", "top_p", "seed"):
                yield name, f"does nothing with strategy {self.strategy}: it is of sampling"
        if self.strategy != "beam":
            for name in ("beam_size", "patience"):
                yield name, f"does nothing with strategy {self.strategy}: it is of beam"
        single = self.n_best == 1 if self.strategy == "sampling" else self.strategy == "greedy" or self.beam_size == 1
        if single and (self.strategy != "beam" or self.patience == 1):
            for name in ("length_penalty", "coverage_penalty"):
                yield (
                    name,
                    "chooses nothing where a sentence has one hypothesis: only the score that is told changes",
                )

    def _conflicts(self) -> Iterator[tuple[str, str]]:
        if self.strategy == "beam" and self.n_best > self.beam_size >= 1:
            yield "n_best", f"must be at most beam_size ({self.beam_size}), but is {self.n_best}; widen the beam"
        if self.strategy == "greedy" and self.n_best > 1:
            yield "n_best", f"must be 1 with strategy greedy, but is {self.n_best}; use beam or sampling"
        if self.min_length_ratio > self.max_length_ratio and self.min_length_ratio > 0:
            yield (
                "min_length_ratio",
                f"must be at most max_length_ratio ({self.max_length_ratio}), but is {self.min_length_ratio}",
            )

"""The ``search`` section of a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from nmt.core.config.ranges import NonNegativeInt, PositiveInt, Range

# Upper limits: larger values would only exhaust time, memory, or the range of float32.
_Ratio = Annotated[float, Range("between 0 and 1,000", lambda ratio: 0 <= ratio <= 1000)]


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
        no_repeat_ngram: no target has an n-gram of so many pieces twice; 0 allows all.
        repetition_penalty: factor of the log-probability of pieces that the target already has (Keskar et al. 2019),
            at most 100; 1 is none.
        temperature: sampling temperature; the distribution is proportional to ``p ** (1 / temperature)``.
        top_k: sample only from the k most probable pieces; 0 is all.
        top_p: nucleus sampling: sample only from the fewest pieces whose probabilities reach p (Holtzman et al. 2020);
            1 is all.
        seed: root seed of the random numbers of every line.
        mbr: minimum Bayes risk: translations are ranked by their expected value of this metric, over the hypotheses of
            the beam or over samples, in place of their score (``nmt.translation.least_risk``).
        mbr_samples: samples drawn for ``mbr`` with strategy ``sampling``.
    """

    strategy: Literal["beam", "greedy", "sampling"] = "beam"
    beam_size: PositiveInt = 5
    n_best: PositiveInt = 1
    patience: Annotated[float, Range("a finite number of at least 1", lambda patience: patience >= 1)] = 1.0
    max_length_ratio: _Ratio = 2.0
    max_length_offset: Annotated[int, Range("between 0 and 100,000", lambda pieces: 0 <= pieces <= 100_000)] = 10
    min_length_ratio: _Ratio = 0.0
    min_length: NonNegativeInt = 0
    length_penalty: Annotated[float, Range("between 0 and 10", lambda alpha: 0 <= alpha <= 10)] = 1.0
    coverage_penalty: _Ratio = 0.0
    no_repeat_ngram: NonNegativeInt = 0
    repetition_penalty: Annotated[float, Range("between 1 and 100", lambda factor: 1 <= factor <= 100)] = 1.0
    temperature: Annotated[float, Range("above 0 (strategy greedy is the limit at 0)", lambda heat: heat > 0)] = 1.0
    top_k: NonNegativeInt = 0
    top_p: Annotated[float, Range("above 0 and at most 1", lambda share: 0 < share <= 1)] = 1.0
    seed: int = 1
    mbr: Literal["none", "chrf"] = "none"
    mbr_samples: PositiveInt = 100

    @property
    def candidates(self) -> int:
        """Hypotheses among which the translations of a sentence are chosen."""
        if self.mbr == "none" or self.strategy == "greedy":
            return self.n_best
        return self.beam_size if self.strategy == "beam" else self.mbr_samples

    @property
    def width(self) -> int:
        """Batch rows per sentence: the hypotheses or samples extended in parallel."""
        return {"beam": self.beam_size, "greedy": 1, "sampling": self.candidates}[self.strategy]

    @property
    def limits_repetition(self) -> bool:
        """Whether the target so far changes what may follow (``nmt.search.repetition``)."""
        return self.no_repeat_ngram > 0 or self.repetition_penalty > 1

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield values that contradict each other."""
        if self.strategy == "beam" and self.n_best > self.beam_size >= 1:
            yield "n_best", f"must be at most beam_size ({self.beam_size}), but is {self.n_best}; widen the beam"
        if self.strategy == "greedy" and self.n_best > 1:
            yield "n_best", f"must be 1 with strategy greedy, but is {self.n_best}; use beam or sampling"
        if self.strategy == "sampling" and self.n_best > self.candidates:
            yield "n_best", f"must be at most mbr_samples ({self.mbr_samples}), but is {self.n_best}"
        if self.strategy == "greedy" and self.mbr != "none":
            yield "mbr", f"must be none with strategy greedy, but is {self.mbr}; use beam or sampling"
        if self.min_length_ratio > self.max_length_ratio and self.min_length_ratio > 0:
            yield (
                "min_length_ratio",
                f"must be at most max_length_ratio ({self.max_length_ratio}), but is {self.min_length_ratio}",
            )

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield options without effect under the strategy."""
        if self.strategy != "sampling":
            for name in ("temperature", "top_k", "top_p", "seed", "mbr_samples"):
                yield name, f"has no effect with strategy {self.strategy}, only with sampling"
        elif self.mbr == "none":
            yield "mbr_samples", "has no effect where mbr is none"
        if self.strategy != "beam":
            for name in ("beam_size", "patience"):
                yield name, f"has no effect with strategy {self.strategy}, only with beam"
        one = self.candidates if self.strategy == "sampling" else self.width
        if one == 1 and (self.strategy != "beam" or self.patience == 1):
            for name in ("length_penalty", "coverage_penalty"):
                yield (
                    name,
                    "has no effect on the choice where a sentence has one hypothesis; only the reported score changes",
                )

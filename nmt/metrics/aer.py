"""Alignment error rate against hand-made links (Och and Ney, 2003).

Links are plain pairs of (source word, target word), counted from 0, so that any aligner can be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import TypeAlias

from nmt.core.errors import DataError

LinkSet: TypeAlias = AbstractSet[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class AlignmentScore:
    """How links agree with gold links, over a corpus.

    Args:
        aer: alignment error rate, 0 to 1; lower is better.
        precision: share of the links that are possible.
        recall: share of the sure gold links that were found.
        links: number of links measured.
        sure: number of sure gold links.
        possible: number of possible gold links, the sure ones among them.
    """

    aer: float
    precision: float
    recall: float
    links: int
    sure: int
    possible: int

    def format(self) -> str:
        """Return one line with the rates and the counts they are made of."""
        return (
            f"AER = {self.aer:.4f} precision = {self.precision:.4f} recall = {self.recall:.4f} "
            f"(links = {self.links} sure = {self.sure} possible = {self.possible})"
        )

    def to_mapping(self) -> dict[str, float | int]:
        """Return what belongs into a JSON file."""
        return asdict(self)

    def __str__(self) -> str:
        return self.format()


def alignment_error_rate(
    links: Sequence[LinkSet], sure: Sequence[LinkSet], possible: Sequence[LinkSet]
) -> AlignmentScore:
    """Measure links A against sure links S and possible links P, S being part of P.

        AER = 1 - (|A n S| + |A n P|) / (|A| + |S|);  precision = |A n P| / |A|;  recall = |A n S| / |S|

    Each count is summed over the corpus. Without any link the precision is 1, since nothing wrong was said; without any
    sure link the recall is 1; with neither, the AER is 0.

    Args:
        links: of each sentence pair, what an aligner found.
        sure: of each sentence pair, the sure gold links.
        possible: likewise, the possible gold links; the sure ones are added by themselves.

    Raises:
        DataError: the numbers of sentence pairs differ.
    """
    if not len(links) == len(sure) == len(possible):
        raise DataError(
            f"there are links for {len(links)} sentence pairs, but gold links for {len(sure)} (sure) "
            f"and {len(possible)} (possible)"
        )
    total = total_sure = total_possible = hits_sure = hits_possible = 0
    for found, certain, perhaps in zip(links, sure, possible, strict=True):
        allowed = perhaps | certain
        total += len(found)
        total_sure += len(certain)
        total_possible += len(allowed)
        hits_sure += len(found & certain)
        hits_possible += len(found & allowed)
    both = total + total_sure
    return AlignmentScore(
        aer=1.0 - (hits_sure + hits_possible) / both if both else 0.0,
        precision=hits_possible / total if total else 1.0,
        recall=hits_sure / total_sure if total_sure else 1.0,
        links=total,
        sure=total_sure,
        possible=total_possible,
    )


def oracle_one_link(
    sure: Sequence[LinkSet], possible: Sequence[LinkSet], target_lengths: Sequence[int]
) -> AlignmentScore:
    """Measure the best that an aligner can do which gives a target word one link at most, as an arg-max does.

    Each target word that has a gold link gets exactly one correct link, a sure one where there is one.

    Args:
        sure: of each sentence pair, the sure gold links.
        possible: likewise, the possible ones.
        target_lengths: words of each target sentence.

    Raises:
        DataError: the numbers of sentence pairs differ, or a gold link points past a target sentence.
    """
    if not len(sure) == len(possible) == len(target_lengths):
        raise DataError(
            f"there are gold links for {len(sure)} (sure) and {len(possible)} (possible) sentence pairs, "
            f"but {len(target_lengths)} target sentences"
        )
    oracle = []
    for number, (certain, perhaps, length) in enumerate(zip(sure, possible, target_lengths, strict=True), start=1):
        best: dict[int, int] = {}
        for i, j in [*sorted(certain), *sorted(perhaps)]:
            if not 0 <= j < length:
                raise DataError(f"sentence pair {number}: gold link {i}-{j} points past its {length} target words")
            best.setdefault(j, i)
        oracle.append({(i, j) for j, i in best.items()})
    return alignment_error_rate(oracle, sure, possible)

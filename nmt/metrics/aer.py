"""Alignment error rate against manual links (Och and Ney, 2003).

Links are pairs (source word, target word), counted from 0, from whatever aligner.
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
    """Agreement of links with gold links over a corpus.

    Args:
        aer: alignment error rate, 0 to 1; lower is better.
        precision: share of the links that are possible.
        recall: share of the sure gold links that were found.
        links: number of links that were scored.
        sure: number of sure gold links.
        possible: number of possible gold links, including the sure ones.
    """

    aer: float
    precision: float
    recall: float
    links: int
    sure: int
    possible: int

    def format(self) -> str:
        """Return one line with the rates and the counts."""
        return (
            f"AER = {self.aer:.4f} precision = {self.precision:.4f} recall = {self.recall:.4f} "
            f"(links = {self.links} sure = {self.sure} possible = {self.possible})"
        )

    def to_mapping(self) -> dict[str, float | int]:
        """Return plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return self.format()


def alignment_error_rate(
    links: Sequence[LinkSet], sure: Sequence[LinkSet], possible: Sequence[LinkSet]
) -> AlignmentScore:
    """Score links A against sure links S and possible links P, which include S.

        AER = 1 - (|A n S| + |A n P|) / (|A| + |S|);  precision = |A n P| / |A|;  recall = |A n S| / |S|

    Each count is summed over the corpus. Without links the precision is 1; without sure links the recall is 1; without
    both the AER is 0.

    Args:
        links: the links of each sentence pair.
        sure: the sure gold links of each sentence pair.
        possible: the possible gold links of each sentence pair, with or without the sure ones.

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
    """Score the best links of an aligner that gives each target word at most one link, as an argmax does.

    Each target word that has a gold link gets exactly one correct link, a sure one if it has any. Lengths are the
    numbers of target words.

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

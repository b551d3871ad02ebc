"""How alignments agree with gold links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nmt.alignment.links import Links, read_links
from nmt.core.errors import DataError
from nmt.core.logging import few, logger
from nmt.core.storage.files import existing_file
from nmt.metrics.aer import AlignmentScore, alignment_error_rate, oracle_one_link
from nmt.text.words import WordKind, counts_differ, word_spans


@dataclass(frozen=True, slots=True)
class GoldScore:
    """How alignments agree with gold links.

    Args:
        measured: the alignments.
        oracle: the best that one link a target word could do.
    """

    measured: AlignmentScore
    oracle: AlignmentScore

    def to_mapping(self) -> dict[str, Any]:
        """Return what belongs into a JSON file."""
        return {**self.measured.to_mapping(), "oracle": self.oracle.to_mapping()}


def read_gold(
    path: Path, pairs: Sequence[tuple[str, str]], *, first_index: Literal[0, 1] = 0, words: WordKind = "whitespace"
) -> list[Links]:
    """Read gold links and check them against their sentence pairs.

    Args:
        path: a file in Pharaoh or TALP format.
        pairs: source and target.
        first_index: the number that the file gives the first word of a sentence.
        words: what a word is.

    Raises:
        DataError: the file is missing, damaged, or does not fit the pairs.

    Where the words of a pair with links are others in the other way of counting, a warning says so with its line.
    """
    gold = read_links(
        existing_file(path, "gold alignment"),
        first_index=first_index,
        source_lengths=[len(word_spans(source, words)) for source, _ in pairs],
        target_lengths=[len(word_spans(target, words)) for _, target in pairs],
    )
    if words == "whitespace":
        both = enumerate(zip(gold, pairs, strict=True), start=1)
        numbers = [number for number, (links, pair) in both if links.possible and counts_differ(*pair)]
        if numbers:
            logger.warning(
                "%s: in %d pairs with links (lines %s) words can be counted in two ways: they are counted between "
                "white space of any kind; if the links count what stands between spaces, say so (nmt-align "
                "--tokenized, gold_tokenized: true in a recipe)",
                path,
                len(numbers),
                few(numbers),
            )
    return gold


def score_links(links: Sequence[Links], gold: Sequence[Links], target_lengths: Sequence[int]) -> GoldScore:
    """Compare links with gold links.

    Args:
        links: of each sentence pair.
        gold: likewise.
        target_lengths: words of each target sentence.

    Raises:
        DataError: there is no gold link at all.
    """
    sure, possible = [each.sure for each in gold], [each.possible for each in gold]
    if not any(possible):
        raise DataError("the gold alignment has no links, so there is nothing to compare with")
    return GoldScore(
        measured=alignment_error_rate([each.sure for each in links], sure, possible),
        oracle=oracle_one_link(sure, possible, target_lengths),
    )

"""Gold links: reading, and comparison with the links of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nmt.alignment.links import Links, check_links, read_links
from nmt.core.errors import DataError
from nmt.core.logging import few, logger
from nmt.core.storage.files import existing_file
from nmt.metrics.aer import AlignmentScore, alignment_error_rate, oracle_one_link
from nmt.text.words import WordKind, counts_differ, word_spans


@dataclass(frozen=True, slots=True)
class GoldScore:
    """Agreement of alignments with gold links.

    Args:
        measured: score of the alignments.
        oracle: best possible score with one link per target word.
    """

    measured: AlignmentScore
    oracle: AlignmentScore

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {**self.measured.to_mapping(), "oracle": self.oracle.to_mapping()}


def read_gold(
    path: Path,
    pairs: Sequence[tuple[str, str]],
    *,
    first_index: Literal[0, 1] = 0,
    words: WordKind = "whitespace",
    select: Callable[[list[Links]], list[Links]] | None = None,
    warn: bool = True,
) -> list[Links]:
    """Read gold links and check them against their sentence pairs.

    Args:
        path: a file in Pharaoh or TALP format.
        pairs: source and target.
        first_index: index of the first word of a sentence in the file.
        words: definition of a word.
        select: selects the links of these pairs, if the file has lines for other pairs too.
        warn: whether to name lines with links whose words can be counted in two ways.

    Raises:
        DataError: the file is missing, damaged, or does not fit the pairs.
    """
    gold = read_links(existing_file(path, "gold alignment"), first_index=first_index)
    if select is not None:
        gold = select(gold)
    lengths = [[len(word_spans(pair[side], words)) for pair in pairs] for side in (0, 1)]
    check_links(gold, *lengths, path=path, first_index=first_index)
    if warn and words == "whitespace":
        _warn_of_word_counts(path, gold, pairs)
    return gold


def _warn_of_word_counts(path: Path, gold: Sequence[Links], pairs: Sequence[tuple[str, str]]) -> None:
    both = enumerate(zip(gold, pairs, strict=True), start=1)
    numbers = [number for number, (links, pair) in both if links.possible and counts_differ(*pair)]
    if numbers:
        logger.warning(
            "%s: in %d pairs with links (lines %s) words can be counted in two ways: they are split at any white "
            "space; if the links count words split at spaces only, set (nmt-align --tokenized, gold_tokenized: "
            "true in a recipe)",
            path,
            len(numbers),
            few(numbers),
        )


def require_links(gold: Sequence[Links], path: Path | None = None) -> None:
    """Raise an error if all gold links, from the file ``path``, are empty.

    Raises:
        DataError: no pair has a link.
    """
    if not any(each.possible for each in gold):
        where = "" if path is None else f"{path}: "
        raise DataError(f"{where}the gold alignment has no links, so there is nothing to compare with")


def score_links(links: Sequence[Links], gold: Sequence[Links], target_lengths: Sequence[int]) -> GoldScore:
    """Compare the links of each sentence pair with its gold links, given the words of each target sentence.

    Raises:
        DataError: there are no gold links.
    """
    sure, possible = [each.sure for each in gold], [each.possible for each in gold]
    require_links(gold)
    return GoldScore(
        measured=alignment_error_rate([each.sure for each in links], sure, possible),
        oracle=oracle_one_link(sure, possible, target_lengths),
    )

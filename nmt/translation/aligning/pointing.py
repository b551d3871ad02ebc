"""The pointing score of a model: its attention against the regions that words of its targets name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nmt.alignment.regions import PointingTally, Region, RegionKind, fractions, read_regions
from nmt.core.storage.files import path_below
from nmt.data.source import FeatureSourceConfig
from nmt.text.words import WordKind, word_spans
from nmt.translation.lines import ScoredTarget


class PointingScorer:
    """Compares targets, as they come, with a file of regions.

    Args:
        path: of the regions, a line for each target.
        source: what the sources are: of pictures regions are boxes, of others spans.
        targets: their texts.
        root: folder that the paths of sources start from.
        words: definition of a word.

    Attributes:
        tally: what has been found.

    Raises:
        DataError: the file is missing, damaged, or does not fit the targets.
    """

    def __init__(
        self,
        path: Path,
        source: FeatureSourceConfig,
        targets: Sequence[str],
        *,
        root: Path,
        words: WordKind = "whitespace",
    ) -> None:
        kind: RegionKind = "box" if source.dimensions == 2 else "span"
        self.tally = PointingTally()
        self._path, self._source, self._root = path, source, root
        self._regions = read_regions(path, kind, target_lengths=[len(word_spans(text, words)) for text in targets])

    def add(self, target: ScoredTarget) -> None:
        """Score a target; one without attention, or without a source that could be read, is left out.

        Raises:
            DataError: a region lies outside of the source.
        """
        weights, regions = target.weights, self._of(target)
        if weights is not None and target.source.features is not None:
            self.tally.add(
                target.words,
                weights[:, : target.source.file_columns],
                regions,
                extent=self._extent(target),
                shape=target.source.shape,
                where=f"{self._path}: line {target.source.number}",
            )

    def boxes(self, target: ScoredTarget) -> dict[int, list[tuple[float, ...]]]:
        """Return the regions of a target's words, by their index, as fractions of the source."""
        found: dict[int, list[tuple[float, ...]]] = {}
        for region in self._of(target):
            found.setdefault(region.word, []).append(fractions(region.bounds, self._extent(target)))
        return found

    def _of(self, target: ScoredTarget) -> Sequence[Region]:
        return () if target.source.features is None else self._regions[target.source.number - 1]

    def _extent(self, target: ScoredTarget) -> tuple[float, ...]:
        source = target.source
        assert source.features is not None  # or it has no regions
        return self._source.extent(path_below(self._root, self._source.path_of(source.text)), len(source.features))

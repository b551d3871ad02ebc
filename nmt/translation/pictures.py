"""Pictures of what translations and forced targets attended to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from nmt.alignment.links import Links
from nmt.core.files import reporting_os_errors
from nmt.translation.lines import ScoredTarget

PictureFormat = Literal["png", "svg", "pdf"]


class Gallery:
    """A folder that gets the heatmap and the edges of the first sentences that can be drawn.

    Args:
        folder: made if missing.
        count: sentences to draw; the rest is passed over.
        format: ``png``, ``svg`` or ``pdf``.
    """

    def __init__(self, folder: Path, *, count: int, format: PictureFormat = "png") -> None:  # noqa: A002
        self.folder = folder
        self.files: list[Path] = []
        self._left = count
        self._format = format
        with reporting_os_errors("make the folder of plots"):
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, target: ScoredTarget, *, name: str | None = None, gold: Links | None = None) -> None:
        """Draw a sentence pair, unless there are enough, or it has no attention.

        Args:
            target: what to draw.
            name: how its files begin; by default ``line-`` and its number.
            gold: known links, outlined.

        Raises:
            NmtError: the file cannot be written.
        """
        words = target.source.words, target.words
        weights = target.weights
        if self._left < 1 or weights is None or not all(words):
            return
        from nmt.alignment.plots import edges, heatmap, save_figure

        self._left -= 1
        name = name or f"line-{target.source.number:06d}"
        for kind, draw in (("heatmap", heatmap), ("edges", edges)):
            path = self.folder / f"{name}-{kind}.{self._format}"
            with reporting_os_errors("save the plot"):
                save_figure(draw(*words, weights, gold=gold), path)
            self.files.append(path)

"""Pictures of training: the attention of one validation sentence, and learning curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nmt.core.errors import NmtError
from nmt.core.logging import logger, waiting
from nmt.core.storage.files import reporting_os_errors
from nmt.metrics.curves import learning_curves
from nmt.text.vocabularies import Vocabularies
from nmt.training.records.metrics_log import MetricsLog
from nmt.training.validation_result import Sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Pictures:
    """Draws into a folder; if a picture cannot be written, the first failure is a warning and training continues.

    Args:
        folder: of the pictures; created with the first.
    """

    def __init__(self, folder: Path) -> None:
        self.curves = folder / "learning-curves.png"
        self._folder = folder
        self._warned = False

    def draw_sample(self, sample: Sample, vocabularies: Vocabularies, *, step: int) -> Path | None:
        """Draw the attention of a sample translation between pieces, if there is any, and return the file."""
        weights = sample.hypothesis.weights
        if weights is None:
            return None
        target = [*vocabularies.target.pieces(sample.hypothesis.tokens)]
        if sample.hypothesis.finished:
            target.append("</s>")
        from nmt.alignment.drawing.plots import heatmap

        figure = heatmap(list(sample.source_pieces), target, weights.numpy(), title=f"update {step}")
        path = self._folder / f"attention-{step:08d}.png"
        return path if self._save(figure, path) else None

    def draw_curves(self, log: MetricsLog) -> None:
        """Draw the learning curves of a run."""
        records = log.records()
        with waiting("drawing the learning curves"):
            drawn = bool(records) and self._save(learning_curves(records), self.curves)
        if drawn:
            logger.info("learning curves: %s", self.curves)

    def _save(self, figure: Figure, path: Path) -> bool:
        from nmt.alignment.drawing.plots import save_figure

        try:
            with reporting_os_errors("make the folder of the pictures"):
                path.parent.mkdir(parents=True, exist_ok=True)
            save_figure(figure, path)
        except NmtError as error:
            if not self._warned:
                logger.warning("%s; training continues without it; further failures are not reported", error)
            self._warned = True
            return False
        return True

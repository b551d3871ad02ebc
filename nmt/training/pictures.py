"""Pictures that training makes: the attention of one validation sentence, and the learning curves."""

from __future__ import annotations

from pathlib import Path

from nmt.alignment.plots import heatmap, save_figure
from nmt.core.logging import logger
from nmt.metrics.curves import learning_curves
from nmt.text.vocabularies import Vocabularies
from nmt.training.metrics_log import MetricsLog
from nmt.training.validation import Sample


def draw_sample(sample: Sample, vocabularies: Vocabularies, path: Path, *, title: str) -> None:
    """Draw what a sample translation attended to, piece by piece; nothing for a model without attention."""
    weights = sample.hypothesis.weights
    if weights is None:
        return
    target = [*vocabularies.target.pieces(sample.hypothesis.tokens)]
    if sample.hypothesis.finished:
        target.append("</s>")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(heatmap(list(sample.source_pieces), target, weights.numpy(), title=title), path)


def draw_curves(log: MetricsLog, path: Path) -> None:
    """Draw the learning curves of a run."""
    records = log.records()
    if not records:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(learning_curves(records), path)
    logger.info("learning curves: %s", path)

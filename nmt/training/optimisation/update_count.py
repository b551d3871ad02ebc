"""Number of updates of a training, counted exactly: each pass over the corpus has its own batches."""

from __future__ import annotations

from nmt.data.loader import Loader, Position
from nmt.data.streaming import StreamLoader
from nmt.training.training_config import TrainingConfig

START = Position(epoch=0, examples=0)


def total_updates(
    config: TrainingConfig, loader: Loader | StreamLoader, *, step: int = 0, position: Position = START
) -> int:
    """Count the updates of a whole training, of which ``step`` are made; the next batch is at a position.

    The number is the same at every point of training, so a schedule does not depend on resumptions. Of the limits of
    updates and passes, the smaller applies.
    """
    if config.max_epochs is None or isinstance(loader, StreamLoader):  # no recipe has both
        return config.max_steps or 0
    most = None if config.max_steps is None else (config.max_steps - step) * config.accumulation
    left = -(-loader.batches_until(config.max_epochs, position, most=most) // config.accumulation)
    return min(step + left, config.max_steps or step + left)


def updates_by_first_epoch(config: TrainingConfig, loader: Loader | StreamLoader) -> int:
    """Count the updates as if every epoch had as many batches as the first, as stored by older runs."""
    if config.max_epochs is None or isinstance(loader, StreamLoader):
        return config.max_steps or 0
    first = max(1, loader.epoch_batches(0))
    limits = (config.max_steps, -(-config.max_epochs * first // config.accumulation))
    return min(limit for limit in limits if limit)

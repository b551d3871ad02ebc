"""How long a training is: updates, counted exactly since each pass over the corpus has its own batches, or time."""

from __future__ import annotations

import math

from nmt.data.loader import Loader, Position
from nmt.data.streaming import StreamLoader
from nmt.training.checkpoints.run_state import RunState
from nmt.training.training_config import TrainingConfig

START = Position(epoch=0, examples=0)


class Length:
    """Length of a training by ``max_steps``, ``max_epochs`` and ``max_minutes``; the smallest applies.

    Args:
        config: the training section of the recipe.
        loader: batches of the training corpus.
        state: where the training is; the length is the same wherever that is.
    """

    def __init__(self, config: TrainingConfig, loader: Loader | StreamLoader, state: RunState) -> None:
        self.limit = total_updates(config, loader, step=state.step, position=state.position)
        self._minutes = config.max_minutes

    def updates(self, state: RunState) -> float:
        """Return the updates of the whole training; where time ends it, those that fit in at the pace so far.

        So a schedule that falls over all updates falls over the time, and the longer an update takes the more.
        """
        most = math.inf if self.limit is None else self.limit
        if self._minutes is None or not state.seconds:
            return most
        return min(most, state.step * (60 * self._minutes / state.seconds))

    def time_is_over(self, state: RunState) -> bool:
        """Whether the time ends the training, if it is limited."""
        return self._minutes is not None and state.seconds >= 60 * self._minutes

    def reached(self, state: RunState) -> str | None:
        """Return why training ends here, if it does."""
        if self.limit is not None and state.step >= self.limit:
            return all_made(self.limit)
        if self.time_is_over(state):
            return f"all {self._minutes:g} minutes are used"
        return None

    def place(self, state: RunState) -> str:
        """Say where a training is, for messages."""
        updates = f"update {state.step}" if self.limit is None else f"update {state.step} of {self.limit}"
        if self._minutes is None:
            return updates
        return f"{updates}, {state.seconds / 60:.1f} of {self._minutes:g} minutes"


def all_made(updates: int) -> str:
    """Say that a training has made all its updates."""
    return f"all {updates} updates are made"


def total_updates(
    config: TrainingConfig, loader: Loader | StreamLoader, *, step: int = 0, position: Position = START
) -> int | None:
    """Count the updates of a whole training, of which ``step`` are made; the next batch is at a position.

    The number is the same at every point of training, so a schedule does not depend on resumptions. Of the limits of
    updates and passes, the smaller applies; ``None`` if there is neither.
    """
    if config.max_epochs is None or isinstance(loader, StreamLoader):  # no recipe has both
        return config.max_steps
    most = None if config.max_steps is None else (config.max_steps - step) * config.accumulation
    left = -(-loader.batches_until(config.max_epochs, position, most=most) // config.accumulation)
    return min(step + left, config.max_steps or step + left)


def updates_by_first_epoch(config: TrainingConfig, loader: Loader | StreamLoader) -> int | None:
    """Count the updates as if every epoch had as many batches as the first, as stored by older runs."""
    if config.max_epochs is None or isinstance(loader, StreamLoader):
        return config.max_steps
    first = max(1, loader.epoch_batches(0))
    limits = (config.max_steps, -(-config.max_epochs * first // config.accumulation))
    return min(limit for limit in limits if limit)

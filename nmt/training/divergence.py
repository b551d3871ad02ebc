"""A training that diverges: what is told."""

from __future__ import annotations

from nmt.core.errors import TrainingError
from nmt.core.storage.run_folder import RunFolder, checkpoint_steps
from nmt.training.training_config import TrainingConfig


def diverged(config: TrainingConfig, folder: RunFolder) -> TrainingError:
    """Return the error for too many skipped updates, with what is kept and what may help."""
    last = checkpoint_steps(folder.checkpoints)
    kept = "there is no checkpoint yet"
    if last:
        kept = f"the checkpoint of update {last[-1]} is kept, and --resume continues from it with other values"
    clipping = "lower training.clip_norm" if config.clip_norm else "clip by training.clip_norm=1"
    return TrainingError(
        f"loss or gradients were not finite in {config.max_skipped} updates in a row; {kept}. Lower "
        f"training.optimiser.learning_rate, lengthen training.schedule.warmup_steps, {clipping}, or set "
        "training.precision to fp32"
    )

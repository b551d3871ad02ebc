"""Reports of training: ``metrics.jsonl``, log, progress bar and pictures."""

from __future__ import annotations

import logging
import math

from nmt.core.logging import logger
from nmt.core.machine.distributed import first_only
from nmt.core.storage.run_folder import RunFolder
from nmt.text.vocabularies import Vocabularies
from nmt.training.checkpoints.ranking import WORST, Verdict, explained
from nmt.training.checkpoints.run_state import RunState
from nmt.training.records.metrics_log import MetricsLog
from nmt.training.records.training_pictures import Pictures
from nmt.training.validation_result import Selection, Validation, scores_of

_STARVED = 0.03  # share of time spent waiting for batches from which it is reported


class Journal:
    """Records the progress of training.

    Args:
        log: ``metrics.jsonl``.
        folder: of the run; pictures go into it.
        selection: metric of checkpoint selection.
    """

    def __init__(self, log: MetricsLog, folder: RunFolder, selection: Selection) -> None:
        self._log = log
        self._pictures = Pictures(folder.plots)
        self._selection: Selection = selection
        self._tied = False  # whether ties on the selection metric were reported

    def updates(self, state: RunState, *, learning_rate: float, epoch: float) -> str:
        """Record the updates since the last record (``state.window``), and summarise them for the progress bar."""
        window = state.window
        # A window in which every update was skipped has no loss.
        loss, nll = (total / window.tokens if window.tokens else None for total in (window.loss, window.nll))
        terms = {name: value / window.tokens for name, value in window.terms.items() if window.tokens}
        speed = window.tokens / max(window.seconds, 1e-9)
        waiting = window.waiting / max(window.seconds, 1e-9)
        self._log.append(
            {
                "kind": "train",
                "step": state.step,
                "epoch": epoch,
                "loss": loss,
                "nll": nll,
                **({"terms": terms} if terms else {}),
                "learning_rate": learning_rate,
                "gradient_norm": window.gradient_norm / max(1, window.updates),
                "tokens": state.tokens,
                "tokens_per_second": round(speed, 1),
                "waiting": round(waiting, 4),
                "seconds": round(state.seconds, 2),
                "skipped": state.skipped,
            }
        )
        shown = "-" if loss is None else f"{loss:.3f}"
        skipped = f", {state.skipped} updates skipped" if state.skipped else ""
        starved = f", {waiting:.0%} of the time waiting for batches" if waiting > _STARVED else ""
        return f"loss {shown}, lr {learning_rate:.2e}, {speed:.0f} tokens/s, epoch {epoch:.2f}{skipped}{starved}"

    @first_only
    def validation(
        self, state: RunState, validation: Validation, verdict: Verdict, *, epoch: float, seconds: float
    ) -> None:
        """Record a validation and its duration in seconds, and log it with its samples."""
        self._log.append(
            {
                "kind": "validation",
                "step": state.step,
                "epoch": epoch,
                **scores_of(validation),
                "best": verdict.better,
                **({"by": verdict.by} if verdict.tied else {}),
                "seconds": round(state.seconds, 2),
                "validation_seconds": round(seconds, 2),
            }
        )
        logger.info("update %d: %s%s", state.step, validation, verdict)
        for part in validation.parts:
            logger.info("  %s", part)
        if verdict.tied and not self._tied:
            self._tied = True
            stuck = validation.value(self._selection) <= WORST.get(self._selection, -math.inf)
            logger.log(logging.WARNING if stuck else logging.INFO, "%s", explained(validation, self._selection))
        for number, sample in enumerate(validation.samples, start=1):
            lines = [
                f"source     {sample.source}",
                f"reference  {sample.reference}",
                f"model      {sample.translation}",
            ]
            for line in lines:
                logger.info("  %s", line)
            if self._log.events is not None:
                self._log.events.add_text(f"samples/{number}", "\n".join(lines), state.step)

    @first_only
    def warn(self, message: str) -> None:
        """Log a warning of what all processes see."""
        logger.warning("%s", message)

    @first_only
    def begins(self, place: str, *, by_time: bool) -> None:
        """Tell where a training that is limited by time begins, and whether its learning rate follows the time."""
        logger.info("training begins at %s%s", place, "; the learning rate follows the time" if by_time else "")

    @first_only
    def ends(self, place: str) -> None:
        """Tell where it ends."""
        logger.info("training ends at %s", place)

    @first_only
    def draw_sample(self, validation: Validation, vocabularies: Vocabularies, *, step: int) -> None:
        """Draw the attention of the first sample of a validation."""
        if validation.samples:
            picture = self._pictures.draw_sample(validation.samples[0], vocabularies, step=step)
            if picture is not None and self._log.events is not None:
                self._log.events.add_picture("attention", picture, step)

    @first_only
    def draw_curves(self, *, again: bool = True) -> None:
        """Draw the learning curves; existing ones are redrawn only if ``again``."""
        if again or not self._pictures.curves.exists():
            self._pictures.draw_curves(self._log)

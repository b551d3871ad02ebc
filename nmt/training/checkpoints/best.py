"""Keeping the best: which checkpoints are, the one that ``best.json`` names, and their average at the end."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from nmt.core.errors import CheckpointError
from nmt.core.storage.files import write_json
from nmt.core.storage.run_folder import RunFolder, checkpoint_path, read_json
from nmt.model.seq2seq import Seq2Seq
from nmt.training.checkpoints.averaging import average_best, was_averaged
from nmt.training.checkpoints.ranking import Verdict, kept, ranked
from nmt.training.checkpoints.run_state import Kept, RunState
from nmt.training.records.metrics_log import MetricsLog
from nmt.training.training_config import TrainingConfig
from nmt.training.validation import Validation, Validator


class BestCheckpoints:
    """Ranks the checkpoints of a run by their validations.

    Args:
        config: says by which metric, how many are kept and how many averaged.
        folder: of the run; ``best.json`` and ``average.json`` go into it.
        log: gets a record of the average.
    """

    def __init__(self, config: TrainingConfig, folder: RunFolder, log: MetricsLog) -> None:
        self._config = config
        self._folder = folder
        self._log = log

    def take(self, state: RunState, validation: Validation) -> Verdict:
        """Rank the checkpoint of this update among the best, and count the validations since the best one."""
        selection = self._config.validation.select
        best, verdict = ranked(state.kept, kept(state.step, validation, selection), selection)
        state.kept = best[: self._config.keep_best]
        state.waited = 0 if verdict.better else state.waited + 1
        return verdict

    def name(self, state: RunState) -> None:
        """Let ``best.json`` name the best checkpoint, or the newest one where nothing is validated."""
        best = state.kept[0] if state.kept else None
        step = best.step if best is not None else state.step
        self._write(checkpoint_path(self._folder.checkpoints, step).name, best)

    def name_again(self, state: RunState) -> None:
        """Do so after a resumption, unless the best ones have been averaged already."""
        if not was_averaged(self._log, state.step):
            self.name(state)

    def average(self, model: Seq2Seq, validator: Validator, state: RunState) -> None:
        """Average the best checkpoints, once at the end of training; see ``average_best``."""
        average_best(
            model,
            validator,
            state,
            count=self._config.average,
            selection=self._config.validation.select,
            folder=self._folder,
            log=self._log,
            name_best=self._write,
        )

    def _write(self, checkpoint: str, best: Kept | None) -> None:
        record: dict[str, Any] = {"checkpoint": checkpoint}
        if best is not None:
            record |= {"step": best.step, "metric": self._config.validation.select, "value": abs(best.value)}
        # A file that says the same stays as it is: what was scored by it before counts as scored.
        with suppress(CheckpointError):
            if read_json(self._folder.best) == record:
                return
        write_json(self._folder.best, record)

"""The best checkpoints: ranking, the one for translation in ``best.json``, averaging at the end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from torch import Tensor

from nmt.core.errors import CheckpointError
from nmt.core.logging import logger, waiting
from nmt.core.machine.distributed import first_only, from_first
from nmt.core.storage.files import write_json
from nmt.core.storage.run_folder import MODEL, RunFolder, checkpoint_path, read_json
from nmt.model.seq2seq import Seq2Seq
from nmt.model.weights import load_model_tensors, model_tensors, read_tensors
from nmt.training.checkpoints.checkpoint import save_checkpoint
from nmt.training.checkpoints.ranking import Verdict, compared, kept, ranked
from nmt.training.checkpoints.run_state import Kept, RunState
from nmt.training.records.metrics_log import MetricsLog
from nmt.training.training_config import TrainingConfig
from nmt.training.validation import Validator
from nmt.training.validation_result import Validation, score_text, scores_of

AVERAGED = "averaged"
_FAR = 0.5  # share of training between the first and last averaged checkpoint from which it is reported


class BestCheckpoints:
    """Ranks the checkpoints of a run by their validations.

    Args:
        config: gives the metric, and how many are kept and averaged.
        folder: of the run; ``best.json`` and ``average.json`` go into it.
        log: gets a record of the average.
    """

    def __init__(self, config: TrainingConfig, folder: RunFolder, log: MetricsLog) -> None:
        self._config = config
        self._selection = config.validation.select
        self._folder = folder
        self._log = log

    def take(self, state: RunState, validation: Validation) -> Verdict:
        """Rank the checkpoint of this update among the best, and count the validations since the best one."""
        best, verdict = ranked(state.kept, kept(state.step, validation, self._selection), self._selection)
        state.kept = best[: self._config.keep_best]
        state.waited = 0 if verdict.better else state.waited + 1
        return verdict

    @first_only
    def name(self, state: RunState) -> None:
        """Name the best checkpoint in ``best.json``, or the newest one without validation."""
        best = state.kept[0] if state.kept else None
        step = best.step if best is not None else state.step
        self._write(checkpoint_path(self._folder.checkpoints, step).name, best)

    def average(self, model: Seq2Seq, validate: Validator, state: RunState) -> None:
        """Validate the average of the best checkpoints, once, and keep it if it is better than the best.

        ``average.json`` records the result. The log record comes last: without it a resumed run averages again. The
        model, which is validated with the average, keeps its weights.
        """
        best = state.kept[: self._config.average]
        if len(best) < 2 or from_first(lambda: self.averaged(state)):
            return
        paths = [checkpoint_path(self._folder.checkpoints, each.step) / MODEL for each in best]
        with waiting(f"averaging {len(paths)} checkpoints"):
            weights = average([*map(read_tensors, paths)])
        last = {name: tensor.clone() for name, tensor in model_tensors(model).items()}
        load_model_tensors(model, weights, "average")
        validation = validate(model)
        load_model_tensors(model, last, "last")
        self._keep(weights, best, validation, state)

    @first_only
    def _keep(self, weights: dict[str, Tensor], best: Sequence[Kept], validation: Validation, state: RunState) -> None:
        mean = kept(state.step, validation, self._selection)
        better = compared(mean, best[0], self._selection).better
        if better:
            averaged = {"average_of": [each.step for each in best], "origin": state.to_mapping()["origin"]}
            save_checkpoint(self._folder.checkpoints / AVERAGED, model=weights, optimiser={}, state=averaged)
            self._write(AVERAGED, mean)
        self._report(best, validation, state, better=better)

    def averaged(self, state: RunState) -> bool:
        """Whether the best checkpoints at the end of this training have been averaged already."""
        return any(each["kind"] == "average" and each["step"] == state.step for each in self._log.records())

    def _write(self, checkpoint: str, best: Kept | None) -> None:
        record: dict[str, Any] = {"checkpoint": checkpoint}
        if best is not None:
            record |= {"step": best.step, "metric": self._selection, "value": abs(best.value)}
        # An unchanged file is not rewritten, so that scores that depend on it stay valid.
        with suppress(CheckpointError):
            if read_json(self._folder.best) == record:
                return
        write_json(self._folder.best, record)

    def _report(self, best: Sequence[Kept], validation: Validation, state: RunState, *, better: bool) -> None:
        steps, selection = [each.step for each in best], self._selection
        made = ", ".join(f"{each.step} ({selection} {score_text(abs(each.value), selection)})" for each in best)
        verdict = "; kept as the best" if better else "; not better than the best checkpoint, so left out"
        logger.info("average of updates %s: %s%s", made, validation, verdict)
        if max(steps) - min(steps) > _FAR * state.step:
            logger.info(
                "the averaged checkpoints are up to %d of %d updates apart, because few were good; more frequent "
                "validations (training.validation_interval) give more similar ones",
                max(steps) - min(steps),
                state.step,
            )
        scores = scores_of(validation)
        found: dict[int, Any] = {each["step"]: each for each in self._log.records() if each["kind"] == "validation"}
        parts = [{"step": step, **{name: found.get(step, {}).get(name) for name in scores}} for step in steps]
        average_file = {"checkpoints": parts, "average": scores, "selection": selection, "kept": better}
        write_json(self._folder.average, average_file)
        self._log.append({"kind": "average", "step": state.step, "average_of": steps, **scores, "best": better})


def average(models: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Average weights by name, summed in float64 so that their order hardly matters.

    Args:
        models: the weights of one or more models, with the same names and shapes, on a CPU.
    """
    return {
        name: (sum(model[name].double() for model in models) / len(models)).to(tensor.dtype)  # type: ignore[union-attr]
        for name, tensor in models[0].items()
    }

"""Averages of checkpoints' weights, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from nmt.core.logging import logger
from nmt.core.storage.files import write_json
from nmt.core.storage.run_folder import MODEL, RunFolder, checkpoint_path
from nmt.model.seq2seq import Seq2Seq
from nmt.model.weights import load_model_tensors, model_tensors, read_tensors
from nmt.training.checkpoints.checkpoint import save_checkpoint
from nmt.training.checkpoints.ranking import compared
from nmt.training.checkpoints.ranking import kept as kept_of
from nmt.training.checkpoints.run_state import Kept, RunState
from nmt.training.records.metrics_log import MetricsLog
from nmt.training.validation import Selection, Validation, score_text, scores_of

AVERAGED = "averaged"
_FAR = 0.5  # share of the training between the first and the last of an average from which on it is told


def average(models: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Average weights name by name, summed in float64 so that their order hardly matters.

    Args:
        models: the weights of at least one model, all with the same names and shapes, on a CPU.
    """
    return {
        name: (sum(model[name].double() for model in models) / len(models)).to(tensor.dtype)  # type: ignore[union-attr]
        for name, tensor in models[0].items()
    }


def was_averaged(log: MetricsLog, step: int) -> bool:
    """Whether the best checkpoints of the end of a training have been averaged already."""
    return any(each["kind"] == "average" and each["step"] == step for each in log.records())


def average_best(
    model: Seq2Seq,
    validate: Callable[[Seq2Seq], Validation],
    state: RunState,
    *,
    count: int,
    selection: Selection,
    folder: RunFolder,
    log: MetricsLog,
    name_best: Callable[[str, Kept], None],
) -> None:
    """Validate the average of the best checkpoints, keep it if it is better than the best, and write down which it was.

    The record in the log comes last: without it the average is made again when the run is resumed.

    Args:
        model: left with the weights that it has.
        validate: scores a model.
        state: of the finished training, which says what the best checkpoints are.
        count: how many are averaged; fewer where there are fewer.
        selection: by what they are compared.
        folder: of the run; ``average.json`` goes into it.
        log: gets a record.
        name_best: called with the checkpoint of the average and its scores, if it is the best now.
    """
    best = state.kept[:count]
    if len(best) < 2 or was_averaged(log, state.step):
        return
    weights = average([read_tensors(checkpoint_path(folder.checkpoints, each.step) / MODEL) for each in best])
    last = {name: tensor.clone() for name, tensor in model_tensors(model).items()}
    load_model_tensors(model, weights, "average")
    validation = validate(model)
    load_model_tensors(model, last, "last")
    mean = kept_of(state.step, validation, selection)
    better = compared(mean, best[0], selection).better
    if better:
        averaged = {"average_of": [each.step for each in best], "origin": state.to_mapping()["origin"]}
        save_checkpoint(folder.checkpoints / AVERAGED, model=weights, optimiser={}, state=averaged)
        name_best(AVERAGED, mean)
    _report(best, validation, state, better=better, selection=selection, folder=folder, log=log)


def _report(
    best: Sequence[Kept],
    validation: Validation,
    state: RunState,
    *,
    better: bool,
    selection: Selection,
    folder: RunFolder,
    log: MetricsLog,
) -> None:
    steps = [each.step for each in best]
    made = ", ".join(f"{each.step} ({selection} {score_text(abs(each.value), selection)})" for each in best)
    logger.info(
        "average of updates %s: %s%s",
        made,
        validation,
        "; kept as the best" if better else "; not better than the best checkpoint, so left out",
    )
    if max(steps) - min(steps) > _FAR * state.step:
        logger.info(
            "the checkpoints of the average are %d updates of %d apart: few were good; validations at shorter "
            "intervals (training.validation_interval) give more that are alike",
            max(steps) - min(steps),
            state.step,
        )
    scores = scores_of(validation)
    found: dict[int, Any] = {each["step"]: each for each in log.records() if each["kind"] == "validation"}
    parts = [{"step": step, **{name: found.get(step, {}).get(name) for name in scores}} for step in steps]
    write_json(folder.average, {"checkpoints": parts, "average": scores, "selection": selection, "kept": better})
    log.append({"kind": "average", "step": state.step, "average_of": steps, **scores, "best": better})

"""The training loop: updates, validations, checkpoints, for any kind of model."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from nmt.core.errors import CheckpointError, LostProcessError
from nmt.core.logging import Progress, logger
from nmt.core.machine.allocator import give_back_freed_memory
from nmt.core.machine.device import autocast
from nmt.core.machine.distributed import first_only, from_first, gathered, take_from_first
from nmt.core.storage.run_folder import RunFolder, checkpoint_path
from nmt.data.batch import Batch
from nmt.data.loader import Loader, Position
from nmt.data.streaming import StreamLoader
from nmt.model.seq2seq import Seq2Seq
from nmt.model.weights import model_tensors
from nmt.text.vocabularies import Vocabularies
from nmt.training.checkpoints.best import BestCheckpoints
from nmt.training.checkpoints.checkpoint import (
    newest_whole,
    prune_checkpoints,
    random_tensors,
    restore_random,
    save_checkpoint,
    set_newer_aside,
)
from nmt.training.checkpoints.run_state import Origin, RunState, Window
from nmt.training.checkpoints.training_tensors import differences, restore, training_tensors
from nmt.training.divergence import diverged
from nmt.training.interruption import Interrupted, Interruption
from nmt.training.objective.training_module import BatchLoss, TrainingModule
from nmt.training.optimisation.accumulation import Accumulation, grouped
from nmt.training.optimisation.length import Length, all_made, updates_by_first_epoch
from nmt.training.optimisation.moving_average import MovingAverage
from nmt.training.records.events import Events
from nmt.training.records.journal import Journal
from nmt.training.records.metrics_log import MetricsLog
from nmt.training.training_config import TrainingConfig
from nmt.training.validation import Validator
from nmt.training.validation_result import Validation

# On a CPU, gaps between tensors in use grow slowly; closing them takes half a second.
_GIVE_BACK_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Outcome of training.

    Args:
        state: the last run state.
        interrupted: the signal that ended it early, if any; the run can be resumed.
        trained: whether any training was left to do.
    """

    state: RunState
    interrupted: signal.Signals | None
    trained: bool = True


class Trainer:
    """Trains a model in a run folder.

    Of several processes, each has a trainer, and all decide alike, by the same state. Only the first writes.

    Args:
        config: the training section of the recipe.
        module: the model with its objective, on its device.
        loader: batches of the training corpus.
        validator: the validator; ``None`` trains without validation.
        vocabularies: of both sides.
        folder: the run folder.
        device: device to train on.
        origin: model and data that the weights and the data position belong to.
    """

    def __init__(
        self,
        config: TrainingConfig,
        module: TrainingModule,
        loader: Loader | StreamLoader,
        validator: Validator | None,
        *,
        vocabularies: Vocabularies,
        folder: RunFolder,
        device: torch.device,
        origin: Origin,
    ) -> None:
        self.config = config
        self.module = module
        self.model: Seq2Seq = module.model
        self.loader = loader
        self.validator = validator
        self.vocabularies = vocabularies
        self.folder = folder
        self.device = device
        self.optimiser = config.optimiser.build(module.parts)
        self.log = MetricsLog(folder.metrics, Events(folder.events) if config.tensorboard else None)
        self._journal = Journal(self.log, folder, config.validation.select)
        self._best = BestCheckpoints(config, folder, self.log)
        self.origin = origin
        self.state = RunState(origin=origin)
        self._ema = MovingAverage(self.model, config.ema) if config.ema else None
        self._accumulate = Accumulation(module, self._loss, device=device, terms=[*module.terms])
        self._saved = 0  # update of the newest checkpoint
        self._gave_back = time.monotonic()
        self._epoch_before = 0  # epoch in which the newest update began

    @cached_property
    def length(self) -> Length:
        """Length of the whole training, the same for a new and a resumed run."""
        return Length(self.config, self.loader, self.state)

    def resume(self) -> None:
        """Restore the newest intact checkpoint; a run without checkpoints begins from the start.

        Raises:
            CheckpointError: all checkpoints are damaged or lack the optimiser's state, or they belong to another
                model, vocabulary or text.
        """
        checkpoint = newest_whole(self.folder)
        if checkpoint is None:
            self.log.cut_after(0)
            logger.info("there is no checkpoint yet: the run begins from the start")
            return
        changes = differences(checkpoint, self.module, self.origin)
        if changes:
            raise CheckpointError(
                f"{self.folder.path}: cannot be resumed: {'; '.join(changes)}; restore what it was, or start a new "
                f"run from these weights with training.init_from={self.folder.path}"
            )
        restore(checkpoint, self.module, self.optimiser, self.device)
        if self._ema is not None:
            self._ema.load(checkpoint.model)
        set_newer_aside(self.folder, checkpoint.state.step)  # only now: nothing is refused after this
        self.state = checkpoint.state
        self.state.origin = self.origin
        self._saved = self.state.step
        self._epoch_before = self.state.position.epoch
        # The current recipe decides: with more updates or more patience a finished run continues.
        counted = updates_by_first_epoch(self.config, self.loader)
        if counted is None or self.state.finished != all_made(counted):
            self.state.finished = self._reason_to_stop()
        self.log.cut_after(self.state.step)
        if not self._best.averaged(self.state):
            self._best.name(self.state)
        logger.info("resumed at %s", self.length.place(self.state))

    def run(self) -> TrainingResult:
        """Train to the end, or until a stop signal.

        Raises:
            TrainingError: loss or gradients remain non-finite.
            NmtError: a checkpoint cannot be written.
        """
        if self.state.finished:
            logger.info("this run has finished already (%s); nothing is trained", self.state.finished)
            self._conclude(again=False)
            return TrainingResult(self.state, interrupted=None, trained=False)
        if self.config.max_minutes is not None:
            self._journal.begins(
                self.length.place(self.state), by_time=self.config.schedule.type in ("linear", "cosine")
            )
        self.module.train()
        take_from_first([*self.module.parameters(), *self.module.buffers()])
        if self._ema is not None and not self.state.step:
            self._ema.begin()
        with (
            Interruption() as interruption,
            Progress("training", unit="updates", total=self.length.limit, start=self.state.step) as progress,
        ):
            self._loop(interruption, progress)
        if self.config.max_minutes is not None:
            self._journal.ends(self.length.place(self.state))
            if self.length.time_is_over(self.state) and self.state.step < self.config.schedule.warmup_steps:
                warmup = self.config.schedule.warmup_steps
                self._journal.warn(
                    f"the time was over before the warm-up of {warmup} updates: lower training.schedule.warmup_steps"
                )
        if interruption.requested:
            return TrainingResult(self.state, interrupted=interruption.requested)
        self._conclude(again=True)
        return TrainingResult(self.state, interrupted=None)

    def _conclude(self, *, again: bool) -> None:
        if self.validator is not None:
            self._best.average(self.model, self.validator, self.state)
        self._journal.draw_curves(again=again)

    def _loop(self, interruption: Interruption, progress: Progress) -> None:
        updates = grouped(self.loader.batches(self.state.position), self.config)
        while self.state.finished is None and interruption.requested is None:
            if not self.state.validation_due:
                self._advance(updates, progress)
            interruption.agree()
            validation = self._validate(interruption) if self.state.validation_due else None
            self.state.finished = self._reason_to_stop()
            worth_saving = self._worth_saving(validated=validation is not None)
            # While updates are skipped the weights may be broken, so a requested checkpoint waits.
            worth_saving |= interruption.saving and not self.state.skipped_in_a_row
            if worth_saving:
                self._save()
                interruption.saving = False
            if validation is not None:  # after what matters more
                self._journal.draw_sample(validation, self.vocabularies, step=self.state.step)
            overdue = time.monotonic() - self._gave_back > _GIVE_BACK_SECONDS
            if validation is not None or worth_saving or overdue:
                # Batches of different shapes fragment memory, and its use would keep growing.
                give_back_freed_memory()
                self._gave_back = time.monotonic()
        # Wherever the signal came, no finished work is lost.
        if self._saved != self.state.step:
            self._save()

    def _advance(self, updates: Iterator[tuple[Sequence[Batch], Position]], progress: Progress) -> None:
        began = time.perf_counter()
        batches, position = next(updates)
        self.state.window.waiting += time.perf_counter() - began
        self._update(batches)
        self._epoch_before, self.state.position = self.state.position.epoch, position
        self.state.step += 1
        elapsed = time.perf_counter() - began
        self.state.window.seconds += elapsed
        self._spend(elapsed)
        last = self.length.reached(self.state) is not None
        if last or self.state.step % self.config.log_interval == 0:
            rate, epoch = self.optimiser.param_groups[0]["lr"], self._passes()  # as used: it may depend on the time
            progress.advance(0, self._journal.updates(self.state, learning_rate=rate, epoch=epoch))
            self.state.window = Window()
        progress.advance()
        self.state.validation_due = self.validator is not None and (last or self._due(self.config.validation_interval))

    def _spend(self, seconds: float) -> None:
        """Count time; of several processes that of the first, where length and learning rate depend on it."""
        self.state.seconds += seconds
        if self.config.max_minutes is not None:
            self.state.seconds = from_first(lambda: self.state.seconds)

    def _worth_saving(self, *, validated: bool) -> bool:
        if self.state.finished is not None or (validated and any(k.step == self.state.step for k in self.state.kept)):
            return True
        # While updates are skipped the weights may be broken; the earlier checkpoint is kept.
        return not self.state.skipped_in_a_row and (validated or self._due(self.config.checkpoint_interval))

    def _reason_to_stop(self) -> str | None:
        if self.state.validation_due:
            return None
        if (reached := self.length.reached(self.state)) is not None:
            return reached
        patience = self.config.early_stopping
        if patience is not None and self.state.waited >= patience:
            return f"no better {self.config.validation.select} in {patience} validations"
        return None

    def _due(self, interval: int | None) -> bool:
        if interval is None:
            return False
        if self.config.interval_unit == "steps":
            return self.state.step % interval == 0
        # The update that completes the last of the passes; its other batches belong to the next one.
        return self.state.position.epoch // interval > self._epoch_before // interval

    def _learning_rate(self, step: int) -> float:
        share = self.config.schedule.share(step, self.length.updates(self.state))
        if self.config.schedule.type == "plateau":  # a resumed run may have another schedule
            share *= self.state.plateau.share
        return self.config.optimiser.learning_rate * share

    def _loss(self, batch: Batch) -> BatchLoss:
        with autocast(self.device, self.config.precision):
            loss: BatchLoss = self.module(batch, self.vocabularies.target.bos_id, self.state.step)
        return loss

    def _update(self, batches: Sequence[Batch]) -> None:
        losses = self._accumulate(batches)
        norm = nn.utils.clip_grad_norm_(self.module.parameters(), self.config.clip_norm or math.inf).item()
        if math.isfinite(norm) and math.isfinite(losses.loss):
            for group in self.optimiser.param_groups:
                group["lr"] = self._learning_rate(self.state.step + 1)
            self.optimiser.step()
            if self._ema is not None:
                self._ema.follow(self.state.step + 1 - self.state.skipped)
            self.state.skipped_in_a_row = 0
            window = self.state.window
            window.loss += losses.loss
            window.nll += losses.nll
            window.terms = {name: window.terms.get(name, 0.0) + value for name, value in losses.terms.items()}
            window.tokens += losses.tokens
            window.gradient_norm += norm
            window.updates += 1
            self.state.tokens += losses.tokens
        else:
            self._skip(losses.loss, norm)
        self.optimiser.zero_grad(set_to_none=True)

    def _skip(self, loss: float, norm: float) -> None:
        self.state.skipped += 1
        self.state.skipped_in_a_row += 1
        self._journal.warn(f"update {self.state.step + 1} skipped: loss {loss}, gradient norm {norm}")
        if self.state.skipped_in_a_row >= self.config.max_skipped:
            raise diverged(self.config, self.folder)

    def _passes(self) -> float:
        return round(self.loader.passes(self.state.position), 4)

    def _validate(self, interruption: Interruption) -> Validation | None:
        """Validate, unless a signal interrupts it: then validation stays due and the state is unchanged."""
        if self.validator is None:
            return None
        began = time.perf_counter()
        give_back_freed_memory()  # its batches have other shapes than those of training, and are larger
        random = {name: tensor.clone() for name, tensor in random_tensors(self.device).items()}
        try:
            # A signal leaves the validation, and not the copying of weights.
            with nullcontext() if self._ema is None else self._ema.in_place(), interruption.leaving():
                validation = self.validator(self.model)
        except Exception as error:
            restore_random(random, self.device, "memory")
            interruption.agree()  # a signal to any process makes all leave
            if isinstance(error, Interrupted | LostProcessError) and interruption.requested is not None:
                return None
            # The updates so far are good, whatever failed here: a resumed run begins with this validation.
            if self._saved != self.state.step and not self.state.skipped_in_a_row:
                self._save()
                self._journal.warn(f"the validation after update {self.state.step} failed; its checkpoint is kept")
            raise
        seconds = time.perf_counter() - began
        self._spend(seconds)
        verdict = self._best.take(self.state, validation)
        self.state.validation_due = False
        self._journal.validation(self.state, validation, verdict, epoch=self._passes(), seconds=seconds)
        if self.state.plateau.after_validation(self.config.schedule, better=verdict.better):
            logger.info("learning rate cut to %.2e", self._learning_rate(self.state.step + 1))
        return validation

    def _save(self) -> None:
        self.state.position = self.loader.shared(self.state.position)
        self._write(gathered(lambda: random_tensors(self.device)))
        self._saved = self.state.step

    @first_only
    def _write(self, random: Sequence[dict[str, Tensor]]) -> None:
        self.log.sync()
        save_checkpoint(
            checkpoint_path(self.folder.checkpoints, self.state.step),
            model=model_tensors(self.model) if self._ema is None else self._ema.tensors,
            optimiser=training_tensors(self.module, self.optimiser, random, averaged=self._ema is not None),
            state=self.state.to_mapping(),
        )
        self._best.name(self.state)
        prune_checkpoints(self.folder.checkpoints, resumable=self.config.keep_resumable)

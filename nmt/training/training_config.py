"""The ``training`` section of a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import nmt.training.objective  # noqa: F401  (fills the registries of objectives and terms)
from nmt.core.config.ranges import NonNegative, Positive, PositiveInt, Rate
from nmt.core.machine.device import Precision
from nmt.core.storage.files import home_expanded
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.training.objective.base import ObjectiveConfig, TermConfig
from nmt.training.objective.likelihood import LikelihoodConfig
from nmt.training.objective.reinforce import ReinforceConfig
from nmt.training.optimisation.optimiser import OptimiserConfig
from nmt.training.optimisation.schedule import ScheduleConfig
from nmt.training.pretrained import PretrainedConfig
from nmt.training.validation import ValidationConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """The ``training`` section of a recipe.

    Args:
        max_steps: updates of the whole training; needed unless ``max_epochs`` or ``max_minutes`` is given.
        max_epochs: passes over the corpus; every pair is trained on that often.
        max_minutes: time for updates and the validations between them, earlier parts of a resumed run included; the
            learning rate falls with the time. The smallest of the three limits applies.
        interval_unit: unit of the next two intervals.
        validation_interval: updates (or epochs) between validations; the last update is always validated.
        checkpoint_interval: updates (or epochs) between checkpoints; every validation saves one too. ``null``: none in
            between.
        log_interval: updates between lines of ``metrics.jsonl``.
        optimiser: the optimiser.
        schedule: learning-rate schedule.
        objective: training objective; ``null`` chooses by the attention: ``reinforce`` for hard attention, else
            ``likelihood``.
        terms: loss terms added to the objective, each kind once.
        label_smoothing: probability mass of the target distribution spread over the vocabulary.
        clip_norm: maximum gradient norm; 0 disables clipping.
        max_skipped: most consecutive updates skipped for non-finite loss or gradients before training stops.
        accumulation: batches per update, of each process; the last update of ``max_epochs`` has the remaining ones.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        precision: ``fp32``; ``bf16`` products; ``auto``: bf16 with hardware support.
        deterministic: use only bitwise reproducible kernels; slower on a GPU, always so on a CPU.
        threads: CPU threads of each process; ``null`` is torch's default.
        fast_paths: compute recurrences by specialised functions where available, instead of step by step, and pack
            the weights for search in validation.
        validation: how the model is validated.
        early_stopping: stop after that many validations without a better score; ``null`` disables it.
        keep_best: number of best checkpoints kept.
        keep_resumable: number of newest checkpoints kept with the optimiser's state; if the last one is damaged, the
            run resumes from the one before.
        average: average that many best checkpoints at the end, and keep the result if it validates better; 0 disables
            it.
        ema: decay of an exponential moving average of the weights, such as 0.999, by which the model is validated and
            which checkpoints hold; 0 disables it.
        tune_search: at the end try other beams and length penalties than those of ``search`` on the validation set, and
            translate by the best ones.
        tensorboard: write event files for TensorBoard too.
        init_from: run folder, model file or model on the hub whose best weights are the initial weights (fine-tuning).
        pretrained_embeddings: files of word vectors for initialising embeddings.
    """

    max_steps: PositiveInt | None = None
    max_epochs: PositiveInt | None = None
    max_minutes: Positive | None = None
    interval_unit: Literal["steps", "epochs"] = "steps"
    validation_interval: PositiveInt = 1000
    checkpoint_interval: PositiveInt | None = None
    log_interval: PositiveInt = 50
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    objective: ObjectiveConfig | None = None
    terms: tuple[TermConfig, ...] = ()
    label_smoothing: Rate = 0.0
    clip_norm: NonNegative = 1.0
    max_skipped: PositiveInt = 20
    accumulation: PositiveInt = 1
    device: str = "auto"
    precision: Precision = "auto"
    deterministic: bool = False
    threads: PositiveInt | None = None
    fast_paths: bool = True
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    early_stopping: PositiveInt | None = None
    keep_best: PositiveInt = 1
    keep_resumable: PositiveInt = 2
    average: int = 0
    ema: Rate = 0.0
    tune_search: bool = False
    tensorboard: bool = False
    init_from: str | None = None
    pretrained_embeddings: PretrainedConfig | None = None

    def __post_init__(self) -> None:
        """Expand ``~`` to the home folder."""
        if self.init_from is not None:
            object.__setattr__(self, "init_from", str(home_expanded(self.init_from)))

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield training without an end, and values that contradict each other."""
        if self.max_steps is None and self.max_epochs is None and self.max_minutes is None:
            yield "max_steps", "must be given, or max_epochs or max_minutes; otherwise training never ends"
        if self.init_from is not None and self.pretrained_embeddings is not None:
            yield "pretrained_embeddings", "must be left out where there is init_from, whose embeddings are trained"
        names = [TermConfig.registry.called(type(term)) for term in self.terms]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield f"terms.{index}", f"must be of another type than those before it, but is {name} again"
        if self.average and not 2 <= self.average <= self.keep_best:
            yield "average", f"must be 0, or from 2 to keep_best ({self.keep_best}), but is {self.average}"

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield keys that only matter on a GPU."""
        if self.device == "cpu":
            yield "deterministic", "has no effect on a CPU, whose kernels always give the same bits"

    @property
    def needs_alignments(self) -> bool:
        """Whether a term needs the alignments of the training corpus."""
        return any(term.needs_alignments for term in self.terms)

    def objective_for(self, model: Seq2SeqConfig) -> ObjectiveConfig:
        """The configured objective, or the one that the model's attention needs."""
        if self.objective is not None:
            return self.objective
        return ReinforceConfig() if model.attention.samples else LikelihoodConfig()

    def unfit(self, model: Seq2SeqConfig) -> Iterator[tuple[str, str]]:
        """Yield path and message where the objective or a term is not defined for a model."""
        problem = self.objective_for(model).check(model)
        if problem:
            yield "objective", problem
        for index, term in enumerate(self.terms):
            problem = term.check(model)
            if problem:
                yield f"terms.{index}", problem

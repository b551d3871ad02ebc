"""Learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from nmt.core.config.ranges import NonNegativeInt, Range, Share


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """Learning-rate schedule.

    Args:
        type: after warm-up ``constant``; ``linear`` or ``cosine`` down to ``final`` at the end of training;
            ``inverse-sqrt`` falls as 1 / sqrt(step) (Vaswani et al., 2017); ``plateau`` multiplies by ``factor`` after
            ``patience`` validations without a better score.
        warmup_steps: updates over which the rate rises linearly from 0 to its peak.
        final: share of the peak at the last update of ``linear`` and ``cosine``; at 0 that update changes nothing.
        factor: of ``plateau``.
        patience: of ``plateau``, in validations.
        minimum: smallest share of the peak for ``plateau``.
    """

    type: Literal["constant", "linear", "cosine", "inverse-sqrt", "plateau"] = "constant"
    warmup_steps: NonNegativeInt = 0
    final: Share = 0.0
    factor: Annotated[float, Range("above 0 and below 1", lambda factor: 0 < factor < 1)] = 0.5
    patience: NonNegativeInt = 2
    minimum: Share = 0.01

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield a missing warm-up."""
        if self.type == "inverse-sqrt" and self.warmup_steps == 0:
            yield "warmup_steps", "must be above 0 for inverse-sqrt, which falls from the end of the warm-up"

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield keys of other schedules."""
        kinds = {
            "final": ("linear", "cosine"),
            "factor": ("plateau",),
            "patience": ("plateau",),
            "minimum": ("plateau",),
        }
        for name, types in kinds.items():
            if self.type not in types:
                yield name, f"has no effect with type {self.type}, only with {' and '.join(types)}"

    def share(self, step: int, total_steps: float) -> float:
        """Return the share of the peak rate at an update, counted from 1, of ``total_steps``, which may be infinite."""
        if step < self.warmup_steps:
            return step / self.warmup_steps
        if self.type == "inverse-sqrt":
            return math.sqrt(self.warmup_steps / step)
        if self.type in {"constant", "plateau"}:
            return 1.0
        progress = min(1.0, (step - self.warmup_steps) / max(1, total_steps - self.warmup_steps))
        fall = 1.0 - progress if self.type == "linear" else 0.5 * (1.0 + math.cos(math.pi * progress))
        return self.final + (1.0 - self.final) * fall


@dataclass(slots=True)
class Plateau:
    """State of a plateau schedule; part of the run state.

    Args:
        share: current share of the peak rate.
        waited: validations since the last better score.
    """

    share: float = 1.0
    waited: int = 0

    def after_validation(self, config: ScheduleConfig, *, better: bool) -> bool:
        """Record a validation; returns whether the rate was reduced."""
        if config.type != "plateau":
            return False
        self.waited = 0 if better else self.waited + 1
        if self.waited <= config.patience or self.share <= config.minimum:
            return False
        self.share = max(config.minimum, self.share * config.factor)
        self.waited = 0
        return True

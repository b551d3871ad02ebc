"""All that a run must remember besides weights and optimiser tensors, as one object that JSON can keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

from nmt.core.errors import CheckpointError
from nmt.data.loader import Position
from nmt.training.schedule import Plateau

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint kept for its validation score.

    Args:
        step: its update.
        value: its score on the selection metric.
    """

    step: int
    value: float


@dataclass(slots=True)
class Window:
    """Sums since the last line of ``metrics.jsonl``; part of the run state, so that resuming changes no line.

    Args:
        loss: smoothed loss, in nats.
        nll: negative log-likelihood, in nats.
        tokens: target tokens.
        gradient_norm: norms before clipping.
        updates: updates that were made (not skipped).
        seconds: time they took.
        terms: value of each term beside the objective, before its weight, by its name.
    """

    loss: float = 0.0
    nll: float = 0.0
    tokens: int = 0
    gradient_norm: float = 0.0
    updates: int = 0
    seconds: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class RunState:
    """Where a run stands.

    Args:
        step: updates made.
        position: where in the data the next batch begins.
        tokens: real target tokens trained on so far.
        seconds: time spent training, validation included.
        skipped: updates skipped for non-finite gradients, in all.
        skipped_in_a_row: and since the last good one.
        kept: best checkpoints, best first.
        waited: validations since the last better score, for early stopping.
        plateau: what the plateau schedule remembers.
        window: sums since the last line of the log.
        finished: why training ended, or ``None`` while it goes on.
    """

    step: int = 0
    position: Position = field(default_factory=lambda: Position(epoch=0, examples=0))
    tokens: int = 0
    seconds: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0
    kept: tuple[Kept, ...] = ()
    waited: int = 0
    plateau: Plateau = field(default_factory=Plateau)
    window: Window = field(default_factory=Window)
    finished: str | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"format": FORMAT, **dataclasses.asdict(self)}

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any], source: str) -> RunState:
        """Build from ``to_mapping``.

        Raises:
            CheckpointError: fields are missing, unknown, of another type or of another format.
        """
        try:
            values = dict(mapping)
            if values.pop("format") != FORMAT:
                raise CheckpointError(f"{source}: format {mapping['format']} is not the one of this version, {FORMAT}")
            _require(values, ("step", "position", "kept"))
            if isinstance(values.get("window"), dict):
                values["window"] = {"terms": {}, **values["window"]}  # a run from before there were terms
            parts = {"position": Position, "plateau": Plateau, "window": Window}
            values |= {name: _build_whole(part, values[name]) for name, part in parts.items() if name in values}
            if not isinstance(values.get("finished"), str | None):
                raise TypeError(f"finished must be text, but is {values['finished']!r}")
            values["kept"] = tuple(_build_whole(Kept, each) for each in values["kept"])
            return _build(cls, values)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{source}: is not the state of a run ({error})") from error


T = TypeVar("T")


def _require(values: Any, names: Iterable[str]) -> None:
    missing = [name for name in names if not isinstance(values, dict) or name not in values]
    if missing:
        raise TypeError(f"{', '.join(missing)} missing in {values!r}")


def _build_whole(kind: type[T], values: Any) -> T:
    """Like ``_build``, and a field may not be left to its default."""
    _require(values, get_type_hints(kind))
    return _build(kind, values)


def _build(kind: type[T], values: dict[str, Any]) -> T:
    """Build a dataclass of numbers from a mapping.

    Raises:
        TypeError: fields are missing, unknown or of another type.
    """
    hints = get_type_hints(kind)
    for name, value in values.items():
        wanted = hints.get(name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if (wanted is int and not (whole and value >= 0)) or (
            wanted is float and not (whole or isinstance(value, float))
        ):
            raise TypeError(f"{name} must be a number, but is {value!r}")
    return kind(**values)

"""All that a run must remember besides weights and optimiser tensors, as one object that JSON can keep."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

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
    finished: str | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"format": FORMAT, **dataclasses.asdict(self)}

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any], source: str) -> RunState:
        """Build from ``to_mapping``.

        Raises:
            CheckpointError: fields are missing, unknown or of another format.
        """
        try:
            values = dict(mapping)
            if values.pop("format") != FORMAT:
                raise CheckpointError(f"{source}: format {mapping['format']} is not the one of this version, {FORMAT}")
            values["position"] = Position(**values["position"])
            values["kept"] = tuple(Kept(**each) for each in values["kept"])
            values["plateau"] = Plateau(**values["plateau"])
            return cls(**values)
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{source}: is not the state of a run ({error})") from error

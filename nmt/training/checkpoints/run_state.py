"""State of a run besides weights and optimiser tensors, as one object that can be stored as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

from nmt.core.errors import CheckpointError
from nmt.data.loader import Position
from nmt.training.optimisation.schedule import Plateau

FORMAT = 3
# Version 1 had neither `origin` nor `validation_due`, version 2 no scores in `kept` but the first.
READABLE = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Origin:
    """Model and data that weights and data position belong to; stored with them to prevent mixing.

    Args:
        pairs: training pairs.
        corpus: fingerprint of the encoded training corpus.
        validation: that of the encoded validation corpus, or ``None`` without one.
        vocabulary: fingerprint of the vocabularies.
        sections: plain values of the recipe's sections ``model``, ``normalisation`` and ``target_normalisation``.
    """

    pairs: int
    corpus: str
    validation: str | None
    vocabulary: str
    sections: dict[str, Any]

    def changes(self, now: Origin) -> list[str]:
        """Describe the differences; fields added by a newer version are ignored."""
        found = []
        if self.vocabulary != now.vocabulary:
            found.append("the vocabulary is not the one the run began with")
        elif self.corpus != now.corpus:
            counts = f" ({self.pairs} pairs then, {now.pairs} now)" if self.pairs != now.pairs else ""
            found.append(f"the training text is not the one the run began with{counts}")
        compared = self.validation is not None and now.validation is not None and self.vocabulary == now.vocabulary
        if compared and self.validation != now.validation:
            found.append("the validation text is not the one whose scores the run compares")
        found += [
            f"the section {name!r} of the recipe is not the one the run began with"
            for name, before in self.sections.items()
            if _differ(before, now.sections.get(name))
        ]
        return found


def _differ(before: Any, now: Any) -> bool:
    if isinstance(before, dict) and isinstance(now, dict):
        return any(_differ(value, now.get(key)) for key, value in before.items())
    return bool(before != now)


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint kept for its validation score.

    Args:
        step: its update.
        value: its score on the selection metric, larger is better.
        then: its scores on the tie-breaking metrics; empty in older states.
    """

    step: int
    value: float
    then: tuple[float, ...] = ()


@dataclass(slots=True)
class Window:
    """Sums since the last line of ``metrics.jsonl``; part of the run state, so resumption changes no line.

    Args:
        loss: smoothed loss, in nats.
        nll: negative log-likelihood, in nats.
        tokens: target tokens.
        gradient_norm: norms before clipping.
        updates: number of updates made (not skipped).
        seconds: their duration, including waiting for batches.
        waiting: the part of it spent waiting for batches.
        terms: unweighted value of each loss term, by name.
    """

    loss: float = 0.0
    nll: float = 0.0
    tokens: int = 0
    gradient_norm: float = 0.0
    updates: int = 0
    seconds: float = 0.0
    waiting: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class RunState:
    """Progress of a run.

    Args:
        step: updates made.
        position: position in the data of the next batch.
        tokens: target tokens trained on so far, without padding.
        seconds: training time, including validation.
        skipped: total updates skipped for non-finite gradients.
        skipped_in_a_row: those since the last good update.
        kept: best checkpoints, best first.
        waited: validations since the last better score, for early stopping.
        plateau: state of the plateau schedule.
        window: sums since the last line of the log.
        validation_due: whether this update is yet to be validated; an interruption does not wait for it.
        finished: why training ended, or ``None`` while it goes on.
        origin: model and data of the run; ``None`` in a state of format 1.
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
    validation_due: bool = False
    finished: str | None = None
    origin: Origin | None = None

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
            if values.pop("format") not in READABLE:
                raise CheckpointError(
                    f"{source}: format {mapping['format']} is not one that this version reads ({READABLE[0]} to "
                    f"{FORMAT}); it may be of a newer version"
                )
            _require(values, ("step", "position", "kept"))
            if isinstance(values.get("window"), dict):
                # Older states have neither terms nor waiting time.
                values["window"] = {"terms": {}, "waiting": 0.0, **values["window"]}
            if isinstance(values["position"], dict):  # older states have no streams
                values["position"] = {**values["position"], "streams": tuple(values["position"].get("streams", ()))}
            parts = {"position": Position, "plateau": Plateau, "window": Window}
            values |= {name: _build_whole(part, values[name]) for name, part in parts.items() if name in values}
            if not isinstance(values.get("finished"), str | None):
                raise TypeError(f"finished must be text, but is {values['finished']!r}")
            if not isinstance(values.get("validation_due", False), bool):
                raise TypeError(f"validation_due must be true or false, but is {values['validation_due']!r}")
            if values.get("origin") is not None:
                values["origin"] = _build_origin(values["origin"])
            values["kept"] = tuple(_build_kept(each) for each in values["kept"])
            return _build(cls, values)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{source}: is not the state of a run ({error})") from error


def _build_origin(values: Any) -> Origin:
    _require(values, get_type_hints(Origin))
    origin = Origin(**values)
    texts = (origin.corpus, origin.vocabulary, origin.validation or "")
    if not (isinstance(origin.pairs, int) and isinstance(origin.sections, dict) and all(map(_is_text, texts))):
        raise TypeError(f"origin must hold a number, fingerprints and sections, but is {values!r}")
    return origin


def _build_kept(values: Any) -> Kept:
    _require(values, ("step", "value"))
    then = values.get("then", ())
    if not isinstance(then, list | tuple) or not all(isinstance(each, int | float) for each in then):
        raise TypeError(f"then must be a list of numbers, but is {then!r}")
    return _build(Kept, {**values, "then": tuple(then)})


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


T = TypeVar("T")


def _require(values: Any, names: Iterable[str]) -> None:
    missing = [name for name in names if not isinstance(values, dict) or name not in values]
    if missing:
        raise TypeError(f"{', '.join(missing)} missing in {values!r}")


def _build_whole(kind: type[T], values: Any) -> T:
    """Like ``_build``, but every field must be given."""
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

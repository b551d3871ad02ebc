"""What a recipe takes over from the model that its training begins from (``training.init_from``).

The vocabulary is that model's, with more user symbols if the recipe has any. What a recipe leaves out of ``model``,
``data.subword`` and the normalisations is taken from there; what it says and cannot be is refused by name; what it says
and changes the meaning of the weights is told. So the stored recipe says what was trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nmt.core import config
from nmt.core.errors import CheckpointError, DataError, Problem
from nmt.core.seeding import derive_seed
from nmt.core.storage.files import home_expanded, path_below
from nmt.core.storage.run_folder import RunFolder
from nmt.data.pipeline import DataConfig
from nmt.model.initialisation import Undrawn
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig
from nmt.model.weights import check_shapes, with_new_rows
from nmt.text.growing import section_of, with_symbols
from nmt.text.subword import SIDES, SubwordConfig, SubwordModel
from nmt.text.vocabularies import Vocabularies
from nmt.translation.model_files.bundle import open_model
from nmt.translation.model_files.stored import StoredModel, read_recipe

# Of how a vocabulary is trained; the rest of the section is of how it is used.
_TRAINED = ("algorithm", "size", "joint", "character_coverage", "byte_fallback")
# Of a model what may be another one without a word: neither is in the weights.
_FREE = ("dropout", "initialisation")


@dataclass(frozen=True, slots=True)
class Beginning:
    """A trained model that a training begins from.

    Args:
        stored: the model.
    """

    stored: StoredModel

    @classmethod
    def of(cls, path: str) -> Beginning:
        """Look at a run folder or a model file.

        Raises:
            CheckpointError: there is no model, or it is damaged.
            DataError: its vocabulary is.
        """
        return cls(open_model(home_expanded(path)))

    @property
    def subword(self) -> SubwordConfig:
        """The section of its vocabularies, by what they are and not by what its recipe says."""
        return section_of(self.stored.vocabularies, self._written_subword)

    @property
    def _written_subword(self) -> SubwordConfig:
        return replace(self.stored.section(SubwordConfig, "data.subword"), source_model=None, target_model=None)

    def values(self) -> dict[str, Any]:
        """What holds where a recipe says nothing, as plain values."""
        data = self.stored.recipe.get("data") or {}
        kept = {name: data[name] for name in ("normalisation", "target_normalisation") if name in data}
        return {
            "model": config.to_mapping(self.stored.model_config),
            "data": {**kept, "subword": config.to_mapping(self.subword)},
        }

    def vocabularies(self, subword: SubwordConfig) -> Vocabularies:
        """Its vocabularies, with the user symbols of a recipe.

        Raises:
            DataError: a symbol is a special piece.
        """
        return with_symbols(self.stored.vocabularies, subword.user_symbols)

    def settled(self, data: DataConfig) -> DataConfig:
        """Let the section of the vocabulary say what it is."""
        known = section_of(self.vocabularies(data.subword), data.subword)
        return replace(data, subword=replace(known, source_model=None, target_model=None))

    def conflicts(self, data: DataConfig, model: Seq2SeqConfig) -> Iterator[tuple[str, str]]:
        """Yield what a recipe says and cannot be, as path and message."""
        kept = f"as in {self.stored.path}, whose vocabulary is kept; or leave it out"
        mine, written, now = self.subword, self._written_subword, self.settled(data).subword
        for name in _TRAINED:
            value = getattr(data.subword, name)
            if value not in (getattr(each, name) for each in (mine, written, now)):
                yield f"data.subword.{name}", f"must be {_shown(getattr(mine, name))}, {kept}, but is {_shown(value)}"
        for side in SIDES:
            path = getattr(data.subword, f"{side}_model")
            if path is not None and _fingerprint(data, path) != getattr(self.stored.vocabularies, side).fingerprint:
                message = f"must be that of {self.stored.path}, whose vocabulary is kept; leave it out"
                yield f"data.subword.{side}_model", message
        if not self._fits(data, model):
            for path, before, value in self._changes(model):
                yield path, f"must be {before}, as in {self.stored.path}, whose weights are taken, but is {value}"

    def remarks(self, data: DataConfig, model: Seq2SeqConfig) -> Iterator[Problem]:
        """Yield what is another thing than it was to the weights, and goes on all the same."""
        for path, before, value in self._changes(model):
            yield Problem(path, f"is {value}, but {before} in {self.stored.path}: the weights have learnt it otherwise")
        source, target = self.stored.normalisations
        name = "normalisation" if data.target_normalisation is None else "target_normalisation"
        sides = {
            ("normalisation", source, data.normalisation),
            (name, target, data.target_normalisation or data.normalisation),
        }
        for section, before_config, now in sorted(sides, key=lambda side: side[0]):
            for path, before, value in _differences(config.to_mapping(before_config), config.to_mapping(now)):
                yield Problem(
                    f"data.{section}.{path}",
                    f"is {value}, but {before} in {self.stored.path}: its vocabulary and weights know other text",
                )

    def weights(self, model: Seq2Seq, *, seed: int) -> dict[str, Tensor]:
        """Its weights for a model that may have more pieces.

        Args:
            model: what they are for.
            seed: root seed of the run, by which the rows of new pieces are drawn.
        """
        generator = torch.Generator().manual_seed(derive_seed(seed, "new pieces"))
        return with_new_rows(self.stored.read(), model, model.piece_rows, generator)

    def _changes(self, model: Seq2SeqConfig) -> Iterator[tuple[str, Any, Any]]:
        before, now = config.to_mapping(self.stored.model_config), config.to_mapping(model)
        for path, old, new in _differences(before, now, "model"):
            if path.split(".")[1] not in _FREE:
                yield path, old, new

    def _fits(self, data: DataConfig, model: Seq2SeqConfig) -> bool:
        """Whether the weights have the shapes of a model, but for the rows of new pieces."""
        grown = self.vocabularies(data.subword)
        if model.embedding.tied == "all" and not grown.joint:
            return False
        with torch.device("meta"), Undrawn():
            built = Seq2Seq(model, grown.source.size, grown.target.size)
            shapes = dict(self.stored.shapes)
            for name in built.piece_rows & shapes.keys():
                shapes[name] = (built.get_parameter(name).shape[0], *shapes[name][1:])
            with suppress(CheckpointError):
                check_shapes(built, shapes, str(self.stored.weights))
                return True
        return False


@dataclass(frozen=True, slots=True)
class Resumed:
    """A run that began from another model and is resumed: what it took over stands in its own recipe.

    Args:
        recipe: that recipe, as plain values.
    """

    recipe: Mapping[str, Any]

    def values(self) -> dict[str, Any]:
        """What holds where a recipe says nothing."""
        data = self.recipe.get("data") or {}
        kept = ("normalisation", "target_normalisation", "subword")
        return {"model": self.recipe.get("model") or {}, "data": {name: data[name] for name in kept if name in data}}

    def settled(self, data: DataConfig) -> DataConfig:
        """Take the run's vocabulary for what it was said to be when the run began."""
        known = config.from_mapping(SubwordConfig, self.values()["data"].get("subword") or {}, name="data.subword")
        return replace(data, subword=replace(known, sampling=data.subword.sampling))

    def remarks(self, data: DataConfig, model: Seq2SeqConfig) -> Iterator[Problem]:  # noqa: ARG002
        """Yield what a recipe says of the vocabulary and is not so, since a run keeps the one that it began with."""
        known = self.settled(data).subword
        for name in _TRAINED:
            value, there = getattr(data.subword, name), getattr(known, name)
            if value != there:
                message = f"is {_shown(value)}, but {_shown(there)} in the vocabulary of this run, which it keeps"
                yield Problem(f"data.subword.{name}", message)
        new = [symbol for symbol in data.subword.user_symbols if symbol not in known.user_symbols]
        if new:
            message = f"has {' '.join(new)}, which the vocabulary of this run has not, and keeps so; begin a new run"
            yield Problem("data.subword.user_symbols", message)


def beginning_of(document: Any, run: RunFolder | None) -> Beginning | Resumed | None:
    """Look at what a recipe begins from.

    Args:
        document: the recipe as plain values.
        run: the run that is to be resumed with it.

    Returns:
        ``None`` where it begins from nothing, or from what cannot be read (which its training will tell).
    """
    training = document.get("training") if isinstance(document, dict) else None
    path = training.get("init_from") if isinstance(training, dict) else None
    if not isinstance(path, str):
        return None
    with suppress(CheckpointError, DataError):
        return Beginning.of(path) if run is None else Resumed(read_recipe(run))
    return None


def _fingerprint(data: DataConfig, path: str) -> str:
    return SubwordModel.load(path_below(data.root, path)).fingerprint


def _differences(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the paths at which plain values differ, with both; of another ``type`` nothing else is compared."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        if before != now:
            yield path, _shown(before), _shown(now)
        return
    for key in ("type",) if before.get("type") != now.get("type") else now:
        yield from _differences(before.get(key), now.get(key), f"{path}.{key}" if path else key)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if hasattr(value, "__dataclass_fields__"):
        value = config.to_mapping(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_shown(inner)}" for name, inner in value.items()) + "}"
    return str(value)

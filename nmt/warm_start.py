"""What a recipe inherits from the model that its training starts from (``training.init_from``).

The vocabulary is that model's, with more user symbols if the recipe has any. Keys left out of ``model``,
``data.subword`` and the normalisations are inherited. A value that is impossible with that model is refused by its
path; a value that is possible, but not what the weights were trained with, is noted. So the resolved recipe of the run
describes what was trained.
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
from nmt.core.logging import few
from nmt.core.seeding import derive_seed
from nmt.core.storage.files import home_expanded, path_below
from nmt.core.storage.run_folder import RunFolder
from nmt.data.data_config import DataConfig
from nmt.model.initialisation import SkipInitialisation
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig
from nmt.model.weights import check_shapes, with_new_rows
from nmt.text.subword import SIDES, SubwordConfig, SubwordModel
from nmt.text.vocabularies import Vocabularies
from nmt.text.vocabulary_extension import section_of, with_symbols
from nmt.translation.model_files.bundle import open_model
from nmt.translation.model_files.hub_folder import pinned
from nmt.translation.model_files.stored import StoredModel, read_recipe
from nmt.translation.requests.tags import Tags

# Settings by which a vocabulary is trained; the rest of the section is about its use.
_TRAINED = ("algorithm", "size", "joint", "character_coverage", "byte_fallback")
# Settings of what the weights read, besides the vocabulary.
_TEXT = ("source", "normalisation", "target_normalisation", "placeholders")
# Settings of a model that may change without a note: the weights do not depend on them.
_FREE = ("dropout", "initialisation")


@dataclass(frozen=True, slots=True)
class WarmStart:
    """The trained model that a training starts from.

    Args:
        stored: the model.
        name: what the resolved recipe calls it; on the hub with its commit.
    """

    stored: StoredModel
    name: str

    @classmethod
    def of(cls, path: str) -> WarmStart:
        """Open a run folder, a model file or a model on the hub.

        Raises:
            CheckpointError: there is no model, or it is damaged.
            DataError: its vocabulary is damaged.
        """
        name = pinned(path)
        return cls(open_model(home_expanded(name)), name)

    @property
    def subword(self) -> SubwordConfig:
        """``data.subword`` as read from its vocabularies; its recipe supplies only what they do not say."""
        return section_of(self.stored.vocabularies, self._written_subword)

    @property
    def _written_subword(self) -> SubwordConfig:
        return replace(self.stored.section(SubwordConfig, "data.subword"), source_model=None, target_model=None)

    def values(self) -> dict[str, Any]:
        """The inherited sections of a recipe, as plain values."""
        data = self.stored.recipe.get("data") or {}
        kept = {name: data[name] for name in _TEXT if name in data}
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
        """Replace ``data.subword`` by a description of the vocabulary that will be used."""
        known = section_of(self.vocabularies(data.subword), data.subword)
        return replace(data, subword=replace(known, source_model=None, target_model=None))

    def conflicts(self, data: DataConfig, model: Seq2SeqConfig) -> Iterator[tuple[str, str]]:
        """Yield path and message of each value of a recipe that is impossible with this model."""
        kept = f"as in {self.stored.path}, whose vocabulary is kept; or leave it out"
        mine, written, now = self.subword, self._written_subword, self.settled(data).subword
        for name in _TRAINED:
            value = getattr(data.subword, name)
            if value not in (getattr(each, name) for each in (mine, written, now)):
                yield (
                    f"data.subword.{name}",
                    f"must be {config.shown(getattr(mine, name))}, {kept}, but is {config.shown(value)}",
                )
        for side in SIDES:
            path = getattr(data.subword, f"{side}_model")
            if path is not None and _fingerprint(data, path) != getattr(self.stored.vocabularies, side).fingerprint:
                message = f"must be that of {self.stored.path}, whose vocabulary is kept; leave it out"
                yield f"data.subword.{side}_model", message
        if data.source != self.stored.data_source:
            before = config.shown(config.to_mapping(self.stored.data_source))
            yield "data.source", f"must be {before}, as in {self.stored.path}, whose weights are used; or leave it out"
        elif not self._fits(data, model):
            for path, before, value in self._changes(model):
                yield path, f"must be {before}, as in {self.stored.path}, whose weights are used, but is {value}"

    def remarks(self, data: DataConfig, model: Seq2SeqConfig) -> Iterator[Problem]:
        """Yield the values of a recipe that are possible, but that the weights were not trained with."""
        for path, before, value in self._changes(model):
            yield Problem(path, f"is {value}, but {before} in {self.stored.path}, with which the weights were trained")
        tags = Tags.of(self.stored.recipe)
        for index, corpus in enumerate(data.train):
            if tags.always and corpus.tag is None:
                message = f"is null, but every source of {self.stored.path} had one before it: {few(tags.known)}"
                yield Problem(f"data.train.{index}.tag", message)
        source, target = self.stored.normalisations
        name = "normalisation" if data.target_normalisation is None else "target_normalisation"
        sides = {
            ("normalisation", source, data.normalisation),
            (name, target, data.written),
        }
        for section, before_config, now in sorted(sides, key=lambda side: side[0]):
            for path, before, value in config.differences(config.to_mapping(before_config), config.to_mapping(now)):
                yield Problem(
                    f"data.{section}.{path}",
                    f"is {value}, but {before} in {self.stored.path}, whose vocabulary "
                    "and weights were trained on other text",
                )

    def weights(self, model: Seq2Seq, *, seed: int) -> dict[str, Tensor]:
        """Its weights, for a model that may have more pieces.

        Args:
            model: the model that will load them.
            seed: root seed of the run, from which the rows of new pieces are drawn.
        """
        generator = torch.Generator().manual_seed(derive_seed(seed, "new pieces"))
        return with_new_rows(self.stored.read(), model, model.piece_rows, generator)

    def _changes(self, model: Seq2SeqConfig) -> Iterator[tuple[str, Any, Any]]:
        before, now = config.to_mapping(self.stored.model_config), config.to_mapping(model)
        for path, old, new in config.differences(before, now, "model"):
            if path.split(".")[1] not in _FREE:
                yield path, old, new

    def _fits(self, data: DataConfig, model: Seq2SeqConfig) -> bool:
        """Whether the weights have the shapes of a model, except for the rows of new pieces."""
        grown = self.vocabularies(data.subword)
        if model.embedding.tied == "all" and not grown.joint:
            return False
        with torch.device("meta"), SkipInitialisation():
            built = Seq2Seq(model, *data.source.model_sizes(grown))
            shapes = dict(self.stored.shapes)
            for name in built.piece_rows & shapes.keys():
                shapes[name] = (built.get_parameter(name).shape[0], *shapes[name][1:])
            with suppress(CheckpointError):
                check_shapes(built, shapes, str(self.stored.weights))
                return True
        return False


@dataclass(frozen=True, slots=True)
class Resumed:
    """A resumed run that started from another model. What it inherited is in its own recipe.

    Args:
        recipe: the run's recipe, as plain values.
    """

    recipe: Mapping[str, Any]

    def values(self) -> dict[str, Any]:
        """The inherited sections of a recipe, as plain values."""
        data = self.recipe.get("data") or {}
        kept = {name: data[name] for name in (*_TEXT, "subword") if name in data}
        return {"model": self.recipe.get("model") or {}, "data": kept}

    def settled(self, data: DataConfig) -> DataConfig:
        """Replace ``data.subword`` by the run's own, except for its sampling."""
        known = config.from_mapping(SubwordConfig, self.values()["data"].get("subword") or {}, name="data.subword")
        return replace(data, subword=replace(known, sampling=data.subword.sampling))

    def remarks(self, data: DataConfig, model: Seq2SeqConfig) -> Iterator[Problem]:  # noqa: ARG002
        """Yield the values of a recipe that differ from the run's vocabulary, which cannot change."""
        known = self.settled(data).subword
        for name in _TRAINED:
            value, there = getattr(data.subword, name), getattr(known, name)
            if value != there:
                found = f"is {config.shown(value)}, but {config.shown(there)}"
                message = f"{found} in the vocabulary of this run, which it keeps"
                yield Problem(f"data.subword.{name}", message)
        new = [symbol for symbol in data.subword.user_symbols if symbol not in known.user_symbols]
        if new:
            message = (
                f"has {' '.join(new)}, which is not in the vocabulary of this run, and is not added; start a new run"
            )
            yield Problem("data.subword.user_symbols", message)


def warm_start_of(document: Any, run: RunFolder | None) -> WarmStart | Resumed | None:
    """Find the model that a recipe, given as plain values, starts from; ``run`` is the run that it resumes, if any.

    Returns:
        ``None`` if the recipe starts from no model, or from one that cannot be read (training will report it).
    """
    training = document.get("training") if isinstance(document, dict) else None
    path = training.get("init_from") if isinstance(training, dict) else None
    if not isinstance(path, str):
        return None
    with suppress(CheckpointError, DataError):
        return WarmStart.of(path) if run is None else Resumed(read_recipe(run))
    return None


def _fingerprint(data: DataConfig, path: str) -> str:
    return SubwordModel.load(path_below(data.root, path)).fingerprint

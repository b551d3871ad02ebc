"""A trained model on disk, in a run folder or one file, checked before memory is allocated for it.

The input is not trusted. No code in it is executed: weights are safetensors, the rest is JSON, YAML and SentencePiece
models. Sizes are bounded by those of the files, and no path leads out of the run folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

import nmt.model  # noqa: F401  (fills the registries of the model's families)
from nmt.core import config
from nmt.core.errors import CheckpointError, ConfigError, DataError
from nmt.core.registry import nearest
from nmt.core.storage.checksums import file_checksum, verify_checksums
from nmt.core.storage.files import missing_hint, os_reason
from nmt.core.storage.run_folder import (
    MODEL,
    MOST_JSON_BYTES,
    STATE,
    RunFolder,
    best_checkpoint,
    checkpoint_steps,
    read_json,
)
from nmt.data.source import SourceConfig
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.model.weights import read_shapes, read_tensors
from nmt.text.normalisation import NormalisationConfig
from nmt.text.placeholders import Kind, Placeholders
from nmt.text.vocabularies import Vocabularies

C = TypeVar("C")
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Copied:
    placeholders: tuple[Kind, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model that has been checked, but whose weights are not loaded yet.

    Args:
        path: the run folder or the model file.
        checkpoint: name of the checkpoint of the weights.
        weights: file of the weights, for messages.
        source: where the recipe is, for messages.
        recipe: the recipe's sections as plain values.
        vocabularies: of both sides.
        shapes: of all weights, by name.
        read: function that reads the weights.
    """

    path: Path
    checkpoint: str
    weights: Path
    source: Path
    recipe: dict[str, Any]
    vocabularies: Vocabularies
    shapes: Shapes
    read: Callable[[], dict[str, Tensor]]

    def section(self, cls: type[C], name: str) -> C:
        """Build the config of one section, which may be nested (``data.normalisation``); defaults if it is missing.

        Raises:
            ConfigError: with all problems in it.
        """
        values: Any = self.recipe
        for part in name.split("."):
            values = values.get(part) if isinstance(values, dict) else values
            values = {} if values is None else values
        return config.from_mapping(cls, values, name=f"{self.source}: {name}")

    @property
    def model_config(self) -> Seq2SeqConfig:
        """The model section, with sizes within the bounds of the weights.

        Raises:
            CheckpointError: the model would be far larger than its weights.
            ConfigError: with all problems in it.
        """
        check_bounds(self.recipe.get("model"), self.shapes, self.weights)
        return self.section(Seq2SeqConfig, "model")

    @property
    def data_source(self) -> SourceConfig:
        """What a source is.

        Raises:
            CheckpointError: the vocabularies do not fit it.
            ConfigError: with all problems in the section.
        """
        found = self.section(SourceConfig, "data.source")
        if found.has_words != self.vocabularies.has_source:
            raise CheckpointError(f"{self.path}: the vocabularies do not fit data.source of its recipe")
        return found

    @property
    def normalisations(self) -> tuple[NormalisationConfig, NormalisationConfig]:
        """Normalisations of source and target.

        Raises:
            ConfigError: with all problems in a section.
        """
        source = self.section(NormalisationConfig, "data.normalisation")
        if (self.recipe.get("data") or {}).get("target_normalisation") is None:
            return source, source
        return source, self.section(NormalisationConfig, "data.target_normalisation")

    @property
    def placeholders(self) -> Placeholders | None:
        """What is copied as symbols; ``None`` if nothing is.

        Raises:
            ConfigError: with all problems in the section.
        """
        given = {"placeholders": (self.recipe.get("data") or {}).get("placeholders") or []}
        kinds = config.from_mapping(_Copied, given, name=f"{self.source}: data").placeholders
        return Placeholders.of(kinds, self.vocabularies, self.normalisations[1])

    @property
    def fast_paths(self) -> bool:
        """Value of ``training.fast_paths`` in the recipe."""
        training = self.recipe.get("training")
        return not (isinstance(training, dict) and training.get("fast_paths") is False)

    def text(self, name: str) -> str:
        """A string of the recipe's ``data`` section; empty if missing."""
        return str((self.recipe.get("data") or {}).get(name) or "")


def check_bounds(section: Any, shapes: Shapes, source: Path) -> None:
    """Refuse a model section with numbers larger than its weights allow, before anything is built from it.

    Raises:
        CheckpointError: with the name of the number.
    """
    elements = sum(prod(shape) for shape in shapes.values())
    for path, number in _whole_numbers(section, "model"):
        most = len(shapes) if path.endswith("layers") else elements
        if number > most:
            raise CheckpointError(
                f"{source}: {path} is {number}, but there are only {len(shapes)} weights with {elements} numbers in "
                "all; they do not belong together"
            )


def _whole_numbers(value: Any, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _whole_numbers(inner, f"{path}.{key}")
    elif isinstance(value, int):
        yield path, value


def read_recipe(folder: RunFolder) -> dict[str, Any]:
    """Read a run's resolved recipe as plain values, for use of single sections.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    path = _inside(folder, folder.recipe)
    try:
        if path.stat().st_size > MOST_JSON_BYTES:
            raise CheckpointError(f"{path}: must have at most {MOST_JSON_BYTES} bytes, but has {path.stat().st_size}")
        recipe = config.load_plain(path.read_text(encoding="utf-8"), name=str(path))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {os_reason(error)}") from error
    except (ConfigError, UnicodeDecodeError) as error:
        detail = str(error).split("\n", maxsplit=1)[0]
        raise CheckpointError(f"{path}: cannot be read as a recipe; the file is damaged ({detail})") from error
    return checked_sections(recipe, path)


def translating_recipe(folder: RunFolder) -> dict[str, Any]:
    """Read a run's resolved recipe; its search is the one that was tuned for the model, if it was.

    Raises:
        CheckpointError: the recipe or the tuned search is missing or damaged.
    """
    recipe = read_recipe(folder)
    training = recipe.get("training")
    if not (isinstance(training, dict) and training.get("tune_search") is True and folder.search.exists()):
        return recipe
    found = read_json(_inside(folder, folder.search))
    tuned = found.get("search")
    if not isinstance(tuned, dict):
        raise CheckpointError(f"{folder.search}: must hold the tuned search, but does not; the file is damaged")
    if found.get("recipe") != (recipe.get("search") or {}):  # another search is asked for than that which was tuned
        return recipe
    return {**recipe, "search": {**(recipe.get("search") or {}), **tuned}}


def checked_sections(recipe: Any, source: Path) -> dict[str, Any]:
    """Check that plain values have the sections of a recipe, and return them.

    Raises:
        CheckpointError: they do not.
    """
    if not isinstance(recipe, dict) or not isinstance(recipe.get("data") or {}, dict):
        raise CheckpointError(f"{source}: must be the recipe of a run, but has no sections; the file is damaged")
    return recipe


def open_run(path: Path, checkpoint: str | None = None) -> StoredModel:
    """Check a run folder and a checkpoint of it, by default the best one, without loading weights.

    Raises:
        CheckpointError: there is no such run, it has no model yet, it is damaged, or its parts do not belong together.
        DataError: a vocabulary is missing or damaged.
    """
    folder = RunFolder(path)
    _check_run(folder)
    weights = _inside(folder, _find_checkpoint(folder, checkpoint)) / MODEL
    states = (STATE,) if (weights.parent / STATE).exists() else ()
    for name in (MODEL, *states):
        _inside(folder, weights.parent / name)
    verify_checksums(weights.parent, (MODEL, *states))
    origin = read_json(weights.parent / STATE).get("origin") if states else None
    recipe = translating_recipe(folder)
    shapes = read_shapes(weights)
    if isinstance(origin, dict):
        _check_vocabulary(folder, origin.get("vocabulary"))
        _check_recipe(folder, recipe, origin.get("sections"), shapes)
    return StoredModel(
        path=path,
        checkpoint=weights.parent.name,
        weights=weights,
        source=folder.recipe,
        recipe=recipe,
        vocabularies=_vocabularies(folder, recipe),
        shapes=shapes,
        read=lambda: read_tensors(weights),
    )


def _inside(folder: RunFolder, path: Path) -> Path:
    """Return a file or folder of a run, after checking that it exists and lies inside the run."""
    if path.exists():
        if not path.resolve().is_relative_to(folder.path.resolve()):
            raise CheckpointError(f"{path}: is a link out of the run folder; replace it by what it points to")
        if not path.is_file() and not path.is_dir():
            raise CheckpointError(f"{path}: must be a file, but is a device or a pipe")
    return path


def _check_run(folder: RunFolder) -> None:
    """Refuse a path that is not a run folder, with the most likely reason."""
    path = folder.path
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such run folder{missing_hint(path)}")
    if folder.recipe.exists():
        return
    for above in (path.parent, path.parent.parent):
        if RunFolder(above).recipe.exists():
            raise CheckpointError(f"{path}: is a part of a run folder; give {above} (and --checkpoint NAME for one)")
    runs = sorted(inner.parent.name for inner in path.glob("*/recipe.yaml"))
    hint = f"; it contains run folders: {', '.join(runs[:5])}" if runs else ""
    raise CheckpointError(f"{path}: is not a run folder: it has no recipe.yaml{hint}")


def _find_checkpoint(folder: RunFolder, name: str | None) -> Path:
    steps = checkpoint_steps(folder.checkpoints)
    found = sorted(path.name for path in folder.checkpoints.glob("*") if path.is_dir() and path.name[0] != ".")
    if name is None:
        if folder.best.exists():
            _inside(folder, folder.best)
            return best_checkpoint(folder)
        if not found:
            raise CheckpointError(
                f"{folder.path}: has no model yet: training has not reached its first checkpoint; wait for it, or "
                f"continue with: nmt-train --output {folder.path} --resume"
            )
        raise CheckpointError(f"{folder.path}: names no best checkpoint; choose one of {', '.join(found)}")
    if name == "last" and steps:
        name = f"step-{steps[-1]:08d}"
    if name not in found:
        close = nearest(name, found)
        hint = f"; did you mean {close}?" if close else f"; it has {', '.join(found) or 'none'}"
        raise CheckpointError(f"{folder.path}: has no checkpoint {name!r}{hint}")
    return folder.checkpoints / name


def _check_vocabulary(folder: RunFolder, fingerprint: Any) -> None:
    """Compare the vocabularies with those of training, before SentencePiece parses them."""
    sides = ("joint", "joint") if (folder.vocabulary / "joint.model").is_file() else ("source", "target")
    files = [_inside(folder, folder.vocabulary / f"{side}.model") for side in sides]
    has_source = not str(fingerprint).startswith("-")
    if not has_source:
        files = files[1:]
    found = "-".join(map(file_checksum, files)) if all(file.is_file() for file in files) else None
    if found is not None and (found if has_source else f"-{found}") != fingerprint:
        raise CheckpointError(
            f"{', '.join(dict.fromkeys(map(str, files)))}: is not the vocabulary that the model was trained with; the "
            "file is damaged or of another run"
        )


def _check_recipe(folder: RunFolder, recipe: dict[str, Any], sections: Any, shapes: Shapes) -> None:
    """Compare the sections that the weights depend on: if one is changed, the model translates wrongly."""
    begun: dict[str, Any] = sections if isinstance(sections, dict) else {}
    check_bounds(begun.get("model"), shapes, folder.recipe)
    check_bounds(recipe.get("model"), shapes, folder.recipe)
    data = recipe.get("data") or {}
    written = {"model": recipe.get("model"), "source": data.get("source"), **_normalisations(data)}
    trained = {"model": begun.get("model"), "source": begun.get("source"), **_normalisations(begun)}
    for name, values in written.items():
        kind: Any = {"model": Seq2SeqConfig, "source": SourceConfig}.get(name, NormalisationConfig)
        now = config.from_mapping(kind, values or {}, name=f"{folder.recipe}: {name}")
        if config.from_mapping(kind, trained[name] or {}, name=f"{folder.path}: {name} of the weights") != now:
            raise CheckpointError(
                f"{folder.recipe}: the section {name!r} is not the one that the weights were trained with; the file is "
                "damaged, or was edited"
            )


def _normalisations(values: dict[str, Any]) -> dict[str, Any]:
    """Sections of both sides; the target defaults to that of the source."""
    source, target = values.get("normalisation"), values.get("target_normalisation")
    return {"normalisation": source, "target_normalisation": source if target is None else target}


def _vocabularies(folder: RunFolder, recipe: dict[str, Any]) -> Vocabularies:
    source = config.from_mapping(SourceConfig, (recipe.get("data") or {}).get("source") or {}, name=str(folder.recipe))
    for path in folder.vocabulary.glob("*.model"):
        _inside(folder, path)
    try:
        return Vocabularies.load(folder.vocabulary, has_source=source.has_words)
    except DataError as error:
        raise DataError(f"{error}; the run folder is damaged: copy all of it, vocabulary/ too") from error

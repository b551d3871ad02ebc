"""A trained model with all that belongs to it, loaded from its run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from torch import Tensor

import nmt.model  # noqa: F401  (fills the registries of the model's families)
from nmt.core import config
from nmt.core.device import resolve_device
from nmt.core.errors import CheckpointError, DataError
from nmt.core.files import missing_hint, os_reason
from nmt.core.registry import nearest
from nmt.core.run_folder import MODEL, RunFolder, best_checkpoint, checkpoint_steps
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig
from nmt.model.weights import load_model_tensors, read_tensors
from nmt.search.options import SearchConfig
from nmt.text.normalisation import NormalisationConfig
from nmt.text.vocabularies import Vocabularies

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Normalisations:
    """How raw lines are made uniform before they are encoded, as in training.

    Args:
        source: of source lines.
        target: of target lines.
    """

    source: NormalisationConfig
    target: NormalisationConfig


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model ready to translate.

    Args:
        model: in evaluation mode, in float32, on ``device``.
        vocabularies: of both sides.
        normalisations: of both sides.
        search: how the recipe searches.
        path: the run folder.
        checkpoint: name of the checkpoint the weights are from.
        device: where the model is.
        source_language: code from the recipe, possibly empty.
        target_language: likewise.
    """

    model: Seq2Seq
    vocabularies: Vocabularies
    normalisations: Normalisations
    search: SearchConfig
    path: Path
    checkpoint: str
    device: torch.device
    source_language: str = ""
    target_language: str = ""

    @classmethod
    def load(cls, run: Path | str, *, device: str = "auto", checkpoint: str | None = None) -> Bundle:
        """Load a run.

        Args:
            run: the run folder.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
            checkpoint: name of a checkpoint of the run; by default the best one.

        Raises:
            CheckpointError: there is no such run, it has no model yet, or its parts do not belong together.
            ConfigError: the device is not there, or the run's recipe is damaged.
            DataError: a vocabulary is missing or damaged.
        """
        place = resolve_device(device)
        folder = RunFolder(Path(run))
        _check_run(folder)
        weights = _find_checkpoint(folder, checkpoint)
        recipe = read_sections(folder)
        data = recipe.get("data") or {}
        vocabularies = _vocabularies(folder)
        normalisation = section(NormalisationConfig, data, "normalisation", folder)
        both = data.get("target_normalisation") is None
        return cls(
            model=_model(section(Seq2SeqConfig, recipe, "model", folder), vocabularies, weights / MODEL).to(place),
            vocabularies=vocabularies,
            normalisations=Normalisations(
                normalisation,
                normalisation if both else section(NormalisationConfig, data, "target_normalisation", folder),
            ),
            search=section(SearchConfig, recipe, "search", folder),
            path=folder.path,
            checkpoint=weights.name,
            device=place,
            source_language=str(data.get("source_language") or ""),
            target_language=str(data.get("target_language") or ""),
        )

    @property
    def has_attention(self) -> bool:
        """Whether the model attends to its source, so that there are weights to align by."""
        return self.model.decoder.attention.heads > 0


def read_sections(folder: RunFolder) -> dict[str, Any]:
    """Read a run's resolved recipe as plain values, for those who need only some of its sections.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        recipe = yaml.safe_load(folder.recipe.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{folder.recipe}: cannot be read: {os_reason(error)}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = str(error).split("\n", maxsplit=1)[0]
        raise CheckpointError(f"{folder.recipe}: cannot be read as YAML; the file is damaged ({detail})") from error
    if not isinstance(recipe, dict) or not isinstance(recipe.get("data") or {}, dict):
        raise CheckpointError(f"{folder.recipe}: must be the recipe of a run, but has no sections; the file is damaged")
    return recipe


def section(cls: type[C], recipe: dict[str, Any], name: str, folder: RunFolder) -> C:
    """Build the config of one section; its defaults where the section is missing.

    Raises:
        ConfigError: everything that is wrong in it.
    """
    values = recipe.get(name)
    return config.from_mapping(cls, {} if values is None else values, name=f"{folder.recipe}: {name}")


def _check_run(folder: RunFolder) -> None:
    """Refuse what is not a run folder, with the most likely reason."""
    path = folder.path
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such run folder{missing_hint(path)}")
    if not path.is_dir():
        raise CheckpointError(f"{path}: must be the run folder that nmt-train made, but is a file")
    if folder.recipe.exists():
        return
    for above in (path.parent, path.parent.parent):
        if RunFolder(above).recipe.exists():
            raise CheckpointError(f"{path}: is a part of a run folder; give {above} (and --checkpoint NAME for one)")
    runs = sorted(inner.parent.name for inner in path.glob("*/recipe.yaml"))
    hint = f"; it has run folders in it: {', '.join(runs[:5])}" if runs else ""
    raise CheckpointError(f"{path}: is not a run folder: it has no recipe.yaml{hint}")


def _find_checkpoint(folder: RunFolder, name: str | None) -> Path:
    steps = checkpoint_steps(folder.checkpoints)
    found = sorted(path.name for path in folder.checkpoints.glob("*") if path.is_dir() and path.name[0] != ".")
    if name is None:
        if folder.best.exists():
            return best_checkpoint(folder)
        if not found:
            raise CheckpointError(
                f"{folder.path}: has no model yet: training has not come to its first checkpoint; "
                f"wait for it, or go on with: nmt-train --output {folder.path} --resume"
            )
        raise CheckpointError(f"{folder.path}: names no best checkpoint; choose one of {', '.join(found)}")
    if name == "last" and steps:
        name = f"step-{steps[-1]:08d}"
    if name not in found:
        close = nearest(name, found)
        hint = f"; did you mean {close}?" if close else f"; it has {', '.join(found) or 'none'}"
        raise CheckpointError(f"{folder.path}: has no checkpoint {name!r}{hint}")
    return folder.checkpoints / name


def _vocabularies(folder: RunFolder) -> Vocabularies:
    try:
        return Vocabularies.load(folder.vocabulary)
    except DataError as error:
        raise DataError(f"{error}; the run folder is damaged: copy all of it, vocabulary/ too") from error


def _model(model_config: Seq2SeqConfig, vocabularies: Vocabularies, path: Path) -> Seq2Seq:
    """Build the model and fill it; what it is initialised with is overwritten, and nobody's random state is touched."""
    tensors = read_tensors(path)
    _check_sizes(tensors, vocabularies, path)
    if model_config.embedding.tied == "all" and vocabularies.source.size != vocabularies.target.size:
        raise CheckpointError(
            f"{path}: the model ties the embeddings of both sides, but the vocabularies have "
            f"{vocabularies.source.size} and {vocabularies.target.size} pieces; they do not belong together"
        )
    with torch.random.fork_rng(devices=[]):
        model = Seq2Seq(model_config, vocabularies.source.size, vocabularies.target.size)
    load_model_tensors(model, tensors, str(path))
    return model.requires_grad_(False).eval()


def _check_sizes(tensors: dict[str, Tensor], vocabularies: Vocabularies, path: Path) -> None:
    """Tell a vocabulary of another model from weights of another shape."""
    sides = (
        ("source", ("source_embedding.weight",), vocabularies.source),
        ("target", ("target_embedding.weight", "output.weight"), vocabularies.target),
    )
    for side, names, vocabulary in sides:
        for name in names:
            if name in tensors and tensors[name].dim() == 2 and tensors[name].shape[0] != vocabulary.size:
                raise CheckpointError(
                    f"{path}: the model has {tensors[name].shape[0]} {side} pieces, but {vocabulary.path} has "
                    f"{vocabulary.size}; model and vocabulary do not belong together"
                )

"""A trained model with its vocabularies and settings, loaded from a run folder or a model file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from nmt.core.errors import CheckpointError
from nmt.core.logging import waiting
from nmt.core.machine.device import resolve_device, takes_fast_paths
from nmt.data.source import SourceConfig
from nmt.data.source.text import TextSourceConfig
from nmt.model.initialisation import SkipInitialisation
from nmt.model.seq2seq import Seq2Seq
from nmt.model.weights import check_shapes, load_model_tensors
from nmt.search.search_config import SearchConfig
from nmt.text.normalisation import NormalisationConfig
from nmt.text.placeholders import Placeholders
from nmt.text.vocabularies import Vocabularies
from nmt.translation.model_files.hub_folder import local_model
from nmt.translation.model_files.packed import open_packed
from nmt.translation.model_files.stored import Shapes, StoredModel, open_run
from nmt.translation.requests.tags import Tags


@dataclass(frozen=True, slots=True)
class Normalisations:
    """Normalisation of raw lines before encoding, as in training.

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
        search: search settings of the recipe.
        path: the run folder or the model file.
        checkpoint: name of the checkpoint of the weights.
        device: where the model is.
        source_language: code from the recipe, possibly empty.
        target_language: likewise.
        source: what a source is.
        placeholders: what is copied as symbols; ``None`` if nothing is.
        tags: what may or must stand before a source.
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
    source: SourceConfig = field(default_factory=TextSourceConfig)
    placeholders: Placeholders | None = None
    tags: Tags = field(default_factory=Tags)

    @classmethod
    def load(
        cls,
        run: Path | str,
        *,
        device: str = "auto",
        checkpoint: str | None = None,
        fast_paths: bool | None = None,
    ) -> Bundle:
        """Load a model.

        Args:
            run: a run folder, a file that ``nmt-export`` wrote, or ``hf:owner/name[@revision]`` on the hub.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
            checkpoint: name of a checkpoint of the run; by default the best one.
            fast_paths: whether to use faster implementations with the same result; ``False`` computes the formulas
                directly. By default as in the recipe (``training.fast_paths``).

        Raises:
            CheckpointError: there is no such run, it has no model yet, or its parts do not belong together.
            ConfigError: the device is not available, or the run's recipe is damaged.
            DataError: a vocabulary is missing or damaged.
        """
        place = resolve_device(device)
        with waiting(f"loading {run}"):
            stored = open_model(Path(run), checkpoint)
            normalisations = Normalisations(*stored.normalisations)
            model = _model(stored).to(place)
        model.fast = (stored.fast_paths if fast_paths is None else fast_paths) and takes_fast_paths(place)
        return cls(
            model=model,
            vocabularies=stored.vocabularies,
            normalisations=normalisations,
            search=stored.section(SearchConfig, "search"),
            path=stored.path,
            checkpoint=stored.checkpoint,
            device=place,
            source_language=stored.text("source_language"),
            target_language=stored.text("target_language"),
            source=stored.data_source,
            placeholders=stored.placeholders,
            tags=Tags.of(stored.recipe),
        )

    @property
    def has_attention(self) -> bool:
        """Whether the model has attention weights over the source to align by."""
        return self.model.decoder.attention.heads > 0


def open_model(path: Path, checkpoint: str | None = None) -> StoredModel:
    """Check a run folder (``checkpoint``: by default the best) or a model file, without loading its weights.

    A model on the hub (``hf:owner/name``) is downloaded; the path of the result is that of its file in the cache.

    Raises:
        CheckpointError: there is no model, it is damaged, or its parts do not belong together.
        DataError: a vocabulary is missing or damaged.
    """
    path = local_model(path)
    if not path.is_file():
        return open_run(path, checkpoint)
    if checkpoint is not None:
        raise CheckpointError(f"{path}: is a model file, which has one checkpoint only; leave out --checkpoint")
    return open_packed(path)


def _model(stored: StoredModel) -> Seq2Seq:
    """Build the model and load its weights, without changing any random state."""
    vocabularies, path = stored.vocabularies, stored.weights
    _check_sizes(stored.shapes, vocabularies, path)
    model_config = stored.model_config
    sizes = stored.data_source.model_sizes(vocabularies)
    if model_config.embedding.tied == "all" and sizes[0] != sizes[1]:
        raise CheckpointError(
            f"{path}: the model ties the embeddings of both sides, but the vocabularies have "
            f"{sizes[0]} and {sizes[1]} pieces; they do not belong together"
        )
    # The meta device allocates nothing; afterwards only as much as the weights on disk is allocated.
    with torch.device("meta"), SkipInitialisation():
        check_shapes(Seq2Seq(model_config, *sizes), stored.shapes, str(path))
    with SkipInitialisation():
        model = Seq2Seq(model_config, *sizes)
    load_model_tensors(model, stored.read(), str(path))
    return model.requires_grad_(False).eval()


def _check_sizes(shapes: Shapes, vocabularies: Vocabularies, path: Path) -> None:
    """Distinguish a vocabulary of another model from weights of another shape."""
    weights = {"source": ("source_embedding.weight",), "target": ("target_embedding.weight", "output.weight")}
    for side, vocabulary in vocabularies.by_side.items():
        for name in weights[side]:
            if len(shapes.get(name, ())) == 2 and shapes[name][0] != vocabulary.size:
                raise CheckpointError(
                    f"{path}: the model has {shapes[name][0]} {side} pieces, but {vocabulary.path} has "
                    f"{vocabulary.size}; model and vocabulary do not belong together"
                )

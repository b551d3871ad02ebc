"""From a recipe to the objects that train: corpora, vocabularies, model, trainer."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import torch

from nmt import __version__
from nmt.core import config
from nmt.core.errors import CheckpointError, ConfigError, DataError, Problem
from nmt.core.logging import logger
from nmt.core.machine.allocator import give_back_freed_memory
from nmt.core.machine.device import resolve_device, takes_fast_paths
from nmt.core.machine.distributed import rank, world_size
from nmt.core.own_parts import own_versions
from nmt.core.seeding import derive_seed, seed_everything
from nmt.core.storage.files import path_below
from nmt.core.storage.run_folder import RunFolder, read_json, resumable_checkpoints
from nmt.data.checks.corpora import warn_of
from nmt.data.corpus import CorpusConfig, Pairs, read_all_pairs
from nmt.data.corpus.tags import tag_problem
from nmt.data.encoded import EncodedCorpus
from nmt.data.filters import FilterConfig
from nmt.data.loader import Loader
from nmt.data.pipeline import (
    check_symbols,
    encode_corpus,
    learnt_symbols,
    prepare_vocabulary,
    read_training_pairs,
    training_loader,
)
from nmt.data.streaming import Stream, StreamLoader
from nmt.model.initialisation import initialise
from nmt.model.seq2seq import Seq2Seq
from nmt.model.single_bias import clear_second_biases
from nmt.model.weights import load_model_tensors
from nmt.preflight import naming
from nmt.recipe import Recipe
from nmt.text.subword import Side
from nmt.text.vectors import PieceVectors
from nmt.text.vocabularies import Vocabularies
from nmt.text.vocabulary_extension import with_symbols
from nmt.training.attention_aer import GoldAlignment
from nmt.training.checkpoints.run_state import Origin
from nmt.training.objective.base import TermConfig
from nmt.training.objective.training_module import TrainingModule
from nmt.training.pretrained import begin_with_vectors
from nmt.training.trainer import Trainer
from nmt.training.validation import Validator
from nmt.translation.requests.tags import Tags
from nmt.warm_start import WarmStart

# Validation sentences are scored whatever their length: leaving some out would flatter the score.
NO_FILTER = FilterConfig(min_length=1, max_length=None, max_ratio=None)


@dataclass(frozen=True, slots=True)
class Corpora:
    """The encoded corpora of a run.

    Args:
        vocabularies: of both sides.
        training: training corpus, or the stream that is read while training.
        validation: validation corpus, if the recipe names one.
        vectors: initial embeddings by side; empty when a run is resumed.
        found: counts of those vectors, for JSON; when a run is resumed, the counts of its start.
    """

    vocabularies: Vocabularies
    training: EncodedCorpus | Stream
    validation: EncodedCorpus | None
    vectors: Mapping[Side, PieceVectors] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)

    def reports(self) -> dict[str, Any]:
        """Counts of the corpora, as plain values for JSON."""
        if isinstance(self.training, Stream):
            reports: dict[str, Any] = {"training": {"name": self.training.name, "streamed": True}}
        else:
            reports = {"training": self.training.report.as_json()}
        if self.validation is not None:
            reports["validation"] = self.validation.report.as_json()
        return reports | ({"pretrained_embeddings": dict(self.found)} if self.found else {})


def prepare_corpora(recipe: Recipe, folder: RunFolder) -> Corpora:
    """Read the corpora, train the vocabularies or load them into the run folder, and encode the corpora.

    Raises:
        DataError: a corpus or a vocabulary is unusable.
    """
    data = recipe.data
    cache = data.cache_directory(folder.path)
    begun = None
    if recipe.training.init_from is not None and not resumable_checkpoints(folder):
        begun = WarmStart.of(recipe.training.init_from)  # raises before corpora are read
    training: EncodedCorpus | Stream
    if data.streamed:
        training = stream = Stream(data)
        vocabularies = _prepare_vocabularies(recipe, folder, stream.text, begun)
        pairs = Stream(data.untagged).first(data.window if rank() == 0 else 1)
        logger.info("training corpus: %s, read while training, %d pairs at a time", stream.name, data.window)
    else:
        pairs = read_training_pairs(data, cache=cache)
        vocabularies = _prepare_vocabularies(recipe, folder, lambda: pairs, begun)
        training = encode_corpus(pairs, vocabularies, data, cache=cache)
        logger.info("training corpus: %s", training.report)
        for corpus, size in zip(data.train, training.parts, strict=True):
            if not size:
                logger.warning("%s: none of its pairs is left after the filters", corpus.describe())
    _check_tags(recipe, vocabularies)
    validation = held_out = None
    if data.validations:
        held_out = read_all_pairs(data.validations, data.root, cache=cache)
        validation = encode_corpus(held_out, vocabularies, data, filters=NO_FILTER, held_out=True, cache=cache)
        for place, size in enumerate(validation.parts):
            if not size:
                raise DataError(f"data.validation.{place}: must have a pair with text on both sides, but has none")
        logger.info("validation corpus: %s", validation.report)
    if rank() == 0 and data.source.features is None:  # for all
        warn_of(data, pairs, held_out, vocabularies, cache=None if data.streamed else cache)
    give_back_freed_memory()  # training a vocabulary on a large corpus needs more memory than training the model
    vectors, found = _read_vectors(recipe, folder, vocabularies)
    return Corpora(vocabularies, training, validation, vectors, found)


def _read_vectors(
    recipe: Recipe, folder: RunFolder, vocabularies: Vocabularies
) -> tuple[dict[Side, PieceVectors], dict[str, Any]]:
    """The vectors that a run begins with and their counts; when a run is resumed, only the counts that it stored."""
    pretrained = recipe.training.pretrained_embeddings
    if pretrained is None:
        return {}, {}
    if resumable_checkpoints(folder):
        with suppress(CheckpointError):
            return {}, dict(read_json(folder.corpus).get("pretrained_embeddings", {}))
        return {}, {}
    with naming("training.pretrained_embeddings"):
        vectors = pretrained.read(recipe.data, vocabularies, recipe.model.embedding.size)
    for side, each in vectors.items():
        logger.info("%s embeddings: %s", side, each)
    return vectors, {side: each.as_json() for side, each in vectors.items()}


def _prepare_vocabularies(
    recipe: Recipe, folder: RunFolder, text: Callable[[], Pairs], begun: WarmStart | None
) -> Vocabularies:
    names = {path.name for path in folder.vocabulary.glob("*.model")}
    has_source = recipe.data.source.has_words
    if "joint.model" in names or ({"source.model", "target.model"} if has_source else {"target.model"}) <= names:
        return Vocabularies.load(folder.vocabulary, has_source=has_source)
    if begun is None:
        return prepare_vocabulary(recipe.data, text(), folder.vocabulary)
    before, vocabularies = begun.stored.vocabularies, begun.vocabularies(recipe.data.subword)
    learnt = learnt_symbols(recipe.data, text()) if recipe.data.placeholders else ()
    vocabularies = with_symbols(vocabularies, (*recipe.data.tags, *learnt))
    check_symbols(vocabularies, recipe.data)
    if recipe.model.embedding.tied == "all" and not vocabularies.joint:
        message = f"must be none or target, because the vocabularies of {begun.stored.path} are not joint"
        raise ConfigError([Problem("model.embedding.tied", message)])
    vocabularies.save(folder.vocabulary)
    logger.info("vocabulary: that of %s, whose weights training starts from", begun.stored.path)
    for side, new in vocabularies.by_name.items():
        old = before.by_name[side]
        if new.size > old.size:
            symbols = " ".join(new.pieces(range(old.size, new.size)))
            logger.info("vocabulary: %s: new symbols after the %d pieces: %s", side, old.size, symbols)
    return Vocabularies.load(folder.vocabulary, has_source=has_source)


def _check_tags(recipe: Recipe, vocabularies: Vocabularies) -> None:
    """Raise an error for tags of held-out corpora that the vocabulary does not have."""
    tags = {f"{path}.tag": corpus.tag for path, corpus in recipe.held_out.items() if corpus.tag is not None}
    found = {path: tag_problem(tag, vocabularies.source.symbols) for path, tag in tags.items()}
    if problems := [Problem(path, problem) for path, problem in found.items() if problem is not None]:
        raise ConfigError(problems)


def build_model(recipe: Recipe, corpora: Corpora, *, begin: bool = True) -> Seq2Seq:
    """Build the model, initialised from the recipe's seed or from another run's best weights.

    These are not read if a checkpoint will be loaded (``begin=False``).

    Raises:
        CheckpointError: the other run has no weights, or they do not fit.
    """
    seed_everything(derive_seed(recipe.seed, "model"))
    model = recipe.model.build(*recipe.data.source.model_sizes(corpora.vocabularies))
    begin_with_vectors(model, corpora.vectors)
    if begin and recipe.training.init_from is not None:
        begun = WarmStart.of(recipe.training.init_from)
        load_model_tensors(model, begun.weights(model, seed=recipe.seed), str(begun.stored.weights))
        if recipe.model.gru_biases == "one":
            clear_second_biases(model)
        logger.info("weights: begun from %s", begun.stored.weights)
    return model


def build_training_module(
    recipe: Recipe, corpora: Corpora, device: torch.device, *, begin: bool = True
) -> TrainingModule:
    """Build model, objective and terms on a device, initialised from the recipe's seed; ``begin`` as for the model."""
    config = recipe.training
    model = build_model(recipe, corpora, begin=begin)
    model.fast = config.fast_paths and takes_fast_paths(device)
    seed_everything(derive_seed(recipe.seed, "objective"))
    size = model.output.weight.shape[0]
    objective = config.objective_for(recipe.model).build(
        recipe.model, vocabulary_size=size, smoothing=config.label_smoothing
    )
    initialise(objective, recipe.model.initialisation, recipe.model.decoder.paper_scheme)
    terms = {TermConfig.registry.called(type(term)): (term, term.build(model)) for term in config.terms}
    return TrainingModule(model, objective, terms).to(device)


def build_trainer(recipe: Recipe, folder: RunFolder, corpora: Corpora) -> Trainer:
    """Put model, loader and validator together on their device; a folder with a checkpoint is to be resumed."""
    training = recipe.training
    device = resolve_device(training.device, path="training.device")
    module = build_training_module(recipe, corpora, device, begin=not resumable_checkpoints(folder))
    loader = build_loader(recipe, corpora)
    validator = None
    if corpora.validation is not None:
        validator = Validator(
            training.validation,
            corpora.validation,
            corpora.vocabularies,
            device=device,
            precision=training.precision,
            gold=_gold(recipe, corpora.validation, corpora.vocabularies),
            parts=_names(recipe.data.validations),
            tags=Tags.of(config.to_mapping(recipe)).known,
        )
    # What dropout draws must not depend on what building the model has drawn, and differs between processes.
    seed_everything(derive_seed(recipe.seed, "training", *([rank()] if rank() else [])))
    return Trainer(
        training,
        module,
        loader,
        validator,
        vocabularies=corpora.vocabularies,
        folder=folder,
        device=device,
        origin=_origin(recipe, corpora),
    )


def _names(validations: Sequence[CorpusConfig]) -> list[str]:
    """Name validation corpora, for logs; those of the same files and tag also by their place in the recipe."""
    names = [each.describe() if each.tag is None else f"{each.tag} {each.describe()}" for each in validations]
    return [name if names.count(name) == 1 else f"{name} (data.validation.{place})" for place, name in enumerate(names)]


def _gold(recipe: Recipe, validation: EncodedCorpus, vocabularies: Vocabularies) -> GoldAlignment | None:
    config, data = recipe.training.validation, recipe.data
    if config.gold is None:
        return None
    normalisations = data.normalisation, data.written
    return GoldAlignment(
        path_below(data.root, config.gold),
        validation,
        vocabularies,
        normalisations,
        first_index=config.gold_first_index,
        tokenized=config.gold_tokenized,
    )


def _origin(recipe: Recipe, corpora: Corpora) -> Origin:
    target = recipe.data.target_normalisation
    return Origin(
        pairs=0 if isinstance(corpora.training, Stream) else len(corpora.training),
        corpus=corpora.training.fingerprint,
        validation=None if corpora.validation is None else corpora.validation.fingerprint,
        vocabulary=corpora.vocabularies.fingerprint,
        sections={
            "model": config.to_mapping(recipe.model),
            **({} if recipe.data.source.features is None else {"source": config.to_mapping(recipe.data.source)}),
            "normalisation": config.to_mapping(recipe.data.normalisation),
            "target_normalisation": None if target is None else config.to_mapping(target),
        },
    )


def build_loader(recipe: Recipe, corpora: Corpora) -> Loader | StreamLoader:
    """Build the loader of the training corpus: the part of this process where there are several."""
    seed, corpus, vocabularies = derive_seed(recipe.seed, "data"), corpora.training, corpora.vocabularies
    if isinstance(corpus, Stream):
        return StreamLoader(corpus, vocabularies, recipe.data, seed=seed, rank=rank(), world_size=world_size())
    return training_loader(
        corpus,
        vocabularies,
        recipe.data,
        seed=seed,
        rank=rank(),
        world_size=world_size(),
        aligned=recipe.training.needs_alignments,
    )


def versions(recipe: Recipe) -> dict[str, Any]:
    """Versions of this package, its dependencies and the files of a user's own parts, the machine, and the seed."""
    device = resolve_device(recipe.training.device, path="training.device")
    packages = ("torch", "numpy", "sentencepiece", "datasets", "sacrebleu", "safetensors")
    return {
        "nmt": __version__,
        **{name: version(name) for name in packages},
        **own_versions(recipe),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "processes": world_size(),
        "cuda": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "seed": recipe.seed,
    }

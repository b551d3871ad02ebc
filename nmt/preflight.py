"""Checks of a recipe at the start of a run: what would otherwise fail hours later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nmt.core.errors import NmtError
from nmt.core.logging import logger
from nmt.core.machine.device import resolve_device, warn_of_emulation
from nmt.core.storage.files import path_below
from nmt.core.storage.run_folder import RunFolder
from nmt.data.corpus import CorpusConfig, Pairs, read_all_pairs, read_pairs
from nmt.data.data_config import DataConfig
from nmt.data.gold_links import read_gold, require_links
from nmt.data.source.features import find_features
from nmt.metrics.score import check_moses, check_tokenizer
from nmt.recipe import Recipe
from nmt.text.words import WordKind
from nmt.training.records.events import check_tensorboard
from nmt.training.validation import ValidationConfig
from nmt.translation.aligning.pointing import PointingScorer
from nmt.translation.evaluation import AlignmentConfig
from nmt.translation.scoring import check_metrics


def uneven_case(recipe: Recipe) -> list[str]:
    """Return the fields of a recipe by which lower-cased translations are scored against references with capitals."""
    if not recipe.data.written.lowercase:
        return []
    return [f"{path}.lowercase" for path, lowers in _scored(recipe).items() if not lowers]


def uneven_accents(recipe: Recipe) -> list[str]:
    """Return the sections of a recipe that score translations without accents against references as they are."""
    return [*_scored(recipe)] if recipe.data.written.accents == "strip" else []


def _scored(recipe: Recipe) -> dict[str, bool]:
    """The sections of a recipe that score translations, and whether they ignore case."""
    validation, found = recipe.training.validation, {}
    if recipe.data.validations and validation.select not in ("perplexity", "aer"):
        found["training.validation"] = validation.lowercase
    if recipe.test is not None:
        found["test"] = recipe.test.lowercase
    return found


def preflight(recipe: Recipe, folder: RunFolder) -> None:
    """Check at the start what would otherwise fail late: the device, and the files and packages of the last stages.

    Corpora that are read here are cached for the later stages.

    Raises:
        ConfigError: this machine has no such device, or there are no Moses rules for the language of ``test.moses``.
        NmtError: a score or TensorBoard needs a package that is not installed.
        DataError: the test corpus, the corpus to align or the gold links cannot be read or do not match.
    """
    device = resolve_device(recipe.training.device, path="training.device")
    warn_of_emulation(recipe.training.precision, device)
    data, training, alignment = recipe.data, recipe.training, recipe.alignment
    lowering = "normalisation" if data.target_normalisation is None else "target_normalisation"
    for path in uneven_case(recipe):
        logger.warning(
            "%s is false, but data.%s.lowercase is not: every capital letter of a reference counts as an error",
            path,
            lowering,
        )
    for path in uneven_accents(recipe):
        logger.warning(
            "data.%s.accents is strip, and %s scores against references as they are: give it files without accents",
            lowering,
            path,
        )
    if training.tensorboard:
        with naming("training.tensorboard"):
            check_tensorboard()
    root, cache = Path(data.root), data.cache_directory(folder.path)
    with naming("training.validation"):
        check_tokenizer(training.validation.tokenize)
        check_metrics([training.validation.select])
    aligned = None
    if recipe.test is not None:
        with naming("test"):
            check_tokenizer(recipe.test.tokenize)
            check_metrics(recipe.test.metrics)
            if recipe.test.moses is not None:
                check_moses(recipe.test.moses)
        with naming("test.corpus"):
            aligned = _read(recipe.test.corpus, data, folder)
    if alignment is not None and alignment.corpus is not None:
        with naming("alignment.corpus"):
            aligned = _read(alignment.corpus, data, folder)
    if alignment is not None and alignment.gold is not None and aligned is not None:
        with naming("alignment.gold"):
            _see_gold(path_below(root, alignment.gold), aligned, alignment)
    source = data.source.features
    if alignment is not None and alignment.regions is not None and aligned is not None and source is not None:
        with naming("alignment.regions"):
            targets = [target for _, target in aligned]
            PointingScorer(path_below(root, alignment.regions), source, targets, root=root)
    gold = training.validation.gold
    if gold is not None and data.validations:
        with naming("data.validation"):
            pairs = read_all_pairs(data.validations, root, cache=cache)
        with naming("training.validation.gold"):
            _see_gold(path_below(root, gold), pairs, training.validation)


def _read(corpus: CorpusConfig, data: DataConfig, folder: RunFolder) -> Pairs:
    """Read a corpus, and the files that it names, if sources are files."""
    pairs, root = read_pairs(corpus, Path(data.root), cache=folder.cache), Path(data.root)
    if data.source.features is not None:
        find_features(pairs.sources(), data.source.features, root, name=pairs.name, cache=folder.cache)
    return pairs


def _see_gold(path: Path, pairs: Pairs, config: AlignmentConfig | ValidationConfig) -> None:
    words: WordKind = "tokens" if config.gold_tokenized else "whitespace"
    gold = read_gold(path, list(pairs.untagged), first_index=config.gold_first_index, words=words)
    require_links(gold, path)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Put the field of the recipe before the message of an error."""
    try:
        yield
    except NmtError as error:
        raise type(error)(f"{path}: {error}") from error

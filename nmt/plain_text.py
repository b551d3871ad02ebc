"""The recipe of who has two text files and no recipe: defaults by the size of the corpus, and parts held out."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from nmt.core import config
from nmt.core.errors import ConfigError, DataError, Problem
from nmt.core.logging import logger
from nmt.core.storage.files import reporting_os_errors, write_lines
from nmt.core.storage.run_folder import RunFolder
from nmt.data.corpus import Pairs, read_pairs
from nmt.data.corpus.text import TextCorpusConfig
from nmt.data.holdout import hold_out
from nmt.recipe import Recipe, recipe_of_text

# (pairs up to, pieces of the vocabulary, epochs, dropout): little text wants few pieces, many epochs, much dropout.
SIZES = ((5_000, 2_000, 40, 0.4), (20_000, 4_000, 25, 0.35), (100_000, 8_000, 12, 0.3), (1_000_000, 16_000, 6, 0.2))
LARGE = (32_000, 4, 0.1)
LEAST_PAIRS = 40
SEED = 1
PARTS, SIDES = ("train", "validation", "test"), ("source", "target")
PART_FILES = tuple(f"{part}.{side}" for part in PARTS for side in SIDES)
_TRAINING_FILES = PART_FILES[: len(SIDES)]  # the other parts may be a user's own
_FIELDS = {"validation": "data.validation", "test": "test.corpus"}
_DEFAULTS = "the default recipe"

Files: TypeAlias = tuple[Path, Path]
"""Source sentences, and their translations line by line."""

Part: TypeAlias = tuple[list[str], list[str]]
"""Sources and targets of a part."""


def recipe_for_files(
    files: Files,
    folder: Path,
    overrides: Sequence[str],
    *,
    validation: Files | None = None,
    test: Files | None = None,
    begin: Callable[[Recipe], None] | None = None,
    notes: list[Problem] | None = None,
) -> Recipe:
    """Write the parts of a corpus of two parallel files into a folder, and give a recipe.

    A validation or test part that is not given is held out: 2 % of the pairs, at least 10 and at most 2,000. No source
    sentence stands in two of the parts that are made so.

    Args:
        files: source sentences and their translations.
        folder: gets ``train``, ``validation`` and ``test`` with suffixes ``.source`` and ``.target``.
        overrides: ``a.b=c``; where they name ``data.validation`` or ``test.corpus`` (or make them ``null``), there is
            no such part.
        validation: files to validate on.
        test: files to test on.
        begin: called with the recipe when nothing is wrong with it, before the parts are written.
        notes: receives what ``load_recipe`` notes, of the overrides.

    Raises:
        ConfigError: an override is wrong, or names what is given as files too.
        DataError: the files are unusable, or too small to hold anything out.
    """
    pairs = read_pairs(_corpus(files), Path())
    given = {"validation": validation, "test": test}
    held_out = _held_out(_defaults(len(pairs), folder, (), overrides), overrides, given)
    parts = _parted(files, pairs, held_out)
    for part, other in given.items():
        if other is not None:
            read = read_pairs(_corpus(other), Path())
            parts[part] = list(read.sources()), list(read.targets())
    # Before anything is written: an override may be wrong.
    defaults = _defaults(len(parts["train"][0]), folder, chain(*parts["train"]), overrides)
    found: list[Problem] = []
    recipe = recipe_of_text(yaml.safe_dump(defaults, sort_keys=False), overrides, name=_DEFAULTS, notes=found)
    if notes is not None:
        notes += (note for note in found if note.line is None)  # a line is one of the defaults, which nobody wrote
    if begin is not None:
        begin(recipe)
    with reporting_os_errors("write the parts"):
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            for side, lines in zip(SIDES, parts.get(part, ()), strict=False):
                write_lines(folder / f"{part}.{side}", lines)
    told = [
        f", {len(parts[part][0])} to {part.replace('validation', 'validate')} on{' (held out)' * (part in held_out)}"
        for part in given
        if part in parts
    ]
    logger.info("%d pairs to train on%s; written to %s", len(parts["train"][0]), "".join(told), folder)
    return recipe


def recipe_to_check(
    files: Files, overrides: Sequence[str], *, validation: Files | None = None, test: Files | None = None
) -> Recipe:
    """Give a recipe of files as they are, to look for what is wrong with them; nothing is held out.

    Args:
        files: source sentences and their translations.
        overrides: ``a.b=c``, such as ``data.normalisation.lowercase=true``.
        validation: files to validate on.
        test: files to test on.

    Raises:
        ConfigError: an override is wrong.
    """
    training, *others = (each and config.to_mapping(_corpus(each)) for each in (files, validation, test))
    recipe = {
        "data": {"root": str(Path().absolute()), "train": [training], "validation": others[0]},
        "training": {"max_steps": 1},
        "test": others[1] and {"corpus": others[1]},
    }
    return recipe_of_text(yaml.safe_dump(recipe), overrides, name=_DEFAULTS)


def _corpus(files: Files) -> TextCorpusConfig:
    # Not resolved: the name that a shell gives to a pipe is a link to nothing that has a name.
    source, target = (str(path.absolute()) for path in files)
    return TextCorpusConfig(source=source, target=target)


def _held_out(defaults: Mapping[str, Any], overrides: Sequence[str], given: Mapping[str, Files | None]) -> list[str]:
    """Find the parts that are to be held out: those that neither files nor overrides give.

    Raises:
        ConfigError: an override is wrong, or names what files give too.
    """
    corpora = []
    for several in ((), overrides):
        recipe = recipe_of_text(yaml.safe_dump(defaults), several, name=_DEFAULTS)
        corpora.append({"validation": recipe.data.validation, "test": recipe.test and recipe.test.corpus})
    untouched = [part for part in given if corpora[0][part] == corpora[1][part]]
    problems = [
        Problem(f"--{part}", f"cannot be given where an override sets {_FIELDS[part]}; leave one of them out")
        for part, files in given.items()
        if files is not None and part not in untouched
    ]
    if problems:
        raise ConfigError(problems, "command line")
    return [part for part in untouched if given[part] is None]


def _parted(files: Files, pairs: Pairs, held_out: Sequence[str]) -> dict[str, Part]:
    """Divide a corpus into a part to train on and parts that are held out."""
    if held_out and len(pairs) < LEAST_PAIRS:
        raise DataError(
            f"{files[0]} and {files[1]}: must have at least {LEAST_PAIRS} pairs to hold parts out of, but have "
            f"{len(pairs)}; give the parts, by --validation and --test"
        )
    sources, targets = list(pairs.sources()), list(pairs.targets())
    if not held_out:
        return {"train": (sources, targets)}
    count = min(2_000, max(10, len(pairs) // 50))
    wanted = {part: count if part in held_out else 0 for part in ("validation", "test")}
    split = hold_out(sources, **wanted, seed=SEED)
    rows = {"train": split.train, "validation": split.validation, "test": split.test}
    return {
        part: ([sources[row] for row in rows[part]], [targets[row] for row in rows[part]])
        for part in ("train", *held_out)
    }


def root_now(root: str, run: RunFolder) -> str:
    """Follow a run folder that was moved or copied: the parts lie in it.

    Args:
        root: ``data.root`` of the recipe in the folder, which is absolute.
        run: the folder, where it is now.

    Returns:
        The folder's own ``data/``, if the root was that; else the root as it is.
    """
    stored = Path(root)
    if stored.name != run.data.name or not all((run.data / name).is_file() for name in _TRAINING_FILES):
        return root
    # Another run may lie there by now. What is no run's is a user's own, and the parts here are of a failed start.
    if stored.exists() and not RunFolder(stored.parent).versions.exists():
        return root
    return str(run.data.resolve())


def _defaults(pairs: int, folder: Path, text: Iterable[str], overrides: Sequence[str]) -> dict[str, Any]:
    """The default recipe, without what a model has by itself where overrides name one to begin from."""
    defaults = default_recipe(pairs, folder, text)
    models = [each.partition("=")[2] for each in overrides if each.startswith("training.init_from=")]
    if models and models[-1] not in ("", "null", "~"):
        del defaults["model"], defaults["data"]["subword"]
    return defaults


def default_recipe(pairs: int, folder: Path, text: Iterable[str]) -> dict[str, Any]:
    """Give the default recipe for so many training pairs, as plain values.

    Bahdanau's decoder with all embeddings tied, as ``recipes/multi30k`` has it; the search of its values is described
    there.

    Args:
        pairs: number of training pairs.
        folder: of the corpora.
        text: training lines of both sides.
    """
    pieces, epochs, dropout = next((rest for limit, *rest in SIZES if pairs <= limit), LARGE)
    pieces = _fitting(int(pieces), text)
    return {
        "name": "default",
        "seed": SEED,
        "data": {
            "root": str(folder.resolve()),
            "train": [{"type": "text", "source": "train.source", "target": "train.target"}],
            "validation": {"type": "text", "source": "validation.source", "target": "validation.target"},
            "subword": {"algorithm": "bpe", "size": pieces},
            "batch": {"size": 1024 if pairs <= SIZES[1][0] else 2048},
        },
        "model": {
            "embedding": {"size": 256, "tied": "all"},
            "encoder": {"size": 256},
            "decoder": {"type": "bahdanau", "size": 512},
            "dropout": {"embedding": dropout, "layers": dropout, "readout": dropout},
        },
        "training": {
            "max_epochs": epochs,
            "interval_unit": "epochs",
            "validation_interval": 1,
            "optimiser": {"type": "adamw", "learning_rate": 2e-3, "weight_decay": 0.01},
            "schedule": {"type": "linear", "warmup_steps": 200},
            "label_smoothing": 0.1,
            "keep_best": 3,
            "average": 3,
        },
        "test": {"corpus": {"type": "text", "source": "test.source", "target": "test.target"}},
        "alignment": {"plots": 5},
    }


def _fitting(pieces: int, text: Iterable[str]) -> int:
    """A number of pieces that the text gives: all its characters, and no more than half of its distinct words."""
    words = {word for line in text for word in unicodedata.normalize("NFC", line).split()}
    characters = {character for word in words for character in word}
    least = len(characters) + 5  # and the space marker, padding, unknown, bos, eos
    most = least + sum(len(word) > 1 for word in words) // 2
    return min(max(pieces, least + pieces // 4), most)

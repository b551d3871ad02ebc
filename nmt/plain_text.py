"""The recipe of who has two text files and no recipe: defaults by the size of the corpus, and parts held out."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from nmt.core import config
from nmt.core.errors import DataError
from nmt.core.files import reporting_os_errors, write_lines
from nmt.core.logging import logger
from nmt.core.run_folder import RunFolder
from nmt.data.corpus import read_pairs
from nmt.data.corpus.text import TextCorpusConfig
from nmt.data.holdout import hold_out
from nmt.recipe import Recipe

# (pairs up to, pieces of the vocabulary, epochs, dropout): little text wants few pieces, many epochs, much dropout.
SIZES = ((5_000, 2_000, 40, 0.4), (20_000, 4_000, 25, 0.35), (100_000, 8_000, 12, 0.3), (1_000_000, 16_000, 6, 0.2))
LARGE = (32_000, 4, 0.1)
LEAST_PAIRS = 40
SEED = 1
PARTS, SIDES = ("train", "validation", "test"), ("source", "target")
PART_FILES = tuple(f"{part}.{side}" for part in PARTS for side in SIDES)


def recipe_for_files(
    source: Path,
    target: Path,
    folder: Path,
    overrides: Sequence[str],
    *,
    begin: Callable[[Recipe], None] | None = None,
) -> Recipe:
    """Hold validation and test parts out of two parallel files, write the parts into a folder, and give a recipe.

    No source sentence stands in two parts. Each held-out part has 2 % of the pairs, at least 10 and at most 2,000.

    Args:
        source: source sentences.
        target: their translations.
        folder: gets ``train``, ``validation`` and ``test`` with suffixes ``.source`` and ``.target``.
        overrides: ``a.b=c``.
        begin: called with the recipe when nothing is wrong with it, before the parts are written.

    Raises:
        ConfigError: an override is wrong.
        DataError: the files are unusable, or too small to hold anything out.
    """
    # Not resolved: the name that a shell gives to a pipe is a link to nothing that has a name.
    corpus = TextCorpusConfig(source=str(source.absolute()), target=str(target.absolute()))
    pairs = read_pairs(corpus, Path())
    if len(pairs) < LEAST_PAIRS:
        raise DataError(
            f"{source} and {target}: must have at least {LEAST_PAIRS} pairs to hold parts out of, but have {len(pairs)}"
        )
    sources, targets = list(pairs.sources()), list(pairs.targets())
    held_out = min(2_000, max(10, len(pairs) // 50))
    split = hold_out(sources, validation=held_out, test=held_out, seed=SEED)
    # Before anything is written: an override may be wrong.
    text = chain((sources[row] for row in split.train), (targets[row] for row in split.train))
    defaults = yaml.safe_dump(default_recipe(len(split.train), folder, text), sort_keys=False)
    recipe = config.load(Recipe, defaults, name="the default recipe", overrides=overrides)
    if begin is not None:
        begin(recipe)
    with reporting_os_errors("write the parts"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in zip(PARTS, (split.train, split.validation, split.test), strict=True):
            write_lines(folder / f"{name}.source", (sources[row] for row in rows))
            write_lines(folder / f"{name}.target", (targets[row] for row in rows))
    logger.info(
        "%d pairs: %d to train on, %d to validate on, %d to test on (in %s)",
        len(pairs),
        len(split.train),
        len(split.validation),
        len(split.test),
        folder,
    )
    return recipe


def root_now(root: str, run: RunFolder) -> str:
    """Follow a run folder that was moved or copied: the parts lie in it.

    Args:
        root: ``data.root`` of the recipe in the folder, which is absolute.
        run: the folder, where it is now.

    Returns:
        The folder's own ``data/``, if the root was that; else the root as it is.
    """
    stored = Path(root)
    if stored.name != run.data.name or not all((run.data / name).is_file() for name in PART_FILES):
        return root
    # Another run may lie there by now. What is no run's is a user's own, and the parts here are of a failed start.
    if stored.exists() and not RunFolder(stored.parent).versions.exists():
        return root
    return str(run.data.resolve())


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

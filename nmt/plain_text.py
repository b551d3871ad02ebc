"""A recipe for two parallel text files: settings that suit the corpus, and held-out parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from nmt.core import config
from nmt.core.errors import ConfigError, DataError, Problem
from nmt.core.logging import logger, waiting
from nmt.core.storage.files import reporting_os_errors, write_lines
from nmt.core.storage.run_folder import RunFolder
from nmt.data.corpus import Pairs, read_pairs
from nmt.data.corpus.text import TextCorpusConfig
from nmt.data.holdout import hold_out
from nmt.defaults import VALIDATED, CorpusFacts, Settings, facts_of, nested, settings_for
from nmt.recipe import Recipe, recipe_of_text

LEAST_PAIRS = 40
SEED = 1
PARTS, SIDES = ("train", "synthetic", "validation", "test"), ("source", "target")
PART_FILES = tuple(f"{part}.{side}" for part in PARTS for side in SIDES)
_TRAINING_FILES = PART_FILES[: len(SIDES)]  # the other parts may be a user's own
_FIELDS = {"validation": "data.validation", "test": "test.corpus"}
_DEFAULTS = "the default recipe"
_NULL = ("", "null", "~")
_OBJECTIVE = "training.objective"
_TAG = "<bt>"  # of synthetic pairs

Files: TypeAlias = tuple[Path, Path]
"""A file of source sentences and one of their translations, line by line."""

Part: TypeAlias = tuple[list[str], list[str]]
"""Sources and targets of a part."""


def recipe_for_files(
    files: Files,
    folder: Path,
    overrides: Sequence[str],
    *,
    synthetic: Files | None = None,
    validation: Files | None = None,
    test: Files | None = None,
    begin: Callable[[Recipe], None] | None = None,
    notes: list[Problem] | None = None,
    suggest: Callable[[str], object] | None = None,
) -> Recipe:
    """Split two parallel files into parts, write these into a folder, and return a recipe for them.

    A validation or test part that is not given is held out: 2 % of the pairs, at least 10 and at most 2,000. Parts
    made in this way have no source sentence in common.

    Args:
        files: source sentences and their translations.
        folder: gets ``train``, ``synthetic``, ``validation`` and ``test`` with suffixes ``.source`` and ``.target``.
        overrides: ``a.b=c``; where they name ``data.validation`` or ``test.corpus`` (or make them ``null``), there is
            no such part.
        synthetic: pairs with a machine's translation on one side, to train on too; their sources get a tag.
        validation: files to validate on.
        test: files to test on.
        begin: called with the valid recipe before the parts are written.
        notes: receives the notes of ``load_recipe`` about the overrides.
        suggest: called with the text of the same recipe, in which comments say why.

    Raises:
        ConfigError: an override is wrong, or sets a part that is also given as files.
        DataError: the files are unusable, or too small to hold parts out.
    """
    pairs = read_pairs(_corpus(files), Path())
    given = {"validation": validation, "test": test}
    defaults = partial(_defaults, folder=folder, overrides=overrides, synthetic=synthetic is not None)
    held_out = _held_out(nested(defaults(CorpusFacts(len(pairs)))), overrides, given)
    with waiting("dividing the corpus"):
        parts = _parted(files, pairs, held_out)
    for part, other in {"synthetic": synthetic, **given}.items():
        if other is not None:
            read = read_pairs(_corpus(other), Path())
            parts[part] = list(read.sources()), list(read.targets())
    # The recipe comes before any writing: an override may be wrong.
    with waiting("choosing defaults"):
        validated = len(parts["validation"][0]) if "validation" in parts else None
        learnt = [[*parts["train"][side], *parts.get("synthetic", ((), ()))[side]] for side in (0, 1)]
        settings = defaults(facts_of(*learnt, held_out=validated))
    found: list[Problem] = []
    text = yaml.safe_dump(nested(settings), sort_keys=False)
    recipe = recipe_of_text(text, overrides, name=_DEFAULTS, notes=found)
    if notes is not None:
        notes += (note for note in found if note.line is None)  # a note with a line is about the defaults
    if begin is not None:
        begin(recipe)
    _write(parts, folder, held_out)
    if suggest is not None:
        suggest(suggestion(settings, overrides))
    return recipe


def _write(parts: Mapping[str, Part], folder: Path, held_out: Sequence[str]) -> None:
    """Write the parts of a corpus into a folder, and tell how many pairs each has."""
    with reporting_os_errors("write the parts"), waiting("writing the parts of the corpus"):
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            for side, lines in zip(SIDES, parts.get(part, ()), strict=False):
                write_lines(folder / f"{part}.{side}", lines)
    told = [f", {len(parts['synthetic'][0])} synthetic ones"] if "synthetic" in parts else []
    told += [
        f", {len(parts[part][0])} to {part.replace('validation', 'validate')} on{' (held out)' * (part in held_out)}"
        for part in _FIELDS
        if part in parts
    ]
    logger.info("%d pairs to train on%s; written to %s", len(parts["train"][0]), "".join(told), folder)


def suggestion(settings: Settings, overrides: Sequence[str]) -> str:
    """Return settings with overrides as the text of a recipe, in which a comment behind each key tells why."""
    values = config.load_plain(yaml.safe_dump(nested(settings), sort_keys=False), name=_DEFAULTS, overrides=overrides)
    given = [each.partition("=")[0].strip() for each in overrides]
    reasons = {
        path: why for path, (_, why) in settings.items() if not any(f"{path}.".startswith(f"{each}.") for each in given)
    }
    return config.commented_yaml(values, {**reasons, **dict.fromkeys(given, "as given")})


def recipe_to_check(
    files: Files,
    overrides: Sequence[str],
    *,
    synthetic: Files | None = None,
    validation: Files | None = None,
    test: Files | None = None,
) -> Recipe:
    """Return a recipe, with overrides ``a.b=c``, for checking files as they are; nothing is held out.

    Raises:
        ConfigError: an override is wrong.
    """
    given = (files, synthetic, validation, test)
    training, added, *others = (each and config.to_mapping(_corpus(each)) for each in given)
    train = [training, *([] if added is None else [{**added, "tag": _TAG}])]
    recipe = {
        "data": {"root": str(Path().absolute()), "train": train, "validation": others[0]},
        "training": {"max_steps": 1},
        "test": others[1] and {"corpus": others[1]},
    }
    return recipe_of_text(yaml.safe_dump(recipe), overrides, name=_DEFAULTS)


def _corpus(files: Files) -> TextCorpusConfig:
    # Absolute but not resolved: the name that a shell gives to a pipe is a link whose target has no path.
    source, target = (str(path.absolute()) for path in files)
    return TextCorpusConfig(source=source, target=target)


def _held_out(defaults: Mapping[str, Any], overrides: Sequence[str], given: Mapping[str, Files | None]) -> list[str]:
    """Return the parts to hold out: those that neither files nor overrides give.

    Raises:
        ConfigError: an override is wrong, or sets a part that is also given as files.
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
    """Split a corpus into the training part and the held-out parts."""
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
    """Return the root of the corpora of a run whose folder may have been moved or copied with the parts in it.

    This is the folder's own ``data/`` if the root in the recipe was that folder; otherwise the root unchanged.
    """
    stored = Path(root)
    if stored.name != run.data.name or not all((run.data / name).is_file() for name in _TRAINING_FILES):
        return root
    # If the root lies in a run, this is a copy of that run, or another run has taken its place. Any other existing root
    # is the user's own folder, and the parts here are left from a failed start.
    if stored.exists() and not RunFolder(stored.parent).versions.exists():
        return root
    return str(run.data.resolve())


def _defaults(facts: CorpusFacts, folder: Path, overrides: Sequence[str], *, synthetic: bool) -> Settings:
    """The settings of a recipe for the parts in a folder, without what is inherited or pointless by the overrides."""
    settings = {**_parts_below(folder, synthetic=synthetic), **settings_for(facts)}
    settings |= {"alignment.plots": (5, "pictures of the attention")}
    left_out = []
    if _set(overrides, "training.init_from") not in (None, *_NULL):  # sections that are inherited, and what suits them
        left_out += ["model.", "data.subword.", _OBJECTIVE]
    if _set(overrides, "data.validation") in _NULL:
        left_out += VALIDATED
    if _set(overrides, "test") in _NULL:  # what is aligned is the test
        left_out += ["alignment."]
    if _set(overrides, "training.max_minutes") not in (
        None,
        *_NULL,
    ):  # where time is short, more updates are worth most
        left_out += [_OBJECTIVE]
    settings = {path: setting for path, setting in settings.items() if not path.startswith(tuple(left_out))}
    if _refuses_objective(settings, overrides):
        settings = {path: setting for path, setting in settings.items() if not path.startswith(_OBJECTIVE)}
    return settings


def _refuses_objective(settings: Settings, overrides: Sequence[str]) -> bool:
    """Whether what overrides say needs another objective, such as hard attention, or names one."""
    try:
        recipe_of_text(yaml.safe_dump(nested(settings)), overrides, name=_DEFAULTS)
    except ConfigError as error:
        return any(problem.path.startswith(_OBJECTIVE) for problem in error.problems)
    return False


def _set(overrides: Sequence[str], key: str) -> str | None:
    """Return the text to which overrides set a key at last, if any does."""
    return next((each.partition("=")[2].strip() for each in reversed(overrides) if each.partition("=")[0] == key), None)


def _parts_below(folder: Path, *, synthetic: bool) -> Settings:
    corpora = {part: {side: f"{part}.{side}" for side in SIDES} for part in PARTS}
    train, why = [corpora["train"]], "what is not held out"
    if synthetic:
        train += [{**corpora["synthetic"], "tag": _TAG}]
        why += ", and synthetic pairs, whose sources get a tag"
    return {
        "name": ("default", "shown in messages"),
        "seed": (SEED, "of weights, order and dropout"),
        "data.root": (str(folder.resolve()), "where the parts of the corpus are"),
        "data.train": (train, why),
        "data.validation": (corpora["validation"], "chooses the best checkpoint"),
        "test.corpus": (corpora["test"], "scored once, at the end"),
    }

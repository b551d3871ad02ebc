"""An experiment from its recipe to its scores: the walk of ``nmt-train``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nmt.assembly import build_trainer, describe, prepare_corpora, versions
from nmt.core import config
from nmt.core.errors import CheckpointError, ConfigError, Problem
from nmt.core.files import atomic_write, reporting_os_errors, write_json
from nmt.core.run_folder import RunFolder, best_checkpoint, read_json
from nmt.recipe import Recipe
from nmt.training.trainer import TrainingResult
from nmt.translation.bundle import Bundle
from nmt.translation.evaluation import evaluate, export_alignments

# What weights, optimiser and data position depend on.
FIXED = ("model", "seed", "data.subword", "data.normalisation", "data.train", "data.batch", "data.filters")


def claim(path: Path, *, resume: bool) -> None:
    """Make a new run folder, or see that there is a run to resume.

    Raises:
        CheckpointError: the folder holds something and is not to be resumed, or holds no run and is.
    """
    if resume and not RunFolder(path).recipe.exists():
        raise CheckpointError(f"{path}: has no run to resume; start one without --resume")
    if not resume and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise CheckpointError(
            f"{path}: is there already and not empty; continue it with --resume, or choose another --output"
        )
    with reporting_os_errors("make the run folder"):
        path.mkdir(parents=True, exist_ok=True)


def open_run(recipe: Recipe, path: Path, *, resume: bool) -> RunFolder:
    """Write the resolved recipe and the versions into a claimed run folder.

    Raises:
        ConfigError: the run to be resumed was another model or trained on other data.
    """
    folder = RunFolder(path)
    if resume:
        _check_same(folder, recipe)
    with reporting_os_errors("write into the run folder"):
        with atomic_write(folder.recipe) as partial:
            partial.write_text(config.to_yaml(resolved(recipe)), encoding="utf-8")
        write_json(folder.versions, versions(recipe))
    return folder


def resolved(recipe: Recipe) -> Recipe:
    """Make the data root absolute, so that the run's recipe holds wherever a command is called."""
    return replace(recipe, data=replace(recipe.data, root=str(Path(recipe.data.root).resolve())))


def run_training(recipe: Recipe, folder: RunFolder, *, resume: bool) -> TrainingResult:
    """Train to the end or to an interruption.

    Raises:
        NmtError: data, model or training fail; what was finished is kept.
    """
    with reporting_os_errors("go on training"):
        corpora = prepare_corpora(recipe, folder)
        trainer = build_trainer(recipe, folder, corpora)
        if resume:
            trainer.resume()
        return trainer.run()


def dry_run(recipe: Recipe, folder: RunFolder) -> str:
    """Build everything in a folder and describe it; nothing is trained."""
    return describe(recipe, prepare_corpora(recipe, folder))


def conclude(recipe: Recipe, folder: RunFolder) -> str:
    """Score the best checkpoint once on the test set, export the alignments, and say what came out in one line."""
    path = best_checkpoint(folder)
    best = read_json(folder.best)
    line = f"best: {best.get('metric', 'last')} {best['value']:.2f} on validation" if "value" in best else "done"
    if recipe.test is not None or recipe.alignment is not None:
        bundle = Bundle.load(folder.path, device=recipe.training.device)
        root = Path(recipe.data.root)
        if recipe.test is not None:
            line = f"test: {evaluate(bundle, recipe.test, root).bleu}"
        if recipe.alignment is not None:
            export_alignments(bundle, recipe.alignment, recipe.test, root)
    return f"{line}; model: {path}"


def _check_same(folder: RunFolder, recipe: Recipe) -> None:
    before = config.to_mapping(config.load_file(Recipe, folder.recipe))
    now = config.to_mapping(recipe)
    problems = [
        Problem(path, "must be what the run began with; start a new run for another")
        for path in FIXED
        if _at(before, path) != _at(now, path)
    ]
    if problems:
        raise ConfigError(problems, f"{folder.path} cannot be resumed with this recipe")


def _at(mapping: Mapping[str, Any], path: str) -> Any:
    value: Any = mapping
    for key in path.split("."):
        value = value[key]
    return value

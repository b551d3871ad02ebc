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
from nmt.metrics.score import Score
from nmt.recipe import Recipe
from nmt.training.trainer import TrainingResult
from nmt.translation.bundle import Bundle
from nmt.translation.evaluation import ALIGNMENT_REPORT, evaluate, export_alignments

# What weights, optimiser and data position depend on.
FIXED = (
    "model",
    "seed",
    "data.train",
    "data.normalisation",
    "data.target_normalisation",
    "data.subword",
    "data.filters",
    "data.batch",
    "training.objective",
    "training.optimiser.type",
    "training.validation.select",
)


def check(path: Path, *, resume: bool) -> None:
    """See that a run folder is free, or that there is a run to resume; nothing is made yet.

    Raises:
        CheckpointError: the folder holds something and is not to be resumed, or holds no run and is.
    """
    if resume and not RunFolder(path).recipe.exists():
        raise CheckpointError(f"{path}: has no run to resume; start one without --resume")
    if not resume and path.exists() and (not path.is_dir() or any(path.iterdir())):
        found = "is not empty" if path.is_dir() else "must be a folder, but is a file"
        advice = "continue the run in it with --resume, or " if RunFolder(path).recipe.exists() else ""
        raise CheckpointError(f"{path}: {found}; {advice}choose another --output")


def open_run(recipe: Recipe, path: Path, *, resume: bool) -> RunFolder:
    """Make the run folder, and write the resolved recipe and the versions into it.

    Raises:
        ConfigError: the run to be resumed was another model or trained on other data.
    """
    folder = RunFolder(path)
    if resume:
        _check_same(folder, recipe)
    with reporting_os_errors(f"write into the run folder {path}"):
        path.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder.recipe) as partial:
            partial.write_text(config.to_yaml(resolved(recipe)), encoding="utf-8")
        write_json(folder.versions, versions(recipe))
    return folder


def resolved(recipe: Recipe) -> Recipe:
    """Make paths absolute, so that the run's recipe holds wherever a command is called."""

    def absolute(path: str | None) -> str | None:
        return None if path is None else str(Path(path).resolve())

    data = replace(recipe.data, root=str(Path(recipe.data.root).resolve()), cache=absolute(recipe.data.cache))
    training = replace(recipe.training, init_from=absolute(recipe.training.init_from))
    return replace(recipe, data=data, training=training)


def run_training(recipe: Recipe, folder: RunFolder, *, resume: bool) -> TrainingResult:
    """Train to the end or to an interruption.

    Raises:
        NmtError: data, model or training fail; what was finished is kept.
    """
    with reporting_os_errors(f"go on training in {folder.path}"):
        corpora = prepare_corpora(recipe, folder)
        trainer = build_trainer(recipe, folder, corpora)
        if resume:
            trainer.resume()
        return trainer.run()


def dry_run(recipe: Recipe, folder: RunFolder) -> str:
    """Build everything in a folder and describe it; nothing is trained."""
    return describe(recipe, prepare_corpora(recipe, folder))


def conclude(recipe: Recipe, folder: RunFolder, *, trained: bool = True) -> str:
    """Score the best checkpoint once on the test set, export the alignments, and say what came out in one line.

    Args:
        recipe: the experiment.
        folder: its run folder.
        trained: whether the model is new; for an old one only what is missing is made.
    """
    path = best_checkpoint(folder)
    best = read_json(folder.best)
    line = f"best: {best.get('metric', 'last')} {best['value']:.2f} on validation" if "value" in best else "done"
    scored, aligned = (
        not trained and file.exists() and file.stat().st_mtime_ns >= folder.best.stat().st_mtime_ns
        for file in (folder.test, folder.path / ALIGNMENT_REPORT)
    )
    if (recipe.test is not None and not scored) or (recipe.alignment is not None and not aligned):
        bundle = Bundle.load(folder.path, device=recipe.training.device)
        root = Path(recipe.data.root)
        if recipe.test is not None and not scored:
            line = f"test: {evaluate(bundle, recipe.test, root).bleu}"
        if recipe.alignment is not None and not aligned:
            export_alignments(bundle, recipe.alignment, recipe.test, root)
    if recipe.test is not None and scored:
        line = f"test: {Score(**read_json(folder.test)['scores'][0])} (scored before)"
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

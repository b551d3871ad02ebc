"""An experiment from its recipe to its scores: the steps of ``nmt-train``."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nmt.assembly import Corpora, build_trainer, prepare_corpora, versions
from nmt.core import config
from nmt.core.errors import CheckpointError, ConfigError, NmtError, Problem
from nmt.core.logging import errors_only, logger, waiting
from nmt.core.machine.device import kernels
from nmt.core.machine.distributed import first_only, gathered, in_turns, rank, world_size
from nmt.core.storage.checksums import scores_are_of
from nmt.core.storage.files import atomic_write, os_reason, reporting_os_errors, write_json
from nmt.core.storage.hub import is_hub_name
from nmt.core.storage.lock import NAME as LOCK
from nmt.core.storage.lock import folder_lock
from nmt.core.storage.run_folder import RunFolder, best_checkpoint, checkpoint_steps, read_json, resumable_checkpoints
from nmt.data.corpus import read_pairs
from nmt.dry_run import describe
from nmt.metrics.score import Score
from nmt.plain_text import PART_FILES
from nmt.preflight import preflight
from nmt.recipe import Recipe
from nmt.search.search_config import SearchConfig
from nmt.text.vocabularies import FILES as VOCABULARY_FILES
from nmt.training.checkpoints.checkpoint import being_written, sweep_leftovers
from nmt.training.checkpoints.resumption import noted_changes, refused_changes
from nmt.training.checkpoints.run_state import Origin
from nmt.training.search_tuning import tune_search
from nmt.training.trainer import TrainingResult
from nmt.training.validation_result import score_text
from nmt.translation.evaluation import (
    ALIGNMENT_REPORT,
    AlignmentConfig,
    TestConfig,
    asked_of_alignments,
    asked_of_test,
    evaluate,
    export_alignments,
)
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.model_files.stored import translating_recipe

_SHARED = "--output and the corpora must lie in folders that all machines share"


def check(path: Path, *, resume: bool) -> None:
    """Check that a run folder is free, or has a run to resume; nothing is written.

    A folder that holds only the files of a start that failed before training counts as free.

    Raises:
        CheckpointError: without ``resume`` the folder is not free; with it the folder has no run.
    """
    if resume and not RunFolder(path).recipe.exists():
        raise CheckpointError(f"{path}: has no run to resume; start one without --resume")
    if not resume and path.exists() and not (path.is_dir() and _is_free(RunFolder(path))):
        found = "is not empty" if path.is_dir() else "must be a folder, but is a file"
        advice = "continue the run in it with --resume, or " if RunFolder(path).recipe.exists() else ""
        raise CheckpointError(f"{path}: {found}; {advice}choose another --output")


def _is_free(folder: RunFolder) -> bool:
    """Whether a folder is empty, or holds only what a start writes before training.

    A temporary file of a killed start counts as the file it was to become; alone it counts as nothing.
    """
    names = {each.name for each in folder.path.iterdir()} - {LOCK}
    made = {each.name for each in (folder.recipe, folder.versions, folder.corpus, folder.cache)}
    parts = {folder.vocabulary.name: VOCABULARY_FILES, folder.data.name: PART_FILES}
    known = {*made, *parts}
    found = {name for name in names if being_written(name) not in known}
    # A start writes the versions first: without them the files are the user's own, whatever their names.
    return not found or (
        folder.versions.name in found
        and found <= known
        and all(_names(folder.path / name) <= {*files} for name, files in parts.items())
    )


def _names(folder: Path) -> set[str]:
    """Names of the files in a folder; for a temporary file, the name that it was to get."""
    return {being_written(each.name) or each.name for each in folder.glob("*")}


def begin(recipe: Recipe, folder: RunFolder) -> None:
    """Write the versions before anything else: they mark the folder as that of a start, should it fail."""
    with reporting_os_errors(f"write into the run folder {folder.path}"):
        _write_json_if_new(folder.versions, versions(recipe))


@contextmanager
def claimed(path: Path, *, resume: bool) -> Iterator[None]:
    """Lock a run folder, creating it if needed, and remove temporary files of a killed process.

    Of several processes of one training, the first does so for all.

    Raises:
        CheckpointError: as for ``check``.
        NmtError: another process has locked it, or it cannot be written.
    """
    if rank():
        yield
        return
    check(path, resume=resume)
    made = not path.exists()
    with ExitStack() as stack:
        with reporting_os_errors(f"write into the run folder {path}"):
            path.mkdir(parents=True, exist_ok=True)
            if made:
                stack.callback(_remove_if_empty, path)
            stack.enter_context(folder_lock(path))
            check(path, resume=resume)  # again: another process may have been faster
            sweep_leftovers(RunFolder(path))
        yield


def _remove_if_empty(path: Path) -> None:
    with suppress(OSError):
        path.rmdir()


def open_run(recipe: Recipe, path: Path, *, resume: bool) -> RunFolder:
    """Create the run folder with the resolved recipe, or check that a run can be resumed with this recipe.

    Raises:
        ConfigError: the run to resume has another model or other data.
    """
    folder = RunFolder(path)
    if resume:
        _check_same(folder, recipe)
    else:
        _write_recipe(recipe, folder)
    return folder


@first_only
def _write_recipe(recipe: Recipe, folder: RunFolder, *, trained: bool = True) -> None:
    """Write the resolved recipe, and before training the versions; files that would not change are left alone."""
    text = config.to_yaml(resolved(recipe))
    with reporting_os_errors(f"write into the run folder {folder.path}"):
        folder.path.mkdir(parents=True, exist_ok=True)
        if trained:
            begin(recipe, folder)
        if not folder.recipe.exists() or folder.recipe.read_bytes() != text.encode():
            with atomic_write(folder.recipe) as partial:
                partial.write_text(text, encoding="utf-8")


@first_only
def _write_json_if_new(path: Path, value: dict[str, Any]) -> None:
    with suppress(CheckpointError):
        if read_json(path) == value:
            return
    write_json(path, value)


def resolved(recipe: Recipe) -> Recipe:
    """Make paths absolute, so that the run's recipe does not depend on the working directory.

    Raises:
        ConfigError: the name of a folder is not UTF-8, so a recipe cannot hold it.
    """

    def absolute(path: str | None) -> str | None:
        return path if path is None or is_hub_name(path) else _absolute(path)

    data = replace(recipe.data, root=_absolute(recipe.data.root), cache=absolute(recipe.data.cache))
    training = replace(recipe.training, init_from=absolute(recipe.training.init_from))
    return replace(recipe, data=data, training=training)


def _absolute(path: str) -> str:
    resolved = str(Path(path).resolve())
    if any("\ud800" <= character <= "\udfff" for character in resolved):
        raise ConfigError(f"{path}: must lie in a folder whose name is UTF-8, but lies in {resolved!a}; rename it")
    return resolved


def run_training(recipe: Recipe, folder: RunFolder, *, resume: bool, again: str) -> TrainingResult:
    """Train until the end or an interruption; ``again`` is the command that resumes the run, for messages.

    Raises:
        NmtError: data, model or training failed; checkpoints are kept.
    """
    with _kernels(recipe):
        return _run_training(recipe, folder, resume=resume, again=again)


def _kernels(recipe: Recipe) -> AbstractContextManager[None]:
    return kernels(threads=recipe.training.threads, deterministic=recipe.training.deterministic)


def _run_training(recipe: Recipe, folder: RunFolder, *, resume: bool, again: str) -> TrainingResult:
    with reporting_os_errors(f"prepare a training in {folder.path}"), errors_only(rank() > 0):
        corpora = in_turns(lambda: _prepared(recipe, folder, resume=resume))
        with waiting("building the model"):
            trainer = build_trainer(recipe, folder, corpora)
        _see_same(gathered(lambda: trainer.origin), folder)
        if resume:
            trainer.resume()
            unfinished = trainer.state.finished is None
            if unfinished:
                _tell_versions(folder, recipe)
            _write_recipe(recipe, folder, trained=unfinished)
        _write_json_if_new(folder.corpus, corpora.reports())
    try:
        result = trainer.run()
        if recipe.training.tune_search and result.interrupted is None and trainer.validator is not None:
            tune_search(recipe.search, trainer.model, trainer.validator, folder)
        return result
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        steps = checkpoint_steps(folder.checkpoints)
        kept = f"the checkpoint of update {steps[-1]} is kept" if steps else "there is no checkpoint yet"
        raise NmtError(
            f"{where}training stopped at update {trainer.state.step}: {os_reason(error)}. {kept.capitalize()}; when "
            f"this is fixed, continue with: {again}"
        ) from error
    finally:
        if trainer.log.events is not None:
            trainer.log.events.close()


def _prepared(recipe: Recipe, folder: RunFolder, *, resume: bool) -> Corpora:
    """Prepare the corpora; the first process checks first what would fail late, and tells that others wait."""
    if rank() == 0:
        preflight(recipe, folder)
        if not resumable_checkpoints(folder):
            shutil.rmtree(folder.vocabulary, ignore_errors=True)  # the text may have changed since a failed start
        if world_size() > 1:
            logger.info("the corpora are prepared here; the other processes (%d) wait for them", world_size() - 1)
            if not resume:
                _tell_growth(recipe.training.accumulation)
    elif not folder.recipe.exists():
        raise NmtError(f"{folder.path}: is not there on {platform.node()}; {_SHARED}")
    return prepare_corpora(recipe, folder)


def _tell_growth(accumulation: int) -> None:
    """Warn that updates are larger than those of a single process, for which the recipe may have been written."""
    count = world_size()
    advice = "the learning rate may want to be higher, and max_steps, warmup_steps and intervals count fewer updates"
    if accumulation % count == 0:
        advice = f"training.accumulation={accumulation // count} makes them as large as those of one process"
    logger.warning(
        "each of %d processes has its own batches (data.batch, training.accumulation), so that an update has %d times "
        "as many as in one process; %s",
        count,
        count,
        advice,
    )


def _see_same(origins: Sequence[Origin], folder: RunFolder) -> None:
    """See that all processes have the same vocabulary and text.

    Raises:
        NmtError: names a process that has others.
    """
    for number, origin in enumerate(origins):
        changes = origins[0].changes(origin)
        if changes:
            raise NmtError(
                f"process {number} has other data than process 0, which has begun the run {folder.path} "
                f"({'; '.join(changes)}); {_SHARED}"
            )


@first_only
def _tell_versions(folder: RunFolder, recipe: Recipe) -> None:
    with suppress(CheckpointError):
        before, now = read_json(folder.versions), versions(recipe)
        changed = [
            f"{name} was {before[name]}, is {now[name]}" for name in now if before.get(name, now[name]) != now[name]
        ]
        if changed:
            logger.warning("results may differ from here on, if only by rounding: %s", "; ".join(changed))


def dry_run(recipe: Recipe, folder: RunFolder) -> str:
    """Build everything in a folder and describe it; nothing is trained."""
    preflight(recipe, folder)
    return describe(recipe, prepare_corpora(recipe, folder))


def conclude(recipe: Recipe, folder: RunFolder, *, trained: bool = True) -> str:
    """Score the best checkpoint on the test set, export the alignments, and return the result in one line.

    If the model is not new (``trained=False``), only what is missing, or was made with other settings, is redone.
    """
    root = Path(recipe.data.root)
    best = read_json(folder.best)
    metric = best.get("metric", "last")
    line = f"best: {metric} {score_text(best['value'], metric)} on validation" if "value" in best else "done"
    scored = not trained and recipe.test is not None and _scored_before(recipe.test, folder, root)
    aligned = (
        not trained and recipe.alignment is not None and _aligned_before(recipe.alignment, recipe.test, folder, root)
    )
    if (recipe.test is not None and not scored) or (recipe.alignment is not None and not aligned):
        bundle = Bundle.load(folder.path, device=recipe.training.device)
        with _kernels(recipe):
            if recipe.test is not None and not scored:
                line = f"test: {evaluate(bundle, recipe.test, root).bleu}"
            if recipe.alignment is not None and not aligned:
                export_alignments(bundle, recipe.alignment, recipe.test, root)
    if scored:
        line = f"test: {Score(**read_json(folder.test)['scores'][0])} (scored before)"
    return f"{line}; model: {best_checkpoint(folder)}"


def _scored_before(test: TestConfig, folder: RunFolder, root: Path) -> bool:
    search = config.from_mapping(SearchConfig, translating_recipe(folder).get("search") or {}, name="search")
    text = read_pairs(test.corpus, root, cache=folder.cache).identity
    return scores_are_of(folder.test, best_checkpoint(folder), asked_of_test(test, search, text))


def _aligned_before(alignment: AlignmentConfig, test: TestConfig | None, folder: RunFolder, root: Path) -> bool:
    scores = folder.path / ALIGNMENT_REPORT
    corpus = alignment.corpus or (test.corpus if test is not None else None)
    if corpus is None or not scores.exists():
        return False
    text = read_pairs(corpus, root, cache=folder.cache).identity
    return scores_are_of(scores, best_checkpoint(folder), asked_of_alignments(alignment, test, text, root))


@first_only
def _check_same(folder: RunFolder, recipe: Recipe) -> None:
    before = config.to_mapping(config.load_file(Recipe, folder.recipe))
    now = config.to_mapping(resolved(recipe))
    message = "must stay as in the run; start a new run to change it"
    problems = [Problem(path, message) for path in refused_changes(before, now)]
    if problems:
        raise ConfigError(problems, f"{folder.path} cannot be resumed with this recipe")
    processes = 1
    with suppress(CheckpointError):
        processes = read_json(folder.versions).get("processes", 1)
    notes = noted_changes(before, now, processes=(processes, world_size()))
    if notes:
        logger.warning("the run continues with other settings: %s", "; ".join(notes))

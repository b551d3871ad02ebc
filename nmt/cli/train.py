"""``nmt-train``: train a model from a recipe, or from two text files."""

from __future__ import annotations

import argparse
import io
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext, redirect_stderr
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from nmt import experiment
from nmt.cli.options.recipe_options import add_file_options, files_problem, recipe_and_overrides, without_recipe
from nmt.cli.run import COMMAND_LINE, begin, command_parser, run
from nmt.core.errors import ConfigError, Problem
from nmt.core.logging import logger
from nmt.core.machine.distributed import Group, from_first, joined, leave, rank
from nmt.core.machine.launch import launch, train_command
from nmt.core.storage.run_folder import RunFolder
from nmt.plain_text import recipe_for_files, root_now
from nmt.recipe import Recipe, load_recipe

EXAMPLES = (
    "nmt-train recipes/multi30k/deen-bahdanau.yaml data.root=multi30k --output runs/deen",
    "nmt-train recipes/multi30k/deen-bahdanau.yaml data.root=multi30k --dry-run",
    "nmt-train --source my.de --target my.en --output runs/mine      # validation and test parts are held out",
    "nmt-train --source my.de --target my.en --validation dev.de dev.en --test test.de test.en --output runs/mine",
    "nmt-train --source my.de --target my.en --synthetic mono.de mono.en --output runs/mine     # back-translated",
    "nmt-train --source my.de --target my.en --output runs/mine --suggest > my.yaml       # what it would train; why",
    "nmt-train --output runs/deen --resume",
    "nmt-train recipes/quickstart/quickstart.yaml model.attention.score=dot seed=2",
    "nmt-train --import my_parts.py my.yaml       # the recipe names parts that this file registers",
    "torchrun --nproc-per-node 8 -m nmt.cli.train my.yaml --output runs/mine      # on 8 GPUs; see docs/scale.md",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(lambda: _main(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nmt-train",
        "Train a translation model from a recipe, or from two parallel text files with sensible defaults: "
        "validation and test parts that are not given are held out of them. The run folder holds everything that "
        "nmt-translate, nmt-evaluate and nmt-align need. Ctrl-C, SIGTERM and SIGHUP stop training after saving a "
        "checkpoint, from which --resume continues; SIGUSR1 saves one without stopping.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "arguments",
        nargs="*",
        metavar="[RECIPE] [a.b=c ...]",
        help="a recipe, and overrides of its values, such as training.max_steps=100",
    )
    parser.add_argument("--output", type=Path, metavar="RUN", help="run folder (default: runs/ and the recipe's name)")
    parser.add_argument("--resume", action="store_true", help="continue the run in --output where it stopped")
    parser.add_argument("--dry-run", action="store_true", help="build everything, print sizes and memory; no training")
    parser.add_argument(
        "--suggest",
        action="store_true",
        help="with --source and --target: write the parts into --output, print the recipe that suits them, and why; "
        "no training",
    )
    add_file_options(parser)
    return parser


def _main(arguments: Sequence[str] | None) -> int:
    launched = launch()
    # A wrong command line is the same in all processes, and told by the first.
    with nullcontext() if launched is None or launched.rank == 0 else redirect_stderr(io.StringIO()):
        options = _parser().parse_intermixed_args(arguments)
    with joined(launched) as group:
        begin(options)
        path, overrides = recipe_and_overrides(options.arguments)
        _check(options, path, overrides)
        if options.dry_run:
            return _dry_run(options, path, overrides) if rank() == 0 else 0
        if group is not None and group.restarted:  # after a failure, by --max-restarts
            options.resume, options.source, options.target = True, None, None
        return _train(options, path, overrides, group)


def _dry_run(options: argparse.Namespace, path: Path | None, overrides: list[str]) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = RunFolder(Path(scratch))
        print(experiment.dry_run(_recipe(options, path, overrides, folder), folder))
    return 0


def _train(options: argparse.Namespace, path: Path | None, overrides: list[str], group: Group | None) -> int:
    output: Path = options.output or Path("runs") / (path.stem if path else "")
    first = rank() == 0
    with experiment.claimed(output, resume=options.resume):
        if options.suggest:
            from_first(lambda: _recipe(options, path, overrides, RunFolder(output), suggest=sys.stdout.write))
            return 0
        recipe = from_first(lambda: _recipe(options, path, overrides, RunFolder(output)))
        folder = experiment.open_run(recipe, output, resume=options.resume)
        if group is None:
            _tell_of_other_gpus(recipe)
        elif first:
            group.note_start()
        again = " ".join(
            [train_command(), *(f"--import {each}" for each in options.imports), f"--output {output} --resume"]
        )
        try:
            result = experiment.run_training(recipe, folder, resume=options.resume, again=again)
            leave()
            if result.interrupted is None:
                if first:
                    print(_concluded(recipe, folder, trained=result.trained, again=again))
                return 0
        except KeyboardInterrupt:  # before the first update, after the last, or on a second signal
            if first:
                logger.warning("continue with: %s", again)
            raise
        if first:
            logger.warning("stopped at update %d; continue with: %s", result.state.step, again)
        return 128 + result.interrupted


def _tell_of_other_gpus(recipe: Recipe) -> None:
    count = torch.cuda.device_count()
    if count > 1 and recipe.training.device in ("auto", "cuda"):
        logger.info(
            "this machine has %d GPUs, of which one process uses one; for all of them: "
            "torchrun --nproc-per-node %d -m nmt.cli.train %s",
            count,
            count,
            shlex.join(sys.argv[1:]),
        )


def _concluded(recipe: Recipe, folder: RunFolder, *, trained: bool, again: str) -> str:
    """Score and align; if that fails, a warning says that the model itself is finished."""
    try:
        return experiment.conclude(recipe, folder, trained=trained)
    except Exception:
        logger.warning(
            "the model in %s is finished, and only a step after training failed; when this is fixed (or with an "
            "override such as test.corpus.source=FILE), continue with: %s",
            folder.path,
            again,
        )
        raise


def _recipe(
    options: argparse.Namespace,
    path: Path | None,
    overrides: list[str],
    folder: RunFolder,
    *,
    suggest: Callable[[str], object] | None = None,
) -> Recipe:
    notes: list[Problem] = []
    if options.source is not None:
        recipe = recipe_for_files(
            (options.source, options.target),
            folder.data,
            overrides,
            synthetic=options.synthetic,
            validation=options.validation,
            test=options.test,
            begin=partial(experiment.begin, folder=folder),
            notes=notes,
            suggest=suggest,
        )
    else:
        stored = folder if options.output is None else RunFolder(options.output)  # not the scratch folder of a dry run
        run = stored if options.resume else None
        recipe = load_recipe(path or stored.recipe, overrides, notes=notes, run=run)
        if options.resume and not any(override.startswith("data.root=") for override in overrides):
            recipe = replace(recipe, data=replace(recipe.data, root=root_now(recipe.data.root, stored)))
    for note in notes:
        logger.warning("%s", note if path is None else f"{path}: {note}")
    return recipe


def _check(options: argparse.Namespace, path: Path | None, overrides: Sequence[str]) -> None:
    problem = files_problem(options, path, overrides)
    if problem is None and options.source is not None and options.resume:
        problem = "--resume continues with the recipe in --output; leave out --source and --target"
    elif problem is None and options.source is not None and options.output is None and not options.dry_run:
        problem = "--output must be given with --source and --target"
    elif problem is None and options.suggest and (options.source is None or options.dry_run):
        problem = "--suggest needs --source and --target, and neither a recipe, --resume nor --dry-run"
    elif problem is None and options.source is None and path is None and not (options.resume and options.output):
        problem = without_recipe(overrides, ", or --output with --resume; see nmt-train --help")
    if problem:
        raise ConfigError(problem, COMMAND_LINE)


if __name__ == "__main__":
    sys.exit(main())

"""Shared options of runs, search and plots, and functions that apply them."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.cli.run import COMMAND_LINE
from nmt.core.config.ranges import problems_of
from nmt.core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from nmt.alignment.report.document import ReportWriter
    from nmt.search.search_config import SearchConfig
    from nmt.translation.model_files.bundle import Bundle
    from nmt.translation.output.gallery import Gallery

# Option: its search strategy, if it needs one.
_SEARCH: dict[str, str | None] = {
    "strategy": None,
    "beam_size": "beam",
    "n_best": None,
    "patience": "beam",
    "length_penalty": None,
    "coverage_penalty": None,
    "no_repeat_ngram": None,
    "repetition_penalty": None,
    "min_length": None,
    "min_length_ratio": None,
    "max_length_ratio": None,
    "max_length_offset": None,
    "temperature": "sampling",
    "top_k": "sampling",
    "top_p": "sampling",
    "seed": "sampling",
    "mbr": None,
    "mbr_samples": "sampling",
}


def add_plot_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of plots, drawn by ``nmt.translation.output.gallery.Gallery``."""
    plots = parser.add_argument_group("plots of the attention")
    plots.add_argument("--plots", type=Path, metavar="DIR", help="folder for plots of the first sentences")
    plots.add_argument("--plot-count", type=int, default=10, metavar="N", help="how many (default: 10)")
    plots.add_argument("--plot-format", choices=("png", "svg", "pdf"), default="png", help="png (default), svg or pdf")
    plots.add_argument("--plot-unit", choices=("words", "pieces"), default="words", help="words (default) or pieces")


def add_model_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options of device and checkpoint; returns the group, for further options."""
    group = parser.add_argument_group("model")
    group.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1 or mps")
    group.add_argument(
        "--checkpoint",
        metavar="NAME",
        help="a checkpoint of the run, such as step-1200, or last (default: the best one)",
    )
    group.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    group.add_argument("--batch-tokens", type=int, metavar="N", help="pieces per batch; fewer need less memory")
    group.add_argument(
        "--root",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder that the paths in the input start from, for a model of pictures, sounds or arrays (default: the "
        "current one)",
    )
    group.add_argument(
        "--target-language",
        metavar="CODE",
        help="language to translate into, such as fr, for a model of several; a line that begins with a tag of the "
        "model, such as <2fr>, has its own",
    )
    group.add_argument(
        "--no-fast-paths",
        dest="fast_paths",
        action="store_const",
        const=False,
        help="compute the formulas directly: slower, with the same output (default: as in training)",
    )
    return group


def add_search_options(parser: argparse.ArgumentParser, *, n_best: str) -> None:
    """Add the options of search, which default to the recipe; ``n_best`` describes the use of n-best lists."""
    group = parser.add_argument_group("search (defaults: the run's recipe)")
    group.add_argument("--strategy", choices=("beam", "greedy", "sampling"), help="how to search for translations")
    group.add_argument("--beam-size", type=int, metavar="K", help="hypotheses kept per sentence")
    group.add_argument(
        "--n-best",
        type=int,
        metavar="N",
        help=n_best,
    )
    group.add_argument("--patience", type=float, metavar="P", help="continue until P * K hypotheses have finished")
    group.add_argument("--length-penalty", type=float, metavar="ALPHA", help="0 favours short translations, 1 does not")
    group.add_argument("--coverage-penalty", type=float, metavar="BETA", help="above 0 penalises untranslated words")
    group.add_argument("--no-repeat-ngram", type=int, metavar="N", help="no N pieces in a row occur twice")
    group.add_argument(
        "--repetition-penalty", type=float, metavar="F", help="above 1 makes pieces that have occurred less probable"
    )
    group.add_argument("--min-length", type=int, metavar="N", help="minimum length, in pieces")
    group.add_argument(
        "--min-length-ratio", type=float, metavar="R", help="minimum length, as a multiple of the source length"
    )
    group.add_argument("--max-length-ratio", type=float, metavar="R", help="maximum length: R * source + N pieces")
    group.add_argument("--max-length-offset", type=int, metavar="N", help="see --max-length-ratio")
    group.add_argument("--temperature", type=float, metavar="T", help="of sampling; below 1 favours probable pieces")
    group.add_argument("--top-k", type=int, metavar="K", help="sample among the K most probable pieces")
    group.add_argument(
        "--top-p", type=float, metavar="P", help="sample among the fewest pieces that reach probability P"
    )
    group.add_argument(
        "--seed", type=int, metavar="N", help="of sampling; the samples of a line depend on it and on the line number"
    )
    group.add_argument(
        "--mbr",
        choices=("none", "chrf"),
        help="minimum Bayes risk: choose the translation with the highest expected chrF, among those of the beam or "
        "samples (docs/search.md)",
    )
    group.add_argument("--mbr-samples", type=int, metavar="N", help="samples for --mbr")


def search_config(options: argparse.Namespace, recipe: SearchConfig) -> SearchConfig:
    """Return the recipe's search settings, overridden by the command line.

    Raises:
        ConfigError: the settings are impossible.
    """
    given = {name: value for name in _SEARCH if (value := getattr(options, name)) is not None}
    strategy = given.get("strategy", recipe.strategy)
    problems = [
        Problem(f"--{name.replace('_', '-')}", f"needs --strategy {owner}, but the strategy is {strategy}")
        for name, owner in _SEARCH.items()
        if name in given and owner not in (None, strategy)
    ]
    if strategy == "greedy":
        given = {"n_best": 1, "mbr": "none", **given}
    search = replace(recipe, **given)
    problems += [Problem(f"--{name.replace('_', '-')}", message) for name, message in problems_of(search)]
    if problems:
        raise ConfigError(problems, COMMAND_LINE)
    return search


def given_of_run(options: argparse.Namespace) -> list[str]:
    """Return the given options of ``add_model_options`` and ``add_search_options``, which need a run."""
    model = ("checkpoint", "threads", "batch_tokens", "target_language")
    given = [f"--{name.replace('_', '-')}" for name in (*_SEARCH, *model) if getattr(options, name) is not None]
    others = (("--device", options.device != "auto"), ("--no-fast-paths", options.fast_paths is not None))
    return [*given, *(option for option, there in others if there)]


def searches(options: argparse.Namespace) -> bool:
    """Whether any search option was given."""
    return any(getattr(options, name) is not None for name in _SEARCH)


def use_threads(options: argparse.Namespace) -> AbstractContextManager[None]:
    """Return a context with the requested number of threads, if any.

    Raises:
        ConfigError: it is below 1.
    """
    at_least_one(options, "threads")
    if options.threads is None:
        return contextlib.nullcontext()
    from nmt.core.machine.device import kernels

    return kernels(threads=options.threads)


def at_least_one(options: argparse.Namespace, *names: str) -> None:
    """Refuse numbers below 1; options not given are ignored.

    Raises:
        ConfigError: with their names.
    """
    problems = [
        Problem(f"--{name.replace('_', '-')}", f"must be at least 1, but is {value}")
        for name in names
        if (value := getattr(options, name)) is not None and value < 1
    ]
    if problems:
        raise ConfigError(problems, COMMAND_LINE)


def load_models(options: argparse.Namespace, runs: Sequence[Path]) -> list[Bundle]:
    """Load runs according to the options of ``add_model_options``.

    Raises:
        NmtError: one cannot be loaded.
    """
    from nmt.translation.models import load_bundles

    return load_bundles(runs, device=options.device, checkpoint=options.checkpoint, fast_paths=options.fast_paths)


def gallery_of(options: argparse.Namespace) -> Gallery | None:
    """Return the gallery for ``add_plot_options``, if plots are requested.

    Raises:
        NmtError: the folder cannot be created.
    """
    if options.plots is None:
        return None
    from nmt.translation.output.gallery import Gallery

    return Gallery(options.plots, count=options.plot_count, format=options.plot_format, unit=options.plot_unit)


def page_of(path: Path | None, *, title: str, subtitle: str) -> AbstractContextManager[ReportWriter | None]:
    """Return a context that writes an HTML page, if one is requested."""
    if path is None:
        return contextlib.nullcontext()
    from nmt.alignment.report.document import report_file

    return report_file(path, title=title, subtitle=subtitle)

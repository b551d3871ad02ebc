"""Options that several commands share."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nmt.core.errors import ConfigError, DataError, NmtError, Problem
from nmt.core.storage.compression import check_name
from nmt.core.storage.files import missing_hint, packing, read_text_lines, reporting_os_errors

if TYPE_CHECKING:
    from nmt.search.search_config import SearchConfig

COMMAND_LINE = "command line"

# Option: the strategy it belongs to, or none.
_SEARCH: dict[str, str | None] = {
    "strategy": None,
    "beam_size": "beam",
    "n_best": None,
    "patience": "beam",
    "length_penalty": None,
    "coverage_penalty": None,
    "min_length": None,
    "min_length_ratio": None,
    "max_length_ratio": None,
    "max_length_offset": None,
    "temperature": "sampling",
    "top_k": "sampling",
    "top_p": "sampling",
    "seed": "sampling",
}


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add a corpus of two files in place of a recipe, and what it is validated and tested on."""
    sides = ("SOURCE", "TARGET")
    files = parser.add_argument_group("two text files instead of a recipe")
    files.add_argument("--source", type=Path, metavar="FILE", help="source sentences, one a line")
    files.add_argument("--target", type=Path, metavar="FILE", help="their translations, one a line")
    files.add_argument("--validation", nargs=2, type=Path, metavar=sides, help="files to validate on")
    files.add_argument("--test", nargs=2, type=Path, metavar=sides, help="files to test on")


def files_problem(options: argparse.Namespace, recipe: Path | None) -> str | None:
    """Say what is wrong with the options of ``add_file_options``, if anything is.

    Args:
        options: the command line.
        recipe: the recipe, if one is given.
    """
    if (options.source is None) != (options.target is None):
        return "--source and --target must be given together"
    if options.source is not None and recipe is not None:
        return f"either a recipe ({recipe}) or --source and --target must be given, not both"
    for name, field in (("validation", "data.validation"), ("test", "test.corpus")):
        if options.source is None and getattr(options, name) is not None:
            return f"--{name} needs --source and --target; with a recipe, give {field}.source=... and .target=..."
    return None


def recipe_and_overrides(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Tell the recipe from overrides ``a.b=c``, wherever they stand.

    Args:
        arguments: what was given beside the options. A file that is there is a file, ``=`` in its name or not; so is
            what has a ``/`` before its first ``=``, as no name of a value has one.

    Returns:
        The recipe, if there is one, and the overrides.

    Raises:
        ConfigError: there are several recipes, or blanks around a ``=``.
    """
    paths = [argument for argument in arguments if _names_file(argument)]
    overrides = [argument for argument in arguments if not _names_file(argument)]
    torn = [each for each in overrides if each.startswith("=")]
    torn += [each for each in overrides if each.endswith("=") and len(paths) > 1]
    hint = "; a value must be given as a.b=c, without blanks around the `=`" if torn else ""
    if len(paths) > 1:
        message = f"there must be one recipe, but there are {len(paths)}: {', '.join(paths)}{hint}"
        raise ConfigError(message, COMMAND_LINE)
    if hint:
        raise ConfigError(f"`{torn[0]}` sets nothing{hint}", COMMAND_LINE)
    return (Path(paths[0]) if paths else None), overrides


def _names_file(argument: str) -> bool:
    # Not Path.is_file, which raises where an override is longer than a name may be.
    return "/" in argument.partition("=")[0] or "=" not in argument or os.path.isfile(argument)  # noqa: PTH113


def without_recipe(overrides: Sequence[str], otherwise: str) -> str:
    """Say that a recipe is missing.

    Args:
        overrides: what was taken for overrides; one that looks like a recipe is likely to be a file that is not there.
        otherwise: what else may be given, completing "... or --source and --target".
    """
    looks = [each for each in overrides if each.endswith((".yaml", ".yml"))]
    if looks:
        return f"a recipe must be given: {looks[0]} is no file that is there, so that it counts as a value"
    return f"a recipe must be given, or --source and --target{otherwise}"


def add_plot_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of plots, which ``nmt.translation.output.gallery.Gallery`` draws."""
    plots = parser.add_argument_group("plots of the attention")
    plots.add_argument("--plots", type=Path, metavar="DIR", help="folder for plots of the first sentences")
    plots.add_argument("--plot-count", type=int, default=10, metavar="N", help="how many (default: 10)")
    plots.add_argument("--plot-format", choices=("png", "svg", "pdf"), default="png", help="png (default), svg or pdf")
    plots.add_argument("--plot-unit", choices=("words", "pieces"), default="words", help="words (default) or pieces")


def add_model_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add where to compute, and with which weights; returns the group, for more of the kind."""
    group = parser.add_argument_group("model")
    group.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1 or mps")
    group.add_argument(
        "--checkpoint",
        metavar="NAME",
        help="a checkpoint of the run, such as step-1200, or last (default: the best one)",
    )
    group.add_argument("--threads", type=int, metavar="N", help="threads of the CPU (default: all cores)")
    group.add_argument("--batch-tokens", type=int, metavar="N", help="pieces of a batch; smaller takes less memory")
    group.add_argument(
        "--no-fast-paths",
        dest="fast_paths",
        action="store_const",
        const=False,
        help="compute by the formulas as they stand; slower, and the same output (default: as the run was trained)",
    )
    return group


def add_search_options(parser: argparse.ArgumentParser, *, n_best: str) -> None:
    """Add how to search; what is not given is as the recipe has it. ``n_best`` says what becomes of several."""
    group = parser.add_argument_group("search (defaults: the run's recipe)")
    group.add_argument("--strategy", choices=("beam", "greedy", "sampling"), help="how translations are found")
    group.add_argument("--beam-size", type=int, metavar="K", help="hypotheses kept a sentence")
    group.add_argument(
        "--n-best",
        type=int,
        metavar="N",
        help=n_best,
    )
    group.add_argument("--patience", type=float, metavar="P", help="go on until P * K hypotheses have ended")
    group.add_argument("--length-penalty", type=float, metavar="ALPHA", help="0 favours short translations, 1 does not")
    group.add_argument("--coverage-penalty", type=float, metavar="BETA", help="above 0 punishes what is left out")
    group.add_argument("--min-length", type=int, metavar="N", help="shortest translation, in pieces")
    group.add_argument(
        "--min-length-ratio", type=float, metavar="R", help="shortest translation, as a factor of the source"
    )
    group.add_argument("--max-length-ratio", type=float, metavar="R", help="longest translation: R * source + N pieces")
    group.add_argument("--max-length-offset", type=int, metavar="N", help="see --max-length-ratio")
    group.add_argument("--temperature", type=float, metavar="T", help="of sampling; below 1 is more sure of itself")
    group.add_argument("--top-k", type=int, metavar="K", help="sample among the K most probable pieces")
    group.add_argument(
        "--top-p", type=float, metavar="P", help="sample among the fewest pieces that reach probability P"
    )
    group.add_argument(
        "--seed", type=int, metavar="N", help="of sampling; a line's samples depend on it and its number"
    )


def search_config(options: argparse.Namespace, recipe: SearchConfig) -> SearchConfig:
    """Return the recipe's search as the command line changes it.

    Raises:
        ConfigError: what is asked for is impossible.
    """
    given = {name: value for name in _SEARCH if (value := getattr(options, name)) is not None}
    strategy = given.get("strategy", recipe.strategy)
    problems = [
        Problem(f"--{name.replace('_', '-')}", f"needs --strategy {owner}, but the strategy is {strategy}")
        for name, owner in _SEARCH.items()
        if name in given and owner not in (None, strategy)
    ]
    if strategy == "greedy":
        given.setdefault("n_best", 1)
    search = replace(recipe, **given)
    problems += [Problem(f"--{name.replace('_', '-')}", message) for name, message in search.problems()]
    if problems:
        raise ConfigError(problems, COMMAND_LINE)
    return search


def given_of_run(options: argparse.Namespace) -> list[str]:
    """Return the options given of ``add_model_options`` and ``add_search_options``, which need a run."""
    model = ("checkpoint", "threads", "batch_tokens")
    given = [f"--{name.replace('_', '-')}" for name in (*_SEARCH, *model) if getattr(options, name) is not None]
    others = (("--device", options.device != "auto"), ("--no-fast-paths", options.fast_paths is not None))
    return [*given, *(option for option, there in others if there)]


def searches(options: argparse.Namespace) -> bool:
    """Whether any option of search was given."""
    return any(getattr(options, name) is not None for name in _SEARCH)


def use_threads(count: int | None) -> AbstractContextManager[None]:
    """Return a context with that number of threads, if one is given.

    Raises:
        ConfigError: it is below 1.
    """
    if count is None:
        return contextlib.nullcontext()
    at_least_one("--threads", count)
    from nmt.core.machine.device import kernels

    return kernels(threads=count)


def at_least_one(option: str, value: int) -> int:
    """Return a number that must be positive.

    Raises:
        ConfigError: it is not.
    """
    if value < 1:
        raise ConfigError([Problem(option, f"must be 1 or more, but is {value}")], COMMAND_LINE)
    return value


def standard_input() -> IO[bytes]:
    """Return the bytes of standard input.

    The stream is one of its own, since Python ends in an error if a thread still reads ``sys.stdin`` then.

    Raises:
        NmtError: whoever called the command closed it.
    """
    if sys.stdin is None:
        raise NmtError("standard input is closed; give --input FILE")
    try:
        descriptor = sys.stdin.fileno()
    except OSError:  # not a file of the system
        return sys.stdin.buffer
    return open(descriptor, "rb", closefd=False)


def standard_output() -> IO[bytes]:
    """Return standard output for bytes.

    Raises:
        NmtError: whoever called the command closed it.
    """
    if sys.stdout is None:
        raise NmtError("standard output is closed; give --output FILE")
    return sys.stdout.buffer


@contextlib.contextmanager
def opened(path: Path | None, what: str) -> Iterator[IO[bytes] | None]:
    """Open a file to be written, if one is asked for; what is written is packed, if its name says so.

    Raises:
        NmtError: it cannot be written.
    """
    if path is None:
        yield None
        return
    check_place(path, what)
    action = f"write the {what}"
    with contextlib.ExitStack() as stack:
        with reporting_os_errors(action):
            stream = stack.enter_context(packing(stack.enter_context(path.open("wb")), path))
        try:
            yield stream
        except BaseException:
            with contextlib.suppress(OSError):  # what went wrong first is what is told
                stack.close()
            raise
        with reporting_os_errors(action, path):  # the last lines may not be on the disk before
            stack.close()


def check_place(path: Path, what: str) -> None:
    """Refuse an output that is a folder, or whose folder is missing.

    Args:
        path: the output.
        what: what is written there, for the message.

    Raises:
        NmtError: nothing can be written there.
    """
    if path.is_dir() or not path.parent.is_dir():
        why = "it is a folder" if path.is_dir() else missing_hint(path).removeprefix("; ")
        raise NmtError(f"{path}: cannot write the {what}; {why}")


def check_outputs(outputs: Sequence[tuple[str, Path | None]], inputs: Iterable[Path | None]) -> None:
    """Refuse outputs that would overwrite an input, or one another, or cannot be packed as their names say.

    Args:
        outputs: each option with its file; ``None`` is not asked for.
        inputs: files that are read, runs too: one may be a model file. ``None`` is not given.

    Raises:
        ConfigError: names the file, or both options.
        NmtError: an output cannot be packed.
    """
    given = [(option, path) for option, path in outputs if path is not None]
    for _, output in given:
        check_name(output)
    read = [path for path in inputs if path is not None]
    for _, output in given:
        for path in read:
            if _same_file(output, path):
                raise ConfigError(f"{path}: is an input and would be overwritten; choose another output", COMMAND_LINE)
    for (one, path), (other, second) in combinations(given, 2):
        if _same_file(path, second):
            raise ConfigError(f"{one} and {other} must be two files, but both are {second}", COMMAND_LINE)


def _same_file(one: Path, other: Path) -> bool:
    """Whether what is written to one would overwrite the other; a device, such as ``/dev/null``, overwrites nothing."""
    if one.exists() and other.exists():
        return one.is_file() and one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def read_sides(*paths: Path) -> list[list[str]]:
    """Read text files that belong together line by line.

    Raises:
        DataError: a file is missing, unreadable or empty, or they differ in length.
    """
    streams = [read_text_lines(path) for path in paths]  # whether all are there is known before one is read
    sides = [list(stream) for stream in streams]
    for path, side in zip(paths, sides, strict=True):
        if len(side) != len(sides[0]):
            raise DataError(
                f"{paths[0]} has {len(sides[0])} lines, but {path} has {len(side)}; line k of one belongs to line k of "
                "the other"
            )
        if not side:
            raise DataError(f"{path}: must have one line or more, but is empty")
    return sides

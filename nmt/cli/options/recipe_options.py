"""Options of commands that read a recipe: overrides, or two text files instead of a recipe."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.run import COMMAND_LINE
from nmt.core.errors import ConfigError


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add options of training, validation and test files in place of a recipe."""
    sides = ("SOURCE", "TARGET")
    files = parser.add_argument_group("two text files instead of a recipe")
    files.add_argument("--source", type=Path, metavar="FILE", help="source sentences, one per line")
    files.add_argument("--target", type=Path, metavar="FILE", help="their translations, one per line")
    files.add_argument(
        "--synthetic",
        nargs=2,
        type=Path,
        metavar=sides,
        help="pairs to train on too, with a machine's translation on one side; <bt> is put before each source "
        "(docs/little-data.md)",
    )
    files.add_argument("--validation", nargs=2, type=Path, metavar=sides, help="files to validate on")
    files.add_argument("--test", nargs=2, type=Path, metavar=sides, help="files to test on")


def files_problem(options: argparse.Namespace, recipe: Path | None, overrides: Sequence[str]) -> str | None:
    """Return the problem with the options of ``add_file_options``, beside a recipe or none, if any."""
    if (options.source is None) != (options.target is None):
        return "--source and --target must be given together"
    if options.source is not None and recipe is not None:
        return f"either a recipe ({recipe}) or --source and --target must be given, not both"
    fields = {"synthetic": "data.train.1", "validation": "data.validation", "test": "test.corpus"}
    for name, field in fields.items():
        if options.source is None and getattr(options, name) is not None:
            return f"--{name} needs --source and --target; with a recipe, give {field}.source=... and .target=..."
    if options.synthetic is not None and any(each.partition("=")[0] == "data.train" for each in overrides):
        return "--synthetic cannot be given where an override sets data.train; leave one of them out"
    return None


def recipe_and_overrides(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Separate the recipe from overrides ``a.b=c``, in any order.

    Args:
        arguments: positional arguments. An existing file is the recipe, even with ``=`` in its name; so is an argument
            with ``/`` before its first ``=``, since keys contain none.

    Returns:
        The recipe, if any, and the overrides.

    Raises:
        ConfigError: there are several recipes, or blanks around ``=``.
    """
    paths = [argument for argument in arguments if _names_file(argument)]
    overrides = [argument for argument in arguments if not _names_file(argument)]
    torn = [each for each in overrides if each.startswith("=")]
    torn += [each for each in overrides if each.endswith("=") and len(paths) > 1]
    hint = "; a value must be given as a.b=c, without blanks around the `=`" if torn else ""
    if len(paths) > 1:
        message = f"only one recipe can be given, but there are {len(paths)}: {', '.join(paths)}{hint}"
        raise ConfigError(message, COMMAND_LINE)
    if hint:
        raise ConfigError(f"`{torn[0]}` sets nothing{hint}", COMMAND_LINE)
    return (Path(paths[0]) if paths else None), overrides


def _names_file(argument: str) -> bool:
    # Not Path.is_file, which raises if an override is too long for a file name.
    return "/" in argument.partition("=")[0] or "=" not in argument or os.path.isfile(argument)  # noqa: PTH113


def without_recipe(overrides: Sequence[str], otherwise: str) -> str:
    """Return a message that the recipe is missing.

    Args:
        overrides: the overrides; one that looks like a recipe is probably a missing file.
        otherwise: alternatives, completing "... or --source and --target".
    """
    looks = [each for each in overrides if each.endswith((".yaml", ".yml"))]
    if looks:
        return f"a recipe must be given: there is no file {looks[0]}, so it is taken for an override"
    return f"a recipe must be given, or --source and --target{otherwise}"

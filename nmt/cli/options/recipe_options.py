"""Options of the commands that read a recipe: overrides of its values, or two text files in its place."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.run import COMMAND_LINE
from nmt.core.errors import ConfigError


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
        arguments: what was given besides the options. A file that is there is a file, ``=`` in its name or not; so is
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

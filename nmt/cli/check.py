"""``nmt-check``: find problems in the corpora of a recipe, or in two files."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nmt.alignment.drawing.pages import check_page
from nmt.cli.options.recipe_options import add_file_options, files_problem, recipe_and_overrides, without_recipe
from nmt.cli.run import COMMAND_LINE, begin, command_parser, run
from nmt.core.errors import ConfigError
from nmt.plain_text import recipe_to_check
from nmt.recipe import Recipe, load_recipe
from nmt.warm_start import WarmStart

EXAMPLES = (
    "nmt-check recipes/multi30k/deen-bahdanau.yaml data.root=multi30k",
    "nmt-check --source my.de --target my.en --test test.de test.en",
    "nmt-check my.yaml --html corpora.html        # pictures of lengths, ratios, repetitions",
    "nmt-check my.yaml --json > corpora.json",
    "nmt-check my.yaml && nmt-train my.yaml      # trains if there is no warning",
)
STATUS = {"note": 0, "warning": 3, "error": 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(lambda: _main(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nmt-check",
        "Check the corpora of a recipe, or two parallel text files, for problems: empty lines, misaligned sides, "
        "unusual lengths, duplicates, untranslated lines, control characters, damaged text, unknown characters, "
        "and test sentences that are also in the training corpus. Each is reported with line numbers, examples and "
        "advice. The exit status is 0 for notes at most, 3 for warnings, 1 for errors.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "arguments",
        nargs="*",
        metavar="[RECIPE] [a.b=c ...]",
        help="a recipe, as for nmt-train, and overrides of its values",
    )
    add_file_options(parser)
    parser.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="write a page too: lengths, ratios, repetitions and pieces of words as pictures, and the findings",
    )
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    return parser


def _main(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_intermixed_args(arguments)
    begin(options)
    if options.html is not None:
        check_page(options.html)
    recipe = _recipe(options)
    from nmt.data.checks.corpora import check_data

    test = None if recipe.test is None else recipe.test.corpus
    vocabularies = None
    if recipe.training.init_from is not None:
        vocabularies = WarmStart.of(recipe.training.init_from).vocabularies(recipe.data.subword)
    with tempfile.TemporaryDirectory(prefix="nmt-check-") as scratch:
        cache = Path(scratch) if recipe.data.cache is None else Path(recipe.data.cache)
        report = check_data(
            recipe.data, test=test, vocabularies=vocabularies, cache=cache, portraits=options.html is not None
        )
    print(json.dumps(report.as_json(), ensure_ascii=False, indent=1) if options.json else report)
    if options.html is not None:
        from nmt.data.checks.page_document import write_page

        write_page(options.html, report, title=f"Corpora of {recipe.name}" if recipe.name else "Corpora")
    return STATUS[report.severity]


def _recipe(options: argparse.Namespace) -> Recipe:
    path, overrides = recipe_and_overrides(options.arguments)
    problem = files_problem(options, path, overrides)
    if problem is None and path is None and options.source is None:
        problem = without_recipe(overrides, "; see nmt-check --help")
    if problem:
        raise ConfigError(problem, COMMAND_LINE)
    if path is not None:
        return load_recipe(path, overrides)
    files = options.source, options.target
    given = {name: getattr(options, name) for name in ("synthetic", "validation", "test")}
    return recipe_to_check(files, overrides, **given)


if __name__ == "__main__":
    sys.exit(main())

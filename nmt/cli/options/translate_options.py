"""Options of ``nmt-translate``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.cli.options.run_options import add_model_options, add_plot_options, add_search_options, at_least_one
from nmt.cli.run import COMMAND_LINE, command_parser
from nmt.core.errors import ConfigError

if TYPE_CHECKING:
    from nmt.translation.requests.files_beside import Asked

ASKED: tuple[Asked, ...] = ("prefix", "constraints", "avoid")
"""Options of files that say line by line what is asked of the translations."""

EXAMPLES = (
    "nmt-translate runs/deen < test.de > test.en",
    "nmt-translate runs/deen --input a.de b.de --output-dir out/ --plots plots/",
    "nmt-translate runs/deen --alignments test.pharaoh < test.de > test.en",
    "nmt-translate runs/deen --format jsonl --n-best 5 < test.de > test.jsonl",
    "nmt-translate runs/one runs/two runs/three < test.de      # an ensemble",
    "nmt-translate hf:owner/name < test.de                     # a model on the Hugging Face hub",
    "nmt-translate runs/many --target-language fr < test.de    # a model of several languages",
    "nmt-translate runs/deen --strategy sampling --top-p 0.9 --n-best 3 --format tsv < test.de",
    "nmt-translate runs/deen --placeholder '<num>=[0-9]+' < test.de",
    "nmt-translate runs/deen --input big.de --output big.en --resume   # starts, or continues where it was interrupted",
    "nmt-translate runs/deen --input big.de.gz --output big.en --shard 3/16    # one of 16 jobs, on any machines",
    "nmt-translate --join big.en                                              # when all 16 are finished",
    "nmt-translate runs/deen --errors replace --long-lines report < crawled.de > crawled.en",
    "tail -f log.de | nmt-translate runs/deen --window 1",
    "nmt-translate runs/deen --html test.html --n-best 5 --trees 1-10 < test.de > test.en",
    "nmt-translate runs/deen --prefix begun.en --input test.de      # goes on with what begun.en begins",
    "nmt-translate runs/deen --constraints terms.en --avoid not.en --input test.de   # phrases, separated by tabs",
    "nmt-translate runs/deen --glossary terms.tsv --input test.de                    # term, tab, translation",
    "echo 'Ein <b>Hund</b> rennt.' | nmt-translate runs/deen --markup xml            # A <b>dog</b> is running.",
    "nmt-translate runs/deen --markup html --input page.de.html --output page.en.html",
    "nmt-translate runs/deen --input-format jsonl --format jsonl < requests.jsonl > translations.jsonl",
    "nmt-translate runs/deen --interactive",
)


def translate_parser() -> argparse.ArgumentParser:
    """Return the parser of ``nmt-translate``."""
    parser = command_parser(
        "nmt-translate",
        "Translate text, one sentence per line: line k of the output is the translation of line k of the input, "
        "and empty for a blank line. Reads standard input and writes standard output by default.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "runs",
        nargs="*",
        default=[],
        type=Path,
        metavar="RUN",
        help="run folder, model file or hf:owner/name[@revision]; several make an ensemble",
    )
    _add_files(parser)
    add_search_options(
        parser,
        n_best="translations per sentence, for --format tsv or jsonl or --html; they are distinct, so there may be "
        "fewer (a wider beam finds more); samples may repeat",
    )
    _add_control(parser)
    _add_copying(parser)
    add_plot_options(parser)
    _add_page(parser)
    _add_model(parser)
    return parser


def _add_files(parser: argparse.ArgumentParser) -> None:
    """Add the options of inputs and outputs."""
    files = parser.add_argument_group("input and output")
    files.add_argument(
        "--input",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="text files, plain or compressed (gzip, xz, bzip2, Zstandard)",
    )
    files.add_argument(
        "--input-format",
        choices=("text", "jsonl"),
        default="text",
        help='text (default), or jsonl: objects with "text" and, as needed, "prefix", "constraints", "avoid" and '
        '"search", which hold for the line; other keys are passed through to --format jsonl',
    )
    files.add_argument(
        "--markup",
        choices=("xml", "html"),
        help="carry tags into the translations by the attention: xml, in lines such as 'Ein <b>Hund</b> &amp; <x/>'; "
        "html, in whole pages, whose paragraphs are translated one by one (docs/markup.md)",
    )
    where = files.add_mutually_exclusive_group()
    where.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="output file, for several inputs one after another; compressed if its name ends in .gz, .xz, .bz2 or .zst",
    )
    where.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="folder for one output file per input, with the same name"
    )
    files.add_argument(
        "--format",
        choices=("text", "tsv", "jsonl"),
        default="text",
        help="text (default): the best translation; tsv: line, rank, score, confidence, translation; jsonl: "
        "everything that is known",
    )
    files.add_argument("--weights", action="store_true", help="with --format jsonl: attention matrices between words")
    files.add_argument(
        "--alignments",
        type=Path,
        metavar="FILE",
        help="also write the links between source words and words of the best translation, one line per line "
        "(Pharaoh, words counted from 0), by the attention during the search",
    )
    files.add_argument("--window", type=int, metavar="N", help="lines read before the first is written (default: 1024)")
    files.add_argument(
        "--resume",
        action="store_true",
        help="continue an interrupted --output at the first missing line, or start it if there is none; needs the "
        "same input, models and settings",
    )
    _add_shards(files)
    _add_lines(files)


def _add_shards(files: argparse._ArgumentGroup) -> None:
    """Add the options of translating on many machines."""
    files.add_argument(
        "--shard",
        metavar="I/N",
        help="translate the I-th of N parts of each --input, into a file beside the --output, such as "
        "OUTPUT.shard-03-of-16; starts it, or continues where it was interrupted",
    )
    files.add_argument(
        "--join",
        type=Path,
        metavar="FILE",
        help="instead of translating, join the finished shards of this output, in order; refuses missing, unfinished "
        "and foreign ones",
    )
    files.add_argument("--remove-shards", action="store_true", help="with --join: delete the shards once joined")


def _add_lines(files: argparse._ArgumentGroup) -> None:
    """Add the options of reading lines."""
    files.add_argument(
        "--errors",
        choices=("strict", "replace"),
        default="strict",
        help="bytes that are not UTF-8: strict (default) stops with an error, replace substitutes U+FFFD and warns; "
        "and of --input-format jsonl and --markup xml: replace leaves a wrong line untranslated and says so",
    )
    files.add_argument(
        "--long-lines",
        choices=("split", "report"),
        default="split",
        help="lines of more than --max-pieces: split (default) translates them in parts, divided at sentence ends "
        "where possible; report leaves them untranslated (an empty line), lists them and exits with status 1",
    )
    files.add_argument("--max-pieces", type=int, metavar="N", help="source pieces translated at once (default: 300)")
    files.add_argument("--interactive", action="store_true", help="translate what you type, and show the attention")


def _add_control(parser: argparse.ArgumentParser) -> None:
    """Add the options of what is asked of the translations."""
    control = parser.add_argument_group("control (files with a line for each input line; an empty one asks nothing)")
    control.add_argument(
        "--prefix",
        type=Path,
        metavar="FILE",
        help="how each translation begins; its last word may go on, unless a space follows it",
    )
    control.add_argument(
        "--constraints",
        type=Path,
        metavar="FILE",
        help="phrases that must occur in each translation, separated by tabs; in whole words, in any order; with "
        "--strategy beam",
    )
    control.add_argument(
        "--avoid", type=Path, metavar="FILE", help="phrases that must not occur in each translation, separated by tabs"
    )
    control.add_argument(
        "--glossary",
        type=Path,
        metavar="TSV",
        help="a source term, a tab and its translation a line: a constraint of all lines in which the term occurs as "
        "whole words (of terms that overlap, the longest)",
    )
    control.add_argument(
        "--glossary-ignore-case", action="store_true", help="with --glossary: find source terms in any case"
    )


def _add_copying(parser: argparse.ArgumentParser) -> None:
    """Add the options of copying from the source."""
    copying = parser.add_argument_group("copying")
    copying.add_argument(
        "--replace-unknown",
        action="store_true",
        help="let the model write unknown words, and replace each by the source word it attends to",
    )
    copying.add_argument(
        "--placeholder",
        action="append",
        default=[],
        metavar="SYMBOL=REGEX",
        help="replace what REGEX matches by a symbol of the vocabulary, and the symbol in the translation by the "
        "original; may be repeated",
    )


def _add_page(parser: argparse.ArgumentParser) -> None:
    """Add the options of the HTML page."""
    report = parser.add_argument_group("report")
    report.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="also write an HTML page that shows the translations and their attention, without a network; with "
        "--n-best N, it has N translations to compare",
    )
    report.add_argument(
        "--trees",
        metavar="LINES",
        help="lines for which the page shows everything that the beam considered, such as 1-10,42 (counted through "
        "all joined inputs)",
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    """Add the options of device and computation."""
    model = add_model_options(parser)
    model.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="number of parallel processes, each with one thread (default: one per core once the first 1024 lines "
        "are translated; one on a GPU)",
    )
    model.add_argument(
        "--precision",
        choices=("fp32", "bf16", "auto"),
        default="fp32",
        help="of matrix products: fp32 (default), bf16 (faster with hardware support; near ties may be decided "
        "differently), or auto: bf16 with hardware support",
    )


def _clashes(options: argparse.Namespace) -> Iterator[tuple[bool, str]]:
    """Yield possible conflicts of options: whether it occurs, and its message."""
    yield (
        options.output_dir is not None and options.input is None,
        "--output-dir needs --input; for standard input give --output FILE",
    )
    yield options.weights and options.format != "jsonl", "--weights needs --format jsonl"
    yield (
        options.format == "text" and (options.n_best or 1) > 1 and not (options.interactive or options.html),
        "--n-best needs --format tsv or jsonl: as text, line k is the one translation of line k",
    )
    yield (
        options.interactive and (options.input or options.output or options.plots or options.html),
        "--interactive reads and writes the terminal; leave out --input, --output, --plots and --html",
    )
    asked = [f"--{name}" for name in ASKED if getattr(options, name) is not None]
    lines = options.input_format == "jsonl"
    yield lines and bool(asked), f"--input-format jsonl has these in its lines: leave {', '.join(asked)} out"
    yield options.glossary_ignore_case and options.glossary is None, "--glossary-ignore-case needs --glossary"
    yield options.interactive and options.glossary is not None, "--interactive does not go with --glossary"
    yield options.interactive and lines, "--interactive reads text: leave --input-format out"
    yield options.interactive and bool(asked), f"--interactive does not go with {', '.join(asked)}"
    yield options.trees is not None and options.html is None, "--trees needs --html, which shows them"
    yield options.html is not None and options.resume, "--html needs all lines to be translated: leave out --resume"
    yield (
        options.alignments is not None and (options.resume or options.interactive),
        "--alignments cannot be combined with --resume, which continues one output only, or with --interactive",
    )
    yield (
        options.resume and options.output is None and options.output_dir is None,
        "--resume needs --output or --output-dir: what went to standard output cannot be read again",
    )
    if options.markup is not None:
        yield options.interactive, "--interactive reads plain text: leave --markup out"
    if options.markup == "html":
        apart = [f"--{name}" for name in (*ASKED, "resume", "shard", "alignments") if getattr(options, name)]
        apart += ["--input-format jsonl"] if lines else []
        apart += [f"--format {options.format}"] if options.format != "text" else []
        yield bool(apart), f"--markup html translates whole pages, and not line by line: leave out {', '.join(apart)}"
    yield from _clashes_of_shards(options)
    yield options.plots is not None and (options.processes or 1) > 1, "--plots needs --processes 1"
    yield (
        options.threads is not None and (options.processes or 1) > 1,
        "--threads needs --processes 1: each of several processes has one thread",
    )


def _clashes_of_shards(options: argparse.Namespace) -> Iterator[tuple[bool, str]]:
    yield not options.runs and options.join is None, "name a RUN (a run folder or a model file) to translate with"
    yield options.remove_shards and options.join is None, "--remove-shards needs --join"
    if options.join is not None:
        parser = translate_parser()
        given = {name for name, value in vars(options).items() if value != parser.get_default(name)}
        others = sorted(given - {"join", "remove_shards", "quiet", "verbose", "imports"})
        names = ", ".join("RUN" if name == "runs" else f"--{name.replace('_', '-')}" for name in others)
        yield bool(others), f"--join only reads finished shards; leave out {names}"
    if options.shard is not None:
        beside = ", ".join(f"--{name}" for name in ASKED if getattr(options, name) is not None)
        yield bool(beside), f"--shard reads one file: leave {beside} out"
        yield (
            options.input is None or (options.output is None and options.output_dir is None),
            "--shard needs --input and --output (or --output-dir): files that all jobs can reach",
        )
        yield (
            options.output is not None and len(options.input or ()) > 1,
            "--shard divides one --input; for several give --output-dir",
        )
        apart = [name for name in ("alignments", "html", "plots", "interactive") if getattr(options, name)]
        yield bool(apart), f"--shard writes translations only; leave out {', '.join(f'--{name}' for name in apart)}"


def check_translate(options: argparse.Namespace) -> None:
    """Refuse conflicting options, before anything is loaded.

    Raises:
        ConfigError: with the conflict.
    """
    problems = [message for clash, message in _clashes(options) if clash]
    if problems:
        raise ConfigError("; ".join(problems), COMMAND_LINE)
    at_least_one(options, "plot_count", "window", "batch_tokens", "max_pieces", "processes", "threads")

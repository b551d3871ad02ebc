"""``nmt-translate``: translate lines of text with a trained model."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.cli.options import (
    COMMAND_LINE,
    add_model_options,
    add_plot_options,
    add_search_options,
    at_least_one,
    search_config,
    use_threads,
)
from nmt.cli.run import begin, command_parser, run
from nmt.cli.translating import Job, Translating, translation_jobs
from nmt.core.errors import ConfigError
from nmt.core.logging import Progress, logger
from nmt.core.storage.files import count_lines, reporting_os_errors

if TYPE_CHECKING:
    from nmt.alignment.report.document import ReportWriter
    from nmt.translation.output.gallery import Gallery
    from nmt.translation.output.workshop import Plan
    from nmt.translation.translator import Translator

EXAMPLES = (
    "nmt-translate runs/deen < test.de > test.en",
    "nmt-translate runs/deen --input a.de b.de --output-dir out/ --plots plots/",
    "nmt-translate runs/deen --alignments test.pharaoh < test.de > test.en",
    "nmt-translate runs/deen --format jsonl --n-best 5 < test.de > test.jsonl",
    "nmt-translate runs/one runs/two runs/three < test.de      # an ensemble",
    "nmt-translate runs/deen --strategy sampling --top-p 0.9 --n-best 3 --format tsv < test.de",
    "nmt-translate runs/deen --placeholder '<num>=[0-9]+' < test.de",
    "nmt-translate runs/deen --input big.de --output big.en --resume   # begins, or goes on where it was interrupted",
    "nmt-translate runs/deen --errors replace --long-lines report < crawled.de > crawled.en",
    "tail -f log.de | nmt-translate runs/deen --window 1",
    "nmt-translate runs/deen --html test.html --n-best 5 --trees 1-10 < test.de > test.en",
    "nmt-translate runs/deen --interactive",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(lambda: _main(argv))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nmt-translate",
        "Translate text, a sentence a line: line k of the output is the translation of line k of the input, and that "
        "of a blank line is empty. Reads standard input and writes standard output unless told otherwise.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="run folder, or model file; several make an ensemble"
    )
    files = parser.add_argument_group("input and output")
    files.add_argument(
        "--input", nargs="+", type=Path, metavar="FILE", help="text files, plain or packed (gzip, xz, bzip2, Zstandard)"
    )
    where = files.add_mutually_exclusive_group()
    where.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="where to write; of several inputs one after another; a name in .gz, .xz, .bz2 or .zst is packed",
    )
    where.add_argument("--output-dir", type=Path, metavar="DIR", help="write a file for each input, of the same name")
    files.add_argument(
        "--format",
        choices=("text", "tsv", "jsonl"),
        default="text",
        help="text (default): the best "
        "translation; tsv: line, rank, score, confidence, translation; jsonl: all that is known",
    )
    files.add_argument("--weights", action="store_true", help="with --format jsonl: attention matrices between words")
    files.add_argument(
        "--alignments",
        type=Path,
        metavar="FILE",
        help="also write links between source words and words of the best translation, a line a line (Pharaoh, words "
        "from 0), by the attention that the beam followed",
    )
    files.add_argument("--window", type=int, metavar="N", help="lines read before the first is written (default: 1024)")
    files.add_argument(
        "--resume",
        action="store_true",
        help="go on with an --output that was interrupted, at the first line that is missing; begin it if there is "
        "none; needs the same input, models and settings",
    )
    files.add_argument(
        "--errors",
        choices=("strict", "replace"),
        default="strict",
        help="bytes that are not UTF-8: strict (default) stops there, replace puts U+FFFD in their place and says so",
    )
    files.add_argument(
        "--long-lines",
        choices=("split", "report"),
        default="split",
        help="lines of more than --max-pieces: split (default) translates them in parts that end at sentence ends "
        "where they can; report leaves them untranslated (an empty line), names them and ends with status 1",
    )
    files.add_argument("--max-pieces", type=int, metavar="N", help="source pieces translated at once (default: 300)")
    files.add_argument("--interactive", action="store_true", help="translate what is typed, and show the attention")
    add_search_options(
        parser,
        n_best="translations a sentence, for --format tsv or jsonl or --html; no two are the same text, so that there "
        "may be fewer (a wider beam finds more); samples may repeat",
    )
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
        help="put a symbol of "
        "the vocabulary in place of what matches, and the original in place of the symbol in the "
        "translation; may be repeated",
    )
    add_plot_options(parser)
    report = parser.add_argument_group("report")
    report.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="also write a page to look at the translations and their attention in a browser, without a network; with "
        "--n-best N, it shows N translations to compare",
    )
    report.add_argument(
        "--trees",
        metavar="LINES",
        help="lines of which the page shows all that the beam looked at, such as 1-10,42 (of inputs that are joined, "
        "counted on)",
    )
    model = add_model_options(parser)
    model.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="processes that translate side by side, a thread each (default: one a core once the first 1024 lines are "
        "done; one on a GPU)",
    )
    model.add_argument(
        "--precision",
        choices=("fp32", "bf16", "auto"),
        default="fp32",
        help="of matrix products: fp32 (default), bf16 (faster where the device has it in hardware; near ties may fall "
        "otherwise), or auto: bf16 where the device has it",
    )
    return parser


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    begin(options)
    _check(options)
    jobs = translation_jobs(options)
    if options.output_dir is not None:
        with reporting_os_errors("make the output folder"):
            options.output_dir.mkdir(parents=True, exist_ok=True)
    with use_threads(options.threads):
        return _translate(options, jobs)


def _translate(options: argparse.Namespace, jobs: Sequence[Job]) -> int:
    plan, translator = _plan(options)
    if options.interactive:
        from nmt.cli.interactive import interact

        interact(translator)
        return 0
    from nmt.translation.output.workshop import Rendering, Workshop

    here = Rendering(translator, plan, _gallery(options))
    workshop = Workshop(plan, here, processes=_processes(options, translator))
    identity = {} if options.output is options.output_dir is None else _identity(plan, translator)
    with _report(options) as report, workshop, _progress(jobs) as shown:
        return Translating(options, workshop, here, identity=identity, report=report)(jobs, shown)


def _plan(options: argparse.Namespace) -> tuple[Plan, Translator]:
    from nmt.translation.copying import CopyConfig, Placeholder
    from nmt.translation.model_files.bundle import Bundle
    from nmt.translation.models import without_attention
    from nmt.translation.output.workshop import Plan
    from nmt.translation.translator import BATCH_TOKENS, MAX_PIECES
    from nmt.translation.trees import LineNumbers

    copying = CopyConfig(options.replace_unknown, tuple(Placeholder.parse(text) for text in options.placeholder))
    bundles = [
        Bundle.load(path, device=options.device, checkpoint=options.checkpoint, fast_paths=options.fast_paths)
        for path in options.runs
    ]
    if options.alignments is not None and not any(bundle.has_attention for bundle in bundles):
        raise ConfigError(f"--alignments has nothing to write: {without_attention(bundles)}", COMMAND_LINE)
    plan = Plan(
        runs=tuple(options.runs),
        # The best checkpoints of the moment, should training go on and find better ones.
        checkpoints=tuple(bundle.checkpoint if bundle.path.is_dir() else None for bundle in bundles),
        device=options.device,
        search=search_config(options, bundles[0].search),
        batch_tokens=options.batch_tokens or BATCH_TOKENS,
        attention=options.format == "jsonl"
        or options.interactive
        or any(path is not None for path in (options.plots, options.html, options.alignments)),
        copying=copying,
        max_pieces=options.max_pieces or MAX_PIECES,
        long_lines=options.long_lines,
        precision=options.precision,
        fast_paths=options.fast_paths,
        format=options.format,
        weights=options.weights,
        report=options.html is not None,
        trees=LineNumbers() if options.trees is None else LineNumbers.parse(options.trees, path="--trees"),
        links=options.alignments is not None,
        quiet=options.quiet,
        imports=tuple(options.imports),
    )
    names = ", ".join(f"{bundle.path} ({bundle.checkpoint})" for bundle in bundles)
    logger.debug("model: %s on %s", names, bundles[0].device)
    return plan, plan.translator(bundles)


def _processes(options: argparse.Namespace, translator: Translator) -> int | None:
    """Decide on the number of processes; ``None`` leaves it to the size of the input."""
    one = (
        options.plots is not None  # drawn where the attention is
        or options.threads is not None
        or options.window is not None  # whoever asks for a window wants answers soon
        or translator.bundles[0].device.type != "cpu"
    )
    return 1 if options.processes is None and one else options.processes


def _identity(plan: Plan, translator: Translator) -> dict[str, Any]:
    """Give what translations follow from, for outputs that may have to be resumed."""
    from nmt.core import config
    from nmt.core.machine.device import resolve_precision
    from nmt.translation.output.resuming import identity_of

    copying = plan.copying
    settings = {
        **config.to_mapping(translator.search),
        "replace_unknown": copying.replace_unknown,
        "placeholders": [f"{each.symbol}={each.pattern.pattern}" for each in copying.placeholders],
        "max_pieces": plan.max_pieces,
        "long_lines": plan.long_lines,
        "precision": resolve_precision(plan.precision, translator.bundles[0].device),
        "format": plan.format,
        "weights": plan.weights,
    }
    return identity_of(translator.bundles, settings)


def _clashes(options: argparse.Namespace) -> Iterator[tuple[bool, str]]:
    """Yield options that contradict each other: whether they do, and what to say."""
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
        "--interactive reads and writes the terminal; leave --input, --output, --plots and --html out",
    )
    yield options.trees is not None and options.html is None, "--trees needs --html, which shows them"
    yield options.html is not None and options.resume, "--html needs all lines to be translated: leave --resume out"
    yield (
        options.alignments is not None and (options.resume or options.interactive),
        "--alignments goes neither with --resume, which knows of one output only, nor --interactive",
    )
    yield (
        options.resume and options.output is None and options.output_dir is None,
        "--resume needs --output or --output-dir: what went to standard output cannot be read again",
    )
    yield options.plots is not None and (options.processes or 1) > 1, "--plots needs --processes 1"
    yield (
        options.threads is not None and (options.processes or 1) > 1,
        "--threads needs --processes 1: each of several processes has one thread",
    )


def _check(options: argparse.Namespace) -> None:
    """Refuse options that contradict each other, before anything is loaded."""
    problems = [message for clash, message in _clashes(options) if clash]
    if problems:
        raise ConfigError("; ".join(problems), COMMAND_LINE)
    at_least_one("--plot-count", options.plot_count)
    for option in ("window", "batch_tokens", "max_pieces", "processes", "threads"):
        if getattr(options, option) is not None:
            at_least_one(f"--{option.replace('_', '-')}", getattr(options, option))


def _gallery(options: argparse.Namespace) -> Gallery | None:
    if options.plots is None:
        return None
    from nmt.translation.output.gallery import Gallery

    return Gallery(options.plots, count=options.plot_count, format=options.plot_format, unit=options.plot_unit)


@contextlib.contextmanager
def _report(options: argparse.Namespace) -> Iterator[ReportWriter | None]:
    if options.html is None:
        yield None
        return
    from nmt.alignment.report.document import report_file

    runs = ", ".join(path.name or str(path) for path in options.runs)
    inputs = ", ".join(path.name for path in options.input or ()) or "standard input"
    with report_file(options.html, title=f"Translations by {runs}", subtitle=f"of {inputs}") as report:
        yield report


@contextlib.contextmanager
def _progress(jobs: Sequence[Job]) -> Iterator[Progress | None]:
    """Show progress, unless the results themselves go to the terminal."""
    if sys.stdout is not None and sys.stdout.isatty():
        yield None
        return
    counts = [None if job.source is None else count_lines(job.source) for job in jobs]
    total = None if None in counts else sum(filter(None, counts))
    with Progress("translating", unit="sentences", total=total) as shown:
        yield shown


if __name__ == "__main__":
    sys.exit(main())

"""``nmt-align``: align given translations by the attention of a model that is forced to write them."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nmt.cli.options import COMMAND_LINE, add_model_options, at_least_one, read_sides, standard_output, use_threads
from nmt.cli.run import command_parser, run
from nmt.core.errors import ConfigError, NmtError, Problem
from nmt.core.files import missing_hint, reporting_os_errors
from nmt.core.logging import configure_logging, logger, progress

if TYPE_CHECKING:
    from nmt.alignment.links import Links
    from nmt.alignment.report.document import ReportWriter
    from nmt.translation.gold import GoldScore
    from nmt.translation.lines import ScoredTarget

EXAMPLES = (
    "nmt-align runs/deen test.de test.en > test.pharaoh",
    "nmt-align runs/deen test.de test.en --output test.pharaoh --soft test.jsonl --plots plots/",
    "nmt-align runs/deen test.de test.en --gold test.gold --output test.pharaoh      # prints AER",
    "nmt-align runs/deen test.de test.en --gold test.gold --output test.pharaoh --html test.html",
    "nmt-align runs/deen test.de test.en --threshold 0.3      # every pair of words that reaches it",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(lambda: _main(argv))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nmt-align",
        "Align the words of sentences and their given translations: the model is made to write each translation, and a "
        "word is linked to the source word it attends to most. Writes Pharaoh links (source-target, words from 0).",
        examples=EXAMPLES,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="sentences, one a line")
    parser.add_argument("target", type=Path, metavar="TARGET", help="their translations")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the links go (default: standard output)")
    parser.add_argument("--soft", type=Path, metavar="FILE", help="also write attention matrices, as JSON lines")
    parser.add_argument("--threshold", type=float, metavar="W", help="link all words whose attention is W or more")
    gold = parser.add_argument_group("comparison")
    gold.add_argument(
        "--gold",
        type=Path,
        metavar="FILE",
        help="gold links, sure (1-2) and possible (1p2): prints AER "
        "on standard output if --output is given, else on standard error",
    )
    gold.add_argument(
        "--gold-first-index",
        type=int,
        choices=(0, 1),
        default=0,
        metavar="0|1",
        help="number of the first word in the gold file (default: 0)",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="also write a page to look at the alignments in a browser"
    )
    plots = parser.add_argument_group("plots")
    plots.add_argument("--plots", type=Path, metavar="DIR", help="folder for plots of the first sentences")
    plots.add_argument("--plot-count", type=int, default=10, metavar="N", help="how many (default: 10)")
    plots.add_argument("--plot-format", choices=("png", "svg", "pdf"), default="png", help="png (default), svg or pdf")
    plots.add_argument("--plot-unit", choices=("words", "pieces"), default="words", help="words (default) or pieces")
    add_model_options(parser)
    return parser


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure_logging(quiet=options.quiet, verbose=options.verbose)
    _check(options)
    source, target = read_sides(options.source, options.target)
    pairs = list(zip(source, target, strict=True))

    from nmt.translation.aligner import BATCH_TOKENS, Aligner
    from nmt.translation.bundle import Bundle

    use_threads(options.threads)
    gold = _gold(options, pairs)
    bundle = Bundle.load(options.run, device=options.device, checkpoint=options.checkpoint)
    aligner = Aligner([bundle], batch_tokens=options.batch_tokens or BATCH_TOKENS)
    shown = progress(aligner.align_pairs(pairs), "aligning", unit="pairs", total=len(pairs))
    links, lengths = _write(options, shown, gold)
    if gold is not None:
        from nmt.translation.gold import score_links

        _print_score(options, score_links(links, gold, lengths))
    return 0


def _write(
    options: argparse.Namespace, targets: Iterator[ScoredTarget], gold: list[Links] | None
) -> tuple[list[Links], list[int]]:
    """Write links, matrices and plots as they come."""
    from nmt.alignment.links import format_links
    from nmt.translation.pictures import Gallery
    from nmt.translation.report import LINKS, aligned_entry
    from nmt.translation.writers import soft_alignment

    gallery = None
    if options.plots is not None:
        gallery = Gallery(options.plots, count=options.plot_count, format=options.plot_format, unit=options.plot_unit)
    links: list[Links] = []
    lengths: list[int] = []
    with _opened(options.output) as output, _opened(options.soft) as soft, _report(options) as report:
        stream = output or standard_output()
        for target in targets:
            found = target.links(options.threshold)
            with reporting_os_errors("write the alignments"):
                stream.write(f"{format_links(found)}\n".encode())
                if soft is not None:
                    soft.write(soft_alignment(target, threshold=options.threshold).encode("utf-8"))
            known = None if gold is None else gold[len(links)]
            if gallery is not None:
                gallery.add(target, gold=known)
            if report is not None:
                report.add(aligned_entry(target, links={LINKS: found}, gold=known))
            links.append(found)
            lengths.append(len(target.words))
        stream.flush()
    return links, lengths


def _gold(options: argparse.Namespace, pairs: Sequence[tuple[str, str]]) -> list[Links] | None:
    if options.gold is None:
        return None
    from nmt.translation.gold import read_gold

    return read_gold(options.gold, pairs, first_index=options.gold_first_index)


def _print_score(options: argparse.Namespace, score: GoldScore) -> None:
    line = f"{score.measured}; with one perfect link a target word: {score.oracle.aer:.4f}"
    if options.output is not None:
        print(line)
    else:
        logger.info("%s", line)


def _check(options: argparse.Namespace) -> None:
    at_least_one("--plot-count", options.plot_count)
    if options.batch_tokens is not None:
        at_least_one("--batch-tokens", options.batch_tokens)
    if options.threshold is not None and not 0 < options.threshold <= 1:
        message = f"must be above 0 and at most 1, but is {options.threshold}"
        raise ConfigError([Problem("--threshold", message)], COMMAND_LINE)
    inputs = [path for path in (options.source, options.target, options.gold) if path is not None and path.exists()]
    for output in (options.output, options.soft, options.html):
        if output is not None and output.exists() and any(output.samefile(path) for path in inputs):
            raise ConfigError(f"{output}: is an input and would be overwritten; choose another output", COMMAND_LINE)


@contextlib.contextmanager
def _report(options: argparse.Namespace) -> Iterator[ReportWriter | None]:
    if options.html is None:
        yield None
        return
    from nmt.alignment.report.document import report_file

    title = f"Alignments by {options.run.name or options.run}"
    with report_file(
        options.html, title=title, subtitle=f"of {options.source.name} and {options.target.name}"
    ) as report:
        yield report


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    with reporting_os_errors("write the alignments"):
        if not path.parent.is_dir():
            raise NmtError(f"{path}: cannot write the alignments{missing_hint(path)}")
        stream = path.open("wb")
    with stream:
        yield stream


if __name__ == "__main__":
    sys.exit(main())

"""``nmt-align``: align given translations by what a model that is forced to write them looks at."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.alignment.symmetrisation import SYMMETRISATIONS
from nmt.alignment.ways import HAS_A_SCALE, WAYS, Way
from nmt.cli.options import (
    COMMAND_LINE,
    add_model_options,
    add_plot_options,
    at_least_one,
    check_outputs,
    check_place,
    opened,
    read_sides,
    standard_output,
    use_threads,
)
from nmt.cli.run import begin, command_parser, run
from nmt.core.characters import is_blank
from nmt.core.errors import ConfigError, Problem
from nmt.core.logging import Progress, Reached, few, logger
from nmt.core.storage.files import reporting_os_errors, write_json

if TYPE_CHECKING:
    from nmt.alignment.links import Links
    from nmt.alignment.report.document import ReportWriter
    from nmt.alignment.report.entries import Layer
    from nmt.alignment.soft_alignment import Rule
    from nmt.alignment.symmetrisation import Symmetrisation
    from nmt.data.gold_links import GoldScore
    from nmt.text.words import WordKind
    from nmt.translation.aligning.aligner import Aligner
    from nmt.translation.lines import ScoredTarget, Unit
    from nmt.translation.model_files.bundle import Bundle

EXAMPLES = (
    "nmt-align runs/deen test.de test.en > test.pharaoh",
    "nmt-align runs/deen test.de test.en --output test.pharaoh --soft test.jsonl --plots plots/",
    "nmt-align runs/deen test.de test.en --soft scores.jsonl > test.pharaoh         # log_prob of each given target",
    "nmt-align runs/deen test.de test.en --gold test.gold --output test.pharaoh      # prints AER",
    "nmt-align runs/deen test.de test.en --gold test.gold --output test.pharaoh --html test.html",
    "nmt-align runs/deen test.de test.en --html test.html --layers gradient-x-input leave-one-out > test.pharaoh",
    "nmt-align runs/deen test.de test.en --threshold 0.3      # every pair of words that reaches it",
    "nmt-align runs/deen test.de test.en --by gradient-x-input --links mutual",
    "nmt-align runs/deen test.de test.en --output test.pharaoh --faithfulness faithfulness.json",
    "nmt-align runs/deen test.de test.en --reverse runs/ende --symmetrise grow-diag > test.pharaoh",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(lambda: _main(argv))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nmt-align",
        "Align the words of sentences and their given translations: the model is made to write each translation, and a "
        "word is linked to the source word it attends to most, or depends on most by other evidence. Writes Pharaoh "
        "links (source-target, words from 0), and scores the translations with --soft.",
        examples=EXAMPLES,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder, or model file")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="sentences, one a line")
    parser.add_argument("target", type=Path, metavar="TARGET", help="their translations")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the links go (default: standard output)")
    parser.add_argument(
        "--soft",
        type=Path,
        metavar="FILE",
        help="also write weights, words and their offsets as JSON lines, and what the model thinks of each given "
        "translation: its log-probability in nats, eos counted, and its confidence; so this scores given translations",
    )
    _add_alignment(parser)
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
    gold.add_argument(
        "--faithfulness",
        type=Path,
        metavar="FILE",
        help="compare the model's attention with gradients and with words left out, and see what the target loses "
        "without the words attended to most: prints figures, and writes them as JSON",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="also write a page to look at the alignments in a browser"
    )
    parser.add_argument(
        "--layers",
        nargs="+",
        choices=WAYS,
        metavar="WAY",
        help="with --html: other ways to see on the page, beside that of --by",
    )
    add_plot_options(parser)
    model = add_model_options(parser)
    model.add_argument(
        "--max-pieces", type=int, metavar="N", help="leave pairs with a longer side unaligned (default: 1000 pieces)"
    )
    return parser


def _add_alignment(parser: argparse.ArgumentParser) -> None:
    """Add by what words are aligned, and how."""
    group = parser.add_argument_group("alignment (docs/alignment.md)")
    group.add_argument(
        "--by",
        choices=WAYS,
        default="attention",
        help="attention (default); shifted-attention, of the step that has read the word; attention-x-gradient; "
        "gradient-x-input; smoothgrad; leave-one-out of a source word",
    )
    group.add_argument("--samples", type=int, metavar="N", help="of the noise of smoothgrad (default: 30)")
    group.add_argument(
        "--seed", type=int, metavar="N", help="of that noise, and of the draws of --faithfulness (default: 1)"
    )
    group.add_argument(
        "--links",
        choices=("argmax", "mutual", "threshold"),
        help="argmax (default): the heaviest source word of each target word; mutual: two words that are each other's "
        "heaviest; threshold: all of --threshold or more",
    )
    group.add_argument("--threshold", type=float, metavar="W", help="link all words whose weight is W or more")
    group.add_argument("--reverse", type=Path, metavar="RUN", help="a model of the other direction, to symmetrise with")
    group.add_argument(
        "--symmetrise",
        choices=SYMMETRISATIONS,
        help="how the links of both directions become one (default: grow-diag); needs --reverse",
    )
    words = group.add_mutually_exclusive_group()
    words.add_argument(
        "--words",
        choices=("whitespace", "characters", "pieces"),
        default="whitespace",
        help="what is aligned: white-space words (default), characters, or pieces of the vocabulary",
    )
    words.add_argument(
        "--tokenized", action="store_true", help="the files are tokenised: words stand between single spaces"
    )


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    begin(options)
    _check(options)
    source, target = read_sides(options.source, options.target)
    with use_threads(options.threads):
        return _align(options, list(zip(source, target, strict=True)))


def _align(options: argparse.Namespace, pairs: Sequence[tuple[str, str]]) -> int:
    from nmt.translation.model_files.bundle import Bundle

    gold = _gold(options, pairs)
    fast = options.fast_paths
    bundles = [Bundle.load(options.run, device=options.device, checkpoint=options.checkpoint, fast_paths=fast)]
    if options.reverse is not None:
        bundles.append(Bundle.load(options.reverse, device=options.device, fast_paths=fast))
    aligners = _aligners(options, bundles)
    overlays = [_aligner(options, bundles[0], way) for way in options.layers or ()]
    with Progress("aligning", unit="pairs", total=len(pairs)) as shown:
        reached = shown.passes([each.by.work for each in (*aligners, *overlays)])
        others = zip(overlays, reached[len(aligners) :], strict=True)
        stream = zip(
            _aligned(options, aligners, pairs, reached),
            *(each.align_pairs(pairs, reached=told) for each, told in others),
            strict=True,
        )
        links, lengths = _write(options, stream, gold, shown)
    if gold is not None:
        from nmt.data.gold_links import score_links

        _print_score(options, score_links(links, gold, lengths))
    if options.faithfulness is not None:
        _judge(options, bundles[0], pairs)
    return 1 if _report(pairs, aligners) else 0


def _aligners(options: argparse.Namespace, bundles: Sequence[Bundle]) -> list[Aligner]:
    from nmt.translation.aligning.directions import check_directions

    if len(bundles) > 1:
        check_directions(bundles[0], bundles[1], _unit(options))
    return [_aligner(options, bundle, options.by) for bundle in bundles]


def _aligner(options: argparse.Namespace, bundle: Bundle, way: Way) -> Aligner:
    from nmt.translation.aligning.aligner import BATCH_TOKENS, MAX_PIECES, Aligner
    from nmt.translation.aligning.evidence import EvidenceConfig

    given = {name: getattr(options, name) for name in ("samples", "seed") if getattr(options, name) is not None}
    return Aligner(
        [bundle],
        by=EvidenceConfig(way=way, **given),
        unit=_unit(options),
        batch_tokens=options.batch_tokens or BATCH_TOKENS,
        max_pieces=options.max_pieces or MAX_PIECES,
    )


def _aligned(
    options: argparse.Namespace,
    aligners: Sequence[Aligner],
    pairs: Sequence[tuple[str, str]],
    reached: Sequence[Reached],
) -> Iterator[tuple[ScoredTarget, Links]]:
    """Align the pairs, in one direction or in both."""
    from nmt.alignment.soft_alignment import LinkRule
    from nmt.translation.aligning.directions import align_directions

    kind: Rule = options.links or ("argmax" if options.threshold is None else "threshold")
    rule = LinkRule(kind=kind, threshold=options.threshold)
    if len(aligners) > 1:
        method: Symmetrisation = options.symmetrise or "grow-diag"
        return align_directions(aligners[0], aligners[1], pairs, method=method, rule=rule, reached=reached)
    return ((target, target.links(rule)) for target in aligners[0].align_pairs(pairs, reached=reached[0]))


def _unit(options: argparse.Namespace) -> Unit:
    return "tokens" if options.tokenized else options.words


def _report(pairs: Sequence[tuple[str, str]], aligners: Sequence[Aligner]) -> list[int]:
    """Name the pairs that have no links, and return those that were too long."""
    blank = [number for number, (source, target) in enumerate(pairs, start=1) if is_blank(source) != is_blank(target)]
    long = sorted({number for aligner in aligners for number in aligner.unaligned})
    for numbers, what in (
        (blank, "pairs without links, as one side is empty"),
        (long, "pairs left unaligned, as they are longer than --max-pieces"),
    ):
        if numbers:
            logger.warning("%s: %d (lines %s)", what, len(numbers), few(numbers))
    return long


def _write(
    options: argparse.Namespace,
    aligned: Iterable[tuple[tuple[ScoredTarget, Links], *tuple[ScoredTarget, ...]]],
    gold: list[Links] | None,
    shown: Progress,
) -> tuple[list[Links], list[int]]:
    """Write links, matrices and plots as they come; what stands beside a pair is the same one aligned in other ways."""
    from nmt.alignment.links import format_links
    from nmt.translation.output.gallery import Gallery
    from nmt.translation.output.page_entries import LINKS, aligned_entry
    from nmt.translation.output.writers import soft_alignment

    gallery = None
    if options.plots is not None:
        gallery = Gallery(options.plots, count=options.plot_count, format=options.plot_format, unit=options.plot_unit)
    links: list[Links] = []
    lengths: list[int] = []
    with (
        opened(options.output, "alignments") as output,
        opened(options.soft, "alignments") as soft,
        _page(options) as page,
    ):
        stream = output or standard_output()
        for (target, found), *others in aligned:
            with reporting_os_errors("write the alignments", options.output):
                stream.write(f"{format_links(found)}\n".encode())
            if soft is not None:
                with reporting_os_errors("write the alignments", options.soft):
                    soft.write(soft_alignment(target, found).encode("utf-8"))
            known = None if gold is None else gold[len(links)]
            if gallery is not None:
                gallery.add(target, gold=known)
            if page is not None:
                page.add(
                    aligned_entry(target, layers=_layers(options, target, others), links={LINKS: found}, gold=known)
                )
            links.append(found)
            lengths.append(len(target.words))
            shown.advance()
        with reporting_os_errors("write the alignments", options.output):
            stream.flush()
    return links, lengths


def _layers(options: argparse.Namespace, target: ScoredTarget, others: Sequence[ScoredTarget]) -> list[Layer]:
    from nmt.translation.output.page_entries import attention_layers

    ways = (options.by, *(options.layers or ()))
    return [
        layer
        for way, each in zip(ways, (target, *others), strict=True)
        for layer in attention_layers(each, name=way, relative=way not in HAS_A_SCALE)
    ]


def _gold(options: argparse.Namespace, pairs: Sequence[tuple[str, str]]) -> list[Links] | None:
    if options.gold is None:
        return None
    from nmt.data.gold_links import read_gold

    words: WordKind = "tokens" if options.tokenized else options.words
    return read_gold(options.gold, pairs, first_index=options.gold_first_index, words=words)


def _judge(options: argparse.Namespace, bundle: Bundle, pairs: Sequence[tuple[str, str]]) -> None:
    from nmt.translation.aligning.aligner import BATCH_TOKENS
    from nmt.translation.aligning.faithfulness import faithfulness

    seed = 1 if options.seed is None else options.seed
    report = faithfulness(bundle, pairs, seed=seed, batch_tokens=options.batch_tokens or BATCH_TOKENS)
    with reporting_os_errors("write the figures of faithfulness"):
        write_json(options.faithfulness, report.to_mapping())
    _print(options, str(report))


def _print_score(options: argparse.Namespace, score: GoldScore) -> None:
    _print(options, f"{score.measured}; with one perfect link a target word: {score.oracle.aer:.4f}")


def _print(options: argparse.Namespace, line: str) -> None:
    """Print a result on standard output, unless the links go there."""
    if options.output is not None:
        print(line)
    else:
        logger.info("%s", line)


def _clashes(options: argparse.Namespace) -> Iterator[Problem]:
    """Yield what is wrong with the options, alone and together."""
    if options.threshold is not None and not 0 < options.threshold <= 1:
        yield Problem("--threshold", f"must be above 0 and at most 1, but is {options.threshold}")
    if options.links == "threshold" and options.threshold is None:
        yield Problem("--links", "needs --threshold W where it is threshold")
    if options.links not in {None, "threshold"} and options.threshold is not None:
        yield Problem("--threshold", f"needs --links threshold, but that is {options.links}")
    if options.samples is not None and "smoothgrad" not in (options.by, *(options.layers or ())):
        yield Problem("--samples", f"needs --by smoothgrad, but that is {options.by}")
    if options.layers is not None and options.html is None:
        yield Problem("--layers", "needs --html FILE, the page that shows them")
    if len({options.by, *(options.layers or ())}) <= len(options.layers or ()):
        yield Problem("--layers", f"must name each way once, and not {options.by}, which is there by --by")
    if options.symmetrise is not None and options.reverse is None:
        yield Problem("--symmetrise", "needs --reverse RUN, a model of the other direction")
    if options.gold is not None and options.words == "pieces":
        yield Problem("--gold", "needs words, and not --words pieces: gold links know no pieces")


def _check(options: argparse.Namespace) -> None:
    at_least_one("--plot-count", options.plot_count)
    for option in ("batch_tokens", "max_pieces", "samples"):
        if getattr(options, option) is not None:
            at_least_one(f"--{option.replace('_', '-')}", getattr(options, option))
    problems = list(_clashes(options))
    if problems:
        raise ConfigError(problems, COMMAND_LINE)
    names = ("output", "soft", "faithfulness", "html", "plots")
    inputs = (options.source, options.target, options.gold, options.run, options.reverse)
    check_outputs([(f"--{name}", getattr(options, name)) for name in names], inputs)
    if options.faithfulness is not None:
        check_place(options.faithfulness, "figures of faithfulness")  # which come last of all


@contextlib.contextmanager
def _page(options: argparse.Namespace) -> Iterator[ReportWriter | None]:
    if options.html is None:
        yield None
        return
    from nmt.alignment.report.document import report_file

    title = f"Alignments by {options.run.name or options.run}"
    with report_file(
        options.html, title=title, subtitle=f"of {options.source.name} and {options.target.name}"
    ) as report:
        yield report


if __name__ == "__main__":
    sys.exit(main())

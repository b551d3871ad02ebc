"""Options of ``nmt-align``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from nmt.alignment.extraction_methods import EXTRACTION_METHODS
from nmt.alignment.symmetrisation import SYMMETRISATIONS
from nmt.cli.options.run_options import add_model_options, add_plot_options, at_least_one
from nmt.cli.run import COMMAND_LINE, command_parser
from nmt.cli.streams import check_outputs
from nmt.core.errors import ConfigError, Problem
from nmt.core.storage.output_place import check_place

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
    "nmt-align runs/scenes test.images test.en --root scenes --regions test.regions --plots plots/ --html page.html",
    "nmt-align runs/deen test.de test.en --reverse runs/ende --symmetrise grow-diag > test.pharaoh",
)


def align_parser() -> argparse.ArgumentParser:
    """Return the parser of ``nmt-align``."""
    parser = command_parser(
        "nmt-align",
        "Align the words of sentences and their given translations: the model is forced to write each translation, "
        "and every target word is linked to the source word that it attends to most, or that it depends on most by "
        "other evidence. Writes Pharaoh links (source-target, words counted from 0); with --soft, it also scores "
        "the translations.",
        examples=EXAMPLES,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder, model file or hf:owner/name")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="sentences, one per line")
    parser.add_argument("target", type=Path, metavar="TARGET", help="their translations")
    parser.add_argument("--output", type=Path, metavar="FILE", help="file for the links (default: standard output)")
    parser.add_argument(
        "--soft",
        type=Path,
        metavar="FILE",
        help="also write JSON lines with the weights, the words and their offsets, and the scores of each given "
        "translation: its log-probability in nats (eos included) and its confidence",
    )
    _add_alignment(parser)
    _add_comparison(parser)
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write an HTML page that shows the alignments")
    parser.add_argument(
        "--layers",
        nargs="+",
        choices=EXTRACTION_METHODS,
        metavar="WAY",
        help="with --html: further methods to show on the page, besides that of --by",
    )
    add_plot_options(parser)
    model = add_model_options(parser)
    model.add_argument(
        "--max-pieces",
        type=int,
        metavar="N",
        help="most pieces of a side; longer pairs are left unaligned (default: 1000)",
    )
    return parser


def _add_alignment(parser: argparse.ArgumentParser) -> None:
    """Add options of the evidence and the method of alignment."""
    group = parser.add_argument_group("alignment (docs/alignment.md)")
    group.add_argument(
        "--by",
        choices=EXTRACTION_METHODS,
        default="attention",
        help="attention (default); shifted-attention, of the step whose query has read the word; "
        "attention-x-gradient; gradient-x-input; smoothgrad; leave-one-out, of source words",
    )
    group.add_argument("--samples", type=int, metavar="N", help="number of noise samples of smoothgrad (default: 30)")
    group.add_argument(
        "--seed", type=int, metavar="N", help="of that noise, and of the draws of --faithfulness (default: 1)"
    )
    group.add_argument(
        "--links",
        choices=("argmax", "mutual", "threshold"),
        help="argmax (default): for each target word, the source word with the largest weight; mutual: pairs whose "
        "weight is the largest in both directions; threshold: all pairs of at least --threshold",
    )
    group.add_argument(
        "--threshold", type=float, metavar="W", help="link all pairs of words with a weight of at least W"
    )
    group.add_argument("--reverse", type=Path, metavar="RUN", help="a model of the other direction, for symmetrisation")
    group.add_argument(
        "--symmetrise",
        choices=SYMMETRISATIONS,
        help="how the links of both directions are combined (default: grow-diag); needs --reverse",
    )
    words = group.add_mutually_exclusive_group()
    words.add_argument(
        "--words",
        choices=("whitespace", "characters", "pieces"),
        default="whitespace",
        help="what is aligned: white-space words (default), characters, or pieces of the vocabulary",
    )
    words.add_argument(
        "--tokenized", action="store_true", help="the files are tokenised: words are separated by single spaces"
    )


def _add_comparison(parser: argparse.ArgumentParser) -> None:
    """Add options of what alignments are compared with."""
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
        "--regions",
        type=Path,
        metavar="FILE",
        help="what words of the targets name in pictures (boxes) or sounds (spans), as JSON lines: prints how much of "
        "the attention is there, and how often its peak",
    )
    gold.add_argument(
        "--faithfulness",
        type=Path,
        metavar="FILE",
        help="compare the attention with gradients and with the effect of leaving words out, and measure how much "
        "log-probability the target loses without the most attended words; prints the results and writes them "
        "as JSON",
    )


def _clashes(options: argparse.Namespace) -> Iterator[Problem]:
    """Yield invalid options and combinations."""
    if options.threshold is not None and not 0 < options.threshold <= 1:
        yield Problem("--threshold", f"must be above 0 and at most 1, but is {options.threshold}")
    if options.links == "threshold" and options.threshold is None:
        yield Problem("--links", "threshold needs --threshold W")
    if options.links not in {None, "threshold"} and options.threshold is not None:
        yield Problem("--threshold", f"needs --links threshold, but --links is {options.links}")
    if options.samples is not None and "smoothgrad" not in (options.by, *(options.layers or ())):
        yield Problem("--samples", f"needs --by smoothgrad, but --by is {options.by}")
    if options.layers is not None and options.html is None:
        yield Problem("--layers", "needs --html FILE, which shows them")
    if len({options.by, *(options.layers or ())}) <= len(options.layers or ()):
        yield Problem("--layers", f"must name each method once, and not {options.by}, which --by names already")
    if options.symmetrise is not None and options.reverse is None:
        yield Problem("--symmetrise", "needs --reverse RUN, a model of the other direction")
    if options.gold is not None and options.words == "pieces":
        yield Problem("--gold", "cannot be used with --words pieces: gold links are between words")
    if options.regions is not None and options.words == "pieces":
        yield Problem("--regions", "cannot be used with --words pieces: regions belong to words")


def check_align(options: argparse.Namespace) -> None:
    """Refuse invalid options and combinations, before anything is read.

    Raises:
        ConfigError: with their names.
        NmtError: an output cannot be written.
    """
    at_least_one(options, "plot_count", "batch_tokens", "max_pieces", "samples")
    problems = list(_clashes(options))
    if problems:
        raise ConfigError(problems, COMMAND_LINE)
    names = ("output", "soft", "faithfulness", "html", "plots")
    inputs = (options.source, options.target, options.gold, options.regions, options.run, options.reverse)
    check_outputs([(f"--{name}", getattr(options, name)) for name in names], inputs)
    if options.faithfulness is not None:
        check_place(options.faithfulness, "results of --faithfulness")  # which are written last

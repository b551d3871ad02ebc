"""Measure every method of word alignment against gold links, and print one table.

    python tools/alignment_ways.py RUN SOURCE TARGET GOLD [--reverse RUN]

A row is a method, a column is a rule that makes links of its weights. With a model of the other direction there is also
a column for each way of symmetrising. All numbers are alignment error rates; the oracle gives each target word its best
link. Choose on validation data: the smallest number in a table of test data is biased.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nmt.alignment.extraction_methods import EXTRACTION_METHODS, ExtractionMethod
from nmt.alignment.links import Links
from nmt.alignment.soft_alignment import LinkRule
from nmt.alignment.symmetrisation import SYMMETRISATIONS, inverse, symmetrise
from nmt.cli.run import run
from nmt.cli.streams import read_sides
from nmt.core.errors import ConfigError
from nmt.core.logging import logger, progress
from nmt.core.machine.allocator import keep_freed_memory, memory_variables
from nmt.data.gold_links import read_gold, score_links
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.aligning.directions import check_directions
from nmt.translation.aligning.evidence import EvidenceConfig
from nmt.translation.lines import ScoredTarget
from nmt.translation.model_files.bundle import Bundle

RULES = (LinkRule(), LinkRule(kind="mutual"))


@memory_variables()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool."""
    return run(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    keep_freed_memory()
    pairs = list(zip(*read_sides(options.source, options.target), strict=True))
    gold = read_gold(options.gold, pairs, first_index=options.gold_first_index)
    pairs, gold = pairs[: options.limit], gold[: options.limit]
    bundles = [Bundle.load(path, device=options.device) for path in (options.run, options.reverse) if path is not None]
    if len(bundles) > 1:
        check_directions(bundles[0], bundles[1])
    columns = [rule.kind for rule in RULES] + (list(SYMMETRISATIONS) if len(bundles) > 1 else [])
    print(f"| way | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    lengths = [len(target.split()) for _, target in pairs]
    for way in options.ways:
        try:
            links = _links(EvidenceConfig(way=way, samples=options.samples), bundles, pairs)
        except ConfigError as error:
            logger.warning("%s", error)
            continue
        values = [score_links(each, gold, lengths).measured.aer for each in links]
        print(f"| {way} | {' | '.join(f'{value:.4f}' for value in values)} |", flush=True)
    oracle = score_links(gold, gold, lengths).oracle.aer
    print(f"\nOracle, one perfect link a target word: {oracle:.4f}. {len(pairs)} pairs.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder of the model that writes TARGET")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="sentences, one per line")
    parser.add_argument("target", type=Path, metavar="TARGET", help="their translations")
    parser.add_argument("gold", type=Path, metavar="GOLD", help="gold links, Pharaoh or TALP")
    parser.add_argument("--reverse", type=Path, metavar="RUN", help="a model of the other direction")
    parser.add_argument("--gold-first-index", type=int, choices=(0, 1), default=0, help="number of the first word")
    parser.add_argument(
        "--ways",
        nargs="+",
        choices=EXTRACTION_METHODS,
        default=EXTRACTION_METHODS,
        metavar="WAY",
        help=f"of {', '.join(EXTRACTION_METHODS)}",
    )
    parser.add_argument("--samples", type=int, default=30, metavar="N", help="of smoothgrad (default: %(default)s)")
    parser.add_argument("--limit", type=int, metavar="N", help="measure on the first N pairs only")
    parser.add_argument("--device", default="auto", help="auto (default), cpu or cuda")
    return parser


def _links(config: EvidenceConfig, bundles: Sequence[Bundle], pairs: Sequence[tuple[str, str]]) -> list[list[Links]]:
    """Return the links of every column."""
    forward = _aligned(config, bundles[0], pairs)
    found = [[target.links(rule) for target in forward] for rule in RULES]
    if len(bundles) > 1:
        backward = _aligned(config, bundles[1], [(target, source) for source, target in pairs])
        both = [(there.alignment, inverse(back.alignment)) for there, back in zip(forward, backward, strict=True)]
        found += [[symmetrise(*each, method) for each in both] for method in SYMMETRISATIONS]
    return found


def _aligned(config: EvidenceConfig, bundle: Bundle, pairs: Sequence[tuple[str, str]]) -> list[ScoredTarget]:
    way: ExtractionMethod = config.way
    aligner = Aligner([bundle], by=config)
    work = progress(lambda reached: aligner.align_pairs(pairs, reached=reached), way, unit="pairs", total=len(pairs))
    return list(work)


if __name__ == "__main__":
    sys.exit(main())

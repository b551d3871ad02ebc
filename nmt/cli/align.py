"""``nmt-align``: align given translations by the attention of a model under forced decoding, or other evidence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from nmt.alignment.extraction_methods import HAS_A_SCALE, ExtractionMethod
from nmt.cli.options.align_options import align_parser, check_align
from nmt.cli.options.run_options import gallery_of, load_models, page_of, use_threads
from nmt.cli.run import begin, run, warn_of_lines
from nmt.cli.streams import opened, read_sides, standard_output
from nmt.core.characters import is_blank
from nmt.core.errors import ConfigError, Problem
from nmt.core.logging import Progress, Reached, logger
from nmt.core.storage.files import reporting_os_errors, write_json

if TYPE_CHECKING:
    from nmt.alignment.links import Links
    from nmt.alignment.report.entries import Layer
    from nmt.alignment.soft_alignment import Rule
    from nmt.alignment.symmetrisation import Symmetrisation
    from nmt.data.gold_links import GoldScore
    from nmt.text.words import WordKind
    from nmt.translation.aligning.aligner import Aligner
    from nmt.translation.aligning.pointing import PointingScorer
    from nmt.translation.lines import ScoredTarget, Unit
    from nmt.translation.model_files.bundle import Bundle


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    options = align_parser().parse_args(argv)
    begin(options)
    check_align(options)
    source, target = read_sides(options.source, options.target)
    with use_threads(options):
        return _align(options, list(zip(source, target, strict=True)))


def _align(options: argparse.Namespace, pairs: Sequence[tuple[str, str]]) -> int:
    bundles = load_models(options, [options.run])
    for name in ("reverse", "faithfulness", "gold"):
        if getattr(options, name) is not None:
            bundles[0].source.require_text(f"--{name} needs a model that translates text")
    tags = bundles[0].tags
    tags.check_all((source for source, _ in pairs), str(options.source), options.target_language)
    gold = _gold(options, [(tags.divided(source, options.target_language)[1], target) for source, target in pairs])
    if options.reverse is not None:
        from nmt.translation.model_files.bundle import Bundle

        bundles.append(Bundle.load(options.reverse, device=options.device, fast_paths=options.fast_paths))
    scorer = _scorer(options, bundles[0], pairs)
    aligners = _aligners(options, bundles)
    overlays = [_aligner(options, bundles[0], way, options.target_language) for way in options.layers or ()]
    with Progress("aligning", unit="pairs", total=len(pairs)) as shown:
        reached = shown.passes([each.by.work for each in (*aligners, *overlays)])
        others = zip(overlays, reached[len(aligners) :], strict=True)
        stream = zip(
            _aligned(options, aligners, pairs, reached),
            *(each.align_pairs(pairs, reached=told) for each, told in others),
            strict=True,
        )
        links, lengths = _write(options, stream, gold, scorer, shown)
    if gold is not None:
        from nmt.data.gold_links import score_links

        _print_score(options, score_links(links, gold, lengths))
    if scorer is not None:
        _print(options, str(scorer.tally.score() or "pointing: no word has a region"))
    if options.faithfulness is not None:
        _judge(options, bundles[0], pairs)
    return 1 if _report(pairs, aligners) else 0


def _aligners(options: argparse.Namespace, bundles: Sequence[Bundle]) -> list[Aligner]:
    from nmt.translation.aligning.directions import check_directions, language_back

    languages = [options.target_language]
    if len(bundles) > 1:
        check_directions(bundles[0], bundles[1], _unit(options))
        languages.append(language_back(bundles[0], bundles[1]))
    pairs = zip(bundles, languages, strict=True)
    return [_aligner(options, bundle, options.by, language) for bundle, language in pairs]


def _aligner(
    options: argparse.Namespace, bundle: Bundle, way: ExtractionMethod, target_language: str | None
) -> Aligner:
    from nmt.translation.aligning.aligner import BATCH_TOKENS, MAX_PIECES, Aligner
    from nmt.translation.aligning.evidence import EvidenceConfig

    given = {name: getattr(options, name) for name in ("samples", "seed") if getattr(options, name) is not None}
    return Aligner(
        [bundle],
        by=EvidenceConfig(way=way, **given),
        unit=_unit(options),
        batch_tokens=options.batch_tokens or BATCH_TOKENS,
        max_pieces=options.max_pieces or MAX_PIECES,
        root=options.root,
        target_language=target_language,
    )


def _aligned(
    options: argparse.Namespace,
    aligners: Sequence[Aligner],
    pairs: Sequence[tuple[str, str]],
    reached: Sequence[Reached],
) -> Iterator[tuple[ScoredTarget, Links]]:
    """Align the pairs in one or both directions."""
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
    """Warn of the pairs without links, and return those that were too long."""
    blank = [number for number, (source, target) in enumerate(pairs, start=1) if is_blank(source) != is_blank(target)]
    long = sorted({number for aligner in aligners for number in aligner.unaligned})
    warn_of_lines(blank, "pairs without links, as one side is empty")
    warn_of_lines(long, "pairs left unaligned, for the reasons above")
    return long


def _write(
    options: argparse.Namespace,
    aligned: Iterable[tuple[tuple[ScoredTarget, Links], *tuple[ScoredTarget, ...]]],
    gold: list[Links] | None,
    scorer: PointingScorer | None,
    shown: Progress,
) -> tuple[list[Links], list[int]]:
    """Write links, matrices and plots as they arrive; each pair comes with its alignments in other ways."""
    from nmt.alignment.links import format_links
    from nmt.translation.output.page_entries import LINKS, aligned_entry
    from nmt.translation.output.writers import soft_alignment

    gallery = gallery_of(options)
    links: list[Links] = []
    lengths: list[int] = []
    with (
        opened(options.output, "alignments") as output,
        opened(options.soft, "alignments") as soft,
        page_of(
            options.html,
            title=f"Alignments by {options.run.name or options.run}",
            subtitle=f"of {options.source.name} and {options.target.name}",
        ) as page,
    ):
        stream = output or standard_output()
        for (target, found), *others in aligned:
            with reporting_os_errors("write the alignments", options.output):
                stream.write(f"{format_links(found)}\n".encode())
            if soft is not None:
                with reporting_os_errors("write the alignments", options.soft):
                    soft.write(soft_alignment(target, found).encode("utf-8"))
            known = None if gold is None else gold[len(links)]
            if scorer is not None:
                scorer.add(target)
            boxes = None if scorer is None else scorer.boxes(target)
            if gallery is not None:
                gallery.add(target, gold=known, boxes=boxes)
            if page is not None:
                layers = _layers(options, target, others)
                page.add(aligned_entry(target, layers=layers, links={LINKS: found}, gold=known, boxes=boxes))
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


def _scorer(options: argparse.Namespace, bundle: Bundle, pairs: Sequence[tuple[str, str]]) -> PointingScorer | None:
    if options.regions is None:
        return None
    from nmt.translation.aligning.pointing import PointingScorer

    source = bundle.source.features
    if source is None:
        raise ConfigError([Problem("--regions", "needs a model of pictures or sounds; --gold has links between words")])
    words: WordKind = "tokens" if options.tokenized else options.words
    return PointingScorer(options.regions, source, [target for _, target in pairs], root=options.root, words=words)


def _judge(options: argparse.Namespace, bundle: Bundle, pairs: Sequence[tuple[str, str]]) -> None:
    from nmt.translation.aligning.aligner import BATCH_TOKENS
    from nmt.translation.aligning.faithfulness import faithfulness

    seed = 1 if options.seed is None else options.seed
    tokens, language = options.batch_tokens or BATCH_TOKENS, options.target_language
    report = faithfulness(bundle, pairs, seed=seed, batch_tokens=tokens, target_language=language)
    with reporting_os_errors("write the results of --faithfulness"):
        write_json(options.faithfulness, report.to_mapping())
    _print(options, str(report))


def _print_score(options: argparse.Namespace, score: GoldScore) -> None:
    _print(options, f"{score.measured}; best possible with one link per target word: {score.oracle.aer:.4f}")


def _print(options: argparse.Namespace, line: str) -> None:
    """Print a result to standard output, unless the links go there."""
    if options.output is not None:
        print(line)
    else:
        logger.info("%s", line)


if __name__ == "__main__":
    sys.exit(main())

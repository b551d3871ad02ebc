"""The recipe's ``test`` and ``alignment`` sections, and the results they write to the run folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from nmt.alignment.links import Links, format_links
from nmt.alignment.regions import PointingTally
from nmt.alignment.soft_alignment import mean_entropy
from nmt.core import config
from nmt.core.config.ranges import NonNegativeInt
from nmt.core.errors import ConfigError
from nmt.core.logging import logger, progress
from nmt.core.storage.checksums import file_checksum, origin_of_scores
from nmt.core.storage.files import existing_file, path_below, reporting_os_errors, write_json, write_lines
from nmt.core.storage.run_folder import RunFolder, best_checkpoint
from nmt.data.corpus import CorpusConfig, read_pairs
from nmt.data.gold_links import GoldScore, read_gold, score_links
from nmt.metrics.tokenizer import Tokenizer
from nmt.search.search_config import SearchConfig
from nmt.text.words import WordKind
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.aligning.pointing import PointingScorer
from nmt.translation.lines import ScoredTarget
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.output.gallery import Gallery, PictureFormat
from nmt.translation.scoring import (
    FurtherMetric,
    TestReport,
    translate_and_score,
    warn_of_text,
)
from nmt.translation.translator import Translator

HYPOTHESES, ALIGNMENTS, ALIGNMENT_REPORT = "test.hypotheses.txt", "alignments.pharaoh", "alignment.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestConfig:
    """Test set of a model: scored once, with the best checkpoint.

    Args:
        corpus: the test corpus; paths start from ``data.root``.
        tokenize: sacreBLEU's tokenizer; ``auto`` chooses by the script of the references.
        lowercase: whether case is ignored.
        moses: two-letter code of the target language; adds BLEU on text tokenised with sacremoses, as papers report it.
        metrics: further metrics, in this order.
    """

    __test__: ClassVar[bool] = False  # not a pytest class, despite its name

    corpus: CorpusConfig
    tokenize: Tokenizer = "auto"
    lowercase: bool = False
    moses: str | None = None
    metrics: tuple[FurtherMetric, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentConfig:
    """Alignments that are exported and drawn after training.

    Args:
        corpus: sentence pairs to align; the test corpus if left out.
        plots: number of sentence pairs to draw.
        format: of the plots.
        gold: file of gold links, relative to ``data.root``; adds AER.
        gold_first_index: index of the first word of a sentence in that file.
        gold_tokenized: whether words in that file are separated by spaces (U+0020) only, and not by any white
            space.
        regions: file of the regions that words of the targets name, relative to ``data.root``; adds the pointing score.
    """

    corpus: CorpusConfig | None = None
    plots: NonNegativeInt = 5
    format: PictureFormat = "png"
    gold: str | None = None
    gold_first_index: Literal[0, 1] = 0
    gold_tokenized: bool = False
    regions: str | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield values that need gold links."""
        if self.gold_tokenized and self.gold is None:
            yield "gold_tokenized", "needs gold: it says how words in that file are counted"

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield keys that need plots or gold links."""
        if not self.plots:
            yield "format", "has no effect without plots"
        if self.gold is None:
            yield "gold_first_index", "has no effect without gold"


@dataclass(frozen=True, slots=True)
class AlignmentReport:
    """Results of an alignment export.

    Args:
        links: of each sentence pair.
        gold: their agreement with gold links, if there are any.
        pointing: the attention against regions, if there are any.
        plots: the pictures; none if the alignments of this checkpoint are not kept.
        entropy: of the attention over source pieces (heads averaged), in nats; mean over target pieces, eos included;
            ``None`` without attention.
    """

    links: tuple[Links, ...]
    gold: GoldScore | None
    pointing: PointingTally | None
    plots: tuple[Path, ...]
    entropy: float | None

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        mapping: dict[str, Any] = {
            "pairs": len(self.links),
            "links": sum(len(each.sure) for each in self.links),
            "entropy": self.entropy,
        }
        if self.gold is not None:
            mapping |= self.gold.to_mapping()
        if self.pointing is not None:
            mapping["pointing"] = self.pointing.to_mapping()
        return {**mapping, "plots": [str(path) for path in self.plots]}


def evaluate(bundle: Bundle, test: TestConfig, root: Path) -> TestReport:
    """Translate the test corpus and score it; ``test.json`` and the translations go into the run folder.

    The files describe the run's best checkpoint; results of another checkpoint are only returned.

    Raises:
        DataError: the corpus is unusable.
        NmtError: the model is damaged, or the files cannot be written.
    """
    folder = RunFolder(bundle.path)
    read = read_pairs(test.corpus, root, cache=folder.cache)
    pairs = list(read)
    references = [target for _, target in pairs]
    report = translate_and_score(
        Translator([bundle], attention=False, root=root),
        [source for source, _ in pairs],
        references,
        tokenize=test.tokenize,
        lowercase=test.lowercase,
        moses=test.moses,
        metrics=test.metrics,
    )
    warn_of_text(report.hypotheses, [references], [test.corpus.describe()])
    for score in report.scores:
        logger.info("%s", score)
    if _keeps(bundle, folder.test):
        with reporting_os_errors("save the test's results"):
            write_lines(folder.path / HYPOTHESES, report.hypotheses)
            asked = asked_of_test(test, bundle.search, read.identity)
            write_json(folder.test, report.to_mapping() | _origin(bundle, asked))
    return report


def _keeps(bundle: Bundle, scores: Path) -> bool:
    """Whether the run folder keeps results of this model: only those of its best checkpoint.

    Checked just before the files are written, as training may have found a better one meanwhile.
    """
    folder = RunFolder(bundle.path)
    best = best_checkpoint(folder).name if folder.best.exists() else None
    if bundle.checkpoint == best:
        return True
    logger.info(
        "%s: not changed, as it describes the best checkpoint (%s), not %s", scores, best or "none", bundle.checkpoint
    )
    return False


def _origin(bundle: Bundle, asked: dict[str, Any]) -> dict[str, Any]:
    return origin_of_scores(RunFolder(bundle.path).checkpoints / bundle.checkpoint, asked)


def asked_of_test(test: TestConfig, search: SearchConfig, text: dict[str, Any]) -> dict[str, Any]:
    """Return what the test scores depend on, as plain values.

    ``text`` is the identity of the pairs: a file's content may change under the same name.
    """
    return {"test": config.to_mapping(test), "search": config.to_mapping(search), "text": text}


def asked_of_alignments(
    alignment: AlignmentConfig, test: TestConfig | None, text: dict[str, Any], root: Path
) -> dict[str, Any]:
    """Return what exported alignments depend on, as plain values; ``text`` is the identity of the pairs.

    Raises:
        DataError: the file of gold links or of regions is missing.
    """
    corpus = alignment.corpus or (test.corpus if test is not None else None)
    return {
        **config.to_mapping(alignment),
        "corpus": None if corpus is None else config.to_mapping(corpus),
        "text": text,
        "gold_text": _checksum(alignment.gold, root, "gold alignment"),
        "regions_text": _checksum(alignment.regions, root, "file of regions"),
    }


def _checksum(name: str | None, root: Path, what: str) -> str | None:
    return None if name is None else file_checksum(existing_file(path_below(root, name), what))


def export_alignments(
    bundle: Bundle, alignment: AlignmentConfig, test: TestConfig | None, root: Path
) -> AlignmentReport | None:
    """Force the references through the model; write links, plots and scores as ``evaluate`` does.

    A model without attention gives none; the log says so. By default the test corpus is aligned.

    Raises:
        ConfigError: no corpus is named.
        DataError: corpus or gold links are unusable.
        NmtError: the model is damaged, or the files cannot be written.
    """
    corpus = alignment.corpus or (test.corpus if test is not None else None)
    if corpus is None:
        raise ConfigError("alignment.corpus must be given if there is no test section")
    if not bundle.has_attention:
        logger.info("alignments: none, as the model has no attention")
        return None
    folder = RunFolder(bundle.path)
    read = read_pairs(corpus, root, cache=folder.cache)
    pairs = list(read)
    gold, gold_path = None, None if alignment.gold is None else path_below(root, alignment.gold)
    words: WordKind = "tokens" if alignment.gold_tokenized else "whitespace"
    if gold_path is not None:
        gold = read_gold(gold_path, list(read.untagged), first_index=alignment.gold_first_index, words=words)
    scorer = _scorer(bundle, alignment, [target for _, target in pairs], root)
    aligner = Aligner([bundle], unit=words, root=root)
    work = progress(
        lambda reached: aligner.align_pairs(pairs, reached=reached), "aligning", unit="pairs", total=len(pairs)
    )
    forced = list(work)
    if scorer is not None:
        for target in forced:
            scorer.add(target)
    links = [target.alignment for target in forced]
    kept = _keeps(bundle, folder.path / ALIGNMENT_REPORT)
    report = AlignmentReport(
        links=tuple(links),
        gold=None if gold is None else score_links(links, gold, [len(target.words) for target in forced]),
        pointing=None if scorer is None else scorer.tally,
        plots=_draw(forced, gold, scorer, folder, alignment) if kept else (),
        entropy=mean_entropy(target.piece_weights for target in forced if target.piece_weights is not None),
    )
    if kept:
        with reporting_os_errors("save the alignments"):
            write_lines(folder.path / ALIGNMENTS, [format_links(each) for each in links])
            asked = asked_of_alignments(alignment, test, read.identity, root)
            write_json(folder.path / ALIGNMENT_REPORT, report.to_mapping() | _origin(bundle, asked))
    if report.gold is not None:
        logger.info(
            "alignments: %s; best possible with one link per target word: %.4f",
            report.gold.measured,
            report.gold.oracle.aer,
        )
    if report.pointing is not None:
        logger.info("%s", report.pointing.score() or "pointing: no word has a region")
    return report


def _scorer(bundle: Bundle, alignment: AlignmentConfig, targets: Sequence[str], root: Path) -> PointingScorer | None:
    source = bundle.source.features
    if alignment.regions is None or source is None:
        return None
    return PointingScorer(path_below(root, alignment.regions), source, targets, root=root)


def _draw(
    forced: Sequence[ScoredTarget],
    gold: Sequence[Links] | None,
    scorer: PointingScorer | None,
    folder: RunFolder,
    alignment: AlignmentConfig,
) -> tuple[Path, ...]:
    """Draw pairs spread over the corpus, the same ones every time."""
    drawable = [row for row, target in enumerate(forced) if target.weights is not None]
    count = min(alignment.plots, len(drawable))
    if not count:
        return ()
    gallery = Gallery(folder.plots, count=count, format=alignment.format)
    for number in progress(range(count), "drawing alignments", unit="plots", passing=True):
        row = drawable[number * len(drawable) // count]
        known = None if gold is None else gold[row]
        boxes = None if scorer is None else scorer.boxes(forced[row])
        gallery.add(forced[row], name=f"alignment-{row + 1:06d}", gold=known, boxes=boxes)
    logger.info("plots of alignments: %s", folder.plots)
    return tuple(gallery.files)

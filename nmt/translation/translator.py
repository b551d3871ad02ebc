"""Translation of lines: encode, sort by length, batch, search, restore the order, decode."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch

from nmt.alignment.report.entries import Tree
from nmt.core.config.ranges import problems_of
from nmt.core.errors import ConfigError, Problem
from nmt.core.logging import Reached, Shares, logger
from nmt.core.machine.batch_halving import Halving
from nmt.core.machine.device import Precision, full_float32
from nmt.data.bucketing import length_batches
from nmt.search.allowed_tokens import Symbols
from nmt.search.constraint import Constraint
from nmt.search.control.controls import Controls
from nmt.search.hypothesis import Hypothesis
from nmt.search.scorer import Scorer
from nmt.search.search import search
from nmt.search.search_config import SearchConfig
from nmt.search.strategies.trace import BeamTrace
from nmt.text.words import words_in_pieces
from nmt.translation.copying import Copier, CopyConfig
from nmt.translation.line_reader import LineReader, LongLines
from nmt.translation.lines import ScoredTarget, SourceLine, Translation, pieces_of_words, unseen
from nmt.translation.long_lines import join_hypotheses
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.models import Models, counts_below_one, load_bundles, without_attention
from nmt.translation.requests.asked import Asked
from nmt.translation.requests.control_reader import ControlReader
from nmt.translation.requests.request import Line, Request, text_of
from nmt.translation.trees import LineNumbers, tree_in_letters
from nmt.translation.windows import WINDOW, windows

BATCH_TOKENS = 16384
MAX_PIECES = 300

_Found: TypeAlias = tuple[list[ScoredTarget], Tree | None]


class Translator:
    """Translates lines with one model or an ensemble; search is in float32 by default.

    The translation of a line depends neither on its batch nor on the lines around it (except for ties in the last
    digits of a float); samples are seeded by the line's number. A batch that does not fit into memory is halved until
    it does; a line that does not fit by itself does not affect the others.

    Args:
        bundles: one model, or several over the same vocabularies, whose probabilities are averaged.
        search: how to search; by default that of the first model's recipe.
        batch_tokens: source pieces of a batch, including padding and the hypotheses of the beam.
        attention: whether to keep attention weights, for alignments and pictures.
        copying: what is copied from the source.
        max_pieces: most source pieces that are translated at once.
        long_lines: a longer line is translated in parts, split at sentence ends where possible (``split``), or gets
            an empty translation with a ``problem`` (``report``).
        trees: lines whose search tree is recorded; the others run at full speed.
        constraint: restricts or guides the search of each line by its number; the parts of a long line share it.
        precision: of the operands of matrix products: ``fp32``; ``bf16``, which is faster with hardware support but
            may break near ties differently; ``auto``: bf16 with hardware support.

    Raises:
        CheckpointError: the models of an ensemble do not share vocabularies and normalisation.
        ConfigError: search or copying settings are impossible, or need attention that no model has.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        *,
        search: SearchConfig | None = None,
        batch_tokens: int = BATCH_TOKENS,
        attention: bool = True,
        copying: CopyConfig | None = None,
        max_pieces: int = MAX_PIECES,
        long_lines: LongLines = "split",
        trees: LineNumbers | None = None,
        constraint: Constraint | None = None,
        precision: Precision = "fp32",
    ) -> None:
        self._models = Models(bundles, precision=precision)
        self.bundles = self._models.bundles
        self.search = search or bundles[0].search
        copying = copying or CopyConfig()
        self._trees = trees or LineNumbers()
        self._constraint = constraint
        self._check(batch_tokens, max_pieces, copying)
        self._halving = Halving(
            bundles[0].device.type,
            "a batch of %d sentences does not fit into memory; it is translated in halves (smaller batches from "
            "the start are faster: see --batch-tokens)",
        )
        self.attention = attention or copying.active
        self._batch_tokens = batch_tokens
        vocabularies, normalisations = self._models.vocabularies, self._models.normalisations
        self._copier = Copier(copying, vocabularies, normalisations)
        self._reader = LineReader(
            vocabularies.source,
            normalisations.source,
            self._copier,
            max_pieces=max_pieces,
            long_lines=long_lines,
            in_words=self.attention,
        )
        self._symbols = Symbols.of(vocabularies.target, unknown=copying.replace_unknown)
        self._controls = ControlReader(vocabularies.target, normalisations.target)

    @classmethod
    def load(
        cls,
        runs: Path | str | Sequence[Path | str],
        *,
        device: str = "auto",
        checkpoint: str | None = None,
        search: SearchConfig | None = None,
        batch_tokens: int = BATCH_TOKENS,
        attention: bool = True,
        copying: CopyConfig | None = None,
        max_pieces: int = MAX_PIECES,
        long_lines: LongLines = "split",
        constraint: Constraint | None = None,
        precision: Precision = "fp32",
        fast_paths: bool | None = None,
    ) -> Translator:
        """Load one run, or several as an ensemble.

        ``device``, ``checkpoint`` and ``fast_paths`` are those of ``Bundle.load``; the class describes the others.

        Raises:
            NmtError: a run cannot be loaded, or the settings are impossible.
        """
        return cls(
            load_bundles(runs, device=device, checkpoint=checkpoint, fast_paths=fast_paths),
            search=search,
            batch_tokens=batch_tokens,
            attention=attention,
            copying=copying,
            max_pieces=max_pieces,
            long_lines=long_lines,
            constraint=constraint,
            precision=precision,
        )

    def translate(self, lines: Iterable[Line]) -> list[Translation]:
        """Translate lines, each a text or a ``Request``; returns one translation per line, in order.

        Raises:
            NmtError: the model is damaged.
        """
        return self.translate_window(list(_several(lines)), 1)

    def translate_lines(
        self, lines: Iterable[Line], *, window: int = WINDOW, first: int = 1, reached: Reached | None = None
    ) -> Iterator[Translation]:
        """Translate a stream of lines incrementally.

        Args:
            lines: texts or ``Request``, read a window at a time.
            window: number of lines that are sorted by length and translated together; the first window is yielded
                before the second is read.
            first: number of the first line.
            reached: called after each batch with the number of lines done, estimated by pieces.

        Yields:
            One translation per line, in order; also for the lines before one that cannot be read.

        Raises:
            NmtError: the model is damaged, or a line cannot be read.
        """
        begin = first
        for several in windows(_several(lines), window):
            yield from self.translate_window(several, first, Shares(reached, first - begin, len(several)))
            first += len(several)

    def translate_window(self, lines: Sequence[Line], first: int, shares: Shares | None = None) -> list[Translation]:
        """Translate lines together, numbered from ``first``; ``shares`` tracks the progress.

        Raises:
            NmtError: the model is damaged.
        """
        for number, line in enumerate(lines, first):
            if not isinstance(line, str | Request):
                raise TypeError(f"line {number} must be a str or a Request, but is {type(line).__name__}")
        self._models.refresh()
        sources = self._reader.read([*map(text_of, lines)], first)
        parts = [self._reader.parts(source) for source in sources]
        asked = Asked.of(lines, sources, parts, usual=self.search, controls=self._controls, check=self._check_search)
        searched = [
            own if source.number not in asked.problems else [] for source, own in zip(sources, parts, strict=True)
        ]
        found = iter(self._search_all([*itertools.chain(*searched)], asked, shares or Shares(None, 0, len(lines))))
        return [
            self._joined(source, own, [next(found) for _ in own], asked)
            for source, own in zip(sources, searched, strict=True)
        ]

    def _joined(self, source: SourceLine, parts: list[SourceLine], found: list[_Found], asked: Asked) -> Translation:
        """Build the translation of a line from the results for its parts."""
        extra = {} if (request := asked.requests.get(source.number)) is None else request.extra
        if not parts:
            problem = self._reader.too_long(source) if source.pieces.ids else ""
            return _untranslated(source, asked.problems.get(source.number, problem), extra)
        targets = [hypotheses for hypotheses, _ in found]
        if not all(targets):
            problem = f"its {len(source.pieces.ids)} pieces do not fit into memory; see --max-pieces"
            logger.warning("line %d is left untranslated: %s", source.number, problem)
            return _untranslated(source, problem, extra, len(parts))
        tree = found[0][1] if len(parts) == 1 else None
        if len(parts) > 1:
            config = asked.search(source.number)
            targets = [_chosen([*join_hypotheses(source, parts, targets, Scorer.of(config))], config)]
        if request is not None and request.controlled:
            kept = [target for target in targets[0] if not self._controls.broken(request, target)]
            if not kept:
                problem = self._controls.broken(request, targets[0][0])
                logger.warning("line %d is left untranslated: %s", source.number, problem)
                return _untranslated(source, problem, extra, len(parts))
            targets = [kept]
        return Translation(source, tuple(targets[0]), parts=len(parts), tree=tree, extra=extra)

    def _search_all(self, sources: list[SourceLine], asked: Asked, shares: Shares) -> list[_Found]:
        """Search in batches of similar length; no hypotheses for a sentence that does not fit into memory."""
        found: list[_Found] = [([], None) for _ in sources]
        lengths = [len(source.pieces.ids) + 1 for source in sources]
        alike: dict[SearchConfig, list[int]] = {}
        for row, source in enumerate(sources):
            alike.setdefault(asked.search(source.number), []).append(row)
        batches = [
            [own[place] for place in places]
            for config, own in alike.items()
            for places in length_batches([lengths[row] for row in own], max(1, self._batch_tokens // config.width))
        ]
        for rows, results in self._halving(batches, lambda rows: self._search([sources[row] for row in rows], asked)):
            if results is not None:
                for row, result in zip(rows, results, strict=True):
                    found[row] = result
            shares.add(sum(lengths[row] for row in rows), of=sum(lengths))
        return found

    def _search(self, batch: list[SourceLine], asked: Asked) -> list[_Found]:
        traced = [row for row, source in enumerate(batch) if source.number in self._trees]
        trace = BeamTrace(traced) if traced else None
        found: list[_Found] = []
        for row, (source, hypotheses) in enumerate(zip(batch, self._search_batch(batch, asked, trace), strict=True)):
            config = asked.search(source.number)
            targets = _chosen([self._target(source, each) for each in hypotheses], config)
            tree = None
            if trace is not None and row in traced:
                ends = [target.hypothesis for target in targets]
                tree = tree_in_letters(trace.tree(row), ends, self._models.vocabularies.target)
            found.append((targets, tree))
        return found

    def _search_batch(self, batch: list[SourceLine], asked: Asked, trace: BeamTrace | None) -> list[list[Hypothesis]]:
        models, target = self._models, self._models.vocabularies.target
        numbers = [source.number for source in batch]
        config = asked.search(numbers[0])  # that of all
        # Several finished hypotheses may be segmentations of one text, so an n-best list needs spare ones.
        several = config.strategy == "beam" and config.n_best > 1
        machines = {number: asked.machines[number] for number in numbers if number in asked.machines}
        with torch.inference_mode(), full_float32(models.device):
            return search(
                models.stepper,
                models.sources([source.pieces for source in batch]),
                config,
                self._symbols,
                n_best=config.beam_size if several else config.n_best,
                keep_weights=self.attention,
                line_keys=numbers,
                constraint=self._constraint,
                controls=Controls(machines, config, target.size, target.eos_id) if machines else None,
                trace=trace,
            )

    def _target(self, source: SourceLine, hypothesis: Hypothesis) -> ScoredTarget:
        model, tokens = self._models.vocabularies.target, hypothesis.tokens
        # A vocabulary with byte fallback can write any character, even a line end.
        text = model.decode(tokens).replace("\n", " ")
        letters = model.pieces(tokens)
        # In a text without words, pieces belong to no word.
        pieces = pieces_of_words(tokens, letters, words_in_pieces(letters) or [(-1,)] * len(letters))
        if self._copier.config.active and hypothesis.weights is not None:
            text = self._copier.restore(text, pieces, hypothesis.weights.numpy(), source)
        return ScoredTarget(source, text, pieces, hypothesis)

    def _check(self, batch_tokens: int, max_pieces: int, copying: CopyConfig) -> None:
        problems = [*self._problems(self.search), *counts_below_one(batch_tokens=batch_tokens, max_pieces=max_pieces)]
        if copying.active and not self._models.have_attention:
            problems.append(Problem("", f"nothing can be copied from the source: {without_attention(self.bundles)}"))
        if problems:
            raise ConfigError(problems)

    def _check_search(self, config: SearchConfig) -> None:
        if problems := [*self._problems(config)]:
            raise ConfigError(problems)

    def _problems(self, config: SearchConfig) -> Iterator[Problem]:
        yield from (Problem(path, message) for path, message in problems_of(config))
        if self._trees.ranges and config.strategy != "beam":
            yield Problem("strategy", f"must be beam to record trees, but is {config.strategy}")
        if config.coverage_penalty and not self._models.have_attention:
            message = f"must be 0, but is {config.coverage_penalty}: {without_attention(self.bundles)}"
            yield Problem("coverage_penalty", message)


def _untranslated(source: SourceLine, problem: str, extra: Mapping[str, Any], parts: int = 1) -> Translation:
    return Translation(source, (unseen(source),), parts=parts, problem=problem, extra=extra)


def _chosen(targets: list[ScoredTarget], config: SearchConfig) -> list[ScoredTarget]:
    """Drop hypotheses with the same text as a better one; samples are all kept."""
    if config.strategy == "sampling":
        return targets
    best = {target.text: target for target in reversed(targets)}
    return [target for target in targets if best[target.text] is target][: config.n_best]


def _several(lines: Iterable[Line]) -> Iterable[Line]:
    if isinstance(lines, str | bytes):
        kind = type(lines).__name__
        raise TypeError(f"lines must be several lines, such as a list, but is one {kind}; put it into a list")
    return lines

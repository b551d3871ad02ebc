"""Translation of lines: encode, sort by length, batch, search, restore the order, decode."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

import torch

from nmt.alignment.links import Links
from nmt.alignment.report.entries import Tree
from nmt.core.characters import is_blank
from nmt.core.device import Precision, exact, resolve_precision
from nmt.core.errors import CheckpointError, ConfigError, NmtError, Problem
from nmt.core.halving import Halving
from nmt.core.logging import Reached, Shares, logger
from nmt.data.batch import Tokens
from nmt.data.bucketing import length_batches
from nmt.model.stepper import ModelStepper
from nmt.search.ensemble import EnsembleStepper
from nmt.search.hypothesis import Hypothesis
from nmt.search.scorer import Scorer
from nmt.search.search import search
from nmt.search.search_config import SearchConfig
from nmt.search.stepper import Stepper
from nmt.search.strategies.trace import BeamTrace
from nmt.text.words import words_in_pieces
from nmt.translation.copying import Copier, CopyConfig
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine, cut, pieces_of_words, unseen
from nmt.translation.long_lines import join_hypotheses, parts_of
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.trees import LineNumbers, tree_in_letters

BATCH_TOKENS = 16384
WINDOW = 1024
MAX_PIECES = 300

LongLines: TypeAlias = Literal["split", "report"]
"""What becomes of a line that is too long to be read at once: translated in parts, or left out and reported."""


_Found: TypeAlias = tuple[list[ScoredTarget], Tree | None]


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated line.

    Args:
        source: the line.
        hypotheses: one translation or more, best first; a blank line has one that is empty. No two have the same text,
            unless they were sampled: of several that are the same in other pieces, the best is kept.
        parts: how many parts it was translated in; more than 1 for a line that was too long.
        problem: why the line has no translation, its text being empty; empty itself where all is well.
        tree: all that the beam ranked, where that was recorded; a line translated in parts has none.
    """

    source: SourceLine
    hypotheses: tuple[ScoredTarget, ...]
    parts: int = 1
    problem: str = ""
    tree: Tree | None = field(default=None, repr=False)

    @property
    def best(self) -> ScoredTarget:
        """The first hypothesis."""
        return self.hypotheses[0]

    @property
    def text(self) -> str:
        """The best translation, on one line."""
        return self.best.text

    @property
    def score(self) -> float:
        """Score of the best translation."""
        return self.best.score

    @property
    def confidence(self) -> float:
        """Confidence of the best translation."""
        return self.best.confidence

    @property
    def alignment(self) -> Links:
        """Links between source words and words of the best translation."""
        return self.best.alignment

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """Draw the attention of the best translation, for a notebook."""
        return self.best._repr_html_()


class Translator:
    """Translates lines with one model or an ensemble, by search in float32 unless told otherwise.

    The translation of a line depends neither on the batch it is in nor on the lines around it (beyond ties in the last
    digits of a float); samples are drawn by the line's number. A batch that does not fit into memory is halved until it
    does, and a line that does not fit by itself takes no other with it.

    Args:
        bundles: one model, or several over the same vocabularies, whose probabilities are averaged.
        search: how to search; by default as the first model's recipe says.
        batch_tokens: source pieces of a batch, padding and the hypotheses of the beam counted.
        attention: whether to keep attention weights, for alignments and pictures.
        copying: what is copied from the source.
        max_pieces: source pieces that are translated at once.
        long_lines: a longer line is translated in parts that end at sentence ends where they can (``split``), or gets
            an empty translation with a ``problem`` (``report``).
        trees: lines of which the tree of the search is recorded; no other pays for it.
        precision: of the factors of matrix products: ``fp32``; ``bf16``, which is faster where the device has it in
            hardware, and with which near ties may be settled otherwise; ``auto``: bf16 where it is.

    Raises:
        CheckpointError: the models of an ensemble do not share vocabularies and normalisation.
        ConfigError: search or copying ask for what is impossible, or for attention that no model has.
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
        precision: Precision = "fp32",
    ) -> None:
        check_ensemble(bundles)
        self.bundles = tuple(bundles)
        self.search = search or bundles[0].search
        copying = copying or CopyConfig()
        self._trees = trees or LineNumbers()
        self._check(batch_tokens, max_pieces, copying)
        self._max_pieces = max_pieces
        self._long_lines = long_lines
        self._halving = Halving(
            bundles[0].device.type,
            "a batch of %d sentences does not fit into memory; it is translated in halves (smaller batches from "
            "the start are quicker: see --batch-tokens)",
        )
        self.attention = attention or copying.active
        self._batch_tokens = batch_tokens
        self._vocabularies = bundles[0].vocabularies
        self._normalisation = bundles[0].normalisations.source
        self._copier = Copier(copying, self._vocabularies, bundles[0].normalisations)
        self._models = steppers_of(bundles, precision)
        self._stepper = together(self._models)
        target = self._vocabularies.target
        # Of all that a beam finishes, several may say the same in other pieces; the best alone cannot.
        several = self.search.strategy == "beam" and self.search.n_best > 1
        self._wanted = self.search.beam_size if several else self.search.n_best
        self._forbidden = {target.pad_id, target.bos_id} | (set() if copying.replace_unknown else {target.unk_id})

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
        precision: Precision = "fp32",
        fast_paths: bool | None = None,
    ) -> Translator:
        """Load one run, or several as an ensemble.

        Args:
            runs: a run folder or several.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
            checkpoint: name of a checkpoint; by default the best one.
            search: see the class.
            batch_tokens: see the class.
            attention: see the class.
            copying: see the class.
            max_pieces: see the class.
            long_lines: see the class.
            precision: see the class.
            fast_paths: see ``Bundle.load``.

        Raises:
            NmtError: a run cannot be loaded, or the settings are impossible.
        """
        paths = [runs] if isinstance(runs, str | Path) else list(runs)
        bundles = [Bundle.load(path, device=device, checkpoint=checkpoint, fast_paths=fast_paths) for path in paths]
        return cls(
            bundles,
            search=search,
            batch_tokens=batch_tokens,
            attention=attention,
            copying=copying,
            max_pieces=max_pieces,
            long_lines=long_lines,
            precision=precision,
        )

    def translate(self, lines: Iterable[str]) -> list[Translation]:
        """Translate lines; the list has a translation for each, in their order.

        Raises:
            NmtError: the model is damaged.
        """
        return self.translate_window(list(_several(lines)), 1)

    def translate_lines(
        self, lines: Iterable[str], *, window: int = WINDOW, first: int = 1, reached: Reached | None = None
    ) -> Iterator[Translation]:
        """Translate a stream of lines as it comes.

        Args:
            lines: read a window at a time.
            window: lines that are sorted by length and translated together; the first window is yielded before the
                second is read.
            first: number of the first line.
            reached: told after each batch how many lines are done, by the pieces that they have.

        Yields:
            A translation for each line, in their order; for those before a line that cannot be read, too.

        Raises:
            NmtError: the model is damaged, or a line cannot be read.
        """
        begin = first
        for several in windows(_several(lines), window):
            yield from self.translate_window(several, first, Shares(reached, first - begin, len(several)))
            first += len(several)

    def translate_window(self, lines: Sequence[str], first: int, shares: Shares | None = None) -> list[Translation]:
        """Translate lines together; they are numbered from ``first``, and ``shares`` counts what is done of them.

        Raises:
            NmtError: the model is damaged.
        """
        for number, line in enumerate(lines, first):
            if not isinstance(line, str):
                raise TypeError(f"line {number} must be a str, but is {type(line).__name__}")
        for model in self._models:
            model.refresh()
        sources = self._encode(lines, first)
        units = [part for source in sources for part in self._parts(source)]
        found = self._search_all([part for _, part in units], shares or Shares(None, 0, len(lines)))
        parts: dict[int, list[SourceLine]] = {source.number: [] for source in sources}
        targets: dict[int, list[list[ScoredTarget]]] = {source.number: [] for source in sources}
        trees: dict[int, Tree | None] = {}
        for (source, part), (hypotheses, tree) in zip(units, found, strict=True):
            parts[source.number].append(part)
            targets[source.number].append(hypotheses)
            trees[source.number] = tree
        return [
            self._joined(source, parts[source.number], targets[source.number], trees.get(source.number))
            for source in sources
        ]

    def _joined(
        self, source: SourceLine, parts: list[SourceLine], targets: list[list[ScoredTarget]], tree: Tree | None
    ) -> Translation:
        """Make the translation of a line from those of its parts."""
        if not parts:
            problem = "" if not source.pieces.ids else self._too_long(source)
            return Translation(source, (unseen(source),), problem=problem)
        if not all(targets):
            problem = f"its {len(source.pieces.ids)} pieces do not fit into memory; see --max-pieces"
            logger.warning("line %d is left untranslated: %s", source.number, problem)
            return Translation(source, (unseen(source),), parts=len(parts), problem=problem)
        if len(parts) == 1:
            return Translation(source, tuple(targets[0]), tree=tree)
        joined = join_hypotheses(source, parts, targets, Scorer.of(self.search))
        return Translation(source, tuple(self._chosen(list(joined))), parts=len(parts))

    def _encode(self, lines: Sequence[str], first: int) -> list[SourceLine]:
        """Encode a window; blank lines get no pieces, and thus meet no model."""
        model = self._vocabularies.source
        masked = [self._copier.mask(line) for line in lines]
        if self.attention:
            cuts = [Pieces() if is_blank(text) else cut(text, model, self._normalisation) for text, _ in masked]
        else:
            rows = model.encode_batch([model.normalise(text, self._normalisation) for text, _ in masked])
            cuts = [
                Pieces() if is_blank(text) else Pieces(tuple(ids)) for ids, (text, _) in zip(rows, masked, strict=True)
            ]
            # Where to cut a line is found by its words.
            cuts = [
                cut(text, model, self._normalisation) if len(pieces.ids) > self._max_pieces else pieces
                for pieces, (text, _) in zip(cuts, masked, strict=True)
            ]
        return [
            SourceLine(first + index, line, pieces, placeholders)
            for index, (line, pieces, (_, placeholders)) in enumerate(zip(lines, cuts, masked, strict=True))
        ]

    def _parts(self, source: SourceLine) -> list[tuple[SourceLine, SourceLine]]:
        """Pair a line with each part that search is to see: itself, several if it is long, none if it is blank."""
        count = len(source.pieces.ids)
        if count <= self._max_pieces:
            return [(source, source)] if count else []
        if self._long_lines == "report":
            logger.warning("line %d is left untranslated: %s", source.number, self._too_long(source))
            return []
        slices = parts_of(source.pieces, source.words, self._max_pieces)
        logger.warning(
            "line %d has %d pieces and is translated in %d parts; see --max-pieces", source.number, count, len(slices)
        )
        parts, before = [], 0
        for each in slices:
            letters, words = source.pieces.pieces[each], source.pieces.words[each]
            pieces = Pieces(source.pieces.ids[each], letters, words)
            after = before + self._copier.count_symbols(pieces.ids)
            parts.append((source, replace(source, pieces=pieces, placeholders=source.placeholders[before:after])))
            before = after
        return parts

    def _too_long(self, source: SourceLine) -> str:
        return f"it has {len(source.pieces.ids)} pieces, and more than {self._max_pieces} are not translated at once"

    def _search_all(self, sources: list[SourceLine], shares: Shares) -> list[_Found]:
        """Search sentences in batches of similar length; empty for one that does not fit into memory."""
        found: list[_Found] = [([], None) for _ in sources]
        lengths = [len(source.pieces.ids) + 1 for source in sources]
        batches = length_batches(lengths, max(1, self._batch_tokens // self.search.width))
        for rows, results in self._halving(batches, lambda rows: self._search([sources[row] for row in rows])):
            if results is not None:
                for row, result in zip(rows, results, strict=True):
                    found[row] = result
            shares.add(sum(lengths[row] for row in rows), of=sum(lengths))
        return found

    def _search(self, batch: list[SourceLine]) -> list[_Found]:
        traced = [row for row, source in enumerate(batch) if source.number in self._trees]
        trace = BeamTrace(traced) if traced else None
        found: list[_Found] = []
        for row, (source, hypotheses) in enumerate(zip(batch, self._search_batch(batch, trace), strict=True)):
            targets = self._chosen([self._target(source, each) for each in hypotheses])
            tree = None
            if trace is not None and row in traced:
                ends = [target.hypothesis for target in targets]
                tree = tree_in_letters(trace.tree(row), ends, self._vocabularies.target)
            found.append((targets, tree))
        return found

    def _chosen(self, targets: list[ScoredTarget]) -> list[ScoredTarget]:
        """Leave out what says the same as a better one, in other pieces; samples are what was drawn."""
        if self.search.strategy == "sampling":
            return targets
        best = {target.text: target for target in reversed(targets)}
        return [target for target in targets if best[target.text] is target][: self.search.n_best]

    def _search_batch(self, batch: list[SourceLine], trace: BeamTrace | None) -> list[list[Hypothesis]]:
        vocabularies, device = self._vocabularies, self.bundles[0].device
        ids = [[*source.pieces.ids, vocabularies.source.eos_id] for source in batch]
        with torch.inference_mode(), exact(device):
            return search(
                self._stepper,
                Tokens.pad(ids, vocabularies.source.pad_id).to(device),
                self.search,
                bos_id=vocabularies.target.bos_id,
                eos_id=vocabularies.target.eos_id,
                forbid=sorted(self._forbidden),
                n_best=self._wanted,
                keep_weights=self.attention,
                line_keys=[source.number for source in batch],
                trace=trace,
            )

    def _target(self, source: SourceLine, hypothesis: Hypothesis) -> ScoredTarget:
        model, tokens = self._vocabularies.target, hypothesis.tokens
        # A vocabulary that spells unknown characters in bytes can write any character, a line end too.
        text = model.decode(tokens).replace("\n", " ")
        letters = model.pieces(tokens)
        # Pieces of a text without words belong to none.
        pieces = pieces_of_words(tokens, letters, words_in_pieces(letters) or [(-1,)] * len(letters))
        if self._copier.config.active and hypothesis.weights is not None:
            text = self._copier.restore(text, pieces, hypothesis.weights.numpy(), source)
        return ScoredTarget(source, text, pieces, hypothesis)

    def _check(self, batch_tokens: int, max_pieces: int, copying: CopyConfig) -> None:
        problems = [Problem(path, message) for path, message in self.search.problems()]
        for name, value in (("batch_tokens", batch_tokens), ("max_pieces", max_pieces)):
            if value < 1:
                problems.append(Problem(name, f"must be 1 or more, but is {value}"))
        if self._trees.ranges and self.search.strategy != "beam":
            problems.append(Problem("strategy", f"must be beam to record trees, but is {self.search.strategy}"))
        if not any(bundle.has_attention for bundle in self.bundles):
            if copying.active:
                problems.append(
                    Problem("", f"nothing can be copied from the source: {without_attention(self.bundles)}")
                )
            if self.search.coverage_penalty:
                message = f"must be 0, but is {self.search.coverage_penalty}: {without_attention(self.bundles)}"
                problems.append(Problem("coverage_penalty", message))
        if problems:
            raise ConfigError(problems)


def windows(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    """Divide a stream of lines into windows, reading no more than a window ahead.

    Raises:
        ConfigError: the size is below 1.
        NmtError: a line cannot be read; the lines before it come first.
    """
    if size < 1:
        raise ConfigError([Problem("window", f"must be 1 or more, but is {size}")])
    stream = iter(lines)
    failure: NmtError | None = None
    while failure is None:
        several: list[str] = []
        try:
            for line in itertools.islice(stream, size):
                several.append(line)
        except NmtError as error:
            failure = error
        if several:
            yield several
        if failure is None and len(several) < size:
            return
    raise failure


def steppers_of(bundles: Sequence[Bundle], precision: Precision = "fp32") -> list[ModelStepper]:
    """Arrange models for search."""
    return [ModelStepper(bundle.model, precision=resolve_precision(precision, bundle.device)) for bundle in bundles]


def together(steppers: Sequence[ModelStepper]) -> Stepper:
    """Give search one model or an ensemble."""
    return steppers[0] if len(steppers) == 1 else EnsembleStepper(steppers)


def check_ensemble(bundles: Sequence[Bundle]) -> None:
    """Refuse models that cannot work together.

    Raises:
        CheckpointError: their vocabularies or normalisations differ.
        ValueError: there is none.
    """
    if not bundles:
        raise ValueError("a translator needs one model or more, but there is none")
    first = bundles[0]
    for other in bundles[1:]:
        if other.vocabularies.fingerprint != first.vocabularies.fingerprint:
            raise CheckpointError(
                f"{first.path} and {other.path}: the models of an ensemble must have the same vocabularies, but theirs "
                "differ; train them with the same data.subword.source_model"
            )
        if other.normalisations != first.normalisations:
            raise CheckpointError(
                f"{first.path} and {other.path}: the models of an ensemble must have the same data.normalisation, but "
                "theirs differ"
            )


def without_attention(bundles: Sequence[Bundle]) -> str:
    """Say that a model has no attention."""
    names = ", ".join(str(bundle.path) for bundle in bundles)
    return f"the model of {names} has no attention (model.attention: none)"


def _several(lines: Iterable[str]) -> Iterable[str]:
    if isinstance(lines, str | bytes):
        kind = type(lines).__name__
        raise TypeError(f"lines must be several lines, such as a list, but is one {kind}; put it into a list")
    return lines

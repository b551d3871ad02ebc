"""Translation of lines: encode, sort by length, batch, search, restore the order, decode."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nmt.core.config.ranges import problems_of
from nmt.core.errors import ConfigError, Problem
from nmt.core.logging import Reached, Shares, logger
from nmt.core.machine.device import Precision
from nmt.search.constraint import Constraint
from nmt.search.scorer import Scorer
from nmt.search.search_config import SearchConfig
from nmt.translation.copying import Copier, CopyConfig
from nmt.translation.line_reader import LineReader, LongLines
from nmt.translation.line_search import Found, LineSearch, chosen
from nmt.translation.lines import ScoredTarget, SourceLine, Translation, unseen
from nmt.translation.long_lines import join_hypotheses
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.models import Models, counts_below_one, file_reader, load_bundles, without_attention
from nmt.translation.requests.asked import Asked
from nmt.translation.requests.control_reader import ControlReader
from nmt.translation.requests.request import Line, Request
from nmt.translation.windows import WINDOW, windows

BATCH_TOKENS = 16384
MAX_PIECES = 300


@dataclass(frozen=True, slots=True)
class _Read:
    """A line, its parts that are searched (none if it is blank or has a problem), and what is asked of it."""

    source: SourceLine
    parts: list[SourceLine]
    asked: Asked


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
        constraint: restricts or guides the search of each line by its number; the parts of a long line share it.
        precision: of the operands of matrix products: ``fp32``; ``bf16``, which is faster with hardware support but
            may break near ties differently; ``auto``: bf16 with hardware support.
        warn: whether to log by number the lines that are translated in parts, or have a ``problem``, which may quote
            what was asked of them.
        root: folder that paths in lines start from, if sources are files.
        target_language: into which a model of several translates lines that do not say it themselves.

    Raises:
        CheckpointError: the models of an ensemble do not share vocabularies and normalisation, or know no common tag.
        DataError: the model does not translate into the language.
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
        constraint: Constraint | None = None,
        precision: Precision = "fp32",
        warn: bool = True,
        root: Path | str = ".",
        target_language: str | None = None,
    ) -> None:
        self._models = Models(bundles, precision=precision)
        self.bundles = self._models.bundles
        self.tags = self._models.tags
        if target_language is not None:
            self.tags.of_language(target_language)
        self.search = search or bundles[0].search
        copying = copying or CopyConfig()
        self._warn = warn
        self._check(batch_tokens, max_pieces, copying)
        self.attention = attention or copying.active
        self.batch_tokens = batch_tokens
        vocabularies, normalisations = self._models.vocabularies, self._models.normalisations
        self._copier = Copier(copying, vocabularies, normalisations, self._models.placeholders)
        self._reader = file_reader(self._models, root) or LineReader(
            vocabularies.source,
            normalisations.source,
            self._copier,
            max_pieces=max_pieces,
            long_lines=long_lines,
            in_words=self.attention,
            tags=self.tags,
            target_language=target_language,
        )
        self._search = LineSearch(
            self._models,
            self._copier,
            batch_tokens=batch_tokens,
            keep_weights=self.attention,
            constraint=constraint,
        )
        self._controls = ControlReader(
            vocabularies.target,
            normalisations.target,
            self._models.placeholders,
            unwritten=self._models.unwritten,
        )

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
        root: Path | str = ".",
        target_language: str | None = None,
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
            root=root,
            target_language=target_language,
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
        return self.translate_numbered(lines, range(first, first + len(lines)), shares)

    def translate_numbered(
        self, lines: Sequence[Line], numbers: Sequence[int], shares: Shares | None = None
    ) -> list[Translation]:
        """Translate lines of several streams together; each has the number of its own stream, which seeds its samples.

        Raises:
            NmtError: the model is damaged.
        """
        read = self._read(lines, numbers)
        searched = [(part, each.asked) for each in read for part in each.parts]
        found = iter(self._search(searched, shares or Shares(None, 0, len(lines))))
        return [self._joined(each, [next(found) for _ in each.parts]) for each in read]

    def grow(self, lines: Sequence[Line], numbers: Sequence[int]) -> Generator[list[str], None, list[Translation]]:
        """Translate lines with the same greedy search, step by step.

        A line in several parts does not grow, nor does a translation from the first word on that is copied from the
        source.

        Args:
            lines: texts or requests; each has strategy ``greedy``, and the settings of the others.
            numbers: see ``translate_numbered``.

        Yields:
            After each step the beginning of each translation, as far as it will not change.

        Returns:
            The translations that ``translate_numbered`` gives.

        Raises:
            NmtError: the model is damaged.
        """
        read = self._read(lines, numbers)
        texts, found = [""] * len(read), [list[Found]()] * len(read)
        single = [row for row, each in enumerate(read) if len(each.parts) == 1]
        if single:
            growing = self._search.grow([(read[row].parts[0], read[row].asked) for row in single])
            while True:
                try:
                    grown = next(growing)
                except StopIteration as end:
                    found = [[end.value[single.index(row)]] if row in single else [] for row in range(len(read))]
                    break
                for row, text in zip(single, grown, strict=True):
                    texts[row] = text
                yield list(texts)
        for row, each in enumerate(read):
            if len(each.parts) > 1:
                found[row] = self._search([(part, each.asked) for part in each.parts], Shares(None, 0, 1))
        return [self._joined(each, own) for each, own in zip(read, found, strict=True)]

    def _read(self, lines: Sequence[Line], numbers: Sequence[int]) -> list[_Read]:
        for number, line in zip(numbers, lines, strict=True):
            if not isinstance(line, str | Request):
                raise TypeError(f"line {number} must be a str or a Request, but is {type(line).__name__}")
        self._models.refresh()
        read = []
        for line, source in zip(lines, self._reader.read(lines, numbers), strict=True):
            parts = self._reader.parts(source)
            asked = Asked.of(line, parts, usual=self.search, controls=self._controls, check=self._check_search)
            read.append(_Read(source, [] if asked.problem else parts, asked))
        return read

    def _joined(self, read: _Read, found: list[Found]) -> Translation:
        """Build the translation of a line from the results for its parts, and tell what is wrong with it."""
        source, parts, request = read.source, len(read.parts), read.asked.request
        targets, problem = self._targets(read, [hypotheses for hypotheses, _ in found])
        if problem and self._warn:
            logger.warning("line %d is left untranslated: %s", source.number, problem)
        elif parts > 1 and self._warn:
            message = "line %d has %d pieces and is translated in %d parts; see --max-pieces"
            logger.warning(message, source.number, len(source.pieces.ids), parts)
        return Translation(
            source,
            tuple(targets) or (unseen(source),),
            parts=max(1, parts),
            problem=problem,
            tree=found[0][1] if parts == 1 and targets else None,
            extra={} if request is None else request.extra,
        )

    def _targets(self, read: _Read, found: list[list[ScoredTarget]]) -> tuple[list[ScoredTarget], str]:
        """Join the hypotheses for the parts of a line; returns none and the problem if it has no translation."""
        source, parts, asked = read.source, read.parts, read.asked
        if not parts:
            return [], asked.problem or self._reader.unread(source)
        if not all(found):
            if source.features is not None:
                return [], "it does not fit into memory"
            return [], f"its {len(source.pieces.ids)} pieces do not fit into memory; see --max-pieces"
        (targets,) = (
            found
            if len(parts) == 1
            else [chosen([*join_hypotheses(source, parts, found, Scorer.of(asked.search))], asked.search)]
        )
        if asked.request is None or not asked.request.controlled:
            return targets, ""
        broken = [self._controls.broken(asked.request, target) for target in targets]
        kept = [target for target, problem in zip(targets, broken, strict=True) if not problem]
        return kept, "" if kept else broken[0]

    def _check(self, batch_tokens: int, max_pieces: int, copying: CopyConfig) -> None:
        problems = [*self._problems(self.search), *counts_below_one(batch_tokens=batch_tokens, max_pieces=max_pieces)]
        if copying.active and self._models.source.features is not None:
            problems.append(Problem("", f"nothing can be copied from a {self._models.source.features.noun}"))
        if copying.active and not self._models.have_attention:
            problems.append(Problem("", f"nothing can be copied from the source: {without_attention(self.bundles)}"))
        if problems:
            raise ConfigError(problems)

    def _check_search(self, config: SearchConfig) -> None:
        if problems := [*self._problems(config)]:
            raise ConfigError(problems)

    def _problems(self, config: SearchConfig) -> Iterator[Problem]:
        yield from (Problem(path, message) for path, message in problems_of(config))
        if config.coverage_penalty and not self._models.have_attention:
            message = f"must be 0, but is {config.coverage_penalty}: {without_attention(self.bundles)}"
            yield Problem("coverage_penalty", message)


def _several(lines: Iterable[Line]) -> Iterable[Line]:
    if isinstance(lines, str | bytes):
        kind = type(lines).__name__
        raise TypeError(f"lines must be several lines, such as a list, but is one {kind}; put it into a list")
    return lines

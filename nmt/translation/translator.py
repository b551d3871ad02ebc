"""Translation of lines: encode, sort by length, batch, search, restore the order, decode."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from nmt.alignment.links import Links
from nmt.core.errors import CheckpointError, ConfigError, Problem
from nmt.core.logging import logger
from nmt.data.batch import Tokens
from nmt.data.bucketing import length_batches
from nmt.model.stepper import ModelStepper
from nmt.search.ensemble import EnsembleStepper
from nmt.search.hypothesis import Hypothesis
from nmt.search.options import SearchConfig
from nmt.search.search import search
from nmt.search.stepper import Stepper
from nmt.text.normalisation import normalise
from nmt.text.words import words_of_pieces
from nmt.translation.bundle import Bundle
from nmt.translation.copying import Copier, CopyConfig
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine, cut, unseen
from nmt.translation.precision import exact

BATCH_TOKENS = 8192
WINDOW = 1024
LONG_LINE = 1000


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated line.

    Args:
        source: the line.
        hypotheses: one translation or more, best first; a blank line has one that is empty.
    """

    source: SourceLine
    hypotheses: tuple[ScoredTarget, ...]

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
    """Translates lines with one model or an ensemble, by search in float32.

    The translation of a line depends neither on the batch it is in nor on the lines around it (beyond ties in the last
    digits of a float); samples are drawn by the line's number.

    Args:
        bundles: one model, or several over the same vocabularies, whose probabilities are averaged.
        search: how to search; by default as the first model's recipe says.
        batch_tokens: source pieces of a batch, padding and the hypotheses of the beam counted.
        attention: whether to keep attention weights, for alignments and pictures.
        copying: what is copied from the source.

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
    ) -> None:
        check_ensemble(bundles)
        self.bundles = tuple(bundles)
        self.search = search or bundles[0].search
        copying = copying or CopyConfig()
        self._check(batch_tokens, copying)
        self.attention = attention or copying.active
        self._batch_tokens = batch_tokens
        self._vocabularies = bundles[0].vocabularies
        self._normalisation = bundles[0].normalisations.source
        self._copier = Copier(copying, self._vocabularies, bundles[0].normalisations)
        self._stepper = stepper_of(bundles)
        target = self._vocabularies.target
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

        Raises:
            NmtError: a run cannot be loaded, or the settings are impossible.
        """
        paths = [runs] if isinstance(runs, str | Path) else list(runs)
        bundles = [Bundle.load(path, device=device, checkpoint=checkpoint) for path in paths]
        return cls(bundles, search=search, batch_tokens=batch_tokens, attention=attention, copying=copying)

    def translate(self, lines: Iterable[str]) -> list[Translation]:
        """Translate lines; the list has a translation for each, in their order.

        Raises:
            NmtError: the model is damaged.
        """
        lines = _several(lines)
        return self._window(list(lines), 1)

    def translate_lines(self, lines: Iterable[str], *, window: int = WINDOW, first: int = 1) -> Iterator[Translation]:
        """Translate a stream of lines as it comes.

        Args:
            lines: read a window at a time.
            window: lines that are sorted by length and translated together; the first window is yielded before the
                second is read.
            first: number of the first line.

        Yields:
            A translation for each line, in their order.

        Raises:
            NmtError: the model is damaged.
        """
        if window < 1:
            raise ConfigError([Problem("window", f"must be 1 or more, but is {window}")])
        stream = iter(_several(lines))
        while several := list(itertools.islice(stream, window)):
            yield from self._window(several, first)
            first += len(several)

    def _window(self, lines: list[str], first: int) -> list[Translation]:
        sources = self._encode(lines, first)
        readable = [source for source in sources if source.pieces.ids]
        found: dict[int, Translation] = {}
        width = {"beam": self.search.beam_size, "greedy": 1, "sampling": self.search.n_best}[self.search.strategy]
        lengths = [len(source.pieces.ids) + 1 for source in readable]
        for rows in length_batches(lengths, max(1, self._batch_tokens // width)):
            batch = [readable[row] for row in rows]
            for source, hypotheses in zip(batch, self._search(batch), strict=True):
                found[source.number] = Translation(source, tuple(self._target(source, each) for each in hypotheses))
        return [found.get(source.number) or Translation(source, (unseen(source),)) for source in sources]

    def _encode(self, lines: list[str], first: int) -> list[SourceLine]:
        """Encode a window; blank lines get no pieces, and thus meet no model."""
        model = self._vocabularies.source
        masked = [self._copier.mask(line) for line in lines]
        if self.attention:
            cuts = [cut(text, model, self._normalisation) if text.strip() else Pieces() for text, _ in masked]
        else:
            rows = model.encode_batch([normalise(text, self._normalisation) for text, _ in masked])
            cuts = [
                Pieces(tuple(ids)) if text.strip() else Pieces() for ids, (text, _) in zip(rows, masked, strict=True)
            ]
        sources = [
            SourceLine(first + index, line, pieces, placeholders)
            for index, (line, pieces, (_, placeholders)) in enumerate(zip(lines, cuts, masked, strict=True))
        ]
        for source in sources:
            if len(source.pieces.ids) > LONG_LINE:
                logger.warning(
                    "line %d has %d pieces; it is translated as a whole, which takes long and seldom goes well: "
                    "split it into sentences",
                    source.number,
                    len(source.pieces.ids),
                )
        return sources

    def _search(self, batch: list[SourceLine]) -> list[list[Hypothesis]]:
        vocabularies, device = self._vocabularies, self.bundles[0].device
        ids = [[*source.pieces.ids, vocabularies.source.eos_id] for source in batch]
        with torch.inference_mode(), exact():
            return search(
                self._stepper,
                Tokens.pad(ids, vocabularies.source.pad_id).to(device),
                self.search,
                bos_id=vocabularies.target.bos_id,
                eos_id=vocabularies.target.eos_id,
                forbid=sorted(self._forbidden),
                keep_weights=self.attention,
                line_keys=[source.number for source in batch],
            )

    def _target(self, source: SourceLine, hypothesis: Hypothesis) -> ScoredTarget:
        model, tokens = self._vocabularies.target, hypothesis.tokens
        # A vocabulary that spells unknown characters in bytes can write any character, a line end too.
        text = model.decode(tokens).replace("\n", " ")
        letters = model.pieces(tokens)
        # Pieces of a text without words belong to none.
        words = words_of_pieces(letters) or [-1] * len(letters)
        pieces = Pieces(tuple(tokens), tuple(letters), tuple(words))
        if self._copier.config.active and hypothesis.weights is not None:
            text = self._copier.restore(text, pieces, hypothesis.weights.numpy(), source)
        return ScoredTarget(source, text, pieces, hypothesis)

    def _check(self, batch_tokens: int, copying: CopyConfig) -> None:
        problems = [Problem(path, message) for path, message in self.search.problems()]
        if batch_tokens < 1:
            problems.append(Problem("batch_tokens", f"must be 1 or more, but is {batch_tokens}"))
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


def stepper_of(bundles: Sequence[Bundle]) -> Stepper:
    """Give search one model or an ensemble."""
    steppers = [ModelStepper(bundle.model) for bundle in bundles]
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
    if isinstance(lines, str):
        raise TypeError("lines must be several lines, such as a list, but is one str; put it into a list")
    return lines

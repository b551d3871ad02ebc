"""The recipe's ``data`` section."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from nmt.core.config.ranges import PositiveInt
from nmt.core.storage.files import home_expanded
from nmt.data.bucketing import BatchConfig
from nmt.data.corpus import CorpusConfig
from nmt.data.encoded import Masking
from nmt.data.filters import FilterConfig
from nmt.data.source import SourceConfig
from nmt.data.source.text import TextSourceConfig
from nmt.text.normalisation import NormalisationConfig, kept, normalise
from nmt.text.placeholders import Kind, Placeholders
from nmt.text.subword import SubwordConfig
from nmt.text.vocabularies import Vocabularies


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Training and validation data of a model.

    Args:
        root: folder for relative paths of corpora and vocabularies.
        source_language: code of the source language, such as ``de``; stored with the model, without effect.
        target_language: the same for the target.
        source: what a source is: text, or a file of features, whose path stands where the text would.
        train: training corpora, concatenated in this order.
        temperature: how often each of several training corpora is drawn, if not every pair once an epoch: a corpus of
            ``n`` pairs in proportion to ``n ** (1 / temperature)``. 1 changes nothing, 5 draws small corpora more
            often, and with a large number all corpora are drawn equally often.
        window: pairs of streamed training corpora that are read at a time, shuffled and sorted by length.
        validation: validation corpus, or several, each of which is scored by itself too; ``null`` trains without
            validation.
        normalisation: of raw text, both sides.
        target_normalisation: of the target side, if different.
        placeholders: text that is copied, as symbols: kinds of it, or patterns (``nmt.text.placeholders``).
        subword: the vocabulary.
        filters: of the training pairs.
        batch: size of a training batch of each process.
        processes: number of processes that encode a corpus; ``null`` for one per core if it has 200,000 pairs or more.
            The result is the same.
        cache: folder for derived files; ``null`` for the run folder.
    """

    root: str = "."
    source_language: str = ""
    target_language: str = ""
    source: SourceConfig = field(default_factory=TextSourceConfig)
    train: tuple[CorpusConfig, ...]
    temperature: float | None = None
    window: PositiveInt = 100_000
    validation: CorpusConfig | tuple[CorpusConfig, ...] | None = None
    normalisation: NormalisationConfig = field(default_factory=NormalisationConfig)
    target_normalisation: NormalisationConfig | None = None
    placeholders: tuple[Kind, ...] = ()
    subword: SubwordConfig = field(default_factory=SubwordConfig)
    filters: FilterConfig = field(default_factory=FilterConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)
    processes: PositiveInt | None = None
    cache: str | None = None

    def __post_init__(self) -> None:
        """Replace ``~`` by the home folder; sources that are no text share no vocabulary."""
        object.__setattr__(self, "root", str(home_expanded(self.root)))
        if self.cache is not None:
            object.__setattr__(self, "cache", str(home_expanded(self.cache)))
        if not self.source.has_words:
            object.__setattr__(self, "subword", replace(self.subword, joint=False))

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the training corpora."""
        if not self.train:
            yield "train", "must name at least one corpus, but is empty"
        if self.validation == ():
            yield "validation", "must name at least one corpus, or be null, but is empty"
        yield from ((f"subword.{name}", message) for name, message in self.subword.conflicts())
        for index, kind in enumerate(self.placeholders):
            if kind in self.placeholders[:index]:
                yield f"placeholders.{index}", "must be given once, but stands there before"
        yield from self._shares()
        yield from self._streams()
        yield from self._features()

    def _features(self) -> Iterator[tuple[str, str]]:
        """Yield what sources that are no text cannot do."""
        if self.source.features is None:
            return
        noun = self.source.features.noun
        if self.placeholders:
            yield "placeholders", f"must be left out where sources are {noun}s, of which nothing can be copied"
        for index, corpus in enumerate(self.train):
            if corpus.streamed:
                yield f"train.{index}.streaming", f"must be false where sources are {noun}s, whose features are cached"
        if self.subword.source_model is not None and not self.source.has_words:
            yield "subword.source_model", f"must be left out where sources are {noun}s, which have no pieces"

    def _streams(self) -> Iterator[tuple[str, str]]:
        """Yield what streamed corpora cannot do."""
        if not self.streamed:
            return
        for index, corpus in enumerate(self.train):
            if not corpus.streamed:
                yield f"train.{index}", "must be streamed, because another corpus of data.train is (streaming: true)"
            elif len(self.train) > 1 and self.weights is None and self.temperature is None:
                yield f"train.{index}.weight", "must be given: how large streamed corpora are is not known"
        if self.temperature is not None:
            message = "must be null for streamed corpora, whose sizes are not known; give each a weight"
            yield "temperature", message

    @property
    def written(self) -> NormalisationConfig:
        """Normalisation of the target side."""
        return self.target_normalisation or self.normalisation

    def masking(self, vocabularies: Vocabularies, *, held_out: bool = False) -> Masking | None:
        """How corpora are masked, by the symbols that vocabularies have; ``None`` if not at all."""
        placeholders = Placeholders.of(self.placeholders, vocabularies, self.written)
        return None if placeholders is None else Masking(placeholders, held_out=held_out)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the training corpora, which become symbols of the vocabularies."""
        return tuple(dict.fromkeys(corpus.tag for corpus in self.train if corpus.tag is not None))

    @property
    def untagged(self) -> DataConfig:
        """The same section with the texts as they are, without tags."""
        train = tuple(replace(corpus, tag=None) for corpus in self.train)
        return replace(self, train=train, validation=tuple(replace(corpus, tag=None) for corpus in self.validations))

    @property
    def validations(self) -> tuple[CorpusConfig, ...]:
        """The validation corpora; none without validation."""
        if self.validation is None:
            return ()
        return self.validation if isinstance(self.validation, tuple) else (self.validation,)

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is given as a symbol: user symbols and tags."""
        return tuple(dict.fromkeys((*self.subword.user_symbols, *self.tags)))

    @property
    def streamed(self) -> bool:
        """Whether the training corpora are streamed."""
        return any(corpus.streamed for corpus in self.train)

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield what does nothing for a single corpus, or for one that is not streamed."""
        if not self.streamed:
            yield "window", "has no effect: no corpus of data.train is streamed"
        if len(self.train) == 1:
            for place in ("temperature", "train.0.weight"):
                yield place, "has no effect: there is one corpus"

    def _shares(self) -> Iterator[tuple[str, str]]:
        """Yield weights and temperatures that make no sense."""
        if self.temperature is not None and self.temperature < 1.0:
            yield "temperature", f"must be at least 1, which draws every pair equally often, but is {self.temperature}"
        weights = [corpus.weight for corpus in self.train]
        for index, weight in enumerate(weights):
            place = f"train.{index}.weight"
            if weight is None:
                if any(each is not None for each in weights):
                    yield place, "must be given, because other corpora of data.train have one: it is a share of the sum"
            elif self.temperature is not None:
                yield place, "must be left out where data.temperature is given, which says how often each is drawn"

    @property
    def weights(self) -> list[float] | None:
        """The weights of the training corpora, if they have any."""
        weights = [corpus.weight for corpus in self.train if corpus.weight is not None]
        return weights or None

    def normalise_source(self, text: str) -> str:
        """Normalise a raw source line."""
        return normalise(text, self.normalisation, kept(self.symbols, self.normalisation))

    def normalise_target(self, text: str) -> str:
        """Normalise a raw target line."""
        return normalise(text, self.written, kept(self.symbols, self.written))

    def cache_directory(self, output_dir: Path) -> Path:
        """Return the folder for derived files of a run."""
        return Path(self.cache) if self.cache is not None else output_dir / "cache"

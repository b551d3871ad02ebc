"""A recipe: the complete description of an experiment, read strictly from YAML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import nmt.model  # noqa: F401  (fills the registries of the model's families)
from nmt.core import config
from nmt.core.errors import Problem
from nmt.core.logging import few
from nmt.core.storage.run_folder import RunFolder
from nmt.data.corpus import CorpusConfig
from nmt.data.corpus.tags import tag_problem
from nmt.data.data_config import DataConfig
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.search.search_config import SearchConfig
from nmt.text.placeholders import symbols_of
from nmt.training.objective.base import ObjectiveConfig, TermConfig
from nmt.training.training_config import TrainingConfig
from nmt.translation.evaluation import AlignmentConfig, TestConfig
from nmt.warm_start import Resumed, WarmStart, warm_start_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """An experiment.

    Args:
        name: of the experiment.
        seed: root seed, from which all others are derived.
        data: corpora, vocabulary, batches.
        model: the model.
        training: how it is trained.
        search: how translations are searched for, in the test and by ``nmt-translate``.
        test: the test set, scored once after training with the best checkpoint.
        alignment: alignments and plots, exported after training.
    """

    name: str = ""
    seed: int = 1
    data: DataConfig
    model: Seq2SeqConfig = field(default_factory=Seq2SeqConfig)
    training: TrainingConfig
    search: SearchConfig = field(default_factory=SearchConfig)
    test: TestConfig | None = None
    alignment: AlignmentConfig | None = None

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield the keys that do nothing because of another section."""
        training, held_out = self.training, self.data.validation
        if held_out is None:
            for name in ("validation", "validation_interval", "keep_best"):
                yield f"training.{name}", "has no effect without data.validation"
            if training.checkpoint_interval is None:
                yield "training.interval_unit", "has no effect: there is no data.validation and no checkpoint_interval"
        for index in range(0 if training.needs_alignments else len(self.data.train)):
            yield f"data.train.{index}.alignment", "has no effect: no term in training.terms learns from word links"
        for path in self.held_out:
            yield (
                f"{path}.alignment",
                "has no effect: only training learns from links (gold links have keys of their own)",
            )
            yield f"{path}.weight", "has no effect: only training corpora are drawn; this one is read once"
            yield f"{path}.streaming", "has no effect: only training corpora are streamed; this one is read whole"
        if training.init_from is not None:
            yield "data.subword.max_lines", "has no effect: the vocabulary is that of training.init_from"
            if not training.objective_for(self.model).learns:
                yield "model.initialisation", "has no effect: the weights are those of training.init_from"
        if self.model.attention.row_sum == "no weights":
            yield "alignment", "has no effect: a model without attention aligns nothing"

    @property
    def held_out(self) -> dict[str, CorpusConfig]:
        """The corpora that are not trained on, by the path of their key."""
        several = isinstance(self.data.validation, tuple)
        corpora: dict[str, CorpusConfig | None] = {
            f"data.validation.{index}" if several else "data.validation": corpus
            for index, corpus in enumerate(self.data.validations)
        }
        corpora |= {
            "test.corpus": None if self.test is None else self.test.corpus,
            "alignment.corpus": None if self.alignment is None else self.alignment.corpus,
        }
        return {path: corpus for path, corpus in corpora.items() if corpus is not None}

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield the sections that do not fit each other."""
        if self.model.embedding.tied == "all" and not self.data.subword.joint:
            yield "model.embedding.tied", "must be none or target where data.subword.joint is false; or join them"
        for path, problem in self.training.unfit(self.model):
            yield f"training.{path}", problem
        if self.training.needs_alignments:
            for index, corpus in enumerate(self.data.train):
                if not corpus.takes_alignments:
                    message = "must be text, the only kind with alignments, because training.terms has guided-alignment"
                    yield f"data.train.{index}.type", message
                elif not corpus.aligned:
                    message = "must be given, because training.terms has guided-alignment"
                    yield f"data.train.{index}.alignment", message
        yield from self._without_weights()
        yield from self._streamed()
        yield from self._unread()
        yield from self._tags()
        yield from self._validated()
        if self.training.tune_search:
            yield from self._untunable()
        if self.alignment is not None and self.alignment.corpus is None and self.test is None:
            yield "alignment.corpus", "must be given if there is no test section"

    def _validated(self) -> Iterator[tuple[str, str]]:
        """Yield what does not fit the number of validation corpora, of which there may be none."""
        training = self.training
        if len(self.data.validations) > 1 and training.validation.limit is not None:
            yield "training.validation.limit", "must be null where data.validation has several corpora"
        if self.data.validations:
            return
        if training.validation.gold is not None:
            yield "training.validation.gold", "needs data.validation, to whose pairs the gold links belong"
        if training.early_stopping is not None:
            yield "training.early_stopping", "needs data.validation"
        if training.average:
            yield "training.average", "needs data.validation, by which the best checkpoints are chosen"
        if training.schedule.type == "plateau":
            yield "training.schedule.type", "must not be plateau without data.validation"

    def _tags(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the tags of corpora."""
        data, held_out = self.data, self.held_out
        # What a vocabulary knows that exists already is seen when that is read.
        known = data.symbols if data.subword.trained and self.training.init_from is None else None
        corpora = {f"data.train.{index}": corpus for index, corpus in enumerate(data.train)} | held_out
        for path, tag in ((path, corpus.tag) for path, corpus in corpora.items() if corpus.tag is not None):
            if data.source.features is not None:
                yield f"{path}.tag", f"must be left out where sources are {data.source.features.noun}s, not text"
            elif tag in symbols_of(data.placeholders):
                yield f"{path}.tag", f"must not be {tag}, which is a symbol of data.placeholders"
            elif (problem := tag_problem(tag, known if path in held_out else None)) is not None:
                yield f"{path}.tag", problem
        for path, corpus in held_out.items():
            if corpus.tag is None and None not in (each.tag for each in data.train):
                yield f"{path}.tag", f"must be given, since every corpus of data.train has one: {few(data.tags)}"
        tags = [corpus.tag for corpus in data.validations if corpus.tag is not None]
        if self.training.validation.gold is not None and tags:
            message = f"must be null where the corpus has a tag ({tags[0]}), which would count as a word"
            yield "training.validation.gold", f"{message}; alignment.gold counts none"

    def _untunable(self) -> Iterator[tuple[str, str]]:
        """Yield why the search cannot be tuned."""
        if self.data.validation is None:
            yield "training.tune_search", "needs data.validation, on which searches are compared"
        if self.search.strategy != "beam":
            message = f"must be beam where training.tune_search is true, but is {self.search.strategy}"
            yield "search.strategy", message
        elif self.search.mbr != "none":
            message = f"must be none where training.tune_search is true, but is {self.search.mbr}"
            yield "search.mbr", f"{message}: it ranks by another measure than the score"

    def _streamed(self) -> Iterator[tuple[str, str]]:
        """Yield what a streamed training corpus cannot do."""
        training, subword = self.training, self.data.subword
        if not self.data.streamed:
            return
        if training.max_epochs is not None:
            message = (
                "must be null for a streamed corpus, whose size is not known; give training.max_steps or max_minutes"
            )
            yield "training.max_epochs", message
        if training.interval_unit == "epochs":
            yield "training.interval_unit", "must be steps for a streamed corpus, whose size is not known"
        if subword.max_lines is None and training.init_from is None and subword.trained:
            yield (
                "data.subword.max_lines",
                "must be a number for a streamed corpus: as many lines are read from its beginning to train the "
                "vocabulary; or name a vocabulary (data.subword.source_model)",
            )

    def _unread(self) -> Iterator[tuple[str, str]]:
        """Yield what does not read the sources: the encoder, and what reads words where there are none."""
        source, encoder, training = self.data.source, self.model.encoder, self.training
        features = source.features
        dimensions = 1 if features is None else features.dimensions
        name, kind = encoder.registry.called(type(encoder)), source.registry.called(type(source))
        if encoder.dimensions != dimensions or (features is None and not encoder.reads_pieces):
            known = [(each, encoder.registry.find(each)) for each in encoder.registry.names()]
            fitting = ", ".join(each for each, cls in known if cls is not None and cls.dimensions == dimensions)
            if features is None:
                fitting = "rnn, or another with an annotation for each piece"
            yield "model.encoder.type", f"must be one that reads {kind} ({fitting}), but is {name}"
        words = self.model.words
        if words is not None and not words.reads_pieces:
            found = words.registry.called(type(words))
            yield "model.words.type", f"must be rnn, or another with an annotation for each piece, but is {found}"
        if (self.model.words is not None) != (features is not None and features.question):
            given = "left out" if self.model.words is not None else "given, such as {type: rnn},"
            yield (
                "model.words",
                f"must be {given} where data.source.question is {'false' if self.model.words else 'true'}",
            )
        if features is not None and self.model.lexical:
            yield "model.lexical", f"must be false where sources are {features.noun}s: it reads source words"
        if features is None:
            if self.alignment is not None and self.alignment.regions is not None:
                yield "alignment.regions", "must be left out where sources are text; gold names links between words"
            return
        learnt: dict[str, ObjectiveConfig | TermConfig] = {"objective": training.objective_for(self.model)}
        learnt |= {f"terms.{index}": term for index, term in enumerate(training.terms)}
        for path, part in learnt.items():
            if part.reads_pieces:
                yield f"training.{path}", f"must be another where sources are {features.noun}s: it reads source words"
        alignment, vectors = self.alignment, training.pretrained_embeddings
        asked = {
            "training.validation.gold": training.validation.gold,
            "alignment.gold": None if alignment is None else alignment.gold,
            "training.pretrained_embeddings.source": None if vectors is None else vectors.source,
        }
        for path, file in asked.items():
            if file is not None:
                yield path, f"must be left out where sources are {features.noun}s, which have no words"

    def _without_weights(self) -> Iterator[tuple[str, str]]:
        """Yield what a model without attention cannot do."""
        if self.model.attention.row_sum != "no weights":
            return
        validation = self.training.validation
        if validation.gold is not None:
            message = "must be null for a model without attention, which has nothing to compare with gold links"
            yield "training.validation.gold", message
        for path, search in (("search", self.search), ("training.validation.search", validation.search)):
            if search.coverage_penalty:
                message = f"must be 0 for a model without attention, but is {search.coverage_penalty}"
                yield f"{path}.coverage_penalty", message


def load_recipe(
    path: Path, overrides: Sequence[str] = (), *, notes: list[Problem] | None = None, run: RunFolder | None = None
) -> Recipe:
    """Read a recipe.

    With ``training.init_from``, keys that are left out of model, vocabulary and normalisation are inherited from that
    model.

    Args:
        path: a YAML file.
        overrides: ``a.b=c``, values in YAML.
        notes: receives the keys that do nothing, and the values that differ from those of ``training.init_from``.
        run: the run that will be resumed; the model that it started from is then not read.

    Raises:
        ConfigError: lists everything that is wrong.
    """
    return _begun(partial(config.load_file, Recipe, path, overrides=overrides), notes, run)


def recipe_of_text(
    text: str, overrides: Sequence[str] = (), *, name: str, notes: list[Problem] | None = None
) -> Recipe:
    """Read a recipe from YAML text, called ``name`` in messages; the rest as for ``load_recipe``."""
    return _begun(partial(config.load, Recipe, text, name=name, overrides=overrides), notes, None)


def _begun(load: Callable[..., Recipe], notes: list[Problem] | None, run: RunFolder | None) -> Recipe:
    """Load a recipe over the sections that it inherits."""
    begun: WarmStart | Resumed | None = None

    def beneath(document: Any) -> Mapping[str, Any]:
        nonlocal begun
        begun = warm_start_of(document, run)
        return {} if begun is None else begun.values()

    def examine(recipe: Recipe) -> Iterable[tuple[str, str]]:
        return begun.conflicts(recipe.data, recipe.model) if isinstance(begun, WarmStart) else ()

    recipe = load(beneath=beneath, examine=examine, notes=notes)
    if notes is not None and begun is not None:
        notes += begun.remarks(recipe.data, recipe.model)
    if isinstance(begun, WarmStart):
        recipe = replace(recipe, training=replace(recipe.training, init_from=begun.name))
    return recipe if begun is None else replace(recipe, data=begun.settled(recipe.data))

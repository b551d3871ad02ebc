"""A recipe: the whole description of an experiment, read strictly from YAML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nmt.model  # noqa: F401  (fills the registries of the model's families)
from nmt.core import config
from nmt.data.corpus.text import TextCorpusConfig
from nmt.data.pipeline import DataConfig
from nmt.model.attention.none import NoAttentionConfig
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.search.options import SearchConfig
from nmt.training.options import TrainingConfig
from nmt.translation.evaluation import AlignmentConfig, TestConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """An experiment.

    Args:
        name: what to call it.
        seed: root of every random choice.
        data: corpora, vocabulary, batches.
        model: the model.
        training: how it is trained.
        search: how translations are searched for, in the test and by ``nmt-translate``.
        test: scored once, after training, with the best checkpoint.
        alignment: alignments and plots exported after training.
    """

    name: str = ""
    seed: int = 1
    data: DataConfig
    model: Seq2SeqConfig = field(default_factory=Seq2SeqConfig)
    training: TrainingConfig
    search: SearchConfig = field(default_factory=SearchConfig)
    test: TestConfig | None = None
    alignment: AlignmentConfig | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Sections that do not fit each other."""
        if self.model.embedding.tied == "all" and not self.data.subword.joint:
            yield "model.embedding.tied", "must be none or target where data.subword.joint is false; or join them"
        for path, problem in self.training.unfit(self.model):
            yield f"training.{path}", problem
        if self.training.needs_alignments:
            for index, corpus in enumerate(self.data.train):
                if not isinstance(corpus, TextCorpusConfig):
                    message = "must be text, the only kind with alignments, because training.terms has guided-alignment"
                    yield f"data.train.{index}.type", message
                elif not corpus.aligned:
                    message = "must be given, because training.terms has guided-alignment"
                    yield f"data.train.{index}.alignment", message
        if self.training.validation.gold is not None and isinstance(self.model.attention, NoAttentionConfig):
            message = "must be null for a model without attention, which has nothing to compare with gold links"
            yield "training.validation.gold", message
        if self.data.validation is None and self.training.validation.gold is not None:
            yield "training.validation.gold", "needs data.validation, whose pairs the gold links are of"
        if self.data.validation is None and self.training.early_stopping is not None:
            yield "training.early_stopping", "needs data.validation"
        if self.data.validation is None and self.training.average:
            yield "training.average", "needs data.validation, by which the best checkpoints are chosen"
        if self.data.validation is None and self.training.schedule.type == "plateau":
            yield "training.schedule.type", "must not be plateau without data.validation"
        if self.alignment is not None and self.alignment.corpus is None and self.test is None:
            yield "alignment.corpus", "must be given where there is no test part"


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: a YAML file.
        overrides: ``a.b=c``, values in YAML.

    Raises:
        ConfigError: everything that is wrong, at once.
    """
    return config.load_file(Recipe, path, overrides=overrides)

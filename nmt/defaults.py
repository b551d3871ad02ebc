"""Settings that suit a corpus: vocabulary, dropout, batches, epochs and validation, by its size and script."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from nmt.core.writing_systems import mostly_unspaced, writings
from nmt.training.search_tuning import FEW_PAIRS


class SizeClass(NamedTuple):
    """Settings of corpora up to a size: of little text few pieces, small layers and batches, many epochs, much dropout.

    Args:
        words: running words of the target side at most.
        pieces: size of the vocabulary.
        units: of the encoder in each direction; the decoder has twice as many.
        batch: target tokens.
        epochs: passes over the corpus.
        dropout: of embeddings and readout.
        consistency: of the predictions with other dropout.
    """

    words: float
    pieces: int
    units: int
    batch: int
    epochs: int
    dropout: float
    consistency: float = 0.0


SIZES = (
    SizeClass(20_000, 2_000, 128, 512, 40, 0.4, consistency=2.0),
    SizeClass(100_000, 4_000, 128, 512, 40, 0.4, consistency=2.0),
    SizeClass(200_000, 4_000, 128, 512, 25, 0.35),
    SizeClass(400_000, 4_000, 256, 1_024, 25, 0.35),
    SizeClass(1_200_000, 8_000, 256, 2_048, 12, 0.3),
    SizeClass(12_000_000, 16_000, 256, 2_048, 6, 0.2),
    SizeClass(math.inf, 32_000, 256, 2_048, 4, 0.1),
)
# Keys that need pairs to validate on.
VALIDATED = ("training.average", "training.keep_best", "training.tune_search", "training.validation")
_SAMPLE = 10_000  # lines by which the script is judged
_LEAST_VALIDATIONS = 4  # one more than are averaged
_LETTERS_OF_A_WORD = 2  # in scripts without spaces, on average

Settings: TypeAlias = Mapping[str, tuple[Any, str]]
"""Values by the paths of their keys, such as ``model.dropout.word``, each with the reason for it."""


@dataclass(frozen=True, slots=True)
class CorpusFacts:
    """What the settings depend on.

    Args:
        pairs: sentence pairs to train on.
        words: running words of the target side; of a script without spaces half of its characters.
        characters: distinct characters of both sides.
        types: distinct words of both sides that have more than one character, as spaces divide them.
        held_out: pairs to validate on, if that is known.
    """

    pairs: int
    words: int = 0
    characters: int = 0
    types: int = 0
    held_out: int | None = None


def facts_of(sources: Sequence[str], targets: Sequence[str], *, held_out: int | None = None) -> CorpusFacts:
    """Count what the settings depend on in a training corpus."""
    types: set[str] = set()
    spaced = letters = 0  # of the last side, the target
    for lines in (sources, targets):
        spaced = letters = 0
        for line in lines:
            words = unicodedata.normalize("NFC", line).split()
            types.update(words)
            spaced += len(words)
            letters += sum(map(len, words))
    unspaced = mostly_unspaced(writings(targets[:_SAMPLE]))
    return CorpusFacts(
        pairs=len(targets),
        words=letters // _LETTERS_OF_A_WORD if unspaced else spaced,
        characters=len({character for word in types for character in word}),
        types=sum(len(word) > 1 for word in types),
        held_out=held_out,
    )


def settings_for(facts: CorpusFacts) -> Settings:
    """Choose what a recipe for a corpus says, each with the reason.

    The model is that of ``recipes/multi30k``; ``recipes/low-resource`` tells what was tried. That small corpora want
    few pieces, much dropout and small batches is from Sennrich and Zhang (2019), "Revisiting Low-Resource Neural
    Machine Translation: A Case Study".
    """
    size = next(each for each in SIZES if facts.words <= each.words)
    by_size = f"for {facts.words:,} target words"
    objective = {
        "training.objective.type": ("likelihood", "of the reference"),
        "training.objective.consistency": (
            size.consistency,
            f"R-Drop, {by_size}: every pair is read twice, which takes half as long again",
        ),
    }
    return {
        "data.subword.algorithm": ("bpe", "whole words where they are frequent, parts where they are not"),
        "data.subword.size": (_fitting(size.pieces, facts), f"{by_size}: of few, rare pieces are learnt badly"),
        "data.batch.size": (size.batch, f"target tokens, {by_size}: small batches make more updates"),
        "model.embedding.size": (256, "enough up to a million pairs"),
        "model.embedding.tied": ("all", "one table for both sides and the output: fewest weights"),
        "model.encoder.size": (size.units, f"units of each direction, {by_size}"),
        "model.encoder.layer_norm": (True, "annotations of one scale: attention finds its place sooner"),
        "model.decoder.type": ("bahdanau", "recipes/attention-zoo compares the others"),
        "model.decoder.size": (2 * size.units, "twice the encoder's"),
        "model.dropout.embedding": (size.dropout, f"{by_size}: the fewer, the more"),
        "model.dropout.readout": (size.dropout, "the same"),
        "training.max_epochs": (size.epochs, f"{by_size}; training.max_minutes limits the time instead"),
        "training.interval_unit": ("epochs", "of the next"),
        "training.validation_interval": _interval(facts, size.epochs),
        "training.optimiser.type": ("adamw", "Adam with decay of the weights"),
        "training.optimiser.learning_rate": (2e-3, "the peak; recurrent models stand it"),
        "training.optimiser.weight_decay": (0.01, "weak: dropout does most"),
        "training.schedule.type": ("linear", "falls to 0 at the end of the training"),
        "training.schedule.warmup_steps": (200, "updates until the peak"),
        **(objective if size.consistency else {}),
        "training.label_smoothing": (0.1, "share of the probability spread over all pieces"),
        "training.validation.select": _measure(facts),
        "training.keep_best": (3, "checkpoints"),
        "training.average": (3, "their mean, if it validates better than each"),
        "training.tune_search": (True, "at the end: beam and length penalty that translate validation best"),
    }


def nested(settings: Settings) -> dict[str, Any]:
    """Return the values of settings as the mappings of a recipe."""
    mapping: dict[str, Any] = {}
    for path, (value, _) in settings.items():
        *sections, key = path.split(".")
        inner = mapping
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[key] = value
    return mapping


def _interval(facts: CorpusFacts, most: int) -> tuple[int, str]:
    """Epochs between validations: those take about a sixth of the time, at 1.5 times that of training a pair.

    Even where that is too few to choose from, there are a handful in a training of ``most`` epochs.
    """
    wanted = 1 if facts.held_out is None else math.ceil(1.5 * 5 * facts.held_out / facts.pairs)
    epochs = min(wanted, most // _LEAST_VALIDATIONS)
    if epochs <= 1:
        return 1, "after every epoch"
    return epochs, f"epochs: to translate {facts.held_out:,} pairs takes long beside an epoch of {facts.pairs:,}"


def _measure(facts: CorpusFacts) -> tuple[str, str]:
    if facts.held_out is not None and facts.held_out < FEW_PAIRS:
        return "chrf", f"with {facts.held_out} pairs to validate on, BLEU is mostly noise"
    return "bleu", "of greedy translations"


def _fitting(pieces: int, facts: CorpusFacts) -> int:
    """A vocabulary size that suits the text: all its characters, and at most half as many pieces as distinct words."""
    least = facts.characters + 5  # and the space marker, padding, unknown, bos, eos
    most = least + facts.types // 2
    return min(max(pieces, least + pieces // 4), most)

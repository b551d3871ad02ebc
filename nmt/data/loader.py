"""Training batches, epoch after epoch, from any position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from numpy.typing import NDArray

from nmt.alignment.pieces_to_words import piece_alignment
from nmt.core.errors import DataError
from nmt.core.seeding import derive_seed
from nmt.data.batch import Batch, Source
from nmt.data.bucketing import BatchConfig, Indices, equalise, plan_epoch
from nmt.data.encoded import EncodedCorpus, padded
from nmt.data.mixture import Mixture
from nmt.text.normalisation import NormalisationConfig
from nmt.text.sampling import SamplingConfig
from nmt.text.subword import SubwordModel
from nmt.text.vocabularies import Vocabularies
from nmt.text.words import PieceSpan, words_in_spans


@dataclass(frozen=True, slots=True)
class Position:
    """A position in the endless sequence of training examples.

    Args:
        epoch: number of the epoch, from 0.
        examples: examples of this epoch already consumed, in all processes; of a stream, in this one.
        streams: of a streamed corpus, the place of each process, or of this one while training, as plain values.
    """

    epoch: int = 0
    examples: int = 0
    streams: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """Subword regularisation: a new segmentation of each sentence in every epoch.

    Args:
        config: how much to deviate from the best segmentation.
        source_normalisation: applied to the raw sources.
        target_normalisation: applied to the raw targets.
    """

    config: SamplingConfig
    source_normalisation: NormalisationConfig
    target_normalisation: NormalisationConfig


@dataclass(frozen=True, slots=True)
class Alignments:
    """Given word alignments, spread over the pieces of the segmentation in a batch.

    Args:
        source_normalisation: applied to the raw sources.
        target_normalisation: applied to the raw targets.
    """

    source_normalisation: NormalisationConfig
    target_normalisation: NormalisationConfig


class Loader:
    """Endless batches of an encoded corpus.

    Args:
        corpus: the encoded corpus.
        vocabularies: of both sides.
        config: size of a batch.
        seed: root seed of the run.
        rank: number of this process.
        world_size: number of processes; each takes every ``world_size``-th batch, and equally many.
        alignments: makes batches carry the given alignments.
        mixture: how often each of the joined corpora is drawn; ``None`` for every example once an epoch.
        sampling: draw segmentations in every epoch. Batches are planned with the lengths of the best segmentations;
            sampled ones, and so batches, are longer (Multi30k, alpha 0.1: unigram by a tenth, BPE dropout by two
            fifths).
    """

    def __init__(
        self,
        corpus: EncodedCorpus,
        vocabularies: Vocabularies,
        config: BatchConfig,
        *,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        alignments: Alignments | None = None,
        mixture: Mixture | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        self._corpus = corpus
        self._vocabularies = vocabularies
        self._config = config
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._alignments = alignments
        self._mixture = mixture
        self._sampling = sampling
        self._planned: tuple[int, list[Indices]] | None = None

    @property
    def corpus(self) -> EncodedCorpus:
        """The encoded corpus."""
        return self._corpus

    @property
    def mixture(self) -> Mixture | None:
        """How often each of the joined corpora is drawn; ``None`` for every example once an epoch."""
        return self._mixture

    def epoch_batches(self, epoch: int) -> int:
        """Number of batches of this process in an epoch."""
        kept = self._planned is not None and self._planned[0] == epoch
        return len(self.plan(epoch) if kept else self._planned_for(epoch)) // self._world_size

    def batches_until(self, epoch: int, position: Position, *, most: int | None = None) -> int:
        """Number of batches of this process from a position to the start of an epoch.

        This plans every epoch, since their batches differ: about a microsecond per pair and epoch.

        Args:
            epoch: the epoch.
            position: start of the count.
            most: stop after the epoch in which the count reaches this; the result may then be any larger number.
        """
        if position.epoch >= epoch:
            return 0
        count = len(self._remaining(position)) // self._world_size
        for each in range(position.epoch + 1, epoch):
            if most is not None and count >= most:
                break
            count += self.epoch_batches(each)
        return count

    def shared(self, position: Position) -> Position:
        """Return a position that all processes can resume from: the same one."""
        return position

    def passes(self, position: Position) -> float:
        """Passes over the corpus completed at a position, including a fraction."""
        return position.epoch + position.examples / max(1, len(self._corpus))

    def batches(self, position: Position) -> Iterator[tuple[Batch, Position]]:
        """Yield batches from a position on, each with the position after it; endless.

        A position of the same plan continues with exactly the remaining batches. A position inside a batch, after a
        change of the number of processes, continues with exactly the remaining examples; if these are fewer than the
        processes, some get an empty batch. Another batch size is another plan, in which the position has no meaning.
        """
        while True:
            consumed = position.examples
            remaining = self._remaining(position)
            for begin in range(0, len(remaining), self._world_size):
                group = remaining[begin : begin + self._world_size]
                consumed += sum(map(len, group))
                last = begin + self._world_size >= len(remaining)
                after = Position(position.epoch + 1, 0) if last else Position(position.epoch, consumed)
                yield self.assemble(group[self._rank], position.epoch), after
            position = Position(position.epoch + 1, 0)

    def assemble(self, examples: Indices | Sequence[int], epoch: int = 0) -> Batch:
        """Build a batch of examples, segmented as in an epoch."""
        indices = [int(i) for i in examples]
        source = self._sources(indices, epoch)
        target = padded([self._target(i, epoch) for i in indices], self._vocabularies.target.pad_id)
        alignment = None
        if self._alignments is not None:
            rows = numpy.zeros((len(indices), target.width, source.width), dtype=numpy.float32)
            for row, index in zip(rows, indices, strict=True):
                pieces = self._alignment(index, epoch, self._alignments)
                row[: pieces.shape[0], : pieces.shape[1]] = pieces
            alignment = torch.from_numpy(rows)
        return Batch(source, target, torch.tensor(indices, dtype=torch.int64), alignment)

    def plan(self, epoch: int) -> list[Indices]:
        """Return the examples of every batch of an epoch, of all processes."""
        if self._planned is None or self._planned[0] != epoch:
            self._planned = epoch, self._planned_for(epoch)
        return self._planned[1]

    def _planned_for(self, epoch: int) -> list[Indices]:
        if len(self._corpus) < self._world_size:
            raise DataError(
                f"{len(self._corpus)} examples cannot be divided among {self._world_size} processes; use fewer of them"
            )
        lengths = self._corpus.source_lengths, self._corpus.target_lengths
        drawn = None if self._mixture is None else self._mixture.drawn(epoch, seed=self._seed)
        return equalise(plan_epoch(*lengths, self._config, seed=self._seed, epoch=epoch, drawn=drawn), self._world_size)

    def _remaining(self, position: Position) -> list[Indices]:
        plan = self.plan(position.epoch)
        left = position.examples
        for index, batch in enumerate(plan):
            if left < len(batch):
                rest = plan[index:] if not left else [batch[left:], *plan[index + 1 :]]
                return equalise(rest, self._world_size)
            left -= len(batch)
        return []

    def _sources(self, indices: Sequence[int], epoch: int) -> Source:
        if self._sampling is None or self._corpus.features is not None:
            return self._corpus.sources(indices, self._vocabularies)
        model, given = self._vocabularies.source, self._sampling
        texts = [
            model.normalise(self._corpus.read_text(index, "source"), given.source_normalisation) for index in indices
        ]
        uses = [("source", epoch, index) for index in indices]
        rows = [self._draw(text, model, given.config, use) for text, use in zip(texts, uses, strict=True)]
        return padded(rows, model.pad_id)

    def _target(self, index: int, epoch: int) -> NDArray[Any] | list[int]:
        if self._sampling is None:
            return self._corpus.target_row(index)
        text = self._vocabularies.target.normalise(
            self._corpus.read_text(index, "target"), self._sampling.target_normalisation
        )
        return self._draw(text, self._vocabularies.target, self._sampling.config, ("target", epoch, index))

    def _alignment(self, index: int, epoch: int, given: Alignments) -> NDArray[numpy.float32]:
        texts = self._corpus.texts(index)
        source = self._vocabularies.source.normalise(texts[0], given.source_normalisation)
        target = self._vocabularies.target.normalise(texts[1], given.target_normalisation)
        return piece_alignment(
            self._corpus.links(index),
            words_in_spans(source, self._spans(source, self._vocabularies.source, ("source", epoch, index))),
            words_in_spans(target, self._spans(target, self._vocabularies.target, ("target", epoch, index))),
        )

    def _spans(self, text: str, model: SubwordModel, use: tuple[str, int, int]) -> list[PieceSpan]:
        """The pieces of a text as in the batch: the same seed draws the same segmentation."""
        if self._sampling is None:
            return model.encode_with_offsets(text)
        return model.sample_with_offsets(text, self._sampling.config, derive_seed(self._seed, "sampling", *use))

    def _draw(self, text: str, model: SubwordModel, config: SamplingConfig, use: tuple[str, int, int]) -> list[int]:
        ids = model.sample(text, config, derive_seed(self._seed, "sampling", *use))
        return [*ids, model.eos_id]

"""Data passed between corpus, model and search: padded tokens or features, batches of pairs, decoding steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Tokens:
    """Padded rows of piece ids, every row ending in its end-of-sentence id.

    Args:
        ids: (B, L) int64, padded at the end.
        lengths: (B,) int64 true lengths, including the end-of-sentence id.
    """

    ids: Tensor
    lengths: Tensor

    @classmethod
    def pad(cls, rows: Sequence[Sequence[int]], pad_id: int) -> Tokens:
        """Pad rows of ids (each already ending in eos) to the longest of them."""
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        width = max((len(row) for row in rows), default=0)
        ids = torch.full((len(rows), width), pad_id, dtype=torch.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.as_tensor(row, dtype=torch.int64)
        return cls(ids, lengths)

    def to(self, device: torch.device) -> Tokens:
        """Copy to a device (a no-op if already there)."""
        return Tokens(self.ids.to(device, non_blocking=True), self.lengths.to(device, non_blocking=True))

    def part(self, begin: int, end: int) -> Tokens:
        """Return a range of rows, padded to the longest of them."""
        lengths = self.lengths[begin:end]
        return Tokens(self.ids[begin:end, : int(lengths.max())], lengths)

    def repeated(self, times: int) -> Tokens:
        """Repeat all rows as a whole, ``times`` times."""
        return Tokens(self.ids.repeat(times, 1), self.lengths.repeat(times))

    @property
    def rows(self) -> int:
        """Number of sentences B."""
        return self.ids.shape[0]

    @property
    def width(self) -> int:
        """Number of positions L of a padded row."""
        return self.ids.shape[1]

    @property
    def units(self) -> Tensor:
        """(B,) int64 pieces without the end-of-sentence id, of which limits of the target length are multiples."""
        return (self.lengths - 1).clamp(min=0)

    @property
    def device(self) -> torch.device:
        """Where the ids are."""
        return self.ids.device


@dataclass(frozen=True, slots=True)
class Dense:
    """Padded rows of features, of sources that are no text.

    Args:
        values: (B, L, ...) numbers at L positions, padded with zeros at the end: (B, L, D) vectors, or (B, L, W, C) for
            pictures of L rows of pixels. Bytes are fractions of 255; others are floats.
        lengths: (B,) int64 true lengths.
        units: (B,) int64 what limits of the target length are multiples of.
        words: B rows of text that are read beside the features, such as questions.
    """

    values: Tensor
    lengths: Tensor
    units: Tensor
    words: Tokens | None = None

    @classmethod
    def pad(
        cls, rows: Sequence[NDArray[Any]], units: Sequence[int] | None = None, words: Tokens | None = None
    ) -> Dense:
        """Pad rows (L, ...) of one or more sources to the longest of them; ``units`` are the lengths by default."""
        lengths = [len(row) for row in rows]
        values = numpy.zeros((len(rows), max(lengths), *rows[0].shape[1:]), dtype=rows[0].dtype)
        for index, row in enumerate(rows):
            values[index, : len(row)] = row
        counts = torch.tensor(lengths, dtype=torch.int64)
        limited = counts if units is None else torch.tensor(units, dtype=torch.int64)
        return cls(torch.from_numpy(values), counts, limited, words)

    def to(self, device: torch.device) -> Dense:
        """Copy to a device (a no-op if already there)."""
        values, lengths, units = (
            each.to(device, non_blocking=True) for each in (self.values, self.lengths, self.units)
        )
        return Dense(values, lengths, units, None if self.words is None else self.words.to(device))

    def part(self, begin: int, end: int) -> Dense:
        """Return a range of rows, padded to the longest of them."""
        lengths = self.lengths[begin:end]
        words = None if self.words is None else self.words.part(begin, end)
        return Dense(self.values[begin:end, : int(lengths.max())], lengths, self.units[begin:end], words)

    def repeated(self, times: int) -> Dense:
        """Repeat all rows as a whole, ``times`` times."""
        words = None if self.words is None else self.words.repeated(times)
        return Dense(torch.cat([self.values] * times), self.lengths.repeat(times), self.units.repeat(times), words)

    @property
    def rows(self) -> int:
        """Number of sources B."""
        return self.values.shape[0]

    @property
    def width(self) -> int:
        """Number of positions L of a padded row."""
        return self.values.shape[1]

    @property
    def device(self) -> torch.device:
        """Where the values are."""
        return self.values.device

    @property
    def floats(self) -> Tensor:
        """The values as float32; bytes are divided by 255."""
        return self.values.float() / 255 if self.values.dtype == torch.uint8 else self.values.float()


Source: TypeAlias = Tokens | Dense
"""A batch of sources."""


def as_tokens(source: Source) -> Tokens:
    """Return sources as what they are, for parts that read pieces.

    Raises:
        TypeError: they are features.
    """
    if not isinstance(source, Tokens):
        raise TypeError("sources must be tokens, but are features")
    return source


@dataclass(frozen=True, slots=True)
class Batch:
    """One training batch of sentence pairs.

    Args:
        source: source tokens (B, S), or features.
        target: target tokens with eos but without bos, (B, T); the decoder input is bos followed by all but the last.
        examples: (B,) int64 index of each pair in its encoded corpus.
        alignment: (B, T, S) float32, the given alignment of target pieces to source pieces, if requested: a row sums to
            1, or to 0 for a piece without links.
    """

    source: Source
    target: Tokens
    examples: Tensor
    alignment: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Copy to a device (a no-op if already there)."""
        alignment = None if self.alignment is None else self.alignment.to(device, non_blocking=True)
        return Batch(self.source.to(device), self.target.to(device), self.examples, alignment)

    def halves(self) -> tuple[Batch, Batch]:
        """Split the rows in two halves, each padded to its longest row; needs at least two rows."""
        middle, end = self.source.rows // 2, self.source.rows
        return self._part(0, middle), self._part(middle, end)

    def repeated(self, times: int) -> Batch:
        """Repeat all pairs as a whole, ``times`` times."""
        alignment = None if self.alignment is None else self.alignment.repeat(times, 1, 1)
        return Batch(self.source.repeated(times), self.target.repeated(times), self.examples.repeat(times), alignment)

    def _part(self, begin: int, end: int) -> Batch:
        source, target = self.source.part(begin, end), self.target.part(begin, end)
        alignment = self.alignment
        if alignment is not None:
            alignment = alignment[begin:end, : target.width, : source.width]
        return Batch(source, target, self.examples[begin:end], alignment)

    @property
    def target_tokens(self) -> int:
        """Number of real target tokens, including eos; the normaliser of a loss."""
        return int(self.target.lengths.sum())


class Refine(Protocol):
    """Computes log-probabilities of some continuations of b sentences more exactly."""

    def __call__(self, parents: Tensor, tokens: Tensor, real: Tensor, always: Tensor) -> Tensor:
        """Compute.

        Args:
            parents: (b, n) int64, hypotheses of each sentence, which has N / b of them.
            tokens: (b, n) int64, the piece that each continuation adds, with no continuation twice.
            real: (b, n) bool, ``False`` where there is no continuation, but a filler of any value.
            always: (m,) int64, other pieces that may be probable: those that are not always allowed.

        Returns:
            (b, n) float32, 0 or less. They are the more exact, the more of the probable pieces of the same hypothesis
            are among the continuations and ``always``.
        """
        ...


@dataclass(frozen=True, slots=True)
class DecodingStep:
    """Output of a model, an ensemble or a test table for the next token of N hypotheses.

    Args:
        log_probs: (N, V) float32 log-probabilities, in nats; for those who choose in a rollout (b, k, V).
        weights: (N, S) attention weights, averaged over heads; ``None`` for a model without attention.
        state: the new decoder state, N rows, a tree of tensors for ``nmt.core.tensors.select_rows``.
        refine: computes log-probabilities of some pieces again if these are rough; ``None`` if they are not.
    """

    log_probs: Tensor
    weights: Tensor | None
    state: Any
    refine: Refine | None = None

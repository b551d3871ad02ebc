"""Batches of sentences of similar length under a budget of tokens, in an order that follows from seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy
from numpy.typing import NDArray

from nmt.core.errors import DataError
from nmt.core.seeding import derive_seed

Indices = NDArray[numpy.int64]
_MOVED = 0.25  # share of the targets sorted as if one piece longer


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConfig:
    """How large a batch is.

    Args:
        unit: what ``size`` counts.
        size: target tokens (rows times longest target with its end-of-sentence piece, so padding counts), or sentences.
        max_sentences: no more sentences than this, whatever the tokens; ``null`` for no limit.
        max_source_tokens: rows times longest source at most, to bound the memory; ``null`` for no limit.
    """

    unit: Literal["tokens", "sentences"] = "tokens"
    size: int = 2048
    max_sentences: int | None = None
    max_source_tokens: int | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the values."""
        for name in ("size", "max_sentences", "max_source_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                yield name, f"must be at least 1, but is {value}"

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield a limit that the size keeps by itself."""
        if self.unit == "sentences" and self.max_sentences is not None and self.max_sentences >= self.size:
            yield "max_sentences", f"does nothing: a batch has at most {self.size} sentences by its size"


def plan_epoch(
    source_lengths: NDArray[Any], target_lengths: NDArray[Any], config: BatchConfig, *, seed: int, epoch: int
) -> list[Indices]:
    """Divide a corpus into the batches of one epoch; every example is in exactly one.

    Examples are sorted by target length, within it by source length (alternately rising and falling, so that
    neighbours on the border of two target lengths have similar sources too), with a little noise; cut at the budget
    from a random phase on; and the batches shuffled. A sentence longer than the budget gets a batch of its own.

    Args:
        source_lengths: (N,) in pieces.
        target_lengths: (N,) in pieces, eos counted.
        config: the budget.
        seed: root seed of the run.
        epoch: number of the epoch.

    Returns:
        The example indices of each batch.
    """
    generator = numpy.random.default_rng(derive_seed(seed, "order", epoch))
    sources = numpy.asarray(source_lengths, dtype=numpy.int64)
    targets = numpy.asarray(target_lengths, dtype=numpy.int64)
    # Noise below one piece orders equal lengths at random; a quarter of the targets go with those a piece longer, so
    # that a corpus with few sentences of a length still has other batches in every epoch.
    noisy = sources + generator.random(len(sources))
    bucket = targets + (generator.random(len(targets)) < _MOVED)
    order = numpy.lexsort((numpy.where(bucket % 2 == 0, noisy, -noisy), bucket))
    batches = _cut(order, sources, targets, config, phase=generator.random())
    return [batches[i] for i in generator.permutation(len(batches))]


def _cut(
    order: Indices, sources: NDArray[Any], targets: NDArray[Any], config: BatchConfig, phase: float
) -> list[Indices]:
    """Cut an order into batches as large as the budget allows; the first one is shortened by ``phase``."""
    sources, targets = sources[order], targets[order]
    batches: list[Indices] = []
    begin = 0
    while begin < len(order):
        rows = _rows_that_fit(sources, targets, begin, config)
        if not batches:
            rows = max(1, round(rows * (1.0 - phase)))
        batches.append(order[begin : begin + rows])
        begin += rows
    return batches


def _rows_that_fit(sources: NDArray[Any], targets: NDArray[Any], begin: int, config: BatchConfig) -> int:
    most = config.size
    if config.unit == "tokens":
        most = config.size // int(targets[begin])
    if config.max_sentences is not None:
        most = min(most, config.max_sentences)
    if config.max_source_tokens is not None:
        most = min(most, config.max_source_tokens // max(1, int(sources[begin])))
    rows = max(1, min(most, len(targets) - begin))
    if config.unit == "tokens":
        rows = _most_rows(targets[begin : begin + rows], config.size)
    if config.max_source_tokens is not None:
        rows = _most_rows(sources[begin : begin + rows], config.max_source_tokens)
    return rows


def _most_rows(lengths: NDArray[Any], budget: int) -> int:
    """How many of the first rows fit, padded to the longest of them; one at least."""
    padded = numpy.maximum.accumulate(lengths) * numpy.arange(1, len(lengths) + 1)
    return max(1, int(numpy.searchsorted(padded, budget, side="right")))


def length_batches(lengths: NDArray[Any] | Sequence[int], max_tokens: int) -> list[Indices]:
    """Divide sentences into batches of similar length, the longest first, for translation.

    Args:
        lengths: (N,) in tokens.
        max_tokens: rows times longest sentence at most; a longer sentence gets a batch of its own.

    Returns:
        The indices of each batch; the caller restores the order.
    """
    sizes = numpy.asarray(lengths, dtype=numpy.int64)
    order = numpy.argsort(-sizes, kind="stable")
    batches: list[Indices] = []
    begin = 0
    while begin < len(order):
        rows = max(1, max_tokens // max(1, int(sizes[order[begin]])))
        batches.append(order[begin : begin + rows])
        begin += rows
    return batches


def equalise(batches: list[Indices], world_size: int) -> list[Indices]:
    """Split the largest batches in two until their number is a multiple of the number of processes.

    Raises:
        DataError: fewer examples than processes.
    """
    batches = list(batches)
    while len(batches) % world_size:
        largest = max(range(len(batches)), key=lambda i: len(batches[i]))
        batch = batches[largest]
        if len(batch) < 2:
            examples = sum(map(len, batches))
            raise DataError(f"{examples} examples cannot be divided among {world_size} processes; use fewer of them")
        batches[largest : largest + 1] = [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
    return batches

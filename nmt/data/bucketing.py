"""Batches of sentences of similar length under a token budget, in an order determined by seed and epoch."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy
from numpy.typing import NDArray

from nmt.core.config.ranges import PositiveInt
from nmt.core.seeding import derive_seed

Indices = NDArray[numpy.integer[Any]]
_MOVED = 0.25  # share of targets sorted as if one piece longer


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConfig:
    """The size of a batch.

    Args:
        unit: what ``size`` counts.
        size: target tokens (rows times longest target, including eos, so padding counts), or sentences.
        max_sentences: largest number of sentences, whatever the tokens; ``null`` for no limit.
        max_source_tokens: largest rows times longest source, to bound memory; ``null`` for no limit.
    """

    unit: Literal["tokens", "sentences"] = "tokens"
    size: PositiveInt = 2048
    max_sentences: PositiveInt | None = None
    max_source_tokens: PositiveInt | None = None

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield a limit that the size already implies."""
        if self.unit == "sentences" and self.max_sentences is not None and self.max_sentences >= self.size:
            yield "max_sentences", f"has no effect: a batch has at most {self.size} sentences by its size"


def plan_epoch(
    source_lengths: NDArray[Any],
    target_lengths: NDArray[Any],
    config: BatchConfig,
    *,
    seed: int,
    epoch: int,
    drawn: Indices | None = None,
) -> list[Indices]:
    """Divide a corpus into the batches of one epoch; every example is in exactly one batch.

    Examples are sorted by target length, then source length (alternately ascending and descending, so that source
    lengths are also similar where the target length changes), with a little noise. They are cut at the budget with a
    random phase, and the batches are shuffled. A sentence longer than the budget gets a batch of its own.

    Args:
        source_lengths: (N,) in pieces.
        target_lengths: (N,) in pieces, including eos.
        config: the budget.
        seed: root seed of the run.
        epoch: number of the epoch.
        drawn: the examples of the epoch, in place of each once.

    Returns:
        The example indices of each batch.
    """
    bits = numpy.random.PCG64(derive_seed(seed, "order", epoch))
    order = _by_length(source_lengths, target_lengths, drawn, bits)
    generator = numpy.random.Generator(bits)
    batches = _cut(order, source_lengths, target_lengths, config, phase=generator.random())
    return [batches[i] for i in generator.permutation(len(batches))]


def _by_length(
    sources: NDArray[Any], targets: NDArray[Any], drawn: Indices | None, bits: numpy.random.PCG64
) -> Indices:
    """Sort the examples that are drawn, or all of a corpus, in at most 17 bytes each; what is returned has 4."""
    everything = slice(None) if drawn is None else drawn
    count = len(sources) if drawn is None else len(drawn)
    # Noise below one piece orders equal lengths at random; a quarter of the targets join those one piece longer, so
    # that batches differ between epochs even with few sentences of each length.
    noise = numpy.random.Generator(copy.deepcopy(bits))
    bits.advance(count)  # past the noise, which is drawn when there is room for it
    bucket = targets[everything] + (numpy.random.Generator(bits).random(count) < _MOVED)
    bucket = bucket.astype(numpy.min_scalar_type(bucket.max(initial=0)))  # small integers are sorted in linear time
    order = numpy.argsort(bucket, kind="stable")
    if len(order) < 2**31:
        order = order.astype(numpy.int32)
    bucket = bucket[order]
    noisy = noise.random(count)
    noisy += sources[everything]
    starts = [0, *(numpy.flatnonzero(bucket[1:] != bucket[:-1]) + 1).tolist()]
    for begin, end in itertools.zip_longest(starts[: len(order)], starts[1:]):
        same = order[begin:end]
        keys = noisy[same] if bucket[begin] % 2 == 0 else -noisy[same]
        same[:] = same[numpy.argsort(keys, kind="stable")]
    return order if drawn is None else drawn[order]


def _cut(
    order: Indices, sources: NDArray[Any], targets: NDArray[Any], config: BatchConfig, phase: float
) -> list[Indices]:
    """Cut a sequence into batches as large as the budget allows; ``phase`` shortens the first one."""
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
    """Number of first rows that fit when padded to their longest; at least one."""
    padded = numpy.maximum.accumulate(lengths) * numpy.arange(1, len(lengths) + 1)
    return max(1, int(numpy.searchsorted(padded, budget, side="right")))


def length_batches(lengths: NDArray[Any] | Sequence[int], max_tokens: int) -> list[Indices]:
    """Divide sentences, by their lengths (N,) in tokens, into batches of similar length for translation.

    The longest come first; rows times longest sentence is at most ``max_tokens``, but a longer sentence gets a batch of
    its own.

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
    """Split the largest batches in two until the number of batches is a multiple of the number of processes.

    Where there are only batches of one example, the last ones are empty.
    """
    batches = list(batches)
    while len(batches) % world_size:
        largest = max(range(len(batches)), key=lambda i: len(batches[i]))
        batch = batches[largest]
        if len(batch) < 2:
            return [*batches, *[batch[:0]] * (-len(batches) % world_size)]
        batches[largest : largest + 1] = [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
    return batches

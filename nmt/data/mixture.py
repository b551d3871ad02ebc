"""How often each of several corpora is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from nmt.core.seeding import derive_seed
from nmt.data.bucketing import Indices


@dataclass(frozen=True, slots=True)
class Mixture:
    """Several corpora, joined, of which some are drawn more often than others.

    An epoch has as many examples as all corpora together. Each corpus is read in passes of its own, each in a new
    random order, that go on from epoch to epoch: at any time its examples have been drawn equally often, give or take
    one.

    Args:
        sizes: examples of each corpus.
        counts: examples drawn from each in an epoch; their sum is that of the sizes.
    """

    sizes: tuple[int, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, sizes: Sequence[int], shares: Sequence[float]) -> Mixture:
        """Divide an epoch by shares, which need not add up to 1: rounded down, and the largest remainders up."""
        exact = numpy.array(shares, dtype=numpy.float64) / sum(shares) * sum(sizes)
        counts = numpy.floor(exact).astype(numpy.int64)
        short = sum(sizes) - int(counts.sum())
        counts[numpy.argsort(counts - exact, kind="stable")[:short]] += 1
        return cls(tuple(sizes), tuple(counts.tolist()))

    def describe(self, names: Sequence[str]) -> str:
        """Say for each corpus how many examples of an epoch are its own, and how often each of them is drawn."""
        total = sum(self.sizes)
        return "; ".join(
            f"{name}: {count / total:.1%} of the examples, each pair {count / size:.3g} times an epoch"
            for name, size, count in zip(names, self.sizes, self.counts, strict=True)
        )

    def drawn(self, epoch: int, *, seed: int) -> Indices:
        """Draw the examples of an epoch, sorted by corpus.

        Args:
            epoch: its number, from 0.
            seed: root seed of the run.

        Returns:
            (N,) places in the joined corpora; some are there several times, others not at all.
        """
        total = sum(self.sizes)
        indices: NDArray[Any] = numpy.empty(total, dtype=numpy.int32 if total < 2**31 else numpy.int64)
        first = filled = 0
        for corpus, (size, count) in enumerate(zip(self.sizes, self.counts, strict=True)):
            part = indices[filled : filled + count]
            begin = epoch * count
            part[:] = numpy.arange(begin, begin + count) % size
            for one_pass in {begin // size, (begin + count) // size}:  # only the first and the last can be in part
                here = slice(max(0, one_pass * size - begin), max(0, (one_pass + 1) * size - begin))
                if 0 < len(part[here]) < size:
                    order = numpy.arange(size, dtype=indices.dtype)
                    numpy.random.default_rng(derive_seed(seed, "mixture", corpus, one_pass)).shuffle(order)
                    part[here] = order[part[here]]
            part += first
            first, filled = first + size, filled + count
        return indices


def shares_of(sizes: Sequence[int], weights: Sequence[float] | None, temperature: float | None) -> list[float] | None:
    """Return how often each corpus is to be drawn, up to a factor; ``None`` for every example once an epoch.

    Args:
        sizes: examples of each corpus.
        weights: the shares themselves, if they are given.
        temperature: if given, a corpus of ``n`` examples gets ``n ** (1 / temperature)`` (Arivazhagan et al., 2019).
    """
    if weights is not None:
        return list(weights)
    return None if temperature is None else [size ** (1.0 / temperature) for size in sizes]

"""What a generated corpus is like: lengths, crossing and multiple links, the best AER that arg-max can reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tools.corpus.words import Pair

Links = Sequence[tuple[int, int]]


def crosses(links: Links) -> bool:
    """Return whether two links cross: i before k on one side, j after l on the other."""
    highest = -1
    before = -1
    column = None
    for i, j in sorted(links):
        if i != column:
            before, column = highest, i
        if j < before:
            return True
        highest = max(highest, j)
    return False


def one_to_many(links: Links) -> bool:
    """Return whether a word of either side has several links."""
    return len({i for i, _ in links}) < len(links) or len({j for _, j in links}) < len(links)


def best_single_links(links: Links) -> int:
    """Return how many sure links one perfect link for each target word gets right."""
    return len({j for _, j in links})


@dataclass(slots=True)
class Statistics:
    """Counts over pairs, added one by one."""

    pairs: int = 0
    source_words: int = 0
    target_words: int = 0
    shortest: int = 10**9
    longest: int = 0
    over_25: int = 0
    crossing: int = 0
    many: int = 0
    links: int = 0
    single: int = 0
    source_types: set[str] = field(default_factory=set)
    target_types: set[str] = field(default_factory=set)
    lengths: Counter[int] = field(default_factory=Counter)

    def add(self, pair: Pair) -> None:
        """Count one pair."""
        source, target = pair.source.split(), pair.target.split()
        self.pairs += 1
        self.source_words += len(source)
        self.target_words += len(target)
        self.shortest = min(self.shortest, len(source), len(target))
        self.longest = max(self.longest, len(source), len(target))
        self.over_25 += len(source) > 25
        self.crossing += crosses(pair.links)
        self.many += one_to_many(pair.links)
        self.links += len(pair.links)
        self.single += best_single_links(pair.links)
        self.source_types.update(source)
        self.target_types.update(target)
        self.lengths[len(source)] += 1

    @property
    def oracle_aer(self) -> float:
        """AER of one perfect link a target word: 1 - 2 |A and S| / (|A| + |S|), A the single links, S the gold."""
        total = self.target_words + self.links
        return 1.0 - 2.0 * self.single / total if total else 0.0

    def lines(self) -> list[str]:
        """Return the statistics as lines for a person."""
        count = max(self.pairs, 1)
        return [
            f"pairs                      {self.pairs}",
            f"words a sentence           {self.source_words / count:.1f} German,"
            f" {self.target_words / count:.1f} English, from {self.shortest} to {self.longest}",
            f"German words by length     {self._histogram()}",
            f"over 25 German words       {100 * self.over_25 / count:.1f} %",
            f"distinct words             {len(self.source_types)} German, {len(self.target_types)} English",
            f"pairs with crossing links  {100 * self.crossing / count:.1f} %",
            f"pairs with a 1:n link      {100 * self.many / count:.1f} %",
            f"oracle AER                 {self.oracle_aer:.4f} (one perfect link a target word)",
        ]

    def _histogram(self) -> str:
        bands = ((5, 8), (9, 12), (13, 18), (19, 25), (26, 40))
        count = max(self.pairs, 1)
        shares = ((low, high, sum(self.lengths[n] for n in range(low, high + 1))) for low, high in bands)
        return ", ".join(f"{low}-{high}: {100 * number / count:.0f} %" for low, high, number in shares)


def measure(pairs: Iterable[Pair]) -> Statistics:
    """Return the statistics of some pairs."""
    statistics = Statistics()
    for pair in pairs:
        statistics.add(pair)
    return statistics

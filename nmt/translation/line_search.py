"""Search for the translations of many lines: batched by length, halved where memory is short, put into words."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import TypeAlias, TypeVar

import torch

from nmt.alignment.report.entries import Tree
from nmt.core.logging import Shares
from nmt.core.machine.batch_halving import Halving
from nmt.core.machine.device import full_float32
from nmt.data.bucketing import length_batches
from nmt.search.allowed_tokens import Symbols
from nmt.search.constraint import Constraint
from nmt.search.control.controls import Controls
from nmt.search.hypothesis import Hypothesis
from nmt.search.search import greedily, search
from nmt.search.search_config import SearchConfig
from nmt.search.strategies.rollout import Steps
from nmt.search.strategies.trace import BeamTrace
from nmt.text.piece_texts import incomplete
from nmt.text.words import words_in_pieces
from nmt.translation.copying import Copier
from nmt.translation.least_risk import least_risk
from nmt.translation.lines import ScoredTarget, SourceLine, pieces_of_words
from nmt.translation.models import Models
from nmt.translation.requests.asked import Asked
from nmt.translation.trees import tree_in_letters

T = TypeVar("T")

Searched: TypeAlias = tuple[SourceLine, Asked]
"""A line, or a part of one, and what is asked of the line."""
Found: TypeAlias = tuple[list[ScoredTarget], Tree | None]
"""The hypotheses for a line, best first, and the tree of its search, if it was asked for."""


class LineSearch:
    """Searches with one model or an ensemble.

    Args:
        models: the models.
        copier: restores in the translations what is copied from the source.
        batch_tokens: source pieces of a batch, including padding and the hypotheses of the beam.
        keep_weights: whether to keep attention weights.
        constraint: restricts the search of each line by its number.
    """

    def __init__(
        self, models: Models, copier: Copier, *, batch_tokens: int, keep_weights: bool, constraint: Constraint | None
    ) -> None:
        self._models = models
        self._copier = copier
        self._batch_tokens = batch_tokens
        self._keep_weights = keep_weights
        self._constraint = constraint
        self._symbols = Symbols.of(
            models.vocabularies.target,
            unknown=copier.config.replace_unknown,
            copied=copier.copied,
            tags=models.unwritten,
        )
        self._halving = Halving(
            models.device.type,
            "a batch of %d sentences does not fit into memory; it is translated in halves (smaller batches from "
            "the start are faster: see --batch-tokens)",
        )

    def __call__(self, searched: list[Searched], shares: Shares) -> list[Found]:
        """Search in batches of similar length; no hypotheses for a sentence that does not fit into memory."""
        found: list[Found] = [([], None) for _ in searched]
        lengths = [source.size for source, _ in searched]
        alike: dict[SearchConfig, list[int]] = {}
        for row, (_, asked) in enumerate(searched):
            alike.setdefault(asked.search, []).append(row)
        batches = [
            [own[place] for place in places]
            for config, own in alike.items()
            for places in length_batches([lengths[row] for row in own], max(1, self._batch_tokens // config.width))
        ]
        for rows, results in self._halving(batches, lambda rows: self._search([searched[row] for row in rows])):
            if results is not None:
                for row, result in zip(rows, results, strict=True):
                    found[row] = result
            shares.add(sum(lengths[row] for row in rows), of=sum(lengths))
        return found

    def _search(self, batch: list[Searched]) -> list[Found]:
        traced = [row for row, (_, asked) in enumerate(batch) if asked.tree]
        trace = BeamTrace(traced) if traced else None
        found: list[Found] = []
        for row, ((source, asked), hypotheses) in enumerate(zip(batch, self._search_batch(batch, trace), strict=True)):
            select = chosen if asked.search.mbr == "none" else least_risk
            targets = select([self.target(source, each) for each in hypotheses], asked.search)
            tree = None
            if trace is not None and row in traced:
                ends = [target.hypothesis for target in targets]
                tree = tree_in_letters(trace.tree(row), ends, self._models.vocabularies.target)
            found.append((targets, tree))
        return found

    def _search_batch(self, batch: list[Searched], trace: BeamTrace | None) -> list[list[Hypothesis]]:
        config = batch[0][1].search  # that of all
        # Several finished hypotheses may be segmentations of one text, so an n-best list needs spare ones.
        several = config.strategy == "beam" and config.n_best > 1
        n_best = config.beam_size if several else config.candidates
        with torch.inference_mode(), full_float32(self._models.device):
            return self._begin(partial(search, n_best=n_best, trace=trace), batch)

    def _begin(self, searching: Callable[..., T], batch: list[Searched]) -> T:
        """Call a function of ``nmt.search.search`` for lines that have the same search."""
        config, target = batch[0][1].search, self._models.vocabularies.target
        machines = {row: asked.machine for row, (_, asked) in enumerate(batch) if asked.machine is not None}
        return searching(
            self._models.stepper,
            self._models.sources([source for source, _ in batch]),
            config,
            self._symbols,
            keep_weights=self._keep_weights,
            line_keys=[source.number for source, _ in batch],
            constraint=self._constraint,
            controls=Controls(machines, config, target.eos_id) if machines else None,
        )

    def grow(self, batch: list[Searched]) -> Generator[list[str], None, list[Found]]:
        """Search greedily, step by step, for lines that have the same search.

        Yields:
            After each step the beginning of the translation of each line, as far as it will not change.

        Returns:
            What a search for them finds.
        """
        tokens: list[list[int]] = [[] for _ in batch]
        steps: Steps = self._begin(greedily, batch)
        while True:
            with torch.inference_mode(), full_float32(self._models.device):
                try:
                    sentences, added = next(steps)
                except StopIteration as end:
                    hypotheses: list[list[Hypothesis]] = end.value
                    break
            for row, token in zip(sentences.tolist(), added.flatten().tolist(), strict=True):
                tokens[row].append(token)
            yield [self.settled(source, row) for (source, _), row in zip(batch, tokens, strict=True)]
        return [
            ([self.target(source, each) for each in own], None)
            for (source, _), own in zip(batch, hypotheses, strict=True)
        ]

    def settled(self, source: SourceLine, tokens: list[int]) -> str:
        """The text of the first pieces of a translation of a line, as far as it stays the same whatever follows."""
        model = self._models.vocabularies.target
        begun = tokens[: self._copier.first_copied(tokens)]
        text = _line(model.decode(begun[: len(begun) - incomplete(model.pieces(begun))]))
        text = self._copier.restore_trained(text, source)
        # What is copied takes the place of a whole word, whose end is not known before the next one.
        return text[: text.rfind(" ") + 1] if self._copier.config.active else text

    def target(self, source: SourceLine, hypothesis: Hypothesis) -> ScoredTarget:
        """Put a hypothesis into words."""
        model, tokens = self._models.vocabularies.target, hypothesis.tokens
        text = _line(model.decode(tokens))
        letters = model.pieces(tokens)
        # In a text without words, pieces belong to no word.
        pieces = pieces_of_words(tokens, letters, words_in_pieces(letters) or [(-1,)] * len(letters))
        weights = None
        if self._copier.config.active and hypothesis.weights is not None:
            weights = hypothesis.weights.numpy()
        return ScoredTarget(source, self._copier.restore(text, pieces, weights, source), pieces, hypothesis)


def chosen(targets: list[ScoredTarget], config: SearchConfig) -> list[ScoredTarget]:
    """Drop hypotheses with the same text as a better one; samples are all kept."""
    if config.strategy == "sampling":
        return targets
    best = {target.text: target for target in reversed(targets)}
    return [target for target in targets if best[target.text] is target][: config.n_best]


def _line(text: str) -> str:
    """Keep a text on one line; a vocabulary with byte fallback can write any character."""
    return text.replace("\n", " ")

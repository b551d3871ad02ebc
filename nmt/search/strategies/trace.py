"""The search tree of a beam search: every ranked continuation and its fate."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from torch import Tensor

Fate: TypeAlias = Literal["kept", "finished", "pruned", "stopped"]
"""Stayed in the beam; ended in eos; fell out of the beam; was in the beam when the search ended."""

ROOT = -1
"""The parent of the first tokens, which follow bos."""


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A continuation among the 2K best of its step.

    Args:
        parent: index of the node that it continues, or ``ROOT``.
        token: the piece it adds; eos if it ends.
        token_log_prob: log-probability of that piece, in nats.
        log_prob: log-probability of all pieces up to it, in nats.
        score: its score if the hypothesis ended here, with length and coverage penalty.
        fate: see ``Fate``.
    """

    parent: int
    token: int
    token_log_prob: float
    log_prob: float
    score: float
    fate: Fate


@dataclass(frozen=True, slots=True)
class BeamTree:
    """All continuations ranked in the search of one sentence.

    Args:
        nodes: ordered by step, best first within a step; parents come before their children.
    """

    nodes: tuple[TreeNode, ...]

    def find(self, tokens: Sequence[int]) -> int | None:
        """Follow tokens from bos, eos included; returns the index of the last, or ``None`` if they are not found."""
        children = {(node.parent, node.token): index for index, node in enumerate(self.nodes)}
        place: int | None = ROOT
        for token in tokens:
            place = None if place is None else children.get((place, token))
        return None if place == ROOT else place


@dataclass(frozen=True, slots=True)
class Ranking:
    """The 2K best continuations of b sentences at one step; all (b, 2K) except ``live``.

    Args:
        parents: int64, the incoming hypothesis that each one continues.
        tokens: int64, the token it adds.
        token_log_probs: that token's log-probability.
        log_probs: log-probability of the whole hypothesis; -inf marks an empty slot.
        scores: see ``TreeNode``.
        finishes: bool, whether it ends and is among the first K.
        live: (b, K) int64, indices of those that stay live, in the order of the next step's hypotheses.
    """

    parents: Tensor
    tokens: Tensor
    token_log_probs: Tensor
    log_probs: Tensor
    scores: Tensor
    finishes: Tensor
    live: Tensor


class BeamTrace:
    """Records the search trees of some sentences of a batch.

    Args:
        rows: the sentences, as indices from 0 in the batch.
    """

    def __init__(self, rows: Collection[int]) -> None:
        self._steps: dict[int, list[list[list[float]]]] = {row: [] for row in rows}

    def add(self, sentences: Tensor, ranking: Ranking) -> None:
        """Record a step: the active sentences of the batch, (b,) int64, and their ranking."""
        places = [place for place, row in enumerate(sentences.tolist()) if row in self._steps]
        if not places:
            return
        columns = [getattr(ranking, field.name)[places].tolist() for field in fields(ranking)]
        for row, *step in zip(sentences[places].tolist(), *columns, strict=True):
            self._steps[row].append(step)

    def tree(self, row: int) -> BeamTree:
        """Return the tree of a sentence after its search.

        Raises:
            KeyError: the sentence was not recorded.
        """
        nodes: list[TreeNode] = []
        slots = [ROOT]  # node of each hypothesis of the beam
        # If a target of maximum length cannot end, its last step has no candidates: the step before was the last.
        steps = [step for step in self._steps[row] if step[3][0] > float("-inf")]
        for number, (parents, tokens, token_log_probs, log_probs, scores, finishes, live) in enumerate(steps, start=1):
            indices: dict[int, int] = {}
            lived: Fate = "kept" if number < len(steps) else "stopped"
            for place, log_prob in enumerate(log_probs):
                if log_prob == float("-inf"):
                    continue
                fate: Fate = "finished" if finishes[place] else lived if place in live else "pruned"
                indices[place] = len(nodes)
                parent, token = slots[int(parents[place])], int(tokens[place])
                nodes.append(TreeNode(parent, token, token_log_probs[place], log_prob, scores[place], fate))
            slots = [indices.get(int(place), ROOT) for place in live]
        return BeamTree(tuple(nodes))

"""Dynamic beam allocation: a beam shared by hypotheses with many and with few of their required phrases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nmt.search.control.controls import Controls
from nmt.search.control.line_machine import LineMachine
from nmt.search.strategies.candidates import Candidates

_NOTHING = -1
"""In place of the best continuation of a hypothesis that has none."""
_Choice: TypeAlias = tuple[int, int]
"""A parent and the token that continues it."""
_Values: TypeAlias = tuple[float, float]
"""Log-probability of the token, and of the whole hypothesis."""


class Allocation:
    """Chooses the candidates of sentences with required phrases; those of others stay as they are.

    To the most probable candidates it adds, for each hypothesis, the best continuation and all that bring it nearer to
    its phrases. Candidates with equally many pieces left form a bank. The beam takes the best of each bank in turn,
    from the one with the fewest pieces left (Post and Vilar 2018, "Fast Lexically Constrained Decoding with Dynamic
    Beam Allocation for Neural Machine Translation"; the turns are those of Hu et al. 2019, "Improved Lexically
    Constrained Decoding for Translation and Monolingual Rewriting").

    Args:
        controls: the outermost constraint of the search, whose states say how far hypotheses have come.
        eos_id: the piece that ends a target.
    """

    def __init__(self, controls: Controls, eos_id: int) -> None:
        self._machines = {row: machine for row, machine in controls.machines.items() if machine.control.required}
        self._eos_id = eos_id

    def __call__(
        self,
        ranked: Candidates,
        best: tuple[Tensor, Tensor],
        *,
        before: Tensor,
        log_probs: Tensor,
        state: Any,
        sentences: Tensor,
    ) -> Candidates:
        """Choose.

        Args:
            ranked: the most probable candidates of all hypotheses, (b, n).
            best: log-probability and token of the best of each hypothesis, (b, k).
            before: (b, k) log-probability of each hypothesis so far.
            log_probs: (b, k, V) of its continuations, -inf for those that are not allowed.
            state: of the stepper, b * k rows.
            sentences: (b,) int64, the active sentences.

        Returns:
            (b, n), in the order of the beam.
        """
        places = [place for place, row in enumerate(sentences.tolist()) if row in self._machines]
        if not places:
            return ranked
        machines = [self._machines[row] for row in sentences[places].tolist()]
        numbers = torch.unflatten(state.constraint.numbers, 0, before.shape)[places].tolist()
        most, first = best
        tops = first.masked_fill(most == float("-inf"), _NOTHING)[places].tolist()
        more = [
            (place, parent, token)
            for place, machine, states, own in zip(places, machines, numbers, tops, strict=True)
            for parent, number in enumerate(states)
            for token in dict.fromkeys((own[parent], *machine.advancing(number)))
            if token != _NOTHING
        ]
        candidates = self._listed(ranked, places)
        at, parents, tokens = torch.tensor(more, dtype=torch.int64, device=before.device).reshape(-1, 3).unbind(1)
        values = log_probs[at, parents, tokens]
        totals = (before[at, parents] + values).tolist()
        for (place, parent, token), value, total in zip(more, values.tolist(), totals, strict=True):
            candidates[place].setdefault((parent, token), (value, total))
        chosen = [
            _in_turn(candidates[place], machine, states, ranked.tokens.shape[1])
            for place, machine, states in zip(places, machines, numbers, strict=True)
        ]
        return self._replaced(ranked, places, chosen)

    def _listed(self, ranked: Candidates, places: Sequence[int]) -> dict[int, dict[_Choice, _Values]]:
        columns = (ranked.parents, ranked.tokens, ranked.token_log_probs, ranked.log_probs)
        rows = zip(*(column[places].tolist() for column in columns), strict=True)
        return {
            place: {
                (parent, token): (value, total)
                for parent, token, value, total in zip(*row, strict=True)
                if total != float("-inf")  # an empty slot may name a candidate that another holds
            }
            for place, row in zip(places, rows, strict=True)
        }

    def _replaced(
        self, ranked: Candidates, places: Sequence[int], chosen: Sequence[Sequence[tuple[_Choice, _Values]]]
    ) -> Candidates:
        """Put the chosen candidates, as many as there were, in the places of some sentences."""
        choices, values = (
            torch.tensor(column) for column in zip(*(zip(*each, strict=True) for each in chosen), strict=True)
        )
        rows = torch.tensor(places, device=ranked.tokens.device)

        def put(column: Tensor, given: Tensor) -> Tensor:
            return column.index_copy(0, rows, given.to(column))

        tokens, log_probs = put(ranked.tokens, choices[:, :, 1]), put(ranked.log_probs, values[:, :, 1])
        return Candidates(
            parents=put(ranked.parents, choices[:, :, 0]),
            tokens=tokens,
            token_log_probs=put(ranked.token_log_probs, values[:, :, 0]),
            log_probs=log_probs,
            ends=(tokens == self._eos_id) & (log_probs > float("-inf")),
        )


def _in_turn(
    candidates: dict[_Choice, _Values], machine: LineMachine, states: Sequence[int], count: int
) -> list[tuple[_Choice, _Values]]:
    """Take the best candidate of each bank, then the second of each, and so on."""
    banks: dict[int, list[tuple[_Choice, _Values]]] = {}
    advancing = [machine.advancing(number) for number in states]
    for choice, values in sorted(candidates.items(), key=lambda each: -each[1][1]):
        if values[1] != float("-inf"):  # NaN stays, and is refused with the results
            parent, token = choice
            left = advancing[parent].get(token)
            if left is None:
                left = machine.left(machine.advance(states[parent], token))
            banks.setdefault(left, []).append((choice, values))
    turns = itertools.zip_longest(*(banks[left] for left in sorted(banks)))
    found = [each for turn in turns for each in turn if each is not None][:count]
    return found + [((0, machine.eos_id), (float("-inf"), float("-inf")))] * (count - len(found))

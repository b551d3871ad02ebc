"""The controls of the lines of a batch, as a restriction of their search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from nmt.data.batch import Source
from nmt.search.control.line_machine import LineMachine, Rule
from nmt.search.length_limits import LengthLimits
from nmt.search.search_config import SearchConfig


@dataclass(frozen=True, slots=True)
class ControlState:
    """Of N hypotheses.

    Args:
        numbers: (N,) int64 state in the machine of the line; 0 for lines without one.
        longest: (N,) int64 maximum length.
    """

    numbers: Tensor
    longest: Tensor


class Controls:
    """A ``Restriction`` that allows what the controls of each sentence allow; sentences without one are free.

    Towards the maximum length only pieces that required phrases need are allowed, so that all occur.

    Args:
        machines: by row of the sentence in the batch, which stands for its line number.
        config: gives the lengths.
        eos_id: the piece that ends a target.
    """

    def __init__(self, machines: Mapping[int, LineMachine], config: SearchConfig, eos_id: int) -> None:
        self.machines = machines
        self._config = config
        self._eos_id = eos_id

    @property
    def require(self) -> bool:
        """Whether phrases must occur in any sentence."""
        return any(machine.control.required for machine in self.machines.values())

    def start(self, source: Source, lines: Sequence[int]) -> ControlState:  # noqa: ARG002
        """Start with empty targets."""
        longest = LengthLimits.of(source, self._config).maximum
        return ControlState(torch.zeros_like(longest), longest)

    def restricted(
        self, log_probs: Tensor, prefixes: Tensor, lines: Tensor, state: ControlState
    ) -> tuple[Tensor, ControlState]:
        """Forbid what the controls do not allow next; see ``Restriction.restricted``."""
        length, device = prefixes.shape[1], prefixes.device
        newest = prefixes[:, -1].tolist() if length else [None] * len(prefixes)
        numbers = state.numbers.tolist()
        # Rows and pieces whose values are to be set, in this order.
        only: list[int] = []
        inside: list[int] = []
        allowed: list[tuple[int, int]] = []
        forbidden: list[tuple[int, int]] = []
        columns = zip(lines.tolist(), newest, state.longest.tolist(), strict=True)
        for row, (line, piece, longest) in enumerate(columns):
            machine = self.machines.get(line)
            if machine is None:
                continue
            if piece is not None:
                numbers[row] = machine.advance(numbers[row], piece)
            rule = self._rule(machine, numbers[row], longest - length)
            if rule.allowed is not None:
                only.append(row)
                allowed += [(row, each) for each in rule.allowed]
            if rule.inside_word:
                inside.append(row)
            forbidden += [(row, each) for each in rule.forbidden]
        changed = log_probs.clone()  # and a few values are set, since these tensors are large
        if only:
            changed[only] = float("-inf")
            rows, pieces = torch.tensor(allowed, dtype=torch.int64, device=device).reshape(-1, 2).unbind(1)
            changed[rows, pieces] = log_probs[rows, pieces]
        if inside:
            changed[inside] = log_probs[inside].masked_fill(self._outside.to(device), float("-inf"))
        if forbidden:
            rows, pieces = torch.tensor(forbidden, device=device).unbind(1)
            changed[rows, pieces] = float("-inf")
        return changed, ControlState(torch.tensor(numbers, device=device), state.longest)

    def bound(self, lines: Tensor, state: ControlState) -> list[int]:
        """Return the rows, of N hypotheses in this state, that only certain pieces may follow, as inside a prefix."""
        rows = enumerate(zip(lines.tolist(), state.numbers.tolist(), strict=True))
        return [
            row
            for row, (line, number) in rows
            if line in self.machines and self.machines[line].rule(number).allowed is not None
        ]

    def advancing(self, lines: Tensor, state: ControlState) -> list[tuple[int, int]]:
        """Return rows and pieces, of N hypotheses in this state, that bring a line nearer to its required phrases."""
        rows = enumerate(zip(lines.tolist(), state.numbers.tolist(), strict=True))
        return [
            (row, piece)
            for row, (line, number) in rows
            if line in self.machines
            for piece in self.machines[line].advancing(number)
        ]

    def _rule(self, machine: LineMachine, number: int, room: int) -> Rule:
        """What may follow where ``room`` more pieces fit."""
        rule, most_left = machine.rule(number), machine.most_left(number)
        if room < 1 or machine.has_no_phrases or (room > 1 and (rule.allowed is not None or most_left < room)):
            return rule
        # Another piece could make more necessary than there is room for: by breaking a match off, or as the last one.
        pieces = machine.within(number, room - 1)
        if rule.allowed is not None:
            pieces = tuple(piece for piece in rule.allowed if piece in pieces)
        return Rule((*pieces, self._eos_id) if machine.ends(number) else pieces)

    @cached_property
    def _outside(self) -> Tensor:
        """(V,) bool, pieces that do not continue a word."""
        return ~torch.tensor(next(iter(self.machines.values())).texts.inside_word)

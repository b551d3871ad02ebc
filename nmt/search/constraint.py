"""The hook for what restricts or guides a search: a lexicon, a grammar, words that must come, a second model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from nmt.data.batch import DecodingStep, Tokens
from nmt.search.stepper import Stepper


class Constraint(Protocol):
    """Says what may follow, for every line by itself; used by beam search, greedy search and sampling.

    Like a ``Stepper`` it may keep a state, a tree of batch-first tensors that search reorders by
    ``nmt.core.tensors.select_rows``; one that needs none keeps ``None``. It works by prefixes, so it may also compute
    everything from these.

    What it adds counts as a part of the log-probability: in ranking, in scores, and in ``Hypothesis.log_prob``. Limits
    of length hold besides: before the shortest target eos cannot come, and at the longest only eos can. A hypothesis
    that nothing may follow (or not eos at the longest length) is returned unfinished if its sentence has no other.
    """

    def start(self, source: Tokens, lines: Sequence[int]) -> Any:
        """Return the state of B targets that are still empty.

        Args:
            source: the sentences.
            lines: of each sentence the number of its line, ``line_keys`` of ``nmt.search.search.search``.
        """
        ...

    def step(self, prefixes: Tensor, lines: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Say what may follow N hypotheses.

        A row that has ended, or that nothing may follow, may stand among the others with any prefix, eos in it; what is
        said of it is not used.

        Args:
            prefixes: (N, T) int64, the tokens so far without bos; T is 0 at the first step.
            lines: (N,) int64, the number of the line that each hypothesis translates.
            state: of each hypothesis without its last token, N rows.

        Returns:
            (N, V), what is added to the log-probabilities of the next token: 0 leaves one as it is, less makes it less
            probable, -inf forbids it. And the state, N rows.
        """
        ...


@dataclass(frozen=True, slots=True)
class _State:
    """Of N hypotheses: the model's, the constraint's, and the tokens so far, bos first (N, T + 1)."""

    model: Any
    constraint: Any
    tokens: Tensor


class ConstrainedStepper:
    """A stepper whose distributions a constraint changes; they need not sum to one.

    Args:
        stepper: the model.
        constraint: what changes them.
        lines: of each sentence to come the number of its line.
    """

    def __init__(self, stepper: Stepper, constraint: Constraint, lines: Sequence[int]) -> None:
        self._stepper = stepper
        self._constraint = constraint
        self._lines = lines

    @property
    def vocabulary_size(self) -> int:
        """Number of target pieces V."""
        return self._stepper.vocabulary_size

    def start(self, source: Tokens) -> tuple[Any, Any]:
        """Encode B sentences, and begin their constraint."""
        prepared, state = self._stepper.start(source)
        lines = torch.tensor(self._lines, dtype=torch.int64, device=source.ids.device)
        nothing = source.ids.new_zeros(source.rows, 0)
        return (prepared, lines), _State(state, self._constraint.start(source, self._lines), nothing)

    def step(self, tokens: Tensor, prepared: Any, state: Any) -> DecodingStep:
        """Let the model consume the last tokens (N,), and add what the constraint says.

        Raises:
            ValueError: that is of another shape, above 0, or NaN.
        """
        memory, lines = prepared
        so_far = torch.cat([state.tokens, tokens.unsqueeze(1)], 1)
        step = self._stepper.step(tokens, memory, state.model)
        lines = lines.repeat_interleave(len(tokens) // len(lines))
        added, following = self._constraint.step(so_far[:, 1:], lines, state.constraint)
        if added.shape != step.log_probs.shape:
            raise ValueError(f"a constraint must give {tuple(step.log_probs.shape)}, but gave {tuple(added.shape)}")
        if not bool((added <= 0).all()):  # search stops early, counting on it
            raise ValueError("a constraint must give 0 or less everywhere, but gave more, or NaN")
        return DecodingStep(step.log_probs + added, step.weights, _State(step.state, following, so_far))

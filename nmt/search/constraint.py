"""Interface for constraints on a search: a lexicon, a grammar, required words, a second model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from nmt.data.batch import DecodingStep, Source
from nmt.search.stepper import Stepper


class Constraint(Protocol):
    """Restricts or reweights the next tokens, per line; used by beam search, greedy search and sampling.

    Like a ``Stepper`` it may have a state: a tree of batch-first tensors that search reorders by
    ``nmt.core.tensors.select_rows``, or ``None``. It also gets the prefixes, so it may compute everything from them.

    What it adds is part of the log-probability: in ranking, in scores, and in ``Hypothesis.log_prob``. Length limits
    apply besides: eos is forbidden before the minimum length, and at the maximum only eos is allowed. A hypothesis that
    has no allowed continuation (or no eos at the maximum) is returned unfinished if its sentence has no other.
    """

    def start(self, source: Source, lines: Sequence[int]) -> Any:
        """Return the initial state for B empty targets.

        Args:
            source: the sentences.
            lines: line number of each sentence, ``line_keys`` of ``nmt.search.search.search``.
        """
        ...

    def step(self, prefixes: Tensor, lines: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Score the next tokens of N hypotheses.

        Rows may include hypotheses that have ended or have no allowed continuation, with any prefix, even one with
        eos; results for them are ignored.

        Args:
            prefixes: (N, T) int64, the tokens so far without bos; T is 0 at the first step.
            lines: (N,) int64, line number of each hypothesis.
            state: state of each hypothesis before its last token, N rows.

        Returns:
            (N, V), added to the log-probabilities of the next token: 0 leaves a token unchanged, a negative value makes
            it less probable, -inf forbids it; and the new state, N rows.
        """
        ...


@dataclass(frozen=True, slots=True)
class _State:
    """Model state, constraint state, and tokens so far (N, T + 1), bos first, of N hypotheses."""

    model: Any
    constraint: Any
    tokens: Tensor


class Restriction(Protocol):
    """What changes distributions: a ``Constraint`` in the form that a stepper uses."""

    def start(self, source: Source, lines: Sequence[int]) -> Any:
        """See ``Constraint``."""
        ...

    def restricted(self, log_probs: Tensor, prefixes: Tensor, lines: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return new log-probabilities (N, V), nowhere larger, and the new state; see ``Constraint.step``."""
        ...


class Added:
    """Adds the values of a constraint.

    Args:
        constraint: the constraint.
    """

    def __init__(self, constraint: Constraint) -> None:
        self._constraint = constraint

    def start(self, source: Source, lines: Sequence[int]) -> Any:
        """Start the constraint."""
        return self._constraint.start(source, lines)

    def restricted(self, log_probs: Tensor, prefixes: Tensor, lines: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Add the values.

        Raises:
            ValueError: they have a wrong shape, exceed 0, or are NaN.
        """
        added, following = self._constraint.step(prefixes, lines, state)
        if added.shape != log_probs.shape:
            raise ValueError(f"a constraint must give {tuple(log_probs.shape)}, but gave {tuple(added.shape)}")
        if not bool((added <= 0).all()):  # early stopping relies on it
            raise ValueError("a constraint must give 0 or less everywhere, but gave more, or NaN")
        return log_probs + added, following


class ConstrainedStepper:
    """A stepper whose distributions are changed by a restriction; they need not sum to one.

    Args:
        stepper: the model.
        restriction: what changes them.
        lines: line number of each sentence.
    """

    def __init__(self, stepper: Stepper, restriction: Restriction, lines: Sequence[int]) -> None:
        self._stepper = stepper
        self._restriction = restriction
        self._lines = lines

    @property
    def vocabulary_size(self) -> int:
        """Number of target pieces V."""
        return self._stepper.vocabulary_size

    def start(self, source: Source) -> tuple[Any, Any]:
        """Encode B sentences, and start the restriction for them."""
        prepared, state = self._stepper.start(source)
        lines = torch.tensor(self._lines, dtype=torch.int64, device=source.device)
        nothing = torch.zeros(source.rows, 0, dtype=torch.int64, device=source.device)
        return (prepared, lines), _State(state, self._restriction.start(source, self._lines), nothing)

    def mask(self, source: Source, prepared: Any) -> Tensor:
        """Positions of the model's memories, (B, S)."""
        return self._stepper.mask(source, prepared[0])

    def step(self, tokens: Tensor, prepared: Any, state: Any) -> DecodingStep:
        """Let the model consume the last tokens (N,), and change what it gives."""
        memory, lines = prepared
        so_far = torch.cat([state.tokens, tokens.unsqueeze(1)], 1)
        step = self._stepper.step(tokens, memory, state.model)
        lines = lines.repeat_interleave(len(tokens) // len(lines))
        log_probs, following = self._restriction.restricted(step.log_probs, so_far[:, 1:], lines, state.constraint)
        return DecodingStep(log_probs, step.weights, _State(step.state, following, so_far))

"""Ensembles: several models as one stepper."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nmt.core.errors import CheckpointError
from nmt.data.batch import DecodingStep, Source
from nmt.search.stepper import Stepper


class EnsembleStepper:
    """Averages the next-token probabilities of several steppers with the same vocabulary.

    Each member has its own prepared memory and state. Attention weights are averaged over the members that have any.

    Args:
        members: one or more steppers with the same source and target pieces.

    Raises:
        CheckpointError: the members' vocabularies differ in size.
        ValueError: there is no member.
    """

    def __init__(self, members: Sequence[Stepper]) -> None:
        if not members:
            raise ValueError("members must be one stepper or more, but there is none")
        sizes = [member.vocabulary_size for member in members]
        if len(set(sizes)) > 1:
            listed = ", ".join(str(size) for size in sizes)
            raise CheckpointError(
                f"the models of an ensemble must share one target vocabulary, but theirs have {listed} pieces"
            )
        self._members = tuple(members)

    @property
    def vocabulary_size(self) -> int:
        """Number of target pieces V."""
        return self._members[0].vocabulary_size

    def start(self, source: Source) -> tuple[Any, Any]:
        """Encode B sentences with every member; returns a tuple of memories and one of states."""
        started = [member.start(source) for member in self._members]
        return tuple(prepared for prepared, _ in started), tuple(state for _, state in started)

    def mask(self, source: Source, prepared: Any) -> Tensor:
        """Positions of the first member's memories, (B, S)."""
        return self._members[0].mask(source, prepared[0])

    def step(self, tokens: Tensor, prepared: Any, state: Any) -> DecodingStep:
        """Let every member consume the tokens, and average.

        Raises:
            CheckpointError: the members attend to different numbers of source pieces.
        """
        steps = [
            member.step(tokens, its_memory, its_state)
            for member, its_memory, its_state in zip(self._members, prepared, state, strict=True)
        ]
        weights = [step.weights for step in steps if step.weights is not None]
        if len({row.shape for row in weights}) > 1:
            raise CheckpointError(
                "the models of an ensemble must read the same source pieces, but their numbers differ"
            )
        mean = torch.stack(weights).mean(0) if weights else None
        total = functools.reduce(torch.logaddexp, [step.log_probs for step in steps])
        return DecodingStep(total - math.log(len(steps)), mean, tuple(step.state for step in steps))

"""What a decoder carries from step to step, and what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from nmt.model.attention.base import AttentionState, stacked
from nmt.model.memory import CellState, SourceMemory


@dataclass(frozen=True, slots=True)
class DecoderState:
    """All that a decoder carries from step to step, every tensor batch-first.

    Args:
        layers: state of every recurrent layer, lowest first.
        feed: (N, F) attentional vector that is fed back, ``None`` without input feeding.
        attention: what the attention carries.
    """

    layers: tuple[CellState, ...]
    feed: Tensor | None
    attention: AttentionState


@dataclass(frozen=True, slots=True)
class DecoderOutput:
    """One step of N hypotheses, whose leading axis is (N,), or B whole targets of T words, with (B, T).

    Args:
        features: (..., F) before the vocabulary.
        weights: (..., heads, S).
        state: the new state, after the last word.
        log_prob: (...) log-probability of the position, where the attention samples.
        source: what the encoder left, for objectives and terms; ``None`` in what a decoder alone gives.
    """

    features: Tensor
    weights: Tensor
    state: DecoderState
    log_prob: Tensor | None = None
    source: SourceMemory | None = None

    def of_words(self, places: slice) -> Self:
        """What a whole target has at some of its words."""
        return replace(self, features=self.features[:, places], weights=self.weights[:, places])

    def joined(self, steps: Sequence[Self]) -> Self:
        """All steps of one target, of which this is the last, side by side."""
        return replace(
            self,
            features=torch.stack([step.features for step in steps], 1),
            weights=torch.stack([step.weights for step in steps], 1),
            log_prob=stacked([step.log_prob for step in steps]),
        )

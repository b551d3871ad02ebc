"""State and output of a decoder."""

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
    """State of a decoder between steps; every tensor is batch-first.

    Args:
        layers: state of every recurrent layer, lowest first.
        feed: (N, F) attentional vector for input feeding, ``None`` without it.
        attention: state of the attention.
    """

    layers: tuple[CellState, ...]
    feed: Tensor | None
    attention: AttentionState


@dataclass(frozen=True, slots=True)
class DecoderOutput:
    """Output for one step of N hypotheses, with leading axis (N,), or for B whole targets of T words, with (B, T).

    Args:
        features: (..., F) input of the output layer.
        weights: (..., heads, S).
        state: the new state, after the last word.
        log_prob: (...) log-probability of the sampled position, if the attention samples.
        source: the source memory, for objectives and loss terms; ``None`` in the output of a decoder alone.
    """

    features: Tensor
    weights: Tensor
    state: DecoderState
    log_prob: Tensor | None = None
    source: SourceMemory | None = None

    def of_words(self, places: slice) -> Self:
        """Select some words of whole targets."""
        return replace(self, features=self.features[:, places], weights=self.weights[:, places])

    def joined(self, steps: Sequence[Self]) -> Self:
        """Join all steps of a target, of which this is the last, to one output."""
        return replace(
            self,
            features=torch.stack([step.features for step in steps], 1),
            weights=torch.stack([step.weights for step in steps], 1),
            log_prob=stacked([step.log_prob for step in steps]),
        )

"""The source memory, which the encoder writes and the decoder reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

BridgeKind = Literal["first-backward", "last", "mean", "zero"]
"""The part of a memory that initialises the decoder; see ``Bridge``."""


@dataclass(frozen=True, slots=True)
class CellState:
    """State of one recurrent layer.

    Args:
        hidden: (B, H).
        cell: (B, H) memory cell of an LSTM, ``None`` for a GRU.
    """

    hidden: Tensor
    cell: Tensor | None = None


@dataclass(frozen=True, slots=True)
class SourceMemory:
    """Annotations of a source and everything else that a decoder may read; read-only.

    Args:
        values: (B, S, D) annotations; zero where ``mask`` is ``False``.
        mask: (B, S) bool, ``True`` = real.
        lengths: (B,) int64 true lengths.
        states: final state of every recurrent layer, lowest first, with the sizes in ``Encoder.state_sizes``; empty if
            the encoder has no recurrent layers.
        first_backward: (B, H) final state of the top layer's backward direction, at the first word of the source;
            ``None`` if the encoder has no backward direction.
        grid: (height, width) if the source is a picture, else ``None``. Positions run row by row, and lengths are
            multiples of the width.
        joint: whether annotations of words stand beside those of a file; the states are then those of the words.
        embedded: (B, S, E) what the encoder read at each position, for a lexical model; else ``None``.
    """

    values: Tensor
    mask: Tensor
    lengths: Tensor
    states: tuple[CellState, ...] = ()
    first_backward: Tensor | None = None
    grid: tuple[int, int] | None = None
    joint: bool = False
    embedded: Tensor | None = None

    def to(self, dtype: torch.dtype) -> SourceMemory:
        """Convert to another precision."""
        states = tuple(
            CellState(one.hidden.to(dtype), None if one.cell is None else one.cell.to(dtype)) for one in self.states
        )
        backward = None if self.first_backward is None else self.first_backward.to(dtype)
        return replace(self, values=self.values.to(dtype), states=states, first_backward=backward)

    @property
    def mean(self) -> Tensor:
        """Mean annotation (B, D)."""
        real = self.values.masked_fill(~self.mask.unsqueeze(-1), 0.0)
        return real.sum(1) / self.lengths.unsqueeze(1).to(self.values.dtype)

    @property
    def summary(self) -> Tensor:
        """The source as one vector (B, D): the top layer's final state, or the mean annotation.

        It is the mean if there are no states, if the top one does not have size D, or if it is only of a part.
        """
        last = self.states[-1].hidden if self.states and not self.joint else None
        return self.mean if last is None or last.shape[1] != self.values.shape[2] else last

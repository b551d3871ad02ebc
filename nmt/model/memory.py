"""What an encoder leaves for the decoder to read."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


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
    """Annotations of a source and all that a decoder may want to know of it; read-only.

    Args:
        values: (B, S, D) annotations; zero where ``mask`` is ``False``.
        mask: (B, S) bool, ``True`` = real.
        lengths: (B,) int64 true lengths.
        states: final state of every encoder layer, both directions side by side: hidden and cell (B, D).
        grid: (height, width) of a source that is a picture, else ``None``.
    """

    values: Tensor
    mask: Tensor
    lengths: Tensor
    states: tuple[CellState, ...]
    grid: tuple[int, int] | None = None

    @property
    def first_backward(self) -> Tensor:
        """(B, D / 2) last state of the top layer's backward direction: the backward annotation of the first word.

        With layer norm or residual connections the annotations are made from it, and it is taken before them.
        """
        hidden = self.states[-1].hidden
        return hidden[:, hidden.shape[1] // 2 :]

"""The contract of every encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt.core.registry import Registry
from nmt.model.cells import CellKind
from nmt.model.dropout import DropoutConfig
from nmt.model.memory import BridgeKind, SourceMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig(ABC):
    """Family of encoders."""

    registry: ClassVar[Registry[EncoderConfig]] = Registry("encoder", default="rnn")
    default_bridge: ClassVar[BridgeKind] = "mean"
    """The bridge used if a recipe does not set one."""
    dimensions: ClassVar[int] = 1
    """Dimensions of what it reads at a position: 1 for a vector, 2 for a row of pixels with channels."""
    gives_grid: ClassVar[bool] = False
    """Whether its memory is a grid of rows and columns, ``SourceMemory.grid``."""

    @property
    def ordered(self) -> bool:
        """Whether the positions of its memory are ordered, as in a text."""
        return True

    @property
    def drops_layers(self) -> bool:
        """Whether ``dropout.layers`` has an effect."""
        return True

    @property
    def reads_pieces(self) -> bool:
        """Whether it fits text: it reads vectors, and gives an annotation for each."""
        return self.dimensions == 1 and self.memory_shape((16,)) == (16,)

    def memory_shape(self, source_shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of the memory of a source (L, ...): (S,), or (height, width) of a grid, row by row.

        By default there is an annotation for each position.
        """
        return (source_shape[0],)

    @abstractmethod
    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        """Build the encoder for embeddings (B, S, E), or features (B, L, ..., E)."""


class Encoder(nn.Module, ABC):
    """Maps embedded sources to a memory; the only part that depends on the kind of source.

    The optional arguments declare what it provides besides annotations, so that a recipe whose bridge reads something
    else can be refused. An encoder without recurrent layers provides only annotations.

    Args:
        memory_size: size D of its annotations.
        state_sizes: size of each recurrent layer's final state in ``SourceMemory.states``, lowest first.
        backward_size: size H of ``SourceMemory.first_backward``; ``None`` if it provides none.
        cell: kind of its recurrent cells; the states of LSTMs have a memory cell.
    """

    def __init__(
        self,
        *,
        memory_size: int,
        state_sizes: tuple[int, ...] = (),
        backward_size: int | None = None,
        cell: CellKind | None = None,
    ) -> None:
        super().__init__()
        self.memory_size = memory_size
        self.state_sizes = state_sizes
        self.backward_size = backward_size
        self.cell = cell
        # Whether it may take a fast path, which computes the same as the plain one.
        self.fast = True

    def prepack(self, dtype: torch.dtype) -> None:
        """Pack weights for search on a CPU, in a copy whose weights no longer change; does nothing by default.

        Args:
            dtype: dtype of the factors of products; sums and states stay float32.
        """

    @abstractmethod
    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        """Encode embeddings (B, S, E), or features (B, L, ..., E), of rows with the given true lengths (B,)."""

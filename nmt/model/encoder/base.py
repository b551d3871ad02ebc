"""The contract of every encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
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
    ordered: ClassVar[bool] = True
    """Whether the positions of its memory have an order, as those of a text have."""
    default_bridge: ClassVar[BridgeKind] = "mean"
    """How a decoder begins from its memory where a recipe does not say."""

    @property
    def drops_layers(self) -> bool:
        """Whether ``dropout.layers`` drops anything in it."""
        return True

    @abstractmethod
    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        """Build the encoder for embeddings (B, S, E)."""


class Encoder(nn.Module, ABC):
    """Turns embedded sources into a memory; the only place that knows what a source is made of.

    The optional arguments say what it leaves besides annotations, so that a recipe is refused whose bridge would not
    find what it reads. An encoder without recurrent layers leaves nothing else.

    Args:
        memory_size: size D of its annotations.
        state_sizes: size of each recurrent layer's final state, lowest first: what ``SourceMemory.states`` will hold.
        backward_size: size H of ``SourceMemory.first_backward``; ``None`` where it leaves none.
        cell: kind of the cells of its recurrent layers; the states of ``lstm`` have a memory cell.
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
        # Whether it may take a fast path; it gives what the plain one gives.
        self.fast = True

    def prepack(self, dtype: torch.dtype) -> None:
        """Pack weights for search on a CPU, in a copy whose weights no longer change; by default nothing is done.

        Args:
            dtype: of the factors of products; sums and states stay float32.
        """

    @abstractmethod
    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        """Encode embeddings (B, S, E) of rows with the given true lengths (B,)."""

"""The contract of objectives and terms: from the model's output for a batch to a loss summed over tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from nmt.core.registry import Registry
from nmt.data.batch import Batch
from nmt.model.decoder.output import DecoderOutput
from nmt.model.readout.output_layer import TokenLoss
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveConfig(ABC):
    """Family of objectives: how the target words become likely."""

    registry: ClassVar[Registry[ObjectiveConfig]] = Registry("objective", default="likelihood")
    learns: ClassVar[bool] = True
    """Whether it may have parameters of its own, which begin as ``model.initialisation`` says."""

    def check(self, model: Seq2SeqConfig) -> str | None:  # noqa: ARG002
        """Say why a model cannot be trained by it ("must ..."), or ``None`` if it can."""
        return None

    @abstractmethod
    def build(self, model: Seq2SeqConfig, *, vocabulary_size: int, smoothing: float) -> Objective:
        """Build the objective.

        Args:
            model: the model that it trains.
            vocabulary_size: number of target pieces V.
            smoothing: label smoothing epsilon.
        """


class Objective(nn.Module, ABC):
    """How the words of a target are made likely; its parameters and buffers are trained and saved with the model's.

    Attributes:
        forward_passes: how often each pair is run through the model, with other dropout every time.
    """

    forward_passes: int = 1

    @abstractmethod
    def forward(self, model: Seq2Seq, batch: Batch, output: DecoderOutput) -> TokenLoss:
        """Give the loss of a batch, summed over its real target tokens.

        Args:
            model: what gave the output, in training mode.
            batch: B pairs; with several forward passes all of them, then all again, and so on.
            output: features (B, T, F), weights (B, T, heads, S), the encoder's memory as ``source``, and what else the
                model gave.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class TermConfig(ABC):
    """Family of terms added to an objective.

    Args:
        weight: what it is multiplied by.
        decay: what the weight is multiplied by after every ``decay_interval`` updates; 1 keeps it.
        decay_interval: updates between the multiplications.
    """

    registry: ClassVar[Registry[TermConfig]] = Registry("loss term")

    weight: float = 1.0
    decay: float = 1.0
    decay_interval: int = 1000

    def problems(self) -> Iterator[tuple[str, str]]:
        """Weights that reward what is to be avoided, and decays that grow."""
        if self.weight <= 0:
            yield "weight", f"must be above 0, but is {self.weight}; leave the term out to train without it"
        if not 0 < self.decay <= 1:
            yield "decay", f"must be above 0 and at most 1, but is {self.decay}"
        if self.decay_interval < 1:
            yield "decay_interval", f"must be at least 1, but is {self.decay_interval}"

    def idle(self) -> Iterator[tuple[str, str]]:
        """What only a decay needs."""
        if self.decay == 1:
            yield "decay_interval", "does nothing with decay 1, which keeps the weight"

    @property
    def needs_alignments(self) -> bool:
        """Whether batches must carry given alignments."""
        return False

    def weight_at(self, step: int) -> float:
        """Weight in the update after ``step`` updates."""
        return float(self.weight * self.decay ** (step // self.decay_interval))

    def check(self, model: Seq2SeqConfig) -> str | None:
        """Say why it is not defined for a model, or ``None`` if it is; by default it needs attention weights."""
        if model.attention.row_sum == "no weights":
            name = model.attention.registry.called(type(model.attention))
            return f"must be left out where model.attention is {name}, which has no weights"
        return None

    @abstractmethod
    def build(self, model: Seq2Seq) -> Term:
        """Build the term.

        Args:
            model: trained alongside; a term that learns takes its sizes from it.
        """


class Term(nn.Module, ABC):
    """A loss added to that of the words; its parameters and buffers are trained and saved with the model's."""

    @abstractmethod
    def forward(self, batch: Batch, output: DecoderOutput) -> Tensor:
        """Give its value for a batch: a scalar, summed as the objective is, to be divided by the target tokens.

        Args:
            batch: B pairs.
            output: as the objective gets it.
        """

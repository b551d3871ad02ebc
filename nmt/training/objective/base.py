"""Interface of objectives and terms: from the model's output for a batch to a loss summed over tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor, nn

from nmt.core.config.ranges import PositiveInt, Range
from nmt.core.registry import Registry
from nmt.data.batch import Batch
from nmt.model.decoder.output import DecoderOutput
from nmt.model.readout.output_layer import TokenLoss
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveConfig(ABC):
    """Family of training objectives."""

    registry: ClassVar[Registry[ObjectiveConfig]] = Registry("objective", default="likelihood")
    learns: ClassVar[bool] = True
    """Whether it may have parameters of its own, initialised as in ``model.initialisation``."""
    reads_pieces: ClassVar[bool] = False
    """Whether it reads source pieces, so that sources must be text."""

    def check(self, model: Seq2SeqConfig) -> str | None:  # noqa: ARG002
        """Return why a model cannot be trained by it ("must ..."), or ``None`` if it can."""
        return None

    @abstractmethod
    def build(self, model: Seq2SeqConfig, *, vocabulary_size: int, smoothing: float) -> Objective:
        """Build the objective of a model with V target pieces; ``smoothing`` is the epsilon of label smoothing."""


class Objective(nn.Module, ABC):
    """A training objective; its parameters and buffers are trained and saved with the model's.

    Attributes:
        forward_passes: forward passes per pair, each with different dropout.
    """

    forward_passes: int = 1

    @abstractmethod
    def forward(self, model: Seq2Seq, batch: Batch, output: DecoderOutput) -> TokenLoss:
        """Return the loss of a batch, summed over its non-padding target tokens.

        Args:
            model: the model of the output, in training mode.
            batch: B pairs; for several forward passes the whole batch is repeated.
            output: features (B, T, F), weights (B, T, heads, S), the encoder's memory as ``source``, and any other
                output of the model.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class TermConfig(ABC):
    """Family of terms added to an objective.

    Args:
        weight: factor of the term.
        decay: factor of the weight after every ``decay_interval`` updates; 1 keeps it constant.
        decay_interval: updates between decays.
    """

    registry: ClassVar[Registry[TermConfig]] = Registry("loss term")
    reads_pieces: ClassVar[bool] = False
    """Whether it reads source pieces, so that sources must be text."""

    weight: Annotated[float, Range("above 0 (or leave the term out)", lambda weight: weight > 0)] = 1.0
    decay: Annotated[float, Range("above 0 and at most 1", lambda decay: 0 < decay <= 1)] = 1.0
    decay_interval: PositiveInt = 1000

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield wrong values, as field and message; none by default."""
        yield from ()

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield keys that only a decay needs."""
        if self.decay == 1:
            yield "decay_interval", "has no effect with decay 1, which keeps the weight"

    @property
    def needs_alignments(self) -> bool:
        """Whether batches must carry given alignments."""
        return False

    def weight_at(self, step: int) -> float:
        """Weight in the update after ``step`` updates."""
        return float(self.weight * self.decay ** (step // self.decay_interval))

    def check(self, model: Seq2SeqConfig) -> str | None:
        """Return why it is not defined for a model, or ``None`` if it is; by default it needs attention weights."""
        if model.attention.row_sum == "no weights":
            name = model.attention.registry.called(type(model.attention))
            return f"must be left out where model.attention is {name}, which has no weights"
        return None

    @abstractmethod
    def build(self, model: Seq2Seq) -> Term:
        """Build the term.

        Args:
            model: trained jointly; a term with parameters takes its sizes from it.
        """


class Term(nn.Module, ABC):
    """A loss term added to the objective; its parameters and buffers are trained and saved with the model's."""

    @abstractmethod
    def forward(self, batch: Batch, output: DecoderOutput) -> Tensor:
        """Return its value for a batch: a scalar sum like the objective, to be divided by the target tokens.

        The output is as for the objective.
        """

"""Maximum likelihood of the target words with label smoothing, the usual objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nmt.core.config.ranges import NonNegative
from nmt.data.batch import Batch
from nmt.model.decoder.output import DecoderOutput
from nmt.model.readout.output_layer import TokenLoss
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig
from nmt.training.objective.base import Objective, ObjectiveConfig


@ObjectiveConfig.registry.register("likelihood")
@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodConfig(ObjectiveConfig):
    """Negative log-likelihood of the words: cross-entropy, and for a latent alignment the exact marginal.

    Args:
        consistency: weight of the divergence between two forward passes with different dropout (R-Drop; Liang et al.,
            2021, who use 5 for translation); 0 makes one pass.
    """

    learns: ClassVar[bool] = False

    consistency: NonNegative = 0.0

    def check(self, model: Seq2SeqConfig) -> str | None:
        """Refuse hard attention, whose draws get no gradient, and two passes that cannot differ."""
        attention = model.attention.registry.called(type(model.attention))
        if model.attention.samples:
            return (
                f"must be reinforce (or left out) where model.attention is {attention}: nothing else trains its weights"
            )
        if not self.consistency:
            return None
        if model.attention.latent:
            return f"must be without consistency where model.attention is {attention}: it compares single softmaxes"
        if not model.dropout.any:
            return "must be without consistency where model.dropout drops nothing: both passes would be the same"
        return None

    def build(self, model: Seq2SeqConfig, *, vocabulary_size: int, smoothing: float) -> Objective:  # noqa: ARG002
        """Build the objective."""
        return ConsistentLikelihood(smoothing, self.consistency) if self.consistency else Likelihood(smoothing)


class Likelihood(Objective):
    """``-sum_t log p(y_t | y_<t, x)`` with smoothed labels (Szegedy et al., 2016), by the model's own fused loss.

    Args:
        smoothing: epsilon of label smoothing.
    """

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, model: Seq2Seq, batch: Batch, output: DecoderOutput) -> TokenLoss:
        """Return the loss computed by the model."""
        return model.loss(output, batch.target, smoothing=self.smoothing)


class ConsistentLikelihood(Objective):
    """Likelihood with two consistent forward passes: R-Drop, Liang et al. (2021), equation 4.

    ``sum_t (-log p_1(y_t) - log p_2(y_t) + alpha (KL(p_1 || p_2) + KL(p_2 || p_1)) / 2) / 2``, where p_1 and p_2 differ
    by their dropout. The paper does not divide by two, which makes no difference to Adam.

    Args:
        smoothing: epsilon of label smoothing.
        consistency: alpha.
    """

    forward_passes = 2

    def __init__(self, smoothing: float, consistency: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.consistency = consistency

    def forward(self, model: Seq2Seq, batch: Batch, output: DecoderOutput) -> TokenLoss:
        """Return the loss computed by the model."""
        return model.output.consistent_loss(
            output, batch.target, smoothing=self.smoothing, consistency=self.consistency
        )

"""Maximum likelihood of the target words, labels smoothed: the objective of nearly every model."""

from __future__ import annotations

from dataclasses import dataclass

from nmt.data.batch import Batch
from nmt.model.decoder.base import DecoderOutput
from nmt.model.readout import TokenLoss
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig
from nmt.training.objective.base import Objective, ObjectiveConfig


@ObjectiveConfig.registry.register("likelihood")
@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodConfig(ObjectiveConfig):
    """Negative log-likelihood of the words: cross-entropy, and for a latent alignment the exact marginal."""

    def check(self, model: Seq2SeqConfig) -> str | None:
        """It gives no gradient to the choice of a position."""
        if model.attention.registry.name_of(type(model.attention)) == "hard":
            return "must be reinforce (or left out) where model.attention is hard: nothing else trains its weights"
        return None

    def build(self, model: Seq2SeqConfig, *, vocabulary_size: int, smoothing: float) -> Objective:  # noqa: ARG002
        """Build the objective."""
        return Likelihood(smoothing)


class Likelihood(Objective):
    """``-sum_t log p(y_t | y_<t, x)`` with smoothed labels (Szegedy et al., 2016), by the model's own fused loss.

    Args:
        smoothing: label smoothing epsilon.
    """

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, model: Seq2Seq, batch: Batch, output: DecoderOutput) -> TokenLoss:
        """Ask the model."""
        return model.loss(output, batch.target, smoothing=self.smoothing)

"""The doubly stochastic penalty: every source position should receive a total attention of about one."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from nmt.core.tensors import length_mask
from nmt.data.batch import Batch
from nmt.model.decoder.output import DecoderOutput
from nmt.model.seq2seq import Seq2Seq
from nmt.training.objective.base import Term, TermConfig


@TermConfig.registry.register("doubly-stochastic")
@dataclass(frozen=True, slots=True, kw_only=True)
class DoublyStochasticConfig(TermConfig):
    """Penalty of Xu et al. (2015), equation 14."""

    def build(self, model: Seq2Seq) -> Term:  # noqa: ARG002
        """Build the term."""
        return DoublyStochastic()


class DoublyStochastic(Term):
    """``sum_i (1 - sum_t a_ti)^2`` over the non-padding source positions: Xu et al. (2015), equation 14.

    Heads are averaged. Like every loss it is summed over sentences and divided by the target tokens of the update;
    the paper divides by the sentences.
    """

    def forward(self, batch: Batch, output: DecoderOutput) -> Tensor:
        """Return the penalty of a batch."""
        words = length_mask(batch.target.lengths, batch.target.ids.shape[1])
        looked_at = output.weights.mean(2).masked_fill(~words.unsqueeze(2), 0.0).sum(1)
        real = length_mask(batch.source.lengths, looked_at.shape[1])
        return (1.0 - looked_at).square().masked_fill(~real, 0.0).sum()

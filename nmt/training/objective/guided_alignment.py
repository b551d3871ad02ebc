"""Guided alignment: supervision of attention by given word alignments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from nmt.core.tensors import length_mask
from nmt.data.batch import Batch
from nmt.model.decoder.output import DecoderOutput
from nmt.model.seq2seq import Seq2Seq
from nmt.training.objective.base import Term, TermConfig

# Lower bound of weights: exact zeros of some alignment functions would make the loss infinite.
LEAST_WEIGHT = 1e-9


@TermConfig.registry.register("guided-alignment")
@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedAlignmentConfig(TermConfig):
    """Guided alignment of Chen et al. (2016) and Mi et al. (2016), for corpora with an ``alignment``.

    Args:
        shifted: whether to supervise the attention of the step whose query has read the piece
            (``shifted-attention``), instead of the step that predicts it.
    """

    reads_pieces: ClassVar[bool] = True

    shifted: bool = False

    @property
    def needs_alignments(self) -> bool:
        """Always true."""
        return True

    def build(self, model: Seq2Seq) -> Term:
        """Build the term."""
        return GuidedAlignment(delay=model.decoder.attention_shift if self.shifted else 0)


class GuidedAlignment(Term):
    """``-sum_t sum_s A_ts log a_(t+k)s``: Chen et al. (2016), in its cross-entropy form; Mi et al. (2016).

    A is the given alignment between pieces, every row with links summing to 1 (Garg et al., 2019). A target
    piece without links has no loss, nor has one whose step is past the end of the target. Heads are averaged. Like the
    main loss, it is divided by all target tokens of the update, with or without links.

    Args:
        delay: k, 0 in these papers; or the steps until a query has read the piece (Chen et al., 2020, section 3.2).
    """

    def __init__(self, *, delay: int = 0) -> None:
        super().__init__()
        self.delay = delay

    def forward(self, batch: Batch, output: DecoderOutput) -> Tensor:
        """Return the loss of a batch.

        Raises:
            ValueError: the batch has no alignments.
        """
        if batch.alignment is None:
            raise ValueError("guided alignment needs batches with alignments")
        weights = output.weights.mean(2)[:, self.delay :]
        real = length_mask(batch.target.lengths - self.delay, weights.shape[1]).unsqueeze(2)
        given = batch.alignment[:, : weights.shape[1]].to(weights.dtype)
        return -(given * weights.clamp_min(LEAST_WEIGHT).log()).masked_fill(~real, 0.0).sum()

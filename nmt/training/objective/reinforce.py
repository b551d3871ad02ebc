"""REINFORCE: training of hard attention with sampled positions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nmt.core.config.ranges import NonNegative, Positive, Rate
from nmt.core.tensors import length_mask, remaining_sum
from nmt.data.batch import Batch
from nmt.model.decoder.output import DecoderOutput
from nmt.model.readout.output_layer import TokenLoss
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig
from nmt.training.objective.base import Objective, ObjectiveConfig

Reward = Literal["word", "remaining"]


@ObjectiveConfig.registry.register("reinforce")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReinforceConfig(ObjectiveConfig):
    """Training of hard attention, Xu et al. (2015), section 4.1.

    Args:
        reward: reward of a drawn position. ``word``: the log-probability of its target word. ``remaining``: that of
            this and all later words, unbiased for decoders whose state depends on the context (all but Luong's
            without input feeding), but with far more variance.
        baseline_decay: decay of the moving average of the reward that is subtracted from it; 0.9 in the paper.
        reward_weight: lambda_r of the paper, tuned there on validation data. At 1 the noise of sampling outweighs the
            gradient of the likelihood.
        entropy_weight: lambda_e of the paper, the entropy bonus of the attention.
    """

    learns: ClassVar[bool] = False

    reward: Reward = "word"
    baseline_decay: Rate = 0.9
    reward_weight: Positive = 0.1
    entropy_weight: NonNegative = 0.01

    def check(self, model: Seq2SeqConfig) -> str | None:
        """Refuse attention without sampling, which cannot be rewarded."""
        if model.attention.samples:
            return None
        name = model.attention.registry.called(type(model.attention))
        return f"must not be reinforce where model.attention is {name}, which draws nothing"

    def build(self, model: Seq2SeqConfig, *, vocabulary_size: int, smoothing: float) -> Objective:  # noqa: ARG002
        """Build the objective."""
        return Reinforce(self, vocabulary_size=vocabulary_size, smoothing=smoothing)


class Reinforce(Objective):
    """``-log p(y_t | s_t) - lambda_r (R_t - b_t) log a_t(s_t) - lambda_e H(a_t)``, summed over words.

    Xu et al. (2015), section 4.1, where ``R_t`` is the log-likelihood of all words. Words before t do not depend on
    s_t; leaving them out only reduces variance. The baseline is a moving average of the word log-probability over
    earlier batches. It starts at that of a uniform guess, ``-log V``, and counts once per word in the reward. R and b
    are not differentiated. Sentences that use the expected context have no samples and no reward.

    Args:
        config: its weights.
        vocabulary_size: number of target pieces V.
        smoothing: epsilon of label smoothing in the first term; rewards are not smoothed.
    """

    baseline: Tensor

    def __init__(self, config: ReinforceConfig, *, vocabulary_size: int, smoothing: float) -> None:
        super().__init__()
        self.config = config
        self.smoothing = smoothing
        self.register_buffer("baseline", torch.tensor(-math.log(vocabulary_size)))

    def forward(self, model: Seq2Seq, batch: Batch, output: DecoderOutput) -> TokenLoss:
        """Return the loss of a batch, and update the baseline.

        Raises:
            TypeError: the attention has no samples.
        """
        if output.log_prob is None:
            raise TypeError("REINFORCE needs an attention that draws positions")
        words = model.loss(output, batch.target, smoothing=self.smoothing)
        if words.token_nll is None:
            raise TypeError("REINFORCE needs the loss of every word")
        real = length_mask(batch.target.lengths, batch.target.ids.shape[1])
        log_prob = output.log_prob.masked_fill(~real, 0.0)
        rewards = torch.zeros_like(log_prob).masked_scatter(real, -words.token_nll.to(log_prob.dtype))
        advantage = self._advantage(rewards, real)
        surrogate = (advantage * log_prob).sum()
        bonus = entropy(output.weights.squeeze(2)).masked_fill(~real, 0.0).sum()
        self._follow(-words.nll / words.tokens)
        loss = words.loss - self.config.reward_weight * surrogate - self.config.entropy_weight * bonus
        return replace(words, loss=loss)

    def _advantage(self, rewards: Tensor, real: Tensor) -> Tensor:
        """Reward minus baseline, (B, T)."""
        above = rewards - self.baseline.to(rewards.dtype) * real
        if self.config.reward == "word":
            return above
        return remaining_sum(above)

    @torch.no_grad()
    def _follow(self, reward: Tensor) -> None:
        decay = self.config.baseline_decay
        followed = decay * self.baseline + (1.0 - decay) * reward.to(self.baseline.dtype)
        # The trainer skips a non-finite loss, which must not spoil the baseline.
        self.baseline.copy_(torch.where(followed.isfinite(), followed, self.baseline))


def entropy(weights: Tensor) -> Tensor:
    """Entropy, in nats, of distributions (..., S); zero weights contribute nothing."""
    return -(weights * weights.clamp_min(torch.finfo(weights.dtype).tiny).log()).sum(-1)

"""Variational attention: latent alignment trained by a lower bound, with an inference network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import PositiveInt
from nmt.core.tensors import length_mask
from nmt.data.batch import Batch, as_tokens
from nmt.model.cells import run_packed
from nmt.model.decoder.output import DecoderOutput
from nmt.model.fast.lstm import run_both_ways
from nmt.model.readout.mixture import MixtureOutputLayer
from nmt.model.readout.output_layer import TokenLoss, at_tokens, real_tokens
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig
from nmt.training.objective.base import Objective, ObjectiveConfig


@ObjectiveConfig.registry.register("variational")
@dataclass(frozen=True, slots=True, kw_only=True)
class VariationalConfig(ObjectiveConfig):
    """Variational attention with categorical alignments, Deng et al. (2018); for ``model.attention: marginal``.

    Args:
        estimator: how the expectation under the inference network is computed. ``sample`` draws positions and uses
            REINFORCE; ``enumerate`` sums over all.
        draws: positions drawn per word by ``sample``. With one, the baseline is soft attention (the paper's algorithm
            1); with several, it is the mean of the others.
        size: units of each direction of the inference network's encoders; by default half the decoder's.
    """

    reads_pieces: ClassVar[bool] = True

    estimator: Literal["sample", "enumerate"] = "sample"
    draws: PositiveInt = 4
    size: PositiveInt | None = None

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield keys that only sampling needs."""
        if self.estimator == "enumerate":
            yield "draws", "has no effect with estimator enumerate, which draws nothing"

    def check(self, model: Seq2SeqConfig) -> str | None:
        """Only a latent alignment has a posterior."""
        if model.attention.latent:
            return None
        name = model.attention.registry.called(type(model.attention))
        return f"must not be variational where model.attention is {name}; choose attention: marginal, which it trains"

    def build(self, model: Seq2SeqConfig, *, vocabulary_size: int, smoothing: float) -> Objective:  # noqa: ARG002
        """Build the objective with its inference network."""
        size = self.size or max(1, model.decoder.size // 2)
        posterior = Posterior(model.embedding.size, size)
        draws = self.draws if self.estimator == "sample" else 0
        return Variational(posterior, draws=draws, smoothing=smoothing)


class Posterior(nn.Module):
    """``q(s | x, y)_t = softmax_s(u_t^T W h_s)``, u and h from bidirectional LSTMs over target and source.

    The inference network of Deng et al. (2018); its inputs are the model's embeddings of the source and of the whole
    target, including word t.

    Args:
        embedding_size: size E of the embeddings.
        size: units of each direction.
    """

    def __init__(self, embedding_size: int, size: int) -> None:
        super().__init__()
        self.source_encoder = nn.LSTM(embedding_size, size, batch_first=True, bidirectional=True)
        self.target_encoder = nn.LSTM(embedding_size, size, batch_first=True, bidirectional=True)
        self.W = nn.Linear(2 * size, 2 * size, bias=False)

    def forward(self, model: Seq2Seq, batch: Batch) -> Tensor:
        """Log-probabilities (B, T, S) of the source position aligned to each target piece; -inf on padding."""
        source, target = as_tokens(batch.source), batch.target
        annotations = _read(self.source_encoder, model.embed_source(source.ids), source.lengths, fast=model.fast)
        queries = _read(self.target_encoder, model.embed_target(target.ids), target.lengths, fast=model.fast)
        energies = torch.bmm(queries, self.W(annotations).transpose(1, 2))
        padding = ~length_mask(source.lengths, source.ids.shape[1])
        energies = energies if energies.dtype == torch.float64 else energies.float()
        return torch.log_softmax(energies.masked_fill(padding.unsqueeze(1), -torch.inf), dim=-1)


def _read(layer: nn.LSTM, embedded: Tensor, lengths: Tensor, *, fast: bool) -> Tensor:
    """Annotations (B, S, 2H); on a CPU without packing, since final states are not needed."""
    if fast and embedded.device.type == "cpu":
        return run_both_ways(layer, embedded, lengths)
    return run_packed(layer, embedded, lengths)[0]


class Variational(Objective):
    """``-E_q[log p(y_t | s)] + KL(q_t || a_t)``, summed over words: Deng et al. (2018), section 3.

    With sampling, the gradient for q is the mean of ``-(log p(y_t | s) - B) grad log q(s)``; the divergence is exact,
    and the value is an estimate of the bound. The baseline B of a single draw is that of soft attention,
    ``log p(y_t | sum_s a_ts h_s)``; with several draws it is the mean of the others (Kool et al., 2019).
    Label smoothing applies to the log-likelihood of every position. It applies to rewards too, so that both estimators
    have the same expectation, and to the baseline, so that smoothing adds no noise to the rewards.

    Args:
        posterior: the inference network.
        draws: positions drawn per word; 0 sums over all.
        smoothing: epsilon of label smoothing.
    """

    def __init__(self, posterior: Posterior, *, draws: int, smoothing: float) -> None:
        super().__init__()
        self.posterior = posterior
        self.draws = draws
        self.smoothing = smoothing

    def forward(self, model: Seq2Seq, batch: Batch, output: DecoderOutput) -> TokenLoss:
        """Return the negative bound of a batch; ``nll``, without smoothing, is an upper bound of the true value.

        Raises:
            TypeError: the model has no latent alignment.
        """
        readout = model.output
        if not isinstance(readout, MixtureOutputLayer):
            raise TypeError("the variational objective needs a latent alignment")
        log_q = at_tokens(self.posterior(model, batch), real_tokens(batch.target))
        divergence = kl_divergence(log_q, readout.log_prior(output, batch.target))
        if self.draws:
            return self._draw(readout, batch, output, log_q, divergence)
        scores = readout.position_scores(output, batch.target, smoothing=self.smoothing)
        loss = (divergence - expectation(log_q, scores.smoothed)).sum()
        token_nll = (divergence - expectation(log_q, scores.log_likelihood)).detach()
        return TokenLoss(loss=loss, nll=token_nll.sum(), tokens=token_nll.numel(), token_nll=token_nll)

    def _draw(
        self, readout: MixtureOutputLayer, batch: Batch, output: DecoderOutput, log_q: Tensor, divergence: Tensor
    ) -> TokenLoss:
        positions = draw(log_q, self.draws)
        chosen = torch.zeros_like(log_q, dtype=torch.bool).scatter(1, positions, True)
        scores = readout.position_scores(output, batch.target, chosen=chosen, smoothing=self.smoothing)
        smoothed = scores.smoothed.gather(1, positions)
        rewards = smoothed.detach()
        if self.draws == 1:
            baseline = readout.expected_scores(output, batch.target, smoothing=self.smoothing).unsqueeze(1)
        else:
            baseline = (rewards.sum(1, keepdim=True) - rewards) / (self.draws - 1)
        surrogate = (rewards - baseline) * log_q.gather(1, positions)
        # The surrogate is only for the gradient of q; its value is not part of the bound.
        loss = (divergence - (smoothed + surrogate - surrogate.detach()).mean(1)).sum()
        token_nll = (divergence - scores.log_likelihood.gather(1, positions).mean(1)).detach()
        return TokenLoss(loss=loss, nll=token_nll.sum(), tokens=token_nll.numel(), token_nll=token_nll)


def draw(log_probs: Tensor, count: int = 1) -> Tensor:
    """Draw indices from each of N distributions (N, S), independently: (N, count) int64."""
    noise = log_probs.new_empty(log_probs.shape[0], count, log_probs.shape[1]).exponential_().log_()
    return (log_probs.detach().unsqueeze(1) - noise).argmax(2)


def expectation(log_q: Tensor, values: Tensor) -> Tensor:
    """``sum_s q_s v_s`` over (N, S) positions; positions with zero probability may have any value."""
    return (log_q.exp() * values.masked_fill(log_q.isneginf(), 0.0)).sum(1)


def kl_divergence(log_q: Tensor, log_p: Tensor) -> Tensor:
    """``KL(q || p) = sum_s q_s (log q_s - log p_s)`` of (N, S) log-probabilities, -inf on the same padding: (N,)."""
    padding = log_q.isneginf()
    return (log_q.exp() * (log_q.masked_fill(padding, 0.0) - log_p.masked_fill(padding, 0.0))).sum(1)

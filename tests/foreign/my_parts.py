"""Parts of my own: a score, an encoder, a decoder, an objective and two terms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nmt.core.tensors import length_mask
from nmt.data.batch import Batch
from nmt.model.attention.base import Attention, AttentionConfig, Prepared, Score, ScoreConfig
from nmt.model.cells import RnnStack
from nmt.model.decoder.base import Decoder, DecoderConfig
from nmt.model.decoder.output import DecoderOutput, DecoderState
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.memory import SourceMemory
from nmt.model.readout.output_layer import TokenLoss, real_tokens
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig
from nmt.training.objective.base import Objective, ObjectiveConfig, Term, TermConfig


@ScoreConfig.registry.register("cosine")
@dataclass(frozen=True, slots=True, kw_only=True)
class CosineConfig(ScoreConfig):
    """The cosine of the angle between query and annotation, times a gain that is learnt.

    Args:
        gain: what the gain begins with.
    """

    gain: float = 4.0

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.gain <= 0:
            yield "gain", f"must be above 0, but is {self.gain}"

    def build(self, query_size: int, memory_size: int) -> Score:
        return CosineScore(query_size, memory_size, self.gain)


class CosineScore(Score):
    """``e = g * cos(q, W_a h)``; the normalised ``W_a h`` is the key."""

    def __init__(self, query_size: int, memory_size: int, gain: float) -> None:
        super().__init__()
        self.W_a = nn.Linear(memory_size, query_size, bias=False)
        self.gain = nn.Parameter(torch.tensor(gain))

    def keys(self, values: Tensor) -> Tensor:
        return functional.normalize(self.W_a(values), dim=-1)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return self.gain * torch.bmm(functional.normalize(query, dim=-1), keys.transpose(1, 2))


@EncoderConfig.registry.register("convolution")
@dataclass(frozen=True, slots=True, kw_only=True)
class ConvolutionConfig(EncoderConfig):
    """Gated convolutions with residual connections (Gehring et al., 2017, without their positions).

    Args:
        size: size of annotations.
        width: positions that a layer sees at once.
        layers: number of layers.
    """

    size: int = 256
    width: int = 3
    layers: int = 4

    def problems(self) -> Iterator[tuple[str, str]]:
        for name in ("size", "layers"):
            if getattr(self, name) < 1:
                yield name, f"must be at least 1, but is {getattr(self, name)}"
        if self.width % 2 == 0 or self.width < 1:
            yield "width", f"must be odd, to have as many positions on either side, but is {self.width}"

    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        return ConvolutionEncoder(self, input_size, Dropout(dropout.layers, variational=dropout.variational))


class ConvolutionEncoder(Encoder):
    """``h <- (h + glu(conv(h))) / sqrt(2)``, layer after layer, and normalised at the end."""

    def __init__(self, config: ConvolutionConfig, input_size: int, dropout: Dropout) -> None:
        super().__init__(memory_size=config.size)
        self.entry = nn.Linear(input_size, config.size)
        self.layers = nn.ModuleList(
            nn.Conv1d(config.size, 2 * config.size, config.width, padding=config.width // 2)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.size)
        self.dropout = dropout

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        mask = length_mask(lengths, embedded.shape[1])
        padding = ~mask.unsqueeze(2)
        values = self.entry(embedded).masked_fill(padding, 0.0)
        for layer in self.layers:
            update = functional.glu(layer(self.dropout(values).transpose(1, 2)), dim=1).transpose(1, 2)
            values = ((values + update) * math.sqrt(0.5)).masked_fill(padding, 0.0)
        return SourceMemory(values=self.norm(values).masked_fill(padding, 0.0), mask=mask, lengths=lengths)


@DecoderConfig.registry.register("summed")
@dataclass(frozen=True, slots=True, kw_only=True)
class SummedConfig(DecoderConfig):
    """A decoder whose recurrence never sees the source: recur, look, add both."""

    def problems(self) -> Iterator[tuple[str, str]]:
        yield from DecoderConfig.problems(self)
        if self.context_gate != "none":
            yield "context_gate", "must be none in the summed decoder, whose recurrence reads no context"

    @property
    def drops_layers(self) -> bool:
        return False

    def build(
        self, embedding_size: int, memory_size: int, attention: AttentionConfig, dropout: DropoutConfig
    ) -> Decoder:
        return SummedDecoder(self, embedding_size, attention.build(self.size, memory_size))


class SummedDecoder(Decoder):
    """``s_t = rnn(y_{t-1}, s_{t-1})``, ``c_t = attend(s_t)``, and features ``tanh(W_s s_t + W_c c_t)``."""

    def __init__(self, config: SummedConfig, embedding_size: int, attention: Attention) -> None:
        super().__init__(
            attention, cell=config.cell, size=config.size, layers=config.layers, feature_size=embedding_size
        )
        self.recurrence = RnnStack(
            config.cell, input_size=embedding_size, size=config.size, layers=config.layers, dropout=Dropout(0.0)
        )
        self.W_s = nn.Linear(config.size, embedding_size)
        self.W_c = nn.Linear(attention.context_size, embedding_size, bias=False)

    def step(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        top, layers = self.recurrence(embedded.unsqueeze(1), state.layers)
        query = top.squeeze(1)
        attended = self.attention.attend(query, prepared, state.attention)
        features = torch.tanh(self.W_s(query) + self.W_c(attended.context))
        return DecoderOutput(
            features, attended.weights, DecoderState(layers, None, attended.state), log_prob=attended.log_prob
        )


@ObjectiveConfig.registry.register("focal")
@dataclass(frozen=True, slots=True, kw_only=True)
class FocalConfig(ObjectiveConfig):
    """The focal loss of Lin et al. (2017): words that the model knows already count for less.

    Args:
        focus: their gamma; 0 is the likelihood.
    """

    focus: float = 1.0

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.focus < 0:
            yield "focus", f"must be at least 0, but is {self.focus}"

    def check(self, model: Seq2SeqConfig) -> str | None:
        return (
            "must be another where attention samples, as it trains no weights there"
            if model.attention.samples
            else None
        )

    def build(self, model: Seq2SeqConfig, *, vocabulary_size: int, smoothing: float) -> Objective:
        return Focal(self.focus, smoothing)


class Focal(Objective):
    """``-sum_t (1 - p(y_t))^gamma log p(y_t)``, with smoothed labels in the logarithm."""

    def __init__(self, focus: float, smoothing: float) -> None:
        super().__init__()
        self.focus = focus
        self.smoothing = smoothing

    def forward(self, model: Seq2Seq, batch: Batch, output: DecoderOutput) -> TokenLoss:
        rows = real_tokens(batch.target)
        log_probs = model.log_probs(output).flatten(0, 1)[rows]
        log_p = log_probs.gather(1, batch.target.ids.flatten()[rows].unsqueeze(1)).squeeze(1)
        smoothed = (1.0 - self.smoothing) * log_p + self.smoothing * log_probs.mean(1)
        loss = -((1.0 - log_p.exp()) ** self.focus * smoothed).sum()
        token_nll = -log_p.detach()
        return TokenLoss(loss=loss, nll=token_nll.sum(), tokens=token_nll.numel(), token_nll=token_nll)


@TermConfig.registry.register("attention-entropy")
@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionEntropyConfig(TermConfig):
    """The entropy of the attention weights: whoever pays for it looks at few places."""

    def build(self, model: Seq2Seq) -> Term:
        return AttentionEntropy()


class AttentionEntropy(Term):
    """``-sum_t sum_s a_ts log a_ts`` over the real words of a target, heads averaged."""

    def forward(self, batch: Batch, output: DecoderOutput) -> Tensor:
        weights = output.weights.mean(2)
        entropy = -(weights * weights.clamp_min(1e-9).log()).sum(2)
        real = length_mask(batch.target.lengths, entropy.shape[1])
        return entropy.masked_fill(~real, 0.0).sum()


@TermConfig.registry.register("bag-of-words")
@dataclass(frozen=True, slots=True, kw_only=True)
class BagOfWordsConfig(TermConfig):
    """The source by itself is to say which words its translation has (Weng et al., 2017)."""

    def check(self, model: Seq2SeqConfig) -> str | None:
        return None  # unlike most terms it needs no attention weights

    def build(self, model: Seq2Seq) -> Term:
        return BagOfWords(model.encoder.memory_size, model.target_embedding.num_embeddings)


class BagOfWords(Term):
    """``-sum_t log softmax(W m)_{y_t}`` of the mean annotation m."""

    def __init__(self, memory_size: int, vocabulary_size: int) -> None:
        super().__init__()
        self.W = nn.Linear(memory_size, vocabulary_size)

    def forward(self, batch: Batch, output: DecoderOutput) -> Tensor:
        log_probs = torch.log_softmax(self.W(output.source.mean), dim=-1)
        real = length_mask(batch.target.lengths, batch.target.ids.shape[1])
        return -log_probs.gather(1, batch.target.ids).masked_fill(~real, 0.0).sum()

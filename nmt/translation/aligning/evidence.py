"""Evidence for alignment: attention, or other measures of the source positions that target words depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.alignment.extraction_methods import EXTRACTION_METHODS, ExtractionMethod
from nmt.core.config.ranges import Positive, PositiveInt
from nmt.core.errors import ConfigError
from nmt.core.seeding import derive_seed
from nmt.data.batch import Tokens
from nmt.model.saliency import attention_times_gradient, gradient_times_input, leave_one_out, shifted_attention
from nmt.model.seq2seq import Seq2Seq
from nmt.translation.model_files.bundle import Bundle

_NEEDS_WEIGHTS = ("attention", "shifted-attention", "attention-x-gradient")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceConfig:
    """Evidence by which words are aligned; docs/alignment.md describes the ways.

    Args:
        way: ``attention`` of the step that predicts a word; ``shifted-attention``, of the step whose query has read it;
            ``attention-x-gradient``; ``gradient-x-input``; ``smoothgrad``, the same averaged over noise;
            ``leave-one-out``, the drop in a word's log-probability when a source word is left out.
        samples: noise samples of ``smoothgrad``; Ding et al. (2019) use 30.
        noise: standard deviation of the noise, as a share of the range of the sentence's embeddings.
        seed: of the noise, which depends on it and on the sentence number.
    """

    way: ExtractionMethod = "attention"
    samples: PositiveInt = 30
    noise: Positive = 0.15
    seed: int = 1

    @property
    def work(self) -> float:
        """Approximate cost in forward passes; a forward and backward pass counts three."""
        if self.way == "smoothgrad":
            return 3.0 * self.samples
        return {"leave-one-out": 20.0, "gradient-x-input": 3.0, "attention-x-gradient": 3.0}.get(self.way, 1.0)


@dataclass(frozen=True, slots=True)
class Forced:
    """A batch of sentence pairs for forced decoding.

    Args:
        source: B rows, each ending in eos.
        target: likewise.
        words: word index of each source piece, row by row.
        numbers: of the pairs, from 1.
    """

    source: Tokens
    target: Tokens
    words: Sequence[Sequence[int]]
    numbers: Sequence[int]


def check_evidence(config: EvidenceConfig, bundle: Bundle) -> None:
    """Refuse a way that the model does not support.

    Raises:
        ConfigError: with the reason and the ways that are supported.
    """
    attention = bundle.model.decoder.attention
    if config.way != "attention" and bundle.source.features is not None:
        raise ConfigError(
            f"nothing can be aligned by {config.way}: sources of the model of {bundle.path} are "
            f"{bundle.source.features.noun}s, which have no words; choose attention"
        )
    others = ", ".join(way for way in EXTRACTION_METHODS if way not in _NEEDS_WEIGHTS)
    if config.way in _NEEDS_WEIGHTS and not bundle.has_attention:
        raise ConfigError(
            f"nothing can be aligned by {config.way}: the model of {bundle.path} has no attention (model.attention: "
            f"none); its words can be aligned by {others}"
        )
    if config.way == "attention-x-gradient" and attention.samples:
        raise ConfigError(
            f"nothing can be aligned by {config.way}: the model of {bundle.path} has an attention that selects one "
            f"position, so no gradient reaches its weights; choose attention, shifted-attention, {others}"
        )


def evidence(config: EvidenceConfig, bundle: Bundle, batch: Forced) -> Tensor:
    """Score source pieces for every target piece, by any way but plain attention.

    Returns:
        (B, T, S) on the model's device, zero on padding. Weights for shifted attention, else signed scores in nats,
        which ``soft_alignment.row_shares`` turns into weights.
    """
    model, bos_id = bundle.model, bundle.vocabularies.target.bos_id
    pairs = batch.source, batch.target
    if config.way == "shifted-attention":
        return shifted_attention(model, *pairs, bos_id=bos_id)
    if config.way == "attention-x-gradient":
        return attention_times_gradient(model, *pairs, bos_id=bos_id)
    if config.way == "leave-one-out":
        return leave_one_out(model, *pairs, batch.words, bos_id=bos_id)
    if config.way == "gradient-x-input":
        return gradient_times_input(model, *pairs, bos_id=bos_id)
    return _smoothgrad(config, model, batch, bos_id)


def signed(way: ExtractionMethod) -> bool:
    """Whether the scores of a way are signed."""
    return way not in {"attention", "shifted-attention"}


def _smoothgrad(config: EvidenceConfig, model: Seq2Seq, batch: Forced, bos_id: int) -> Tensor:
    """Average gradient x input over noisy embeddings: Smilkov et al. (2017), equation 1; Ding et al. (2019), section 3.

    The noise of a sentence is Gaussian; its standard deviation is a share of the range of the sentence's embeddings.
    """
    embedded = model.embed_source(batch.source.ids).detach()
    generators = [torch.Generator().manual_seed(derive_seed(config.seed, "noise", number)) for number in batch.numbers]
    lengths = batch.source.lengths.tolist()
    real = [row[:length] for row, length in zip(embedded, lengths, strict=True)]
    deviations = [config.noise * float(row.max() - row.min()) for row in real]
    total = embedded.new_zeros(*batch.target.ids.shape, embedded.shape[1])
    for _ in range(config.samples):
        noise = torch.zeros(embedded.shape, dtype=embedded.dtype)
        for row, (generator, length, deviation) in enumerate(zip(generators, lengths, deviations, strict=True)):
            drawn = torch.randn(length, embedded.shape[2], generator=generator, dtype=embedded.dtype)
            noise[row, :length] = deviation * drawn
        total += gradient_times_input(model, batch.source, batch.target, bos_id=bos_id, noise=noise.to(embedded.device))
    return total / config.samples

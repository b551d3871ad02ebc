"""Tiny sharpened models and batches for the tests of objectives."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nmt.core import config
from nmt.core.tensors import length_mask
from nmt.data.batch import Batch, Tokens
from nmt.model.decoder.output import DecoderOutput
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig

PAD, BOS, EOS, VOCABULARY = 0, 1, 2, 7
SOURCES = ([3, 5, EOS], [4, 6, 3, 5, EOS], [6, EOS])
TARGETS = ([5, 3, 6, EOS], [3, EOS], [4, 4, 6, 5, EOS])


def model_config(attention: Any = "soft", **decoder: Any) -> Seq2SeqConfig:
    mapping = {
        "embedding": {"size": 4},
        "encoder": {"size": 3},
        "decoder": {"type": "luong", "size": 5, **decoder},
        "attention": attention,
    }
    return config.from_mapping(Seq2SeqConfig, mapping, name="model")


def sharp(made: Seq2SeqConfig, *, seed: int = 3, factor: float = 3.0) -> Seq2Seq:
    """Build a float64 model in training mode whose weights are far from even."""
    torch.manual_seed(seed)
    model = replace(made).build(VOCABULARY, VOCABULARY).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(factor) if parameter.dim() > 1 else parameter.add_(torch.randn_like(parameter) * 0.5)
    return model.train()


def batch_of(sources: Any = SOURCES, targets: Any = TARGETS, alignment: Tensor | None = None) -> Batch:
    return Batch(Tokens.pad(sources, PAD), Tokens.pad(targets, PAD), torch.arange(len(sources)), alignment)


def run(model: Seq2Seq, batch: Batch) -> DecoderOutput:
    return model(batch.source, batch.target, BOS)


def output_of(weights: Tensor) -> DecoderOutput:
    """A decoder output of which only the weights (B, T, heads, S) matter."""
    return DecoderOutput(torch.zeros(*weights.shape[:2], 1), weights, None)  # type: ignore[arg-type]


def drawn_weights(batch: Batch, heads: int = 1, seed: int = 0) -> Tensor:
    """Weights of a batch, padded words among them, zero on padded positions."""
    shape = (batch.source.rows, batch.target.ids.shape[1], heads, batch.source.ids.shape[1])
    energies = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    mask = length_mask(batch.source.lengths, shape[3])[:, None, None]
    return torch.softmax(energies.masked_fill(~mask, -math.inf), -1)

"""Dropout over sequences: one mask per position, or one for the whole sequence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nmt.core.config.ranges import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class DropoutConfig:
    """Dropout rates; all in [0, 1).

    Args:
        embedding: on source and target embeddings.
        annotation: on the annotations, before attention and the bridge ``mean`` read them; not on the encoder's final
            states, which other bridges read.
        layers: between recurrent layers; within those of Transformer and convolutional encoders.
        readout: on the features before the output layer.
        word: probability of dropping a token's whole embedding, independently per position (Gal and Ghahramani, 2016,
            drop all occurrences of a word in a sequence).
        variational: one mask for all positions of a sequence (Gal and Ghahramani, 2016), not one per position.
    """

    embedding: Rate = 0.0
    annotation: Rate = 0.0
    layers: Rate = 0.0
    readout: Rate = 0.0
    word: Rate = 0.0
    variational: bool = False

    @property
    def any(self) -> bool:
        """Whether anything is dropped."""
        return any((self.embedding, self.annotation, self.layers, self.readout, self.word))


class Dropout(nn.Module):
    """Dropout of (B, T, D) sequences.

    Args:
        rate: probability of dropping an element.
        variational: draw the mask once per sequence, (B, 1, D), and share it over T.
    """

    def __init__(self, rate: float, *, variational: bool = False) -> None:
        super().__init__()
        self.rate = rate
        self.variational = variational

    def forward(self, sequence: Tensor) -> Tensor:
        """Drop elements in training; the identity otherwise."""
        if not self.training or self.rate == 0.0:
            return sequence
        if not self.variational:
            return functional.dropout(sequence, self.rate)
        return sequence * self.mask(sequence[:, :1])

    def mask(self, like: Tensor) -> Tensor:
        """Draw a mask with the shape of ``like`` that preserves expectations: 0 or 1 / (1 - rate)."""
        return torch.empty_like(like).bernoulli_(1.0 - self.rate).div_(1.0 - self.rate)

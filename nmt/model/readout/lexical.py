"""The lexical model: the readout sees the source words themselves, and not only what the encoder made of them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from nmt.model.attention.base import Prepared
from nmt.model.decoder.output import DecoderOutput
from nmt.model.dropout import Dropout
from nmt.model.readout.output_layer import OutputLayer


class LexicalOutputLayer(OutputLayer):
    """``p(y) = softmax(W_o t + b + W_l h_l + b_l)``, ``h_l = tanh(W f_l) + f_l``, ``f_l = tanh(sum_s a_s f_s)``.

    Nguyen and Chiang (2018), section 4. f_s is the embedding of source word s as the encoder reads it (with the same
    dropout), and a_s its attention weight, the mean of all heads. Nothing of it returns to the recurrence, so it is
    computed for all words of a target at once. The features that it reads are ``[t; h_l]``.

    Args:
        size: size F of the features t.
        vocabulary_size: number of target pieces V.
        source_size: size E of source embeddings.
        tied: the target embedding's weight (V, F) if W_o is shared with it; W_l is not shared.
        dropout: dropout of features, for whole targets.
    """

    def __init__(
        self,
        size: int,
        vocabulary_size: int,
        *,
        source_size: int,
        tied: nn.Parameter | None = None,
        dropout: Dropout | None = None,
    ) -> None:
        super().__init__(size, vocabulary_size, tied=tied, dropout=dropout)
        self.W = nn.Linear(source_size, source_size, bias=False)
        self.words = OutputLayer(source_size, vocabulary_size)

    @property
    def piece_rows(self) -> tuple[nn.Parameter, ...]:
        """Parameters with one row per target piece."""
        return (*super().piece_rows, *self.words.piece_rows)

    def affine(self) -> tuple[Tensor, Tensor]:
        """``[W_o, W_l]`` (V, F + E) and ``b + b_l`` (V,)."""
        return torch.cat([self.weight, self.words.weight], 1), self.bias + self.words.bias

    def complete(self, output: DecoderOutput, prepared: Prepared) -> DecoderOutput:
        """Append h_l to the features (..., F) of one step of N hypotheses or of B whole targets.

        Raises:
            TypeError: the source has no words.
        """
        embedded = prepared.embedded
        if embedded is None:
            raise TypeError("a lexical model reads the embeddings of source words, but this source has none")
        weights = output.weights.mean(-2)
        rows = weights.reshape(embedded.shape[0], -1, embedded.shape[1])
        average = torch.tanh(torch.bmm(rows, embedded))
        found = (torch.tanh(self.W(average)) + average).view(*weights.shape[:-1], -1)
        return replace(output, features=torch.cat([output.features, found.to(output.features.dtype)], -1))

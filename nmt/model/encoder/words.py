"""Words beside a file, such as a question about a picture, in one memory with it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nmt.model.dropout import DropoutConfig
from nmt.model.encoder.base import EncoderConfig
from nmt.model.memory import SourceMemory


class Words(nn.Module):
    """Encodes words, and appends their annotations to those of a file: a decoder attends to both alike.

    Both get a learnt vector that tells the two kinds apart, so that one score can serve both. Final states are those of
    the words, so that a bridge which reads them lets the decoder begin with the question.

    Args:
        config: encoder of the words.
        input_size: size of their embeddings.
        memory_size: size D of the file's annotations, to which those of the words are projected.
        dropout: dropout rates.
    """

    def __init__(self, config: EncoderConfig, input_size: int, memory_size: int, dropout: DropoutConfig) -> None:
        super().__init__()
        self.encoder = config.build(input_size, dropout)
        self.memory_size = memory_size
        self.state_sizes = self.encoder.state_sizes
        self.backward_size = self.encoder.backward_size
        self.cell = self.encoder.cell
        self.W = nn.Linear(self.encoder.memory_size, memory_size)
        self.kind = nn.Parameter(torch.zeros(2, memory_size))

    def forward(self, embedded: Tensor, lengths: Tensor, memory: SourceMemory) -> SourceMemory:
        """Join embedded words (B, T, E) with the memory (B, S, D) of their files.

        Returns:
            A memory of S + T positions: of each row first those of the file, then those of the words, then padding.
        """
        words: SourceMemory = self.encoder(embedded, lengths)
        kind = self.kind.to(memory.values.dtype)
        values = torch.cat([memory.values + kind[0], self.W(words.values).to(memory.values.dtype) + kind[1]], 1)
        mask = torch.cat([memory.mask, words.mask], 1)
        # Real positions come first in every row, as search expects, also where the files differ in length.
        order = (~mask).byte().argsort(dim=1, stable=True)
        mask = mask.gather(1, order)
        values = values.gather(1, order.unsqueeze(2).expand_as(values)).masked_fill(~mask.unsqueeze(2), 0.0)
        return SourceMemory(
            values,
            mask,
            memory.lengths + words.lengths,
            words.states,
            first_backward=words.first_backward,
            joint=True,
        )

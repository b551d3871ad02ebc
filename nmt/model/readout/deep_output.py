"""Deep output: computes the features for the output layer from state, previous word and context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import PositiveInt


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepOutputConfig:
    """Deep output (Pascanu et al., 2014) of the Bahdanau and conditional decoders.

    Args:
        activation: ``maxout`` over pairs (Bahdanau et al., 2015, appendix A.2.2) or ``tanh`` (Sennrich et al., 2017).
        size: size of the features; by default the embedding size.
        state: which state it reads. ``current`` is s_i, as in the paper's equation 4,
            ``p(y_i) = g(y_{i-1}, s_i, c_i)``; ``previous`` is s_{i-1}, as in its appendix A.2.2,
            ``t_i = U_o s_{i-1} + V_o E y_{i-1} + C_o c_i``.
    """

    activation: Literal["maxout", "tanh"] = "maxout"
    size: PositiveInt | None = None
    state: Literal["current", "previous"] = "current"


class DeepOutput(nn.Module):
    """``t = U_o s + V_o E y + C_o c + b``, then maxout over pairs or tanh.

    Args:
        config: activation and sizes.
        state_size: size of s.
        embedding_size: size of the embedding of the previous target word.
        context_size: size of c.
    """

    def __init__(self, config: DeepOutputConfig, *, state_size: int, embedding_size: int, context_size: int) -> None:
        super().__init__()
        self.size = config.size or embedding_size
        self.maxout = config.activation == "maxout"
        width = 2 * self.size if self.maxout else self.size
        self.U_o = nn.Linear(state_size, width)
        self.V_o = nn.Linear(embedding_size, width, bias=False)
        self.C_o = nn.Linear(context_size, width, bias=False)

    def forward(self, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """Features (..., F) of states (..., H), embeddings (..., E) and contexts (..., D)."""
        combined: Tensor = self.U_o(state) + self.V_o(embedded) + self.C_o(context)
        if self.maxout:
            return torch.maximum(combined[..., ::2], combined[..., 1::2])
        return torch.tanh(combined)

"""Several looks for each word: what one look reads tells the next where to look."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nmt.model.attention.base import Attention, AttentionOutput, AttentionState, Prepared
from nmt.model.memory import SourceMemory


def looking(attention: Attention, query_size: int, looks: int) -> Attention:
    """Return an attention that looks as often, for queries of size D_q: itself where that is once."""
    return attention if looks == 1 else StackedAttention(attention, query_size, looks)


class StackedAttention(Attention):
    """``q_{k+1} = q_k + W_k c_k + b_k``, ``c = [c_1; ...; c_K]``: Yang et al. (2016), section 3.3.

    All looks share one attention, and its projected memory. The paper has a score for each look, no W, and answers from
    the last query. Weights are those of the last look, which knows best what it looks for.

    Args:
        attention: looks once; without a state that changes from query to query.
        query_size: size D_q of queries.
        looks: K.
    """

    def __init__(self, attention: Attention, query_size: int, looks: int) -> None:
        super().__init__(context_size=looks * attention.context_size, heads=attention.heads)
        self.look = attention
        self.samples = attention.samples
        self.elements_per_pair = attention.elements_per_pair
        self.W = nn.ModuleList(nn.Linear(attention.context_size, query_size) for _ in range(looks - 1))

    def prepare(self, memory: SourceMemory) -> Prepared:
        """Project the keys once for all looks."""
        return self.look.prepare(memory)

    def initial_state(self, memory: SourceMemory) -> AttentionState:
        """State of the attention, the same for all looks."""
        return self.look.initial_state(memory)

    def forward(self, query: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:
        """Look, ask anew, and look again; what was drawn has the probability of all draws together."""
        output = self.look(query, prepared, state)
        contexts, log_prob = [output.context], output.log_prob
        for projection in self.W:
            query = query + projection(output.context).to(query.dtype)
            output = self.look(query, prepared, state)
            contexts.append(output.context)
            log_prob = None if log_prob is None else log_prob + output.log_prob
        return AttentionOutput(torch.cat(contexts, -1), output.weights, state, log_prob)

"""The sentinel: lets a word come from the decoder's own memory instead of the source."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nmt.core.tensors import masked_softmax
from nmt.model.attention.base import AttentionOutput, AttentionState, Prepared, Score
from nmt.model.attention.scored import Normalise, SoftAttention
from nmt.model.memory import CellState


class Sentinel(nn.Module):
    """``s_t = g_t * tanh(m_t)``, ``g_t = sigmoid(W_x x_t + W_h h_{t-1})``: Lu et al. (2017), equations 9 and 10.

    m_t is the memory cell of the LSTM whose state is the query. A GRU has no cell; its state h_t is already bounded, so
    here ``s_t = g_t * h_t``. x_t is the embedding of the previous target word.

    Args:
        input_size: size E of the embeddings.
        size: size H of the states.
    """

    def __init__(self, *, input_size: int, size: int) -> None:
        super().__init__()
        self.W_x = nn.Linear(input_size, size, bias=False)
        self.W_h = nn.Linear(size, size, bias=False)

    def project(self, embedded: Tensor) -> Tensor:
        """Project embeddings (..., E), possibly of all steps, to their part of the gate (..., H)."""
        projected: Tensor = self.W_x(embedded)
        return projected

    def forward(self, projected: Tensor, previous: CellState, current: CellState) -> Tensor:
        """Compute the sentinel (N, H) from the part (N, H) of ``project``, the previous state and the query's state."""
        gate = torch.sigmoid((projected + self.W_h(previous.hidden)).to(current.hidden.dtype))
        return gate * (current.hidden if current.cell is None else torch.tanh(current.cell))


class SentinelAttention(SoftAttention):
    """``a = softmax([e; e_s])``, ``c = sum_j a_j h_j + b s``, b the last of a: Lu et al. (2017), equations 11 and 12.

    The sentinel is scored like an annotation, with ``W_s s`` as its key: equation 12 for the additive score. The
    returned weights are those of the source, which sum to 1 - b.

    Args:
        score: the score, with one head.
        context_size: size D of annotations, contexts and sentinels.
        normalise: from energies to weights.
    """

    recurrent = True
    reads_sentinel = True

    def __init__(self, score: Score, *, context_size: int, normalise: Normalise = masked_softmax) -> None:
        super().__init__(score, context_size=context_size, normalise=normalise)
        key_size = score.keys(torch.zeros(1, 1, context_size)).shape[2]
        self.W_s = nn.Linear(context_size, key_size, bias=False)

    def forward(self, query: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:  # noqa: ARG002
        """Raise: only ``attend`` takes sentinels."""
        raise TypeError("this attention needs a sentinel")

    def attend(
        self, query: Tensor, prepared: Prepared, state: AttentionState, sentinel: Tensor | None = None
    ) -> AttentionOutput:
        """Attend to the source and to one sentinel per hypothesis."""
        if sentinel is None:
            raise TypeError("this attention needs a sentinel")
        sentences, size = prepared.mask.shape
        queries = query.view(sentences, -1, query.shape[1])
        own = self.score(query.unsqueeze(1), self.W_s(sentinel).unsqueeze(1)).view(sentences, -1, 1, 1)
        energies = self.energies(queries, prepared)
        mask = nn.functional.pad(prepared.mask, (0, 1), value=True)
        weights = self.normalise(torch.cat([energies, own.to(energies.dtype)], dim=-1), mask[:, None, None])
        looked, kept = weights[..., :size], weights[..., size:]
        context = self.blend(looked, prepared) + kept.squeeze(2) * sentinel.view(sentences, -1, sentinel.shape[1])
        return AttentionOutput(context.flatten(0, 1), looked.flatten(0, 1), state)

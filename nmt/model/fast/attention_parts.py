"""Attention over whole targets in chunks of words, to limit the memory for energies."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from nmt.model.attention.base import Attention, AttentionOutput, AttentionState, Prepared

# Maximum number of energy terms, before they are summed, per chunk: 16 MiB of float32.
MOST_ENERGIES = 2**22


def attend_by_parts(
    attention: Attention, queries: Tensor, prepared: Prepared, state: AttentionState
) -> AttentionOutput:
    """Attend with queries (B, T, D_q) in chunks; energies are recomputed in the backward pass.

    The attention must not be recurrent.
    """
    batch, positions, _ = prepared.values.shape
    words = max(1, MOST_ENERGIES // max(1, batch * positions * attention.elements_per_pair))
    if words >= queries.shape[1]:
        return attention(queries, prepared, state)  # type: ignore[no-any-return]
    parts = []
    for few in torch.split(queries, words, dim=1):
        if torch.is_grad_enabled():
            parts.append(checkpoint(attention, few, prepared, state, use_reentrant=False))
        else:
            parts.append(attention(few, prepared, state))
    drawn = [part.log_prob for part in parts if part.log_prob is not None]
    return AttentionOutput(
        torch.cat([part.context for part in parts], 1),
        torch.cat([part.weights for part in parts], 1),
        state,
        torch.cat(drawn, 1) if drawn else None,
    )

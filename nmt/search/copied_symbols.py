"""Placeholders are written only where the source has them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nmt.data.batch import Source, as_tokens


class CopiedSymbols:
    """Forbids the placeholders that a source does not have; a ``Restriction``.

    Args:
        copied: source and target id of each of the P placeholders.
    """

    def __init__(self, copied: Sequence[tuple[int, int]]) -> None:
        self._source, self._target = torch.tensor(copied, dtype=torch.int64).unbind(1)

    def start(self, source: Source, lines: Sequence[int]) -> Tensor:  # noqa: ARG002
        """Return (B, P), 0 for the placeholders of each source, and -inf for others."""
        ids = as_tokens(source).ids
        there = (ids.unsqueeze(2) == self._source.to(ids.device)).any(1)
        return torch.zeros(there.shape, device=ids.device).masked_fill(~there, float("-inf"))

    def restricted(self, log_probs: Tensor, prefixes: Tensor, lines: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Add the state to the placeholders of (N, V) log-probabilities."""
        return log_probs.index_add(1, self._target.to(log_probs.device), state.to(log_probs.dtype)), state

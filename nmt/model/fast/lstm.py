"""Bidirectional LSTM layers over padded rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nmt.core.tensors import length_mask


def run_both_ways(layer: nn.LSTM, inputs: Tensor, lengths: Tensor) -> Tensor:
    """Outputs of one bidirectional LSTM layer over padded rows, without final states.

    One pass over the rows and one over the reversed rows, padding left in place: on a CPU half the time of packed rows.

    Args:
        layer: bidirectional and batch-first, of one layer.
        inputs: (B, S, E).
        lengths: (B,) lengths of the rows.

    Returns:
        (B, S, 2H), zero on padding; under autocast in its lower precision.
    """
    places = torch.arange(inputs.shape[1], device=inputs.device)
    mask = length_mask(lengths, inputs.shape[1])
    # Padding stays where it is.
    turned = torch.where(mask, lengths.unsqueeze(1) - 1 - places, places).unsqueeze(2)
    zeros = inputs.new_zeros(1, inputs.shape[0], layer.hidden_size)
    weights = tuple(layer.parameters())
    rows = (inputs, inputs.gather(1, turned.expand_as(inputs)))
    ahead, back = (
        torch.lstm(each, (zeros, zeros), weights[part], True, 1, 0.0, layer.training, False, True)[0]
        for each, part in zip(rows, (slice(4), slice(4, 8)), strict=True)
    )
    outputs = torch.cat([ahead, back.gather(1, turned.expand_as(back))], dim=2)
    return outputs.masked_fill(~mask.unsqueeze(2), 0.0)

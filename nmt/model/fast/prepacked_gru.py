"""A bidirectional GRU layer with weights packed for search."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nmt.model.fast.bidirectional_gru import both_ways, paired_weights, side_by_side
from nmt.model.fast.gru import gru_step
from nmt.model.fast.onednn import PrepackedWeight


class PrepackedGru(nn.Module):
    """A bidirectional GRU layer over padded rows with weights packed once, without a gradient.

    Both directions take a step together; on padding the state stays unchanged.

    Args:
        layer: the layer whose weights it shares: bidirectional, of one layer.
        dtype: dtype of the factors of products.
    """

    def __init__(self, layer: nn.GRU, dtype: torch.dtype) -> None:
        super().__init__()
        for name, parameter in layer.named_parameters():
            self.register_parameter(name, parameter)
        self.size = layer.hidden_size
        W, U, b, c = (weight.detach() for weight in paired_weights(layer))
        # The reset gate multiplies the last third of c; the rest is added to b.
        gates, last = c.clone(), c.clone()
        gates[:, 2 * self.size :] = 0.0
        last[:, : 2 * self.size] = 0.0
        self.entry = PrepackedWeight(W.flatten(0, 1), (b + gates).flatten(), dtype)
        self.recurrent = [PrepackedWeight(one, offset, dtype) for one, offset in zip(U, last, strict=True)]

    def forward(self, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Run rows (B, S, E) from states of zero.

        Args:
            inputs: values on padding do not matter.
            mask: (B, S) bool, ``True`` = real; padding comes last.

        Returns:
            outputs (B, S, 2H), arbitrary on padding, and final states (B, 2H): forward, then backward.
        """
        batch, steps, _ = inputs.shape
        width = 2 * self.size
        ahead, back = self.entry(inputs).transpose(0, 1).chunk(2, dim=2)
        gates = torch.stack([ahead, back.flip(0)])
        still = both_ways(~mask.unsqueeze(2))
        hiddens = gates.new_empty(2, steps + 1, batch, self.size)
        hiddens[:, 0] = 0.0
        for step in range(steps):
            state = hiddens[:, step]
            added = torch.stack([multiply(one) for multiply, one in zip(self.recurrent, state, strict=True)])
            gru_step(
                gates[:, step],
                added[..., :width],
                added[..., width:],
                state,
                out=hiddens[:, step + 1],
                still=still[:, step],
            )
        return side_by_side(hiddens[:, 1:])

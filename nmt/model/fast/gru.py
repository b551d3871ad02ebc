"""One step of a GRU and its gradient, in place and without autograd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from nmt.core.tensors import tanh_
from nmt.model.fast.onednn import linear

# Most rows of a block of steps: enough for quick products, and few beside what a large batch has in all.
BLOCK_ROWS = 1024


def blocks_of_steps(steps: int, rows: int, device: torch.device) -> Iterator[slice]:
    """Blocks of the steps, last first, of even length and at most ``BLOCK_ROWS`` rows (or one step); one on a GPU.

    What a backward pass computes for several steps at once it computes for a block, so that the memory for it does not
    grow with the batch. On a GPU starting more operations would cost more than they save.

    Args:
        steps: T.
        rows: of one step.
        device: where they are computed.
    """
    most = BLOCK_ROWS // max(1, rows) if device.type == "cpu" else steps
    count = max(1, -(-steps // max(1, most)))
    bounds = [steps * number // count for number in range(count + 1)]
    yield from (slice(*pair) for pair in reversed(list(pairwise(bounds))))


def weight_gradient(gradients: Tensor, inputs: Tensor) -> Tensor:
    """Gradient (K, M) of a weight from those of its products (T, B, K), and from what it multiplied (T, B, M)."""
    return linear(gradients.flatten(0, 1).t(), inputs.flatten(0, 1).to(gradients.dtype).t())


def accumulated(totals: list[Tensor], parts: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Add what a block gives to the totals in place; the first block's, in ``dtype``, become the totals."""
    if not totals:
        return [part.to(dtype) for part in parts]
    return [total.add_(part) for total, part in zip(totals, parts, strict=True)]


def gru_slopes(before: Tensor, gates: Tensor, proposed: Tensor) -> Tensor:
    """Derivatives of a new state with respect to the pre-activations of r, u and n: (..., 3, H).

    With ``h' = n + u (h - n)`` and ``n = tanh(d + r m)``; for n the derivative is with respect to d.

    Args:
        before: (..., H) h.
        gates: (..., 3H) r, u and n.
        proposed: (..., H) m.
    """
    reset, update, candidate = gates.chunk(3, dim=-1)
    slopes = gates.new_empty(*before.shape[:-1], 3, before.shape[-1])
    at_reset, at_update, at_candidate = slopes.unbind(-2)
    rest = 1.0 - update
    torch.mul(rest, torch.addcmul(torch.ones_like(candidate[:1]), candidate, candidate, value=-1.0), out=at_candidate)
    torch.mul(torch.sub(before, candidate).mul_(update), rest, out=at_update)
    torch.mul(torch.sub(reset, reset * reset).mul_(proposed), at_candidate, out=at_reset)
    return slopes


def gru_step(
    gates: Tensor, recurrent: Tensor, proposed: Tensor, state: Tensor, *, out: Tensor, still: Tensor | None = None
) -> Tensor:
    """Advance a GRU by one step in place, without autograd.

    Args:
        gates: (..., 3H) input and context part of r, u and n; overwritten by r, u and n.
        recurrent: (..., 2H) the state's part of r and u.
        proposed: (..., H) the part of n that r multiplies.
        state: (..., H) state before the step.
        out: (..., H) receives the state after it.
        still: (..., 1) bool, where the state stays unchanged.

    Returns:
        ``out``.
    """
    size = state.shape[-1]
    reset_update, candidate = gates[..., : 2 * size], gates[..., 2 * size :]
    reset_update.add_(recurrent).sigmoid_()
    reset, update = reset_update.chunk(2, dim=-1)
    if still is not None:
        update.masked_fill_(still, 1.0)
    tanh_(candidate.addcmul_(reset, proposed))
    return torch.lerp(candidate, state, update, out=out)


def gru_step_backward(
    grad_state: Tensor, slopes: Tensor, gates: Tensor, *, grad_driven: Tensor, grad_recurrent: Tensor
) -> None:
    """Backpropagate through ``gru_step``, except through the products with the state.

    Args:
        grad_state: (..., H) gradient of the state after the step; overwritten by what u carries to the one before.
        slopes: (..., 3, H) from ``gru_slopes``.
        gates: (..., 3H) r, u and n.
        grad_driven: (..., 3H) receives the gradient of the input and context part.
        grad_recurrent: (..., 3H) receives the gradient of the state's part, and of the part that r multiplies.
    """
    size = grad_state.shape[-1]
    at_gates = (grad_state.unsqueeze(-2) * slopes).flatten(-2)
    grad_driven.copy_(at_gates)
    at_gates[..., 2 * size :].mul_(gates[..., :size])
    grad_recurrent.copy_(at_gates)
    grad_state.mul_(gates[..., size : 2 * size])

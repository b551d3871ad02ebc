"""GRUs whose candidate has one bias, as in Nematus and Marian, and not two.

The candidate of a GRU here is ``n = tanh(W_n x + b + r * (U_n h + b'))``. Of the two biases b' is left out, or b in a
cell without input, such as the second one of the conditional decoder. The parameter stays, so the fast paths do too: it
is zero, and its gradient is dropped. Further cells of a step, which read a state alone, have no b in any case.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from nmt.model.cells import ContextCell


def clear_second_biases(model: nn.Module) -> None:
    """Set the bias that is left out to zero in every GRU."""
    with torch.no_grad():
        for parameter, candidate in second_biases(model):
            parameter[candidate] = 0.0


def hold_second_biases(model: nn.Module) -> None:
    """Set the bias that is left out to zero in every GRU, and keep it there in training."""
    clear_second_biases(model)
    for parameter, candidate in second_biases(model):
        parameter.register_hook(partial(_without, candidate=candidate))  # type: ignore[no-untyped-call]


def second_biases(model: nn.Module) -> Iterator[tuple[nn.Parameter, slice]]:
    """Yield the parameters of a model with a bias that may be left out, and its place in them."""
    for module in model.modules():
        if isinstance(module, nn.GRU):
            candidate = slice(2 * module.hidden_size, 3 * module.hidden_size)
            for name, parameter in module.named_parameters():
                if name.startswith("bias_hh"):
                    yield parameter, candidate
        elif isinstance(module, ContextCell) and module.kind == "gru":
            part = module.C if module.W is None else module.U
            if part is not None and part.bias is not None:
                yield part.bias, slice(2 * module.size, 3 * module.size)


def _without(gradient: Tensor, candidate: slice) -> Tensor:
    kept = gradient.clone()
    kept[candidate] = 0.0
    return kept

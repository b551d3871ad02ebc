"""Averages of checkpoints' weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def average(models: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Average weights name by name, summed in float64 so that their order hardly matters.

    Args:
        models: the weights of at least one model, all with the same names and shapes.
    """
    return {
        name: (sum(model[name].double() for model in models) / len(models)).to(tensor.dtype)  # type: ignore[union-attr]
        for name, tensor in models[0].items()
    }

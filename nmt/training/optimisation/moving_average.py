"""Exponential moving average of a model's weights, by which it is validated and translates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nmt.model.weights import load_model_tensors, model_tensors


class MovingAverage:
    """Averages the weights after each update.

    Polyak and Juditsky (1992); exponentially as in Tarvainen and Valpola (2017), "Mean teachers are better role
    models". After update t the average moves by ``1 - decay`` to the weights. Early it moves faster, to forget how it
    began: the decay is at most ``(1 + t) / (10 + t)``.

    Args:
        model: the model.
        decay: at least 0 and below 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self.tensors: dict[str, Tensor] = {}
        self.begin()

    def begin(self) -> None:
        """Begin with the model's weights."""
        self.tensors = {name: tensor.clone() for name, tensor in model_tensors(self._model).items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Go on from a stored average."""
        for name, tensor in self.tensors.items():
            tensor.copy_(tensors[name])

    @torch.no_grad()
    def follow(self, updates: int) -> None:
        """Move to the model's weights, after so many updates."""
        decay = min(self._decay, (1 + updates) / (10 + updates))
        for name, tensor in model_tensors(self._model).items():
            self.tensors[name].lerp_(tensor, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the model the average for as long as the context lasts."""
        last = {name: tensor.clone() for name, tensor in model_tensors(self._model).items()}
        try:
            load_model_tensors(self._model, self.tensors, "moving average")
            yield
        finally:
            load_model_tensors(self._model, last, "last")

"""Optimisers, and their state as named tensors for safetensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import NonNegative, Positive, Rate
from nmt.core.errors import CheckpointError


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserConfig:
    """The optimiser.

    Args:
        type: ``adam`` (Kingma and Ba, 2015), ``adamw`` (Loshchilov and Hutter, 2019), ``sgd``, or ``adadelta``
            (Zeiler, 2012; Bahdanau et al. used it with rho 0.95 and epsilon 1e-6).
        learning_rate: peak learning rate, before the schedule.
        betas: decay rates of Adam's moments.
        epsilon: constant for numerical stability; by default 1e-8 for Adam, 1e-6 for Adadelta.
        weight_decay: of matrices (not of biases and norms).
        momentum: of SGD.
        rho: of Adadelta.
    """

    type: Literal["adam", "adamw", "sgd", "adadelta"] = "adamw"
    learning_rate: Positive = 1e-3
    betas: tuple[float, ...] = (0.9, 0.999)
    epsilon: Positive | None = None
    weight_decay: NonNegative = 0.0
    momentum: Rate = 0.0
    rho: Rate = 0.95

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield decay rates outside their range."""
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            yield "betas", f"must be two numbers of at least 0 and below 1, but is {list(self.betas)}"

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield keys of other optimisers."""
        adam = ("adam", "adamw")
        kinds = {"betas": adam, "epsilon": (*adam, "adadelta"), "momentum": ("sgd",), "rho": ("adadelta",)}
        for name, types in kinds.items():
            if self.type not in types:
                yield name, f"has no effect with type {self.type}, only with {', '.join(types)}"

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Build the optimiser for a model's parameters; tied ones count once."""
        parameters = list(model.parameters())
        groups = [
            {"params": [each for each in parameters if each.dim() >= 2], "weight_decay": self.weight_decay},
            {"params": [each for each in parameters if each.dim() < 2], "weight_decay": 0.0},
        ]
        rate = self.learning_rate
        if self.type in {"adam", "adamw"}:
            optimiser = torch.optim.Adam if self.type == "adam" else torch.optim.AdamW
            betas = (self.betas[0], self.betas[1])
            # One pass over a parameter instead of one per operation, on a CPU as well as on a GPU.
            return optimiser(groups, lr=rate, betas=betas, eps=self.epsilon or 1e-8, fused=True)
        if self.type == "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=self.momentum)
        return torch.optim.Adadelta(groups, lr=rate, rho=self.rho, eps=self.epsilon or 1e-6)


# State of torch's optimisers for each parameter.
_ADAM = frozenset({"step", "exp_avg", "exp_avg_sq"})
_KEYS: tuple[tuple[type[torch.optim.Optimizer], frozenset[str]], ...] = (
    (torch.optim.Adam, _ADAM),
    (torch.optim.AdamW, _ADAM),
    (torch.optim.SGD, frozenset({"momentum_buffer"})),
    (torch.optim.Adadelta, frozenset({"step", "square_avg", "acc_delta"})),
)


def optimiser_tensors(optimiser: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """Name every tensor of an optimiser's state ``parameter/key``."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    return {
        f"{names[parameter]}/{key}": torch.as_tensor(value).detach().contiguous()
        for parameter, values in optimiser.state.items()
        for key, value in values.items()
        if value is not None
    }


def load_optimiser_tensors(
    optimiser: torch.optim.Optimizer, model: nn.Module, tensors: dict[str, Tensor], source: str
) -> None:
    """Restore tensors named by ``optimiser_tensors``.

    Raises:
        CheckpointError: a name or a shape does not belong to this model or this optimiser, or a part is missing.
    """
    parameters = dict(model.named_parameters())
    keys = next(keys for kind, keys in _KEYS if type(optimiser) is kind)
    # Torch keeps scalars (Adam's step) on the CPU, but a fused optimiser needs them on the parameters' device.
    fused = bool(optimiser.defaults.get("fused"))
    for name, tensor in tensors.items():
        parameter_name, _, key = name.rpartition("/")
        parameter = parameters.get(parameter_name)
        if parameter is None or key not in keys or tensor.shape != (() if key == "step" else parameter.shape):
            raise CheckpointError(
                f"{source}: optimiser state {name!r} with shape {tuple(tensor.shape)} does not belong to this model "
                f"and {type(optimiser).__name__}"
            )
        place = torch.device("cpu") if key == "step" and not fused else parameter.device
        optimiser.state[parameter][key] = tensor.to(place, copy=True)
    for name, parameter in parameters.items():
        missing = keys - optimiser.state.get(parameter, {}).keys()
        if missing and missing != keys:
            raise CheckpointError(f"{source}: optimiser state of {name!r} has no {', '.join(sorted(missing))}")

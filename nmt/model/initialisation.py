"""How parameters begin: as the decoder's paper has it, or as a recipe says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nmt.model.cells import GATES, ContextCell
from nmt.model.decoder.base import DecoderConfig

Scheme = Literal["paper", "bahdanau", "luong", "nematus", "xavier", "uniform", "normal"]
PAPERS: dict[str, Scheme] = {"bahdanau": "bahdanau", "luong": "luong", "conditional": "nematus"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialisationConfig:
    """Initial parameters.

    Args:
        scheme: ``paper`` takes that of the decoder's paper. ``bahdanau`` (2015, appendix B.1): recurrent matrices
            orthogonal, W_a and U_a Gaussian of 0.001, v_a and biases zero, the rest Gaussian of 0.01. ``luong`` (2015,
            section 4.1): everything uniform in [-0.1, 0.1]. ``nematus`` (Sennrich et al., 2017): recurrent matrices
            orthogonal, biases zero, the rest Gaussian of 0.01. ``xavier``: Glorot and Bengio (2010), recurrent matrices
            orthogonal, biases zero, embeddings Gaussian of 1 / sqrt(size). ``uniform`` and ``normal``: everything by
            ``scale``, biases zero. Under all of them the gains of layer norms are one.
        scale: bound of ``uniform`` and standard deviation of ``normal``.
    """

    scheme: Scheme = "xavier"
    scale: float = 0.1

    def problems(self) -> Iterator[tuple[str, str]]:
        """Scales that are not positive."""
        if self.scale <= 0:
            yield "scale", f"must be above 0, but is {self.scale}"

    def idle(self) -> Iterator[tuple[str, str]]:
        """The scale of schemes that have their own."""
        if self.scheme not in ("uniform", "normal"):
            yield "scale", f"does nothing with scheme {self.scheme}: it is of uniform and normal"


class Undrawn(TorchFunctionMode):
    """Context in which layers are built without drawing weights, for models that are filled or only looked at.

    On the ``meta`` device a single draw makes torch import its compiler, which takes longer than all else at a start.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Leave a tensor as it is where it would be drawn."""
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init" or func in {Tensor.normal_, Tensor.uniform_}:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def initialise(model: nn.Module, config: InitialisationConfig, decoder: DecoderConfig) -> None:
    """Initialise every parameter in place, in the order of their names; a tied one once."""
    scheme = config.scheme
    if scheme == "paper":
        scheme = PAPERS[DecoderConfig.registry.name_of(type(decoder))]
    gates = _gate_counts(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # The gates of a recurrent layer are stacked in one matrix, but each is a matrix of its own.
            for matrix in parameter.chunk(gates.get(name, 1)):
                _initialise(name, matrix, scheme, config.scale)


def _gate_counts(model: nn.Module) -> dict[str, int]:
    counts = {}
    for prefix, module in model.named_modules():
        if isinstance(module, ContextCell):
            gates = module.gates
        elif isinstance(module, nn.GRU | nn.LSTM):
            gates = GATES["gru" if isinstance(module, nn.GRU) else "lstm"]
        else:
            continue
        counts.update({f"{prefix}.{name}": gates for name, _ in module.named_parameters()})
    return counts


def _initialise(name: str, parameter: Tensor, scheme: Scheme, scale: float) -> None:
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "weight" and ".norms." in name:
        # The gain of a layer norm, which none of the papers has; every other vector is a bias.
        parameter.fill_(1.0)
    elif scheme == "luong":
        parameter.uniform_(-0.1, 0.1)
    elif parameter.dim() < 2:
        parameter.zero_()
    elif scheme == "uniform":
        parameter.uniform_(-scale, scale)
    elif scheme == "normal":
        parameter.normal_(0.0, scale)
    elif leaf.startswith("weight_hh") or name.endswith(".U.weight"):
        nn.init.orthogonal_(parameter)
    elif scheme == "xavier" and ("embedding" in name or name == "output.weight"):
        parameter.normal_(0.0, 1.0 / math.sqrt(parameter.shape[1]))
    elif scheme == "xavier":
        nn.init.xavier_uniform_(parameter)
    elif scheme == "bahdanau" and name.endswith(("W_a.weight", "U_a.weight")):
        parameter.normal_(0.0, 0.001)
    elif scheme == "bahdanau" and name.endswith("v_a.weight"):
        parameter.zero_()
    else:
        parameter.normal_(0.0, 0.01)

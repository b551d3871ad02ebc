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
from nmt.model.readout.output_layer import OutputLayer

Scheme = Literal["paper", "bahdanau", "luong", "nematus", "xavier", "uniform", "normal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialisationConfig:
    """Initial parameters.

    Args:
        scheme: ``paper`` takes that of the decoder's paper. ``bahdanau`` (2015, appendix B.1): recurrent matrices
            orthogonal, W_a and U_a Gaussian of 0.001, v_a and biases zero, the rest Gaussian of 0.01. ``luong`` (2015,
            section 4.1): everything uniform in [-0.1, 0.1]. ``nematus`` (Sennrich et al., 2017): recurrent matrices
            orthogonal, biases zero, the rest Gaussian of 0.01. ``xavier``: Glorot and Bengio (2010), recurrent matrices
            orthogonal, biases zero, embeddings Gaussian of 1 / sqrt(size). ``uniform`` and ``normal``: everything by
            ``scale``, biases zero. Under all of them the gains of norms are one.
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


class SkipInitialisation(TorchFunctionMode):
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


def initialise(model: nn.Module, config: InitialisationConfig, paper: Scheme | None) -> None:
    """Initialise the layers of a model in place, in the order of their names; a tied weight once.

    A scheme is for linear and recurrent layers, convolutions, embeddings and the output layer, wherever they stand, and
    for the biases of norms. All else stays as it was built: gains, parameters that a part holds by itself, and what is
    not trained.

    Args:
        model: whose parameters.
        config: the scheme.
        paper: what its ``paper`` stands for.

    Raises:
        ValueError: it is ``paper``, and no paper is given.
    """
    scheme = paper if config.scheme == "paper" else config.scheme
    if scheme is None:
        raise ValueError("scheme must not be paper where the decoder names none")
    cells = [module for module in model.modules() if isinstance(module, ContextCell)]
    gates = {part: cell.gates for cell in cells for part in (cell.W, cell.C, cell.U)}
    recurrent = {cell.U for cell in cells}
    done: set[int] = set()
    with torch.no_grad():
        for path, module in model.named_modules():
            for leaf, parameter in module.named_parameters(recurse=False):
                role = _role(path, module, leaf, recurrent=module in recurrent)
                if role is None or id(parameter) in done or not parameter.requires_grad:
                    continue
                done.add(id(parameter))
                # The gates of a recurrent layer are stacked in one matrix, but each is a matrix of its own.
                for matrix in parameter.chunk(_stacked(module, leaf) or gates.get(module, 1)):
                    _draw(matrix, role, scheme, config.scale)
                if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                    parameter[module.padding_idx].zero_()


Role = Literal["bias", "recurrent", "embedding", "score matrix", "score vector", "matrix"]

_WEIGHING = (nn.Linear, nn.Embedding, nn.modules.conv._ConvNd, OutputLayer)
_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)


def _role(path: str, module: nn.Module, leaf: str, *, recurrent: bool) -> Role | None:
    """Say what a parameter is to its layer; ``None`` where it is to stay as it was built."""
    if isinstance(module, nn.RNNBase):
        return "bias" if leaf.startswith("bias") else "recurrent" if leaf.startswith("weight_hh") else "matrix"
    if leaf == "bias" and isinstance(module, _WEIGHING + _NORMS):
        return "bias"
    if leaf != "weight" or not isinstance(module, _WEIGHING):
        return None
    if recurrent:
        return "recurrent"
    if isinstance(module, nn.Embedding | OutputLayer):
        return "embedding"
    name = path.rsplit(".", 1)[-1]  # scores call their matrices what the papers call them
    return "score matrix" if name in {"W_a", "U_a"} else "score vector" if name == "v_a" else "matrix"


def _stacked(module: nn.Module, leaf: str) -> int | None:
    """Number of gates that a parameter of torch's recurrent layers holds; ``None`` for other layers."""
    if not isinstance(module, nn.RNNBase):
        return None
    one = leaf.startswith("weight_hr") or isinstance(module, nn.RNN)
    return 1 if one else GATES["gru" if isinstance(module, nn.GRU) else "lstm"]


def _draw(parameter: Tensor, role: Role, scheme: Scheme, scale: float) -> None:
    if scheme == "luong":
        parameter.uniform_(-0.1, 0.1)
    elif role == "bias":
        parameter.zero_()
    elif scheme == "uniform":
        parameter.uniform_(-scale, scale)
    elif scheme == "normal":
        parameter.normal_(0.0, scale)
    elif role == "recurrent":
        nn.init.orthogonal_(parameter)
    elif scheme == "xavier" and role == "embedding":
        parameter.normal_(0.0, 1.0 / math.sqrt(parameter.shape[1]))
    elif scheme == "xavier":
        nn.init.xavier_uniform_(parameter)
    elif scheme == "bahdanau" and role == "score matrix":
        parameter.normal_(0.0, 0.001)
    elif scheme == "bahdanau" and role == "score vector":
        parameter.zero_()
    else:
        parameter.normal_(0.0, 0.01)

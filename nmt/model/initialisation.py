"""Initialisation of parameters: as in the decoder's paper, or as set in a recipe."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nmt.core.config.ranges import Positive
from nmt.model.cells import GATES, ContextCell
from nmt.model.readout.output_layer import OutputLayer

Scheme = Literal["paper", "bahdanau", "luong", "nematus", "xavier", "uniform", "normal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialisationConfig:
    """Initial parameters.

    Args:
        scheme: ``paper`` is the scheme of the decoder's paper. ``bahdanau`` (2015, appendix B.1): recurrent matrices
            orthogonal, W_a and U_a N(0, 0.001^2), v_a and biases zero, the rest N(0, 0.01^2). ``luong`` (2015, section
            4.1): everything uniform in [-0.1, 0.1]. ``nematus`` (Sennrich et al., 2017): recurrent matrices orthogonal,
            biases zero, the rest N(0, 0.01^2). ``xavier``: Glorot and Bengio (2010), recurrent matrices orthogonal,
            biases zero, embeddings N(0, 1 / size). ``uniform`` and ``normal``: everything by ``scale``, biases zero.
            Gains of norms stay as built in all schemes: one, or 0.1 for what recurs within gates.
        scale: bound of ``uniform`` and standard deviation of ``normal``.
    """

    scheme: Scheme = "xavier"
    scale: Positive = 0.1

    def idle(self) -> Iterator[tuple[str, str]]:
        """A scale where the scheme does not use it."""
        if self.scheme not in ("uniform", "normal"):
            yield "scale", f"has no effect with scheme {self.scheme}, only with uniform and normal"


class SkipInitialisation(TorchFunctionMode):
    """Context that builds layers without drawing weights, for models whose weights are loaded or never used.

    On the ``meta`` device a single draw makes torch import its compiler, which would dominate the start-up time.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Return a tensor unchanged where it would be initialised."""
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init" or func in {Tensor.normal_, Tensor.uniform_}:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def initialise(model: nn.Module, config: InitialisationConfig, paper: Scheme | None) -> None:
    """Initialise the layers of a model in place, in module order; a tied weight once.

    A scheme covers linear and recurrent layers, convolutions, embeddings, the output layer, and the biases of norms.
    Everything else stays as built: gains, parameters outside such layers, and parameters that are not trained.
    ``paper`` is the scheme of the decoder's paper.

    Raises:
        ValueError: the scheme is ``paper``, and no paper is given.
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
                # The gates of a recurrent layer are stacked in one matrix, but each is initialised as its own matrix.
                for matrix in parameter.chunk(_stacked(module, leaf) or gates.get(module, 1)):
                    _draw(matrix, role, scheme, config.scale)
                if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                    parameter[module.padding_idx].zero_()


Role = Literal["bias", "recurrent", "embedding", "score matrix", "score vector", "matrix"]

_WEIGHING = (nn.Linear, nn.Embedding, nn.modules.conv._ConvNd, OutputLayer)
_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)


def _role(path: str, module: nn.Module, leaf: str, *, recurrent: bool) -> Role | None:
    """Role of a parameter in its layer; ``None`` if it stays as built."""
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
    name = path.rsplit(".", 1)[-1]  # matrices of scores are named as in the papers
    return "score matrix" if name in {"W_a", "U_a"} else "score vector" if name == "v_a" else "matrix"


def _stacked(module: nn.Module, leaf: str) -> int | None:
    """Number of gates stacked in a parameter of torch's recurrent layers; ``None`` for other layers."""
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

"""A GPU that is none: tensors on the CPU that say they are on a device of their own.

``pytest -p pretended_gpu -m gpu`` runs the tests of GPUs on it, on a machine without one. It refuses what fails on a
GPU and not on a CPU: operations on tensors of two devices, NumPy's view of a tensor that is not copied back, the
gradient of a recurrent layer outside training. As cuDNN's, such a layer is one function, which under autocast computes
in float16. Neither kernels nor branches on the name ``cuda`` are tried. Torch's interface for this is experimental, and
a device cannot be removed again, so it needs a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import _VF, Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from nmt.core.machine import device as devices

NAME = "pretended"
aten = torch.ops.aten
# Copies between devices, and what takes indices or lengths from the CPU.
MAY_MIX = {
    aten._to_copy.default,
    aten.copy_.default,
    aten.index.Tensor,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten._pack_padded_sequence.default,
    aten._pack_padded_sequence_backward.default,
}
LOWERED = ("conv1d", "conv2d", "linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "mv")


class Backend:
    """What torch asks of the module of a device."""

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        pass

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


class Elsewhere(Tensor):
    """A tensor of the device, around one of the CPU."""

    inner: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> Elsewhere:
        made = Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(NAME, 0),
        )
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.inner.untyped_storage()

    def data_ptr(self) -> int:
        return self.inner.data_ptr()

    def tolist(self) -> Any:
        return self.inner.tolist()

    def numpy(self, **_: Any) -> Any:
        raise TypeError(f"can't convert {self.device} device type tensor to numpy")


class Pretending(TorchDispatchMode):
    """Within it tensors can be created on the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Compute on the CPU what belongs to the device, unless it mixes the two."""
    given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
    ours = [each for each in given if isinstance(each, Elsewhere)]
    place = kwargs.get("device")
    onto = bool(ours) if place is None else torch.device(place).type == NAME
    if func is aten.copy_.default:
        onto = isinstance(args[0], Elsewhere)
    if ours and func not in MAY_MIX and any(not isinstance(each, Elsewhere) and each.dim() for each in given):
        shapes = [(tuple(each.shape), str(each.device)) for each in given]
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, but found {shapes}")
    if place is not None and onto:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    found = func(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    if func is aten._pack_padded_sequence.default and onto:
        return Elsewhere(found[0]), found[1]  # lengths by step stay on the CPU
    known = {id(each.inner): each for each in ours}  # what was written in place

    def outer(each: Any) -> Any:
        if not isinstance(each, Tensor) or not onto:
            return each
        return known[id(each)] if id(each) in known else Elsewhere(each)

    return tree_map(outer, found)


def _inner(each: Any) -> Any:
    return each.inner if isinstance(each, Elsewhere) else each


class _Library(torch.autograd.Function):
    """A recurrent layer as one function with its gradient; ``rounded`` to float16."""

    @staticmethod
    def forward(ctx: Any, layer: Callable[..., Any], spec: Any, rounded: bool, *leaves: Any) -> tuple[Tensor, ...]:
        # Flags, of which cuDNN refuses to differentiate outside training: biases, training, both directions, ...
        ctx.trains = [each for each in leaves if isinstance(each, bool)][1]
        ctx.inner = [
            each.inner.detach().requires_grad_(each.requires_grad) if isinstance(each, Elsewhere) else each
            for each in leaves
        ]
        with torch.enable_grad():
            ctx.found = layer(*tree_unflatten(ctx.inner, spec))
        return tuple(Elsewhere(each.detach().half() if rounded else each.detach().clone()) for each in ctx.found)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.trains and torch.backends.cudnn.enabled:
            raise RuntimeError("cudnn RNN backward can only be called in training mode")
        wanted = [place for place, each in enumerate(ctx.inner) if isinstance(each, Tensor) and each.requires_grad]
        given = [_inner(each).to(found.dtype) for each, found in zip(gradients, ctx.found, strict=True)]
        found = torch.autograd.grad(
            ctx.found, [ctx.inner[place] for place in wanted], given, retain_graph=True, allow_unused=True
        )
        by_place = {place: Elsewhere(each) for place, each in zip(wanted, found, strict=True) if each is not None}
        return (None, None, None, *(by_place.get(place) for place in range(len(ctx.inner))))


def _as_cudnn(layer: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        leaves, spec = tree_flatten(args)
        if not any(isinstance(each, Elsewhere) for each in leaves):
            return layer(*args)
        rounded = torch.is_autocast_enabled(NAME)
        if rounded:
            leaves = [each.float() if isinstance(each, Elsewhere) else each for each in leaves]
        return _Library.apply(layer, spec, rounded, *leaves)

    return call


def _lowered(operation: Any) -> Callable[..., Any]:
    """An operation that autocast rounds the factors of."""
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)

    def rounded(each: Any) -> Any:
        floating = isinstance(each, Tensor) and each.is_floating_point() and each.dtype != torch.float64
        return each.to(torch.get_autocast_dtype(NAME)) if floating else each

    def call(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(keys):
            return operation(*tree_map(rounded, args), **tree_map(rounded, kwargs))

    return call


def _register() -> None:
    _setup_privateuseone_for_python_backend(NAME, backend_module=Backend())
    fallback, rules = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    fallback.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    for name in LOWERED:
        rules.impl(name, _lowered(getattr(aten, name).default), "AutocastPrivateUse1")
    _KEPT.extend((fallback, rules))
    torch.inference_mode = torch.no_grad  # type: ignore[misc]  # the former has no views of such tensors
    torch._C._set_only_lift_cpu_tensors(True)  # ``torch.tensor`` makes them here, and then they are copied there
    torch.__future__.set_swap_module_params_on_conversion(True)  # so that tied weights stay tied, as on a GPU
    _VF.gru, _VF.lstm = _as_cudnn(_VF.gru), _as_cudnn(_VF.lstm)
    resolve = devices.resolve_device
    devices.resolve_device = lambda name, **options: (  # before anything imports it by name
        torch.device(NAME, 0) if name == NAME else resolve(name, **options)
    )


_KEPT: list[torch.library.Library] = []
_register()

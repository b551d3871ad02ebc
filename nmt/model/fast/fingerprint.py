"""Whether the weights of a model are still those that they were."""

from __future__ import annotations

import torch
from torch import Tensor

from nmt.model.seq2seq import Seq2Seq

# A tensor of no more numbers is looked at whole.
_SMALL = 2**14


class Fingerprint:
    """Knows the weights of a model again, whoever changed them.

    What torch counts, and which tensors they are, is not enough: fused optimisers write without being counted, and so
    does whoever writes to ``parameter.data``. So the numbers are looked at too: one of every row and every column,
    which finds any update, or all. Embeddings that are only looked up are left out, as no copy of them is made.

    Args:
        model: whose weights.
    """

    def __init__(self, model: Seq2Seq) -> None:
        self._identities = _identities(model)
        self._samples = _samples(model)
        self._sums = _sums(model)

    @torch.inference_mode()
    def holds(self, model: Seq2Seq, *, every: bool = False) -> bool:
        """Whether a model still has these weights.

        Args:
            model: the same as before.
            every: read every number: for 8 million a millisecond, and else a twentieth of it.
        """
        if _identities(model) != self._identities or not torch.equal(_samples(model), self._samples):
            return False
        return not every or torch.equal(_sums(model), self._sums)


def _identities(model: Seq2Seq) -> list[tuple[int, ...]]:
    """Which tensors a model has, where they lie, and how often weights were written to as far as torch counts."""
    weights = [(id(each), each.data_ptr(), 0 if each.is_inference() else each._version) for each in model.parameters()]
    return [*weights, *((id(each), each.data_ptr()) for each in model.buffers())]


def _packed(model: Seq2Seq) -> list[Tensor]:
    """The weights of which a copy may be made, each as a matrix."""
    lookups = {id(model.source_embedding.weight), id(model.target_embedding.weight)} - {id(model.output.weight)}
    weights = (each.detach() for each in model.parameters() if id(each) not in lookups and each.numel())
    return [each.flatten(1) if each.dim() > 1 else each.reshape(1, -1) for each in weights]


@torch.inference_mode()
def _samples(model: Seq2Seq) -> Tensor:
    """All numbers of small weights; of others the first row, and one number of each row, along diagonals."""
    parts = []
    for weight in _packed(model):
        rows, columns = weight.shape
        if weight.numel() <= _SMALL:
            parts.append(weight.flatten())
            continue
        parts.append(weight[0])
        for start in range(0, rows, columns):
            parts.append(weight[start : start + columns].diagonal())
    return torch.cat(parts)


@torch.inference_mode()
def _sums(model: Seq2Seq) -> Tensor:
    """Sums of every row, of the bits: exact, so that no change of a single number is lost in rounding."""
    return torch.cat([_bits(weight).sum(1) for weight in _packed(model)])


def _bits(matrix: Tensor) -> Tensor:
    """Rows as integers, as wide as fit."""
    for wide in (torch.int64, torch.int32, torch.int16):
        size, width = matrix.element_size(), wide.itemsize
        fits = matrix.shape[1] * size % width == 0 and matrix.storage_offset() * size % width == 0
        if fits and size <= width and matrix.is_contiguous():
            return matrix.view(wide)
    return matrix.double().view(torch.int64)

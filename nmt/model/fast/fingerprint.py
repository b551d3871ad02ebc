"""Detects changes to the weights of a model."""

from __future__ import annotations

import torch
from torch import Tensor

from nmt.model.seq2seq import Seq2Seq

# Tensors with at most this many numbers are compared in full.
_SMALL = 2**14


class Fingerprint:
    """Fingerprint of a model's weights, which detects any kind of update.

    Tensor identities and torch's version counters do not suffice: fused optimisers and writes to ``parameter.data``
    are not counted. So the numbers are compared too: one of every row and every column, which detects any update of
    training, or all. Embeddings that are only looked up are left out, as they are never copied.

    Args:
        model: the model.
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
            every: compare every number: takes a millisecond for 8 million, otherwise a twentieth of it.
        """
        if _identities(model) != self._identities or not torch.equal(_samples(model), self._samples):
            return False
        return not every or torch.equal(_sums(model), self._sums)


def _identities(model: Seq2Seq) -> list[tuple[int, ...]]:
    """Identity and address of every tensor, and torch's version counter of every weight."""
    weights = [(id(each), each.data_ptr(), 0 if each.is_inference() else each._version) for each in model.parameters()]
    return [*weights, *((id(each), each.data_ptr()) for each in model.buffers())]


def _packed(model: Seq2Seq) -> list[Tensor]:
    """The weights that may be copied when packing, each as a matrix."""
    embeddings = [each for each in (model.source_embedding, model.target_embedding) if each is not None]
    lookups = {id(each.weight) for each in embeddings} - {id(model.output.weight)}
    weights = (each.detach() for each in model.parameters() if id(each) not in lookups and each.numel())
    return [each.flatten(1) if each.dim() > 1 else each.reshape(1, -1) for each in weights]


@torch.inference_mode()
def _samples(model: Seq2Seq) -> Tensor:
    """All numbers of small weights; for others the first row, and one number of each row, along diagonals."""
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
    """Integer sums of the bits of every row: exact, so that rounding hides no change of a single number."""
    return torch.cat([_bits(weight).sum(1) for weight in _packed(model)])


def _bits(matrix: Tensor) -> Tensor:
    """Reinterpret rows as the widest integers that fit."""
    for wide in (torch.int64, torch.int32, torch.int16):
        size, width = matrix.element_size(), wide.itemsize
        fits = matrix.shape[1] * size % width == 0 and matrix.storage_offset() * size % width == 0
        if fits and size <= width and matrix.is_contiguous():
            return matrix.view(wide)
    return matrix.double().view(torch.int64)

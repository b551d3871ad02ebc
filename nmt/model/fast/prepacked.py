"""A model with its weights packed for search, while they do not change.

Search needs many products with few rows. So work that depends only on the weights is done once: they are reordered for
the processor's kernels, and rounded to bf16 if requested. Work that depends only on the source is done when the source
is prepared. The packed model is another ``Seq2Seq`` with the same parameters; in float32 its results equal those of the
plain model except for the last digits.
"""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any, Literal, TypeGuard, cast

import torch
from torch import Tensor, nn

from nmt.model.attention.base import Attention, Score
from nmt.model.attention.hard import HardAttention
from nmt.model.attention.marginal import MarginalAttention
from nmt.model.attention.scored import SoftAttention
from nmt.model.attention.scores import AdditiveScore
from nmt.model.fast.onednn import PrepackedWeight
from nmt.model.fast.scores import complement, exponential, exponential_keys
from nmt.model.seq2seq import Seq2Seq

# Size of a block of energy terms: half a MiB of float32, which stays in a core's cache between passes.
BLOCK = 2**17


def prepack(model: Seq2Seq, precision: Literal["fp32", "bf16"] = "fp32") -> Seq2Seq:
    """Pack the weights of a model for search.

    Args:
        model: in evaluation mode, in float32; its weights must not change while the result is in use.
        precision: precision of the factors of matrix products. States, softmax and probabilities are always
            float32; with bf16 the results of products are rounded to it, but for logits (``OutputLayer.prepack``).

    Returns:
        A model that shares parameters and buffers; the model itself if there is nothing to gain (float64, or float32
        on a device other than the CPU).
    """
    weight = model.output.weight
    if weight.dtype != torch.float32 or (weight.device.type != "cpu" and precision == "fp32"):
        return model
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    prepacked: Seq2Seq = copy.deepcopy(model, {id(each): each for each in chain(model.parameters(), model.buffers())})
    for parent in [module for module in prepacked.modules() if not fused(module)]:
        for name, child in list(parent.named_children()):
            if replaceable(child):
                setattr(parent, name, PrepackedLinear(child, dtype))
    prepacked.output.prepack(dtype)
    if weight.device.type == "cpu":
        prepacked.encoder.prepack(dtype)
        if prepacked.words is not None:
            prepacked.words.encoder.prepack(dtype)
        attention = prepacked.decoder.attention
        if separable(attention):
            attention.score = ExponentialScore(cast("AdditiveScore", attention.score))
    return prepacked


def fused(module: nn.Module) -> bool:
    """Whether torch computes a layer by one function of its weights, so that what replaces its parts is never called.

    It does for self-attention with an even number of heads, where nothing is trained.
    """
    if not isinstance(module, nn.TransformerEncoderLayer):
        return False
    return bool(module.activation_relu_or_gelu) and module.self_attn.num_heads % 2 == 0


def replaceable(layer: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether ``PrepackedLinear`` may replace a layer: a plain ``nn.Linear`` without hooks, in float32."""
    if type(layer) is not nn.Linear or layer._forward_hooks or layer._forward_pre_hooks:
        return False
    return isinstance(layer.weight, nn.Parameter) and layer.weight.dtype == torch.float32


class PrepackedLinear(nn.Linear):
    """``W x + b`` with W packed once; its weights and sizes are those of the original layer.

    Args:
        layer: the layer whose weights it shares.
        dtype: dtype of the factors.
    """

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias
        self.multiply = PrepackedWeight(layer.weight, layer.bias, dtype)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., N) float32 of inputs (..., M)."""
        return self.multiply(inputs)


def separable(attention: Attention) -> bool:
    """Whether ``ExponentialScore`` may replace an attention's score.

    It may if the score is additive and the attention uses only its ``keys`` and ``forward``.
    """
    kinds = (SoftAttention, HardAttention, MarginalAttention)
    return type(attention) in kinds and type(cast("Any", attention).score) is AdditiveScore


class ExponentialScore(Score):
    """The additive score from exponentials: ``v_a^T tanh(q + k) = sum(v_a) - 2 v_a^T r``, ``r = 1 / (1 + e^2q e^2k)``.

    Exponentials of keys are computed once per source, those of queries once per step. Each pair of query and position
    then needs only a product, a sum and a reciprocal; in blocks that stay in the cache they take an eighth of the time
    of tanh.

    Args:
        score: the score whose weights it shares.
    """

    def __init__(self, score: AdditiveScore) -> None:
        super().__init__()
        self.size = score.size
        self.W_a, self.U_a, self.v_a = score.W_a, score.U_a, score.v_a

    def keys(self, values: Tensor) -> Tensor:
        """``e^(2 U_a h)``: (B, S, A)."""
        return exponential_keys(self.U_a(values))

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Energies (B, Q, S) for keys (B, S, A)."""
        queries = exponential(self.W_a(query).to(keys.dtype))
        weight = self.v_a.weight.squeeze(0)
        energies = query.new_empty(*query.shape[:2], keys.shape[1])
        rows = max(1, BLOCK // max(1, energies[0].numel() * weight.numel()))
        for found, q, k in zip(*(torch.split(each, rows) for each in (energies, queries, keys)), strict=True):
            rest = complement(k.unsqueeze(1), q.unsqueeze(2)).to(weight.dtype)
            torch.mv(rest.view(-1, weight.numel()), weight, out=found.view(-1))
        return energies.mul_(-2.0).add_(weight.sum())

"""Glimpses: a window over the grid of a picture, whose place and size the decoder's state chooses.

A window has N x N points in each of K scales. Each point reads cells near it, by a filter over rows times a filter over
columns, and the N x N x K values that were read become the context. The *footprint*, which the attention returns as its
weights, is the mean over the points of what they read.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import Positive, PositiveInt
from nmt.core.tensors import length_mask, masked_softmax
from nmt.model.attention.base import Attention, AttentionConfig, AttentionOutput, AttentionState, Prepared, RowSum
from nmt.model.attention.local import position_dtype
from nmt.model.attention.stacked import looking
from nmt.model.memory import SourceMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class GlimpseConfig(AttentionConfig):
    """A window over a grid.

    Args:
        points: N; the window has N x N points.
        size: size of what a look adds to the context; that of an annotation if left out.
        looks: how often to look for each word; what a look reads places the next window.
    """

    needs_grid: ClassVar[bool] = True

    points: PositiveInt = 3
    size: PositiveInt | None = None
    looks: PositiveInt = 1

    @property
    def row_sum(self) -> RowSum:
        """Points outside the grid read nothing."""
        return "at most one"


class GlimpseAttention(Attention):
    """``c = W_o vec(F_Y h F_X^T)``, with filters of numbers ``W_g q / sqrt(D_q) + b``, the first two its place.

    The divisor makes an update by Adam, which moves every weight by the learning rate, move a window as little as plain
    gradient descent does (see ``PredictiveLocalAttention``).

    Args:
        config: its options.
        query_size: size D_q of queries.
        memory_size: size D of annotations.
        numbers: how many numbers define the window.
        scales: K.
    """

    def __init__(
        self, config: GlimpseConfig, query_size: int, memory_size: int, *, numbers: int, scales: int = 1
    ) -> None:
        super().__init__(context_size=config.size or memory_size)
        self.points = config.points
        self.elements_per_pair = memory_size
        self.W_g = nn.Linear(query_size, numbers)
        self.W_o = nn.Linear(scales * config.points**2 * memory_size, self.context_size, bias=False)

    def prepare(self, memory: SourceMemory) -> Prepared:
        """Keep the annotations and their grid."""
        if memory.grid is None:
            raise TypeError("a glimpse needs a memory that is a grid")
        return Prepared(memory.values[:, :0, :0], memory.values, memory.mask, memory.lengths, grid=memory.grid)

    @abstractmethod
    def filters(self, numbers: Tensor, axis: int, sizes: Tensor, cells: Tensor) -> Tensor:
        """Return how much each point reads of each row (axis 0) or column (axis 1); what lies outside is ignored.

        Args:
            numbers: (B, Q, numbers).
            axis: 0 or 1.
            sizes: (B, 2) true rows and columns of each grid.
            cells: (cells,) indices of rows or columns, from 0, in the dtype of the numbers.

        Returns:
            (B, Q, K, N, cells).
        """

    def choose(self, numbers: Tensor) -> tuple[Tensor, Tensor | None]:
        """Turn what the state says into the numbers of the window, and their log-probability (B, Q) if drawn."""
        return numbers, None

    def finish(self, context: Tensor, numbers: Tensor) -> Tensor:  # noqa: ARG002
        """Complete contexts (B, Q, D) by the numbers of the windows."""
        return context

    def forward(self, query: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:
        """Look at the grid through a window for each query."""
        if prepared.grid is None:
            raise TypeError("a glimpse needs the memory that it has prepared itself")
        (height, width), values = prepared.grid, prepared.values
        sizes = torch.stack([prepared.lengths // width, torch.full_like(prepared.lengths, width)], dim=-1)
        numbers, log_prob = self.choose(self._numbers(query, position_dtype(values)))
        rows, columns = (
            self.filters(numbers, axis, sizes, _range(count, numbers)).masked_fill(
                ~length_mask(sizes[:, axis], count)[:, None, None, None], 0.0
            )
            for axis, count in enumerate((height, width))
        )
        batch, queries, scales, points, _ = rows.shape
        by_row = torch.bmm(rows.flatten(1, 3).to(values.dtype), values.view(batch, height, -1))
        read = columns.to(values.dtype).unsqueeze(3) @ by_row.view(batch, queries, scales, points, width, -1)
        context = self.finish(self.W_o(read.flatten(2)), numbers).to(values.dtype)
        # The mean over the points of a scale is the product of the means over its rows and columns.
        footprint = (rows.mean(3).unsqueeze(-1) * columns.mean(3).unsqueeze(-2)).mean(2)
        return AttentionOutput(context, footprint.flatten(2).to(values.dtype).unsqueeze(2), state, log_prob)

    def _numbers(self, query: Tensor, dtype: torch.dtype) -> Tensor:
        # No matrix product: autocast would round it, which can shift a window by a whole cell.
        products = query.to(dtype).unsqueeze(-2) * self.W_g.weight / math.sqrt(query.shape[-1])
        return products.sum(-1) + self.W_g.bias


def _exp(exponent: Tensor) -> Tensor:
    """Bounded on both sides: a factor of 0 or infinity beside a distance of infinity or 0 would be NaN."""
    return exponent.clamp(-10.0, 10.0).exp()


def _range(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, device=like.device, dtype=like.dtype)


@AttentionConfig.registry.register("gaussian")
@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianConfig(GlimpseConfig):
    """The grid of Gaussian filters of DRAW (Gregor et al., 2015); fields as in ``GlimpseConfig``."""

    @property
    def row_sum(self) -> RowSum:
        """Filters are normalised."""
        return "one"

    def build(self, query_size: int, memory_size: int) -> Attention:
        """Build the attention."""
        return looking(GaussianAttention(self, query_size, memory_size, numbers=5), query_size, self.looks)


class GaussianAttention(GlimpseAttention):
    """A grid of Gaussian filters: Gregor et al. (2015), equations 19 to 27.

    The state gives centre, stride, variance and intensity (equation 21). At zeros the window covers the whole grid,
    with a deviation of one cell. Filters are normalised over the real cells by a softmax, which is equations 25 and 26
    without their division by zero where a window lies far outside.
    """

    def filters(self, numbers: Tensor, axis: int, sizes: Tensor, cells: Tensor) -> Tensor:
        """Return F_X or F_Y; the paper counts cells from 1."""
        extent = sizes.to(numbers.dtype).unsqueeze(1)
        centre = (extent[..., axis] + 1.0) / 2.0 * (numbers[..., axis] + 1.0)
        stride = (extent.amax(-1) - 1.0) / max(self.points - 1, 1) * _exp(numbers[..., 2])
        offsets = _range(self.points, numbers) + 1.0 - self.points / 2.0 - 0.5
        means = centre.unsqueeze(-1) + offsets * stride.unsqueeze(-1)
        distances = cells + 1.0 - means.unsqueeze(-1)
        energies = -distances.square() * _exp(-numbers[..., 3])[..., None, None] / 2.0
        real = cells < sizes[:, axis, None]
        return masked_softmax(energies, real[:, None, None]).unsqueeze(2)

    def finish(self, context: Tensor, numbers: Tensor) -> Tensor:
        """Multiply by the intensity gamma (equation 27)."""
        return context * _exp(numbers[..., 4:5])


@AttentionConfig.registry.register("bilinear")
@dataclass(frozen=True, slots=True, kw_only=True)
class BilinearConfig(GlimpseConfig):
    """The sampler of a spatial transformer (Jaderberg et al., 2015); fields as in ``GlimpseConfig``."""

    def build(self, query_size: int, memory_size: int) -> Attention:
        """Build the attention."""
        return looking(BilinearAttention(self, query_size, memory_size, numbers=4), query_size, self.looks)


class BilinearAttention(GlimpseAttention):
    """Bilinear samples at the points of a window: Jaderberg et al. (2015), equations 1 and 5.

    The state gives translations t and scales s, so that point u of the window, from -1 to 1, lies at ``tanh(t) +
    exp(s) u`` of the grid. The paper has t and s themselves. Where a window lies outside it has no gradient, and would
    never come back. At zeros the window is the whole grid.
    """

    def filters(self, numbers: Tensor, axis: int, sizes: Tensor, cells: Tensor) -> Tensor:
        """Return ``max(0, 1 - |x - cell|)``."""
        within = (2.0 * _range(self.points, numbers) + 1.0) / self.points - 1.0
        scale, place = _exp(numbers[..., 2 + axis]), numbers[..., axis].tanh()
        points = (place.unsqueeze(-1) + scale.unsqueeze(-1) * within + 1.0) / 2.0 * sizes[:, None, None, axis] - 0.5
        return (1.0 - (points.unsqueeze(-1) - cells).abs()).clamp_min(0.0).unsqueeze(2)


@AttentionConfig.registry.register("retina")
@dataclass(frozen=True, slots=True, kw_only=True)
class RetinaConfig(GlimpseConfig):
    """The retinal glimpse of Mnih et al. (2014); ``training.objective: reinforce`` trains it.

    Args:
        points: N; each patch has N x N points.
        size: size of what a look adds to the context; that of an annotation if left out.
        looks: how often to look for each word; what a look reads places the next window.
        scales: number of patches around the same place, each of which covers twice the height and width of the last.
        deviation: standard deviation of the place in training, where the grid reaches from -1 to 1.
    """

    samples: ClassVar[bool] = True

    scales: PositiveInt = 2
    deviation: Positive = 0.2

    def build(self, query_size: int, memory_size: int) -> Attention:
        """Build the attention."""
        return looking(RetinaAttention(self, query_size, memory_size), query_size, self.looks)


class RetinaAttention(GlimpseAttention):
    """Patches of several resolutions around a drawn place: Mnih et al. (2014), section 3.1 and figure 1.

    ``l ~ N(tanh(W_g q), deviation^2)``, and ``c = W_o vec(patches) + W_l l``. A point of the first patch covers one
    cell, one of the next patch 2 x 2 cells, and so on, each by their mean. A drawn place has no gradient, so weights
    have none in training. In evaluation l is its mean, and has.
    """

    samples = True

    def __init__(self, config: RetinaConfig, query_size: int, memory_size: int) -> None:
        super().__init__(config, query_size, memory_size, numbers=2, scales=config.scales)
        self.scales = config.scales
        self.deviation = config.deviation
        self.W_l = nn.Linear(2, self.context_size, bias=False)

    def choose(self, numbers: Tensor) -> tuple[Tensor, Tensor | None]:
        """Draw the place in training."""
        mean = numbers.tanh()
        place = (mean + self.deviation * torch.randn_like(mean)).detach() if self.training else mean
        density = -((place - mean) / self.deviation).square() / 2.0 - math.log(self.deviation * math.sqrt(2 * math.pi))
        return place, density.sum(-1)

    def filters(self, numbers: Tensor, axis: int, sizes: Tensor, cells: Tensor) -> Tensor:
        """Return the share of each point that lies in each row or column."""
        extents = 2.0 ** _range(self.scales, numbers)
        offsets = _range(self.points, numbers) - (self.points - 1) / 2.0
        centre = (numbers[..., axis] + 1.0) / 2.0 * sizes[:, None, axis]
        middles = centre[..., None, None] + extents.unsqueeze(-1) * offsets
        low, high = (middles + side * extents.unsqueeze(-1) / 2.0 for side in (-1, 1))
        overlap = torch.minimum(high.unsqueeze(-1), cells + 1.0) - torch.maximum(low.unsqueeze(-1), cells)
        return overlap.clamp_min(0.0) / extents[:, None, None]

    def finish(self, context: Tensor, numbers: Tensor) -> Tensor:
        """Tell the place."""
        place: Tensor = self.W_l(numbers.to(self.W_l.weight.dtype))
        return context + place

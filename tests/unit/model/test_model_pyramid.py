"""The pyramidal encoder: every layer joins positions, and a row never sees the padding of its batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from model_sweep import close, tensors, variants
from torch import Tensor

from nmt.core.config.ranges import problems_of
from nmt.model.bridge import conflict
from nmt.model.dropout import DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.encoder.projected import ProjectedEncoderConfig
from nmt.model.encoder.pyramid import PyramidEncoder, PyramidEncoderConfig, joined
from nmt.model.encoder.rnn import RnnEncoderConfig

LENGTHS = torch.tensor([7, 1, 12, 9, 4])
EVERY = [
    replace(one, size=3, layers=len(reductions), reductions=reductions)
    for one in variants(PyramidEncoderConfig)
    for reductions in ((1, 2, 2), (2, 1), (3, 2))
]
every_pyramid = pytest.mark.parametrize(
    "config", EVERY, ids=lambda one: f"{one.cell}-{one.layer_norm}-{one.reductions}"
)


@pytest.fixture(params=["fast", "plain", "prepacked"])
def way(request: pytest.FixtureRequest) -> str:
    """How its layers run: by a fused function, by torch's, or with packed weights."""
    return str(request.param)


def built(config: EncoderConfig, *, way: str = "plain", dropout: float = 0.0) -> Encoder:
    torch.manual_seed(2)
    encoder = config.build(5, DropoutConfig(layers=dropout)).double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    encoder.fast = way == "fast"
    if way != "plain":
        encoder.float()
    if way == "prepacked":
        encoder.prepack(torch.float32)
    return encoder


def run(encoder: Encoder, values: Tensor, lengths: Tensor, way: str) -> Any:
    """Encode: the fused function runs where there are gradients, and neither it nor packed weights in float64."""
    with torch.set_grad_enabled(way != "prepacked"):
        return encoder(values if way == "plain" else values.float(), lengths)


def near(one: Any, other: Any, cell: str = "gru") -> None:
    """Within rounding, which norms of three units magnify."""
    tolerance = 1e-4 if cell.startswith("ln-") else 1e-5
    torch.testing.assert_close(one.double(), other.double(), rtol=0, atol=tolerance)


def frames(width: int = 12) -> Tensor:
    return torch.randn(5, width, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@every_pyramid
def test_a_row_depends_neither_on_padding_nor_on_its_batch(config: PyramidEncoderConfig, way: str) -> None:
    encoder, values = built(config, way=way), frames()
    memory = run(encoder, values, LENGTHS, way)
    anything = 100.0 if way == "prepacked" else float("nan")
    spoilt = values.masked_fill((torch.arange(12) >= LENGTHS.unsqueeze(1)).unsqueeze(2), anything)
    for (path, tensor), (_, other) in zip(tensors(memory), tensors(run(encoder, spoilt, LENGTHS, way)), strict=True):
        assert torch.equal(tensor, other), path
    wider = run(encoder, torch.nn.functional.pad(values, (0, 0, 0, 5), value=7.0), LENGTHS, way)
    near(wider.values[:, : memory.values.shape[1]], memory.values, config.cell)
    assert torch.equal(wider.lengths, memory.lengths)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = run(encoder, values[row : row + 1, :length], LENGTHS[row : row + 1], way)
        (size,) = config.memory_shape((length, 5))
        assert alone.values.shape == (1, size, encoder.memory_size)
        assert memory.lengths[row] == size and memory.mask[row].sum() == size
        near(memory.values[row, :size], alone.values[0], config.cell)
        assert not memory.values[row, size:].any()
        near(memory.first_backward[row], alone.first_backward[0], config.cell)
        for state, own in zip(memory.states, alone.states, strict=True):
            near(state.hidden[row], own.hidden[0], config.cell)


@every_pyramid
def test_all_ways_give_the_same(config: PyramidEncoderConfig) -> None:
    plain = run(built(config), frames(), LENGTHS, "plain")
    for way in ("fast", "prepacked"):
        other = run(built(config, way=way), frames(), LENGTHS, way)
        for (_, tensor), (_, its) in zip(tensors(plain), tensors(other), strict=True):
            near(tensor, its, config.cell)


@every_pyramid
def test_a_memory_holds_what_its_encoder_says(config: PyramidEncoderConfig) -> None:
    encoder = built(config)
    memory = encoder(frames(), LENGTHS)
    assert [state.hidden.shape[1] for state in memory.states] == list(encoder.state_sizes)
    assert all((state.cell is None) == config.cell.endswith("gru") for state in memory.states)
    assert memory.first_backward is not None and memory.first_backward.shape == (5, encoder.backward_size)
    assert torch.equal(memory.first_backward, memory.values[:, 0, 3:]) or config.layer_norm
    assert conflict(config.default_bridge, encoder) is None and config.ordered


def test_every_real_frame_counts_and_padding_gets_no_gradient() -> None:
    encoder, values = built(PyramidEncoderConfig(size=3), way="fast"), frames().requires_grad_()
    memory = run(encoder, values, LENGTHS, "fast")
    (memory.values * torch.randn_like(memory.values)).sum().backward()
    assert values.grad is not None
    seen = values.grad.abs().sum(2) > 0
    assert torch.equal(seen, torch.arange(12) < LENGTHS.unsqueeze(1))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_pyramid_is_layers_over_joined_layers(cell: Any) -> None:
    """Equation 5 of Chan et al. (2016), by encoders of one layer."""
    pyramid = built(PyramidEncoderConfig(cell=cell, size=3, layers=2))
    lengths = torch.full((5,), 11)
    below = frames(11)
    for index in range(2):
        if index:
            last = torch.cat([below[:, 10], torch.zeros(5, 6)], 1).unsqueeze(1)
            below = torch.cat([torch.cat([below[:, 0:10:2], below[:, 1:10:2]], 2), last], 1)
            lengths = torch.full((5,), 6)
        layer = RnnEncoderConfig(cell=cell, size=3).build(below.shape[2], DropoutConfig()).double()
        layer.load_state_dict(
            {
                name.replace(f"layers.{index}", "layers.0"): value
                for name, value in pyramid.state_dict().items()
                if name.startswith(f"layers.{index}.")
            }
        )
        below = layer(below, lengths).values
    close(pyramid(frames(11), torch.full((5,), 11)).values, below)


def test_positions_are_joined_in_their_order() -> None:
    rows = torch.arange(10.0).view(1, 5, 2)
    assert joined(rows, 2).tolist() == [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 0]]]
    assert joined(rows, 5).tolist() == [[list(range(10))]]


def test_dropout_falls_between_layers() -> None:
    encoder = built(PyramidEncoderConfig(size=3), dropout=0.5)
    assert isinstance(encoder, PyramidEncoder)
    seen: list[Tensor] = []
    handle = encoder.dropout.register_forward_hook(lambda module, given, result: seen.append(result == 0))
    encoder(frames(), LENGTHS)
    handle.remove()
    assert [one.shape[1] for one in seen] == [12, 6]


def test_reductions_must_fit_the_layers() -> None:
    assert PyramidEncoderConfig(layers=4).factors == (1, 2, 2, 2)
    assert PyramidEncoderConfig(layers=4).memory_shape((25, 80)) == (4,)
    found = list(problems_of(PyramidEncoderConfig(layers=2, reductions=(2, 2, 2))))
    assert found == [("reductions", "must have a number for each of 2 layers, but has 3")]


def test_a_projection_of_given_features() -> None:
    encoder = built(ProjectedEncoderConfig(size=6))
    memory = encoder(frames(), LENGTHS)
    expected = frames()[2, 4] @ encoder.W.weight.T + encoder.W.bias  # type: ignore[union-attr, operator]
    normal = (expected - expected.mean()) / (expected.var(unbiased=False) + 1e-5).sqrt()
    close(memory.values[2, 4], normal * encoder.norm.weight + encoder.norm.bias)  # type: ignore[union-attr, operator]
    assert not memory.states and memory.first_backward is None
    assert ProjectedEncoderConfig().ordered and not ProjectedEncoderConfig(ordered=False).ordered
    dropped = built(ProjectedEncoderConfig(size=6), dropout=0.5)(frames(), LENGTHS)
    assert 0.2 < (dropped.values[2] == 0).double().mean() < 0.8

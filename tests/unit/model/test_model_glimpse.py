"""Glimpses over grids: against loops in NumPy, torch's sampler, their derivatives, and at their edges."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy
import pytest
import torch
from model_sweep import close
from test_model_attention import built, draw
from torch.nn import functional

from nmt.core.config import from_mapping
from nmt.core.config.ranges import problems_of
from nmt.data.batch import Batch, Dense, Tokens
from nmt.model.attention.base import AttentionConfig, AttentionState
from nmt.model.attention.glimpse import BilinearConfig, GaussianConfig, RetinaConfig
from nmt.model.decoder.luong import LuongConfig
from nmt.model.encoder.grid import GridEncoderConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.memory import SourceMemory
from nmt.model.seq2seq import EmbeddingConfig, Seq2SeqConfig
from nmt.training.objective.reinforce import ReinforceConfig

HEIGHT, WIDTH, SIZE, QUERY = 5, 4, 3, 6
ROWS = (5, 3)
EVERY = [GaussianConfig(), BilinearConfig(), RetinaConfig()]
EVERY += [replace(config, points=points) for config in EVERY for points in (1, 2)]
every_glimpse = pytest.mark.parametrize("config", EVERY, ids=lambda one: f"{type(one).__name__}-{one.points}")


def grids(values=None):
    """Two pictures of which the second has fewer rows."""
    values = draw(len(ROWS), HEIGHT * WIDTH, SIZE, seed=4) if values is None else values
    lengths = torch.tensor(ROWS) * WIDTH
    mask = torch.arange(HEIGHT * WIDTH) < lengths.unsqueeze(1)
    return SourceMemory(values.masked_fill(~mask.unsqueeze(-1), 0.0), mask, lengths, grid=(HEIGHT, WIDTH))


def glimpse(attention, query, memory):
    return attention(query, attention.prepare(memory), attention.initial_state(memory))


def numbers_of(attention, query):
    """What the state says, by NumPy."""
    weight, bias = (each.detach().numpy() for each in (attention.W_g.weight, attention.W_g.bias))
    return weight @ query / math.sqrt(len(query)) + bias


def gaussian_filters(numbers, points, height, width):
    """Equations 19 to 26 of DRAW, as they are written."""
    centre_y, centre_x, stride, variance, _ = numbers
    centre = {"x": (width + 1) / 2 * (centre_x + 1), "y": (height + 1) / 2 * (centre_y + 1)}
    step = (max(height, width) - 1) / max(points - 1, 1) * numpy.exp(stride)
    found = []
    for axis, cells in (("y", height), ("x", width)):
        rows = numpy.zeros((points, cells))
        for i in range(1, points + 1):
            mean = centre[axis] + (i - points / 2 - 0.5) * step
            for a in range(1, cells + 1):
                rows[i - 1, a - 1] = numpy.exp(-((a - mean) ** 2) / (2 * numpy.exp(variance)))
        found.append(rows / rows.sum(1, keepdims=True))
    return [found]


def bilinear_filters(numbers, points, height, width):
    found = []
    for axis, cells in enumerate((height, width)):
        rows = numpy.zeros((points, cells))
        for i in range(points):
            at = numpy.tanh(numbers[axis]) + numpy.exp(numbers[2 + axis]) * ((2 * i + 1) / points - 1)
            for cell in range(cells):
                rows[i, cell] = max(0.0, 1 - abs((at + 1) * cells / 2 - 0.5 - cell))
        found.append(rows)
    return [found]


def retina_filters(numbers, points, height, width, scales=2):
    patches = []
    for scale in range(scales):
        wide, found = 2**scale, []
        for axis, cells in enumerate((height, width)):
            begin = (numpy.tanh(numbers[axis]) + 1) / 2 * cells - points * wide / 2
            rows = numpy.zeros((points, cells))
            for i in range(points):
                low, high = begin + i * wide, begin + (i + 1) * wide
                for cell in range(cells):
                    rows[i, cell] = max(0.0, min(high, cell + 1) - max(low, cell)) / wide
            found.append(rows)
        patches.append(found)
    return patches


FILTERS = {GaussianConfig: gaussian_filters, BilinearConfig: bilinear_filters, RetinaConfig: retina_filters}


@every_glimpse
def test_contexts_and_footprints_are_those_of_the_paper(config):
    attention, memory, query = built(config, QUERY, SIZE), grids(), draw(2, 4, QUERY, seed=5)
    output = glimpse(attention, query, memory)
    assert output.weights.shape == (2, 4, 1, HEIGHT * WIDTH)
    for row, height in enumerate(ROWS):
        picture = memory.values[row, : height * WIDTH].view(height, WIDTH, SIZE).numpy()
        for place in range(4):
            numbers = numbers_of(attention, query[row, place].numpy())
            patches = FILTERS[type(config)](numbers, config.points, height, WIDTH)
            read = numpy.concatenate(
                [numpy.einsum("ir,rcd,jc->ijd", rows, picture, columns).ravel() for rows, columns in patches]
            )
            expected = attention.W_o.weight.detach().numpy() @ read
            if isinstance(config, GaussianConfig):
                expected = expected * numpy.exp(numbers[4])
            elif isinstance(config, RetinaConfig):
                expected = expected + attention.W_l.weight.detach().numpy() @ numpy.tanh(numbers)
            assert output.context[row, place].tolist() == pytest.approx(expected.tolist(), abs=1e-9)
            footprint = numpy.mean(
                [numpy.einsum("ir,jc->ijrc", rows, columns).mean((0, 1)) for rows, columns in patches], axis=0
            )
            found = output.weights[row, place, 0]
            assert found[: height * WIDTH].tolist() == pytest.approx(footprint.ravel().tolist(), abs=1e-9)
            assert not found[height * WIDTH :].any()
            assert 0 <= float(found.detach().sum()) <= 1 + 1e-9


def test_the_bilinear_window_reads_as_torchs_sampler():
    attention, query = built(BilinearConfig(points=4), QUERY, SIZE), draw(1, 1, QUERY, seed=5)
    memory = grids(draw(2, HEIGHT * WIDTH, SIZE, seed=4))
    tall = SourceMemory(memory.values[:1], memory.mask[:1], memory.lengths[:1], grid=memory.grid)
    down, right, high, wide = numbers_of(attention, query[0, 0].numpy()).tolist()
    theta = torch.tensor(
        [[[math.exp(wide), 0, math.tanh(right)], [0, math.exp(high), math.tanh(down)]]], dtype=torch.float64
    )
    picture = tall.values.view(1, HEIGHT, WIDTH, SIZE).permute(0, 3, 1, 2)
    places = functional.affine_grid(theta, (1, SIZE, 4, 4), align_corners=False)
    sampled = functional.grid_sample(picture, places, align_corners=False).permute(0, 2, 3, 1)
    close(glimpse(attention, query, tall).context[0, 0], attention.W_o(sampled.flatten()))


@every_glimpse
def test_derivatives_by_queries_values_and_parameters(config):
    attention = built(config, QUERY, SIZE)
    names = [name for name, _ in attention.named_parameters()]

    def look(query, values, *parameters):
        prepared = attention.prepare(grids(values))
        given = (query, prepared, AttentionState())
        output = torch.func.functional_call(attention, dict(zip(names, parameters, strict=True)), given)
        return output.context, output.weights

    inputs = (draw(2, 2, QUERY, seed=5, grad=True), draw(2, HEIGHT * WIDTH, SIZE, seed=4, grad=True))
    parameters = [parameter.detach().clone().requires_grad_() for parameter in attention.parameters()]
    assert torch.autograd.gradcheck(look, (*inputs, *parameters))


@pytest.mark.parametrize("config", EVERY[:3], ids=lambda one: type(one).__name__)
def test_at_zeros_a_window_lies_in_the_middle(config):
    attention = built(config, QUERY, SIZE)
    with torch.no_grad():
        attention.W_g.weight.zero_()
        attention.W_g.bias.zero_()
    weights = glimpse(attention, draw(2, 1, QUERY), grids()).weights
    for row, height in enumerate(ROWS):
        picture = weights[row, 0, 0, : height * WIDTH].view(height, WIDTH)
        close(picture, picture.flip(0))
        close(picture, picture.flip(1))
        assert bool((picture > 0).all()) or not isinstance(config, GaussianConfig)


@pytest.mark.parametrize("config", EVERY[:3], ids=lambda one: type(one).__name__)
@pytest.mark.parametrize(("bias", "corner"), [((-9.0, -9.0), (0, 0)), ((9.0, 9.0), (-1, -1)), ((-9.0, 9.0), (0, -1))])
def test_the_first_number_is_down_and_the_second_right(config, bias, corner):
    attention = built(replace(config, points=1), QUERY, SIZE)
    with torch.no_grad():
        attention.W_g.weight.zero_()
        attention.W_g.bias.copy_(torch.tensor([*bias, *[0.0] * (len(attention.W_g.bias) - 2)]))
    weights = glimpse(attention, draw(2, 1, QUERY), grids()).weights
    for row, height in enumerate(ROWS):
        picture = weights[row, 0, 0, : height * WIDTH].view(height, WIDTH)
        assert float(picture[corner].detach()) == float(picture.detach().max()) > 0.2


def test_places_far_outside_give_no_nan_and_come_back():
    attention = GaussianConfig().build(QUERY, SIZE)  # in float32, whose exponentials are zero there
    with torch.no_grad():
        attention.W_g.bias.copy_(torch.tensor([50.0, -50.0, 0.0, -8.0, 0.0]))
    memory = grids(torch.randn(2, HEIGHT * WIDTH, SIZE))
    output = glimpse(attention, torch.randn(2, 1, QUERY), memory)
    output.context.sum().backward()
    assert bool(output.context.isfinite().all()) and bool(attention.W_g.weight.grad.isfinite().all())
    close(output.weights.sum(-1), torch.ones(2, 1, 1), 1e-5)


def test_windows_stand_exactly_in_half_precision():
    attention = built(GaussianConfig(), QUERY, SIZE).float()
    memory = grids().to(torch.float32)
    query = draw(2, 3, QUERY, seed=5).float()
    exact = glimpse(attention, query, memory)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = glimpse(attention, query, memory)
    assert torch.equal(exact.weights, rough.weights)
    difference = (exact.context - rough.context).norm() / exact.context.norm()
    assert float(difference.detach()) < 0.02


def test_a_drawn_place_varies_by_its_deviation_and_has_the_density_of_a_normal():
    attention = built(RetinaConfig(points=1, scales=1, deviation=0.1), QUERY, 1).train()
    with torch.no_grad():
        attention.W_g.weight.zero_()
        attention.W_g.bias.copy_(torch.tensor([0.3, -0.2], dtype=torch.float64))
        attention.W_o.weight.zero_()
        attention.W_l.weight.fill_(1.0)
        attention.W_l.weight[0, 1] = 1000.0  # so that the context tells both coordinates
    memory = grids(torch.zeros(2, HEIGHT * WIDTH, 1, dtype=torch.float64))
    torch.manual_seed(0)
    output = glimpse(attention, torch.zeros(2, 4000, QUERY, dtype=torch.float64), memory)
    attention.W_l.weight.data[0, 1] = 0.0
    torch.manual_seed(0)
    down = glimpse(attention, torch.zeros(2, 4000, QUERY, dtype=torch.float64), memory).context.detach().flatten()
    right = (output.context.detach().flatten() - down) / 1000.0
    for found, mean in ((down, math.tanh(0.3)), (right, math.tanh(-0.2))):
        assert float(found.mean()) == pytest.approx(mean, abs=0.01)
        assert float(found.std()) == pytest.approx(0.1, abs=0.005)
    means = torch.tensor([0.3, -0.2], dtype=torch.float64).tanh()
    normal = torch.distributions.Normal(means, torch.full_like(means, 0.1))
    close(output.log_prob.flatten(), normal.log_prob(torch.stack([down, right], -1)).sum(-1), 1e-8)
    assert not output.weights.requires_grad
    output.log_prob.sum().backward()
    assert float(attention.W_g.bias.grad.abs().min()) > 0
    assert torch.equal(
        *(glimpse(attention.eval(), torch.zeros(2, 1, QUERY).double(), memory).context for _ in range(2))
    )


def test_reinforce_moves_the_place_of_a_retina():
    """A picture whose right side has the answer: the place moves there, by the reward alone."""
    torch.manual_seed(2)
    config = Seq2SeqConfig(
        embedding=EmbeddingConfig(size=4),
        encoder=GridEncoderConfig(channels=(4,), size=6),
        bridge="zero",
        decoder=LuongConfig(size=8),
        attention=RetinaConfig(points=1, scales=1, deviation=0.4),
    )
    assert not list(problems_of(config))
    model = config.build(None, 5, 3).train()
    objective = ReinforceConfig(reward_weight=1.0, entropy_weight=0.0, baseline_decay=0.5).build(
        config, vocabulary_size=5, smoothing=0.0
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(60):
        answers = torch.randint(0, 2, (32,))
        pictures = torch.rand(32, 8, 8, 3) * 0.1
        pictures[answers == 1, :, 5:] += 0.9
        source = Dense(pictures, torch.full((32,), 8), torch.full((32,), 32))
        target = Tokens(answers.unsqueeze(1) + 3, torch.ones(32, dtype=torch.int64))
        loss = objective(model, Batch(source, target, torch.arange(32)), model(source, target, 1)).loss
        optimiser.zero_grad()
        (loss / 32).backward()
        assert model.decoder.attention.W_g.weight.grad is not None, step
        optimiser.step()
    with torch.no_grad():
        weights = model.eval()(source, target, 1).weights.view(32, 4, 4).sum(1).mean(0)
    assert float(weights[2:].sum()) > 0.8, weights


@pytest.mark.parametrize("name", ["gaussian", "bilinear", "retina"])
def test_a_source_that_is_no_grid_is_refused_with_the_recipe(name):
    attention = from_mapping(AttentionConfig, {"type": name}, name="attention")
    ((where, message),) = problems_of(Seq2SeqConfig(encoder=RnnEncoderConfig(), attention=attention))
    assert where == "attention.type"
    assert message == f"must not be {name} where the source is no grid, over which it places a window; choose soft"
    assert not list(problems_of(Seq2SeqConfig(encoder=GridEncoderConfig(), bridge="mean", attention=attention)))


def test_numbers_that_are_none():
    assert [where for where, _ in problems_of(GaussianConfig(points=0, size=0))] == ["points", "size"]
    assert [where for where, _ in problems_of(RetinaConfig(scales=0, deviation=0.0))] == ["scales", "deviation"]


def test_a_context_has_the_size_asked_for():
    for config in EVERY[:3]:
        assert built(replace(config, size=7), QUERY, SIZE).context_size == 7
        assert glimpse(built(replace(config, size=7), QUERY, SIZE), draw(2, 1, QUERY), grids()).context.shape[-1] == 7

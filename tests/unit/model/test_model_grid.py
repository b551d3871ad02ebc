"""The grid encoder: a picture's memory is its own, each annotation sees its part, and places are told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from model_sweep import close
from torch.nn import functional

from nmt.core.config import from_mapping
from nmt.core.errors import ConfigError
from nmt.data.batch import Dense, Tokens
from nmt.model.attention.glimpse import GaussianConfig
from nmt.model.attention.soft import SoftConfig
from nmt.model.bridge import conflict
from nmt.model.decoder.luong import LuongConfig
from nmt.model.dropout import DropoutConfig
from nmt.model.encoder.base import EncoderConfig
from nmt.model.encoder.grid import GridEncoderConfig, PictureNorm
from nmt.model.encoder.pixels import PixelsEncoderConfig
from nmt.model.encoder.spatial_transformer import SpatialTransformer
from nmt.model.initialisation import InitialisationConfig
from nmt.model.seq2seq import EmbeddingConfig, Seq2SeqConfig

CONFIG = GridEncoderConfig(channels=(5, 6), size=4)
ROWS = torch.tensor([12, 5, 9])


def built(config=CONFIG, dropout=None):
    torch.manual_seed(2)
    encoder = config.build(3, dropout or DropoutConfig()).double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return encoder


def pictures(count=3, height=12, width=10):
    return torch.rand(count, height, width, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height", "width"), [(12, 8), (1, 1), (13, 9), (7, 3)])
@pytest.mark.parametrize("channels", [(5,), (5, 6), (5, 6, 7)])
def test_the_grid_has_the_shape_that_was_told(channels, height, width):
    config = replace(CONFIG, channels=channels)
    memory = built(config)(pictures(2, height, width), torch.tensor([height, height]))
    assert memory.grid == config.memory_shape((height, width, 3))
    cells = memory.grid[0] * memory.grid[1]
    assert memory.values.shape == (2, cells, 4)
    assert memory.lengths.tolist() == [cells, cells]
    assert bool(memory.mask.all())


def test_a_picture_has_the_memory_that_it_has_alone():
    encoder, batch = built(), pictures()
    real = torch.arange(12) < ROWS.unsqueeze(1)
    memory = encoder(batch.masked_fill(~real[:, :, None, None], float("nan")), ROWS)
    assert memory.lengths.tolist() == [3 * 3, 2 * 3, 3 * 3]
    assert bool((memory.values[~memory.mask] == 0).all())
    for row, length in enumerate(ROWS.tolist()):
        alone = encoder(batch[row : row + 1, :length], ROWS[row : row + 1])
        close(memory.values[row, : memory.lengths[row]], alone.values[0])


def test_padding_gets_no_gradient():
    batch = pictures().requires_grad_()
    memory = built()(batch, ROWS)
    (memory.values * torch.randn_like(memory.values)).sum().backward()
    real = torch.arange(12) < ROWS.unsqueeze(1)
    assert bool((batch.grad[~real] == 0).all())
    assert bool((batch.grad[real] != 0).any())


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 9), (11, 0), (11, 9), (3, 4), (5, 0), (2, 5)])
def test_cells_run_row_by_row_over_the_picture_and_see_as_far_to_each_side(row, column, monkeypatch):
    """By two layers a cell has 4 x 4 pixels, and sees three more on each side; without norms, which see all."""
    monkeypatch.setattr(PictureNorm, "forward", lambda self, features, rows: features)
    encoder, before = built(), pictures(1)
    after = before.clone()
    after[0, row, column] = 1 - after[0, row, column]
    lengths = torch.tensor([12])
    changed = (encoder(before, lengths).values != encoder(after, lengths).values).any(-1)[0]
    rows, columns = ({each for each in range(3) if 4 * each - 3 <= pixel < 4 * each + 7} for pixel in (row, column))
    assert set(changed.nonzero().flatten().tolist()) == {3 * r + c for r in rows for c in columns}


def test_equal_parts_of_a_picture_are_told_apart_by_their_place():
    with torch.no_grad():
        memory = built()(torch.full((1, 40, 40, 3), 0.3, dtype=torch.float64), torch.tensor([40]))
    inside = memory.values[0].view(10, 10, 4)[1:-1, 1:-1].reshape(-1, 4)
    distances = torch.cdist(inside, inside) + torch.eye(len(inside), dtype=torch.float64)
    assert float(distances.min()) > 1e-3


def test_parts_without_anything_stay_small():
    """What a norm at each position would spoil: the mean annotation tells what there is, and how much of it."""
    empty = torch.full((1, 32, 32, 3), 0.5, dtype=torch.float64)
    empty[0, 12:20, 12:20] = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    encoder, seen = built(), []
    encoder.W_f.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    encoder(empty, torch.tensor([32]))
    sizes = seen[0][0].std(-1)
    assert float(sizes[3:5, 3:5].min()) > 1.5 * float(sizes[1, 1])


def test_dropout_between_layers_draws_for_each_place_or_for_whole_channels():
    seen = []
    for variational in (False, True):
        encoder = built(dropout=DropoutConfig(layers=0.5, variational=variational))
        encoder.layers[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        encoder(pictures(), ROWS)
        assert torch.equal(encoder.eval()(pictures(), ROWS).values, encoder(pictures(), ROWS).values)
    places, _, _, channels, plain, _ = seen
    dropped = [(each == 0) & (plain > 0) for each in (places, channels)]  # of the first picture, which has no padding
    assert 0 < float(dropped[0][0].double().mean()) < 1
    whole = [(each == (plain > 0))[0].flatten(1).all(1) for each in dropped]
    assert bool(whole[1].any()) and not bool(whole[0].any())
    some = dropped[1][0].flatten(1).any(1)
    assert torch.equal(some, some & whole[1])


def test_what_it_declares():
    config = from_mapping(EncoderConfig, {"type": "grid", "channels": [4], "size": 6}, name="test")
    assert config == GridEncoderConfig(channels=(4,), size=6)
    assert (config.ordered, config.dimensions, config.default_bridge) == (False, 2, "mean")
    assert (config.drops_layers, CONFIG.drops_layers) == (False, True)
    assert conflict("mean", config.build(3, DropoutConfig())) is None
    assert conflict("last", config.build(3, DropoutConfig())) is not None


@pytest.mark.parametrize(
    ("channels", "message"),
    [([], "must have at least one number"), ([4, 0], "channels.1 must be at least 1")],
)
def test_channels_that_are_none(channels, message):
    with pytest.raises(ConfigError, match=message):
        from_mapping(EncoderConfig, {"type": "grid", "channels": channels}, name="test")


# A spatial transformer as its front end

MOVED = replace(CONFIG, transformer=True)


def transformer_that(numbers, height=12, width=10):
    """A spatial transformer whose map is a constant, and pictures of two heights, zero on padding."""
    module = SpatialTransformer(3, 4).double()
    with torch.no_grad():
        module.maps = lambda pixels, rows: torch.tensor(numbers, dtype=torch.float64).view(1, 2, 3).expand(2, -1, -1)
    batch, rows = pictures(2, height, width), torch.tensor([height, 7])
    return module, batch.masked_fill((torch.arange(height) >= rows.unsqueeze(1))[:, :, None, None], 0.0), rows


@pytest.mark.parametrize("scheme", ["xavier", "luong", "normal"])
def test_it_begins_as_the_identity_whatever_the_initialisation(scheme):
    model = Seq2SeqConfig(
        encoder=MOVED,
        bridge="mean",
        embedding=EmbeddingConfig(size=4),
        decoder=LuongConfig(size=6),
        initialisation=InitialisationConfig(scheme=scheme),
    )
    encoder, given = model.build(None, 7, 3).encoder.double(), pictures() - 0.5
    close(encoder.transformer(given, torch.tensor([12, 12, 12])), given)
    assert bool((encoder.transformer.layer.weight != 0).all())
    assert not encoder.transformer.theta.any()


def test_it_turns_shifts_and_scales_as_torchs_sampler_each_picture_by_its_own_height():
    numbers = [0.7, -0.4, 0.2, 0.3, 0.8, -0.1]
    module, batch, rows = transformer_that(numbers)
    found = module(batch, rows)
    theta = torch.tensor(numbers, dtype=torch.float64).view(1, 2, 3)
    for row, height in enumerate(rows.tolist()):
        alone = batch[row : row + 1, :height].permute(0, 3, 1, 2)
        places = functional.affine_grid(theta, list(alone.shape), align_corners=False)
        expected = functional.grid_sample(alone, places, align_corners=False).permute(0, 2, 3, 1)[0]
        close(found[row, :height], expected)
        assert not found[row, height:].any()


def test_shifting_right_reads_to_the_right():
    module, batch, rows = transformer_that([1.0, 0.0, 2 / 10 * 3, 0.0, 1.0, 0.0])  # by three of ten columns
    found = module(batch, rows)
    close(found[:, :, :7], batch[:, :, 3:])
    assert float(found[:, :, 7:].abs().max()) < 1e-12


def test_a_transformed_picture_has_the_memory_that_it_has_alone():
    encoder, batch = built(MOVED), pictures()
    real = torch.arange(12) < ROWS.unsqueeze(1)
    memory = encoder(batch.masked_fill(~real[:, :, None, None], float("nan")), ROWS)
    assert not torch.allclose(memory.values, built()(batch, ROWS).values)
    for row, length in enumerate(ROWS.tolist()):
        alone = encoder(batch[row : row + 1, :length], ROWS[row : row + 1])
        close(memory.values[row, : memory.lengths[row]], alone.values[0])


def test_its_map_learns_from_the_start_on():
    encoder = MOVED.build(3, DropoutConfig()).double()
    (encoder(pictures(), ROWS).values * torch.randn(3, 9, 4, dtype=torch.float64)).sum().backward()
    assert bool((encoder.transformer.theta.grad.abs().sum(1) > 0).all())


def test_gradients_of_the_transformed_picture():
    module = SpatialTransformer(1, 2).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    names = [name for name, _ in module.named_parameters()]
    rows = torch.tensor([6, 4])
    given = torch.rand(2, 6, 5, 1, dtype=torch.float64).masked_fill(
        (torch.arange(6) >= rows.unsqueeze(1))[:, :, None, None], 0.0
    )

    def transformed(*parameters):
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), (given, rows))

    parameters = [each.detach().clone().requires_grad_() for each in module.parameters()]
    assert torch.autograd.gradcheck(transformed, parameters)


# No encoder at all


def test_pixels_are_a_grid_of_their_own_height():
    config = from_mapping(EncoderConfig, {"type": "pixels"}, name="test")
    encoder, batch = config.build(3, DropoutConfig()), pictures()
    real = torch.arange(12) < ROWS.unsqueeze(1)
    memory = encoder(batch.masked_fill(~real[:, :, None, None], float("nan")), ROWS)
    assert memory.grid == config.memory_shape((12, 10, 3)) == (12, 10)
    assert (memory.lengths.tolist(), encoder.memory_size) == ([120, 50, 90], 3)
    close(memory.values[1, :50].view(5, 10, 3), batch[1, :5] - 0.5)
    assert torch.equal(memory.mask, torch.arange(120) < memory.lengths.unsqueeze(1))
    assert bool((memory.values[~memory.mask] == 0).all())


@pytest.mark.parametrize("attention", [GaussianConfig(points=4, size=9), SoftConfig()])
def test_a_model_reads_pixels_through_a_window_or_by_scores(attention):
    config = Seq2SeqConfig(
        encoder=PixelsEncoderConfig(),
        bridge="mean",
        embedding=EmbeddingConfig(size=4),
        decoder=LuongConfig(size=6),
        attention=attention,
    )
    assert not list(config.problems())
    model = config.build(None, 7, 3).double()
    source = Dense(pictures(), ROWS, torch.tensor([32, 32, 32]))
    output = model(source, Tokens.pad([[3, 2], [4, 2], [5, 2]], 0), 1)
    assert output.weights.shape == (3, 2, 1, 120)
    close(output.weights.sum(-1), torch.ones(3, 2, 1, dtype=torch.float64), 1e-6)
    assert bool((output.weights.squeeze(2)[1, :, 50:] == 0).all())

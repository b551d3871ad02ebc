"""Transformer and convolutional encoders: formulas, positions, dropout, precisions."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from model_sweep import BOS, BRIDGES, PAD, SOURCES, TARGETS, VOCABULARY, close, ragged, sharpened
from numpy.typing import NDArray
from registered import ours
from torch import Tensor, nn

from nmt.core import config
from nmt.core.config.ranges import problems_of
from nmt.core.errors import ConfigError
from nmt.data.batch import Dense, Tokens
from nmt.model import saliency
from nmt.model.bridge import conflict
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.encoder.convolutional import ConvolutionalEncoderConfig
from nmt.model.encoder.places import sinusoids
from nmt.model.encoder.projected import ProjectedEncoderConfig
from nmt.model.encoder.transformer import TransformerEncoderConfig
from nmt.model.initialisation import SkipInitialisation
from nmt.model.model_stepper import ModelStepper
from nmt.model.seq2seq import EmbeddingConfig, Seq2SeqConfig
from nmt.recipe import Recipe, load_recipe
from tools.attention_zoo import read_variants

LENGTHS = torch.tensor([3, 7, 1])
Array = NDArray[np.float64]
Get = Callable[[str], Array]
TRANSFORMER = TransformerEncoderConfig(size=6, layers=2, heads=2, feed_forward=5)
CONVOLUTIONAL = ConvolutionalEncoderConfig(size=6, layers=2)
both = pytest.mark.parametrize("chosen", [TRANSFORMER, CONVOLUTIONAL], ids=["transformer", "convolutional"])


def built(chosen: EncoderConfig, input_size: int = 5, dropout: DropoutConfig | None = None) -> Encoder:
    torch.manual_seed(2)
    encoder = chosen.build(input_size, dropout or DropoutConfig()).double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return encoder


def embeddings(width: int = 7, size: int = 5) -> Tensor:
    return torch.randn(3, width, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


# The formulas again, for one sentence (S, E), in numpy.


def softmax(rows: Array) -> Array:
    powers: Array = np.exp(rows - rows.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def normed(x: Array, get: Get, name: str) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return scaled * get(f"{name}.weight") + get(f"{name}.bias")


def linear(x: Array, get: Get, name: str) -> Array:
    found: Array = x @ get(f"{name}.weight").T + get(f"{name}.bias")
    return found


def wave(place: int, unit: int, size: int) -> float:
    half = (size + 1) // 2
    turn = place / 10000.0 ** (2.0 * (unit % half) / size)
    return math.sin(turn) if unit < half else math.cos(turn)


def placed(x: Array, get: Get, size: int, scale: float | None) -> Array:
    x = x * (math.sqrt(x.shape[1]) if scale is None else scale)
    x = x if x.shape[1] == size else linear(x, get, "entry.W")
    return x + np.array([[wave(place, unit, size) for unit in range(size)] for place in range(len(x))])


def transformer(x: Array, get: Get, chosen: TransformerEncoderConfig) -> Array:
    """Vaswani et al. (2017), sections 3.1 to 3.5, with norms before the sub-layers and at the end."""
    size, width = chosen.size, chosen.size // chosen.heads
    x = placed(x, get, size, chosen.scale)
    for layer in (f"layers.{index}" for index in range(chosen.layers)):
        read = normed(x, get, f"{layer}.norm1")
        stacked = read @ get(f"{layer}.self_attn.in_proj_weight").T + get(f"{layer}.self_attn.in_proj_bias")
        heads = []
        for head in range(chosen.heads):
            query, key, value = (
                stacked[:, start : start + width] for start in (head * width + part * size for part in range(3))
            )
            heads.append(softmax(query @ key.T / math.sqrt(width)) @ value)
        x = x + linear(np.concatenate(heads, 1), get, f"{layer}.self_attn.out_proj")
        inner = np.maximum(linear(normed(x, get, f"{layer}.norm2"), get, f"{layer}.linear1"), 0.0)
        x = x + linear(inner, get, f"{layer}.linear2")
    return normed(x, get, "norm")


def convolutional(x: Array, get: Get, chosen: ConvolutionalEncoderConfig) -> Array:
    """Gehring et al. (2017b), section 3.2: ``[A B] = W [x_(j-k/2); ...; x_(j+k/2)] + b``, ``A * sigmoid(B)``."""
    side = chosen.width // 2
    x = placed(x, get, chosen.size, chosen.scale)
    for layer in (f"layers.{index}" for index in range(chosen.layers)):
        weight, bias = get(f"{layer}.weight"), get(f"{layer}.bias")
        above = []
        for place in range(len(x)):
            seen = bias.copy()
            for column, other in enumerate(range(place - side, place + side + 1)):
                if 0 <= other < len(x):
                    seen += weight[:, :, column] @ x[other]
            update = seen[: chosen.size] / (1.0 + np.exp(-seen[chosen.size :]))
            above.append((x[place] + update) / math.sqrt(2.0))
        x = np.array(above)
    return normed(x, get, "norm")


@pytest.mark.parametrize("trains", [True, False], ids=["plain", "without-gradients"])  # torch has other kernels there
@pytest.mark.parametrize(
    "chosen",
    [
        TRANSFORMER,
        replace(TRANSFORMER, size=5, heads=1, scale=0.5),  # no projection; an odd size
        replace(TRANSFORMER, feed_forward=None, layers=1),
        CONVOLUTIONAL,
        replace(CONVOLUTIONAL, size=5, width=5, scale=0.5),
        replace(CONVOLUTIONAL, width=1, layers=3),
    ],
)
def test_annotations_by_their_formula(chosen: EncoderConfig, trains: bool) -> None:
    encoder, embedded = built(chosen).eval(), embeddings()
    parameters = {name: parameter.detach().numpy() for name, parameter in encoder.named_parameters()}
    assert ("entry.W.weight" in parameters) == (encoder.memory_size != 5)
    with nullcontext() if trains else torch.inference_mode():
        values = encoder(embedded, LENGTHS).values
    for row, length in enumerate(LENGTHS.tolist()):
        sentence = embedded[row, :length].numpy()
        if isinstance(chosen, TransformerEncoderConfig):
            expected = transformer(sentence, parameters.__getitem__, chosen)
        else:
            assert isinstance(chosen, ConvolutionalEncoderConfig)
            expected = convolutional(sentence, parameters.__getitem__, chosen)
        close(values[row, :length].detach(), torch.from_numpy(expected))
        assert not values[row, length:].any()


def test_sinusoids_go_on_without_end() -> None:
    for size in (4, 5):
        waves = sinusoids(torch.zeros(1, 20_000, 3, dtype=torch.float64), size)
        for place in (0, 1, 777, 19_999):
            close(waves[place], torch.tensor([wave(place, unit, size) for unit in range(size)], dtype=torch.float64))


@both
@torch.no_grad()
def test_a_long_source_and_a_short_one_in_a_batch(chosen: EncoderConfig) -> None:
    encoder, embedded = built(chosen).eval(), embeddings(1_500)
    together = encoder(embedded, torch.tensor([1_500, 2, 900])).values
    close(together[1, :2], encoder(embedded[1:2, :2], torch.tensor([2])).values[0])
    assert bool((together[0].std(1) > 0.1).all())


@both
@torch.no_grad()
def test_not_a_number_in_padding_changes_nothing(chosen: EncoderConfig) -> None:
    encoder, embedded = built(chosen).eval(), embeddings()
    spoilt = embedded.masked_fill(~(torch.arange(7) < LENGTHS.unsqueeze(1)).unsqueeze(2), float("nan"))
    assert torch.equal(encoder(spoilt, LENGTHS).values, encoder(embedded, LENGTHS).values)


def test_a_convolution_sees_its_window_and_self_attention_everything() -> None:
    for chosen, reach in ((replace(CONVOLUTIONAL, layers=2), 2), (TRANSFORMER, 6)):
        encoder, embedded = built(chosen).eval(), embeddings()[:1]
        changed = embedded.clone()
        changed[:, 0] += 1.0
        full = torch.tensor([7])
        different = (encoder(embedded, full).values - encoder(changed, full).values).abs().amax(2)[0] > 1e-9
        assert different.tolist() == [place <= reach for place in range(7)]


@both
def test_the_order_of_words_tells(chosen: EncoderConfig) -> None:
    """Without positions, self-attention would give each word the same annotation in any order."""
    encoder, embedded = built(chosen).eval(), embeddings()
    full = torch.full((3,), 7)
    turned = encoder(embedded.flip(1), full).values.flip(1)
    assert float((turned - encoder(embedded, full).values).detach().abs().amax()) > 0.1
    assert chosen.ordered and chosen.drops_layers and chosen.memory_shape((9, 4)) == (9,)


@pytest.mark.parametrize("variational", [True, False])
@both
def test_dropout_falls_within_every_layer(chosen: EncoderConfig, variational: bool) -> None:
    encoder = built(chosen, dropout=DropoutConfig(layers=0.4, variational=variational))
    seen: list[Tensor] = []
    for module in encoder.modules():
        assert not isinstance(module, nn.Dropout)
        if isinstance(module, Dropout):
            module.register_forward_hook(lambda _, __, result: seen.append(result == 0))
        if isinstance(module, nn.MultiheadAttention):
            assert module.dropout == 0.4
    full = torch.full((3,), 7)
    first = encoder(embeddings(), full).values
    assert len(seen) == 2 * (3 if isinstance(chosen, TransformerEncoderConfig) else 1)
    for zeros in seen:
        assert 0.1 < zeros.double().mean() < 0.9
        inner = zeros.shape[-1] == 5  # relu has zeros of its own
        assert inner or bool((zeros == zeros[:, :1]).all()) == variational
    assert not torch.equal(first, encoder(embeddings(), full).values)
    encoder.eval()
    assert torch.equal(encoder(embeddings(), full).values, encoder(embeddings(), full).values)


@pytest.mark.parametrize("grad", [True, False])
@both
def test_lower_precision_is_near_and_nothing_warns(chosen: EncoderConfig, grad: bool) -> None:
    encoder, embedded = built(chosen).float(), embeddings().float()
    encoder.train(grad)
    with warnings.catch_warnings(), nullcontext() if grad else torch.no_grad():
        warnings.simplefilter("error")
        exact = encoder(embedded, LENGTHS).values
        with torch.autocast("cpu", torch.bfloat16):
            rounded = encoder(embedded, LENGTHS).values
    if grad:
        rounded.square().sum().backward()
        assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in encoder.parameters())
    assert not torch.equal(rounded, exact)
    assert float((rounded - exact).detach().abs().amax()) < 0.15


def test_layers_begin_apart_from_each_other() -> None:
    torch.manual_seed(1)
    model = Seq2SeqConfig(encoder=TransformerEncoderConfig(size=8, layers=2)).build(VOCABULARY, VOCABULARY)
    (one, other) = (dict(layer.named_parameters()) for layer in model.encoder.layers)
    assert all(not torch.equal(one[name], other[name]) for name in one if one[name].dim() > 1)


@both
@torch.no_grad()
def test_search_takes_the_same_steps_packed_and_plain(chosen: EncoderConfig) -> None:
    torch.manual_seed(5)
    config_ = Seq2SeqConfig(embedding=EmbeddingConfig(size=6), encoder=chosen, lexical=True)
    model = sharpened(config_.build(VOCABULARY, VOCABULARY), 2.0).eval()
    tokens = torch.full((len(SOURCES),), BOS)
    found = []
    for fast in (True, False):
        model.fast = fast
        stepper = ModelStepper(model)
        assert (stepper.model is model) != fast
        found.append(stepper.step(tokens, *stepper.start(ragged(SOURCES))).log_probs)
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


@both
def test_saliency_finds_the_word_that_matters(chosen: EncoderConfig) -> None:
    torch.manual_seed(5)
    model = sharpened(
        Seq2SeqConfig(embedding=EmbeddingConfig(size=6), encoder=chosen).build(VOCABULARY, VOCABULARY), 2.0
    )
    found = saliency.gradient_times_input(model.double().eval(), ragged(SOURCES), ragged(TARGETS), bos_id=BOS)
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        assert bool((found[row, : len(target), : len(source)] != 0).any(1).all())
        assert not found[row, :, len(source) :].any()


@both
@torch.no_grad()
def test_questions_beside_a_file_are_read_by_it(chosen: EncoderConfig) -> None:
    torch.manual_seed(5)
    config_ = Seq2SeqConfig(embedding=EmbeddingConfig(size=6), encoder=ProjectedEncoderConfig(size=8), words=chosen)
    assert config_.bridge == "mean" and not list(config_.problems())
    model = sharpened(config_.build(VOCABULARY, VOCABULARY, 3), 2.0).eval()
    files = [np.ones((length, 3), dtype=np.float32) for length in (2, 5, 1, 3)]
    together = model(Dense.pad(files, None, Tokens.pad(SOURCES, PAD)), Tokens.pad(TARGETS, PAD), BOS)
    for row, target in enumerate(TARGETS):
        alone = Dense.pad([files[row]], None, Tokens.pad([SOURCES[row]], PAD))
        features = model(alone, Tokens.pad([target], PAD), BOS).features[0]
        close(together.features[row, : len(target)], features, 1e-4)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (
            "{type: transformer, size: 10, heads: 4}",
            "line 3: model.encoder.size must be a multiple of the 4 heads, but is 10",
        ),
        ("{type: transformer, heads: 0}", "line 3: model.encoder.heads must be at least 1, but is 0"),
        (
            "{type: convolutional, width: 4}",
            "line 3: model.encoder.width must be odd, to have as many positions on either side, but is 4",
        ),
        ("{type: convolutional, scale: 0.0}", "line 3: model.encoder.scale must be above 0, but is 0.0"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(chosen: str, message: str) -> None:
    text = f"data: {{train: [{{source: a, target: b}}]}}\ntraining: {{max_steps: 1}}\nmodel: {{encoder: {chosen}}}\n"
    with pytest.raises(ConfigError) as caught:
        config.load(Recipe, text, name="r.yaml")
    assert message in str(caught.value)
    assert not list(problems_of(TransformerEncoderConfig())) and not list(problems_of(ConvolutionalEncoderConfig()))


def test_the_document_has_a_row_for_each() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "encoders.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n") if line.startswith("| `")
    ]
    kinds = {name: EncoderConfig.registry.find(name)() for name in ours(EncoderConfig)}
    assert {row[0] for row in rows} == {f"`{name}`" for name, kind in kinds.items() if kind.reads_pieces}
    for name, _, _, bridges, keys in rows:
        kind = kinds[name.strip("`")]
        fitting = [each for each in BRIDGES if conflict(each, kind.build(4, DropoutConfig())) is None]
        assert bridges.split(", ") == fitting and fitting[0] == kind.default_bridge
        assert [key.split("`")[1] for key in keys.split(", ")] == [item.name for item in dataclasses.fields(kind)]


def test_variants_of_the_recipe_have_as_many_parameters() -> None:
    folder = Path(__file__).resolve().parents[3] / "recipes" / "encoders"
    sizes = {}
    for variant in read_variants(folder / "variants.txt"):
        recipe = load_recipe(folder / "encoders.yaml", variant.overrides)
        pieces = recipe.data.subword.size
        with torch.device("meta"), SkipInitialisation():
            model = recipe.model.build(pieces, pieces)
        sizes[variant.name] = sum(parameter.numel() for parameter in model.parameters())
    assert len(sizes) >= 3
    assert max(sizes.values()) < 1.01 * min(sizes.values())

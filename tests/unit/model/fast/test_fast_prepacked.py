"""A model packed for search gives what the plain one gives, over every attention and decoder."""

from __future__ import annotations

import copy
from typing import Literal

import pytest
import torch
from model_sweep import (
    BOS,
    SOURCES,
    VOCABULARY,
    Combination,
    close,
    combinations,
    every_combination,
    ragged,
    sharp_model,
    tensors,
)
from torch import nn

from nmt.core.tensors import length_mask, select_rows
from nmt.data.batch import DecodingStep
from nmt.model.attention.scores import AdditiveScore
from nmt.model.cells import run_packed
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.encoder.transformer import TransformerEncoderConfig
from nmt.model.fast import prepacked as prepacked_module
from nmt.model.fast.onednn import PrepackedWeight
from nmt.model.fast.prepacked import ExponentialScore, PrepackedLinear, fused, prepack, separable
from nmt.model.fast.prepacked_gru import PrepackedGru
from nmt.model.initialisation import SkipInitialisation
from nmt.model.model_stepper import ModelStepper
from nmt.model.readout.output_layer import OutputLayer
from nmt.model.seq2seq import EmbeddingConfig, Seq2Seq, Seq2SeqConfig

WORDS = ((BOS, BOS, BOS, BOS), (5, 3, 6, 4, 4, 5, 3, 6), (3, 3, 5, 6, 4, 6, 5, 5))


def single(combination: Combination) -> Seq2Seq:
    return copy.deepcopy(sharp_model(combination.config)).float()


def steps(stepper: ModelStepper) -> list[DecodingStep]:
    """One hypothesis a sentence at first, then two, swapped after every step."""
    prepared, state = stepper.start(ragged(SOURCES))
    found = []
    for words in WORDS:
        found.append(stepper.step(torch.tensor(words), prepared, state))
        order = torch.tensor([1, 0, 3, 2, 5, 4, 7, 6] if len(words) == 8 else [0, 0, 1, 1, 2, 2, 3, 3])
        state = select_rows(found[-1].state, order)
    return found


def both_ways(model: Seq2Seq) -> list[list[DecodingStep]]:
    """Steps of the plain model, and of the one packed for search."""
    found = []
    for fast in (False, True):
        model.fast = fast
        found.append(steps(ModelStepper(model)))
    return found


@every_combination
def test_every_step_equals_that_of_the_plain_model(combination: Combination) -> None:
    model = single(combination)
    plain, fast = both_ways(model)
    for one, other in zip(plain, fast, strict=True):
        for (path, expected), (_, found) in zip(tensors(one), tensors(other), strict=True):
            assert found.dtype == expected.dtype, path
            close(found, expected, 2e-4)
    last = fast[-1].log_probs
    assert len(torch.unique(last.argmax(1))) > 1 or len(torch.unique(last, dim=0)) > 4  # something to get wrong


@every_combination
def test_every_linear_layer_is_prepacked_and_shares_its_weights(combination: Combination) -> None:
    model = single(combination)
    prepacked = prepack(model)
    assert prepacked.output.prepacked is not None
    assert model.output.prepacked is None
    by_torch = {part for module in prepacked.modules() if fused(module) for part in module.children()}
    left = {module for module in prepacked.modules() if type(module) is nn.Linear}
    assert left == {part for part in by_torch if type(part) is nn.Linear}
    ours = {name: parameter.data_ptr() for name, parameter in prepacked.named_parameters(remove_duplicate=False)}
    names = dict(model.named_parameters(remove_duplicate=False))
    assert {name: parameter.data_ptr() for name, parameter in names.items()} == ours
    assert [type(module) for module in model.modules()] == [
        type(module) for module in copy.deepcopy(sharp_model(combination.config)).modules()
    ]


@pytest.mark.parametrize(("heads", "packed"), [(2, 1), (1, 3)])
def test_what_torch_computes_by_itself_is_not_packed(heads: int, packed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TransformerEncoderConfig(size=6, layers=1, heads=heads)
    model = Seq2SeqConfig(embedding=EmbeddingConfig(size=5), encoder=encoder).build(VOCABULARY, VOCABULARY).eval()
    stepper, called = ModelStepper(model), set[nn.Module]()
    forward = PrepackedLinear.forward
    monkeypatch.setattr(PrepackedLinear, "forward", lambda self, inputs: (called.add(self), forward(self, inputs))[1])
    stepper.start(ragged(SOURCES))
    found = {module for module in stepper.model.encoder.modules() if isinstance(module, PrepackedLinear)}
    assert len(found) == packed and found <= called


@pytest.mark.slow
def test_additive_attention_is_taken_apart_where_it_may_be() -> None:
    kinds: dict[str, set[str]] = {}
    for combination in combinations():
        attention = prepack(single(combination)).decoder.attention
        if hasattr(attention, "score"):
            kinds.setdefault(type(attention).__name__, set()).add(type(attention.score).__name__)
    assert "ExponentialScore" in kinds["SoftAttention"] & kinds["HardAttention"] & kinds["MarginalAttention"]
    assert not any("AdditiveScore" in kinds[name] for name in ("SoftAttention", "HardAttention", "MarginalAttention"))
    # Those that take the score apart themselves keep it.
    assert "ExponentialScore" not in kinds["CoveredAttention"] | kinds["SentinelAttention"]


@pytest.mark.parametrize("block", [1, 70, 2**17])
def test_the_additive_score_by_exponentials(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepacked_module, "BLOCK", block)
    torch.manual_seed(1)
    score = AdditiveScore(query_size=5, memory_size=6, size=7)
    query, values = torch.randn(4, 3, 5), torch.randn(4, 2, 6)
    # tanh is flat there, and e^2x neither zero nor infinite.
    query[0] *= 30.0
    values[1] *= -30.0
    fast = ExponentialScore(score)
    with torch.inference_mode():
        found, expected = fast(query, fast.keys(values)), score(query, score.keys(values))
    close(found, expected, 2e-6)
    assert float(expected.abs().max()) > 0.5


def test_large_keys_and_queries_cancel() -> None:
    score = AdditiveScore(query_size=1, memory_size=1, size=1)
    with torch.no_grad():
        for parameter in score.parameters():
            parameter.fill_(1.0)
    fast = ExponentialScore(score)
    for key in (-60.0, -45.0, -25.0, -19.0, 0.5, 19.0, 25.0, 45.0, 150.0):
        # tanh(1), tanh(-1), tanh(0.1), and a query that says nothing, wherever the key is.
        query, values = torch.tensor([1.0, -1.0, 0.1, 0.0]) - key, torch.tensor([key])
        query[3] = 0.0
        with torch.inference_mode():
            found = fast(query.view(1, 4, 1), fast.keys(values.view(1, 1, 1)))
        assert found.dtype == torch.float32
        close(found.flatten(), torch.tanh(query + key), 1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 9), (3, 4, 9), (2, 1, 3, 9), (0, 9)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("laid_out", [True, False])
def test_products(dtype: torch.dtype, shape: tuple[int, ...], bias: bool, laid_out: bool) -> None:
    torch.manual_seed(2)
    layer = nn.Linear(9, 33, bias=bias)
    multiply = PrepackedWeight(layer.weight, layer.bias, dtype)
    if not laid_out:
        multiply.reordered = None
    inputs = torch.randn(shape)
    # A view with a stride of its own, as a slice of a state is.
    wide = torch.randn(*shape[:-1], 11)
    for given in (inputs, wide[..., 1:10]):
        with torch.inference_mode():
            found, expected = multiply(given), layer(given)
        assert found.dtype == torch.float32
        # Each factor of a product is rounded to 8 bits: 2^-8 of about 9 * 0.3, and the result once more.
        close(found, expected, 1e-6 if dtype == torch.float32 else 0.03)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_frozen_gru_equals_packed_rows(dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    layer = nn.GRU(5, 4, batch_first=True, bidirectional=True).requires_grad_(False)
    for parameter in layer.parameters():
        parameter.normal_()
    lengths = torch.tensor([3, 6, 1, 4])
    mask = length_mask(lengths, 6)
    inputs = torch.randn(4, 6, 5)
    prepacked = PrepackedGru(layer, dtype)
    with torch.inference_mode():
        expected, state = run_packed(layer, inputs, lengths)
        outputs, last = prepacked(inputs.masked_fill(~mask.unsqueeze(2), 1e4), mask)
    low = dtype == torch.bfloat16
    assert outputs.dtype == last.dtype == torch.float32
    close(outputs * mask.unsqueeze(2), expected, 0.1 if low else 1e-5)
    close(last, state.hidden, 0.1 if low else 1e-5)
    names = {name: parameter.data_ptr() for name, parameter in layer.named_parameters()}
    assert {name: parameter.data_ptr() for name, parameter in prepacked.named_parameters()} == names


@pytest.mark.parametrize(("cell", "norm"), [("gru", False), ("gru", True), ("lstm", True)])
def test_a_deep_encoder_is_prepacked(cell: Literal["gru", "lstm"], norm: bool) -> None:
    torch.manual_seed(1)
    encoder = RnnEncoderConfig(size=4, layers=3, cell=cell, residual=True, layer_norm=norm)
    model = Seq2SeqConfig(embedding=EmbeddingConfig(size=5), encoder=encoder).build(11, 11).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4.0)
    prepacked = prepack(model)
    assert [type(layer) for layer in prepacked.encoder.prepacked] == [PrepackedGru] * (3 if cell == "gru" else 0)
    assert not model.encoder.prepacked
    source = ragged(SOURCES)
    with torch.inference_mode():
        plain, found = model.encode(source), prepacked.encode(source)
    close(found.values, plain.values, 1e-5)
    for one, other in zip(found.states, plain.states, strict=True):
        close(one.hidden, other.hidden, 1e-5)


def test_bf16_is_near_and_float64_stays_as_it_is() -> None:
    combination = next(one for one in combinations() if one.attention == "soft")
    double = sharp_model(combination.config)
    assert prepack(double) is double
    assert ModelStepper(double).model is double
    model = single(combination)
    torch.manual_seed(4)
    with torch.no_grad():  # so that rounding is not carried off by what was sharpened
        for parameter in model.parameters():
            parameter.mul_(0.25)
    model.fast = False
    plain = steps(ModelStepper(model))
    low = steps(ModelStepper(model, precision="bf16"))
    for one, other in zip(plain, low, strict=True):
        assert {tensor.dtype for _, tensor in tensors(other)} == {torch.float32}
        difference = (one.log_probs - other.log_probs).abs().max()
        assert 1e-5 < difference < 0.05
        close(other.log_probs.exp().sum(1), torch.ones(len(one.log_probs)), 1e-5)


@pytest.mark.parametrize("laid_out", [True, False])
def test_logits_of_bf16_factors_have_the_digits_of_float32(laid_out: bool) -> None:
    """Logits as large as a sharp model's, 60 and more, where neighbours in bf16 are 0.25 and more apart."""
    torch.manual_seed(5)
    output = OutputLayer(64, 500)
    with torch.no_grad():
        output.weight.normal_()
        output.bias.normal_()
    features = 3.0 * torch.randn(7, 64)
    low = copy.deepcopy(output)
    low.prepack(torch.bfloat16)
    assert low.prepacked is not None
    if not laid_out:
        low.prepacked.reordered = None
    with torch.inference_mode():
        found = low(features)
    expected = (
        features.bfloat16().double() @ output.weight.detach().bfloat16().double().t() + output.bias.detach().double()
    )
    assert float(expected.max()) > 60
    assert found.dtype == torch.float32
    close(found.double(), expected, 1e-5)
    # The factors are rounded: it is not the product of float32.
    assert float((found - output(features).detach()).abs().max()) > 0.05
    assert len(torch.unique(found)) > 0.99 * found.numel()


def test_separable_asks_for_the_additive_score_itself() -> None:
    by_dot = [one for one in combinations() if one.name.endswith("soft-dot-no_sentinel")]
    assert by_dot
    assert not any(separable(sharp_model(one.config).decoder.attention) for one in by_dot)


def test_nothing_is_drawn_where_a_model_will_be_filled() -> None:
    config = Seq2SeqConfig(embedding=EmbeddingConfig(size=4))
    before = torch.get_rng_state()
    with SkipInitialisation():
        model = Seq2Seq(config, VOCABULARY, VOCABULARY)
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    assert layer.weight.detach().abs().sum() > 0
    assert not torch.get_rng_state().equal(before)
    assert [tuple(one.shape) for one in model.parameters()] == [
        tuple(one.shape) for one in config.build(VOCABULARY, VOCABULARY).parameters()
    ]

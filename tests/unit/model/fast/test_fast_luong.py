"""Luong's fused recurrence with input feeding against the plain loop."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from fused_models import SOURCE, TARGET, in_small_blocks, sharp
from torch import Tensor

from nmt.core.tensors import length_mask
from nmt.model.attention.base import AttentionConfig
from nmt.model.attention.marginal import MarginalConfig
from nmt.model.attention.scores import (
    AdditiveConfig,
    ConcatConfig,
    DotConfig,
    GeneralConfig,
    ScaledDotConfig,
    ScoreConfig,
)
from nmt.model.attention.soft import SoftConfig
from nmt.model.cells import ContextCell
from nmt.model.decoder.luong import LuongConfig
from nmt.model.decoder.output import DecoderOutput
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.fast import attention_parts, gru
from nmt.model.fast import luong as fast_luong
from nmt.model.fast.luong import fused_feeding_unroll
from nmt.model.memory import CellState, SourceMemory
from nmt.model.seq2seq import EmbeddingConfig, Seq2Seq, Seq2SeqConfig

CONFIG = Seq2SeqConfig(
    embedding=EmbeddingConfig(size=5),
    encoder=RnnEncoderConfig(size=3),
    bridge="last",
    decoder=LuongConfig(size=4, feature_size=9),
    attention=SoftConfig(score=ConcatConfig(size=7)),
)
SHAPES = {
    "concat": CONFIG,
    "general": dataclasses.replace(CONFIG, attention=SoftConfig(score=GeneralConfig())),
    "general, given scale": dataclasses.replace(CONFIG, attention=SoftConfig(score=GeneralConfig(scale=0.7))),
    "dot": dataclasses.replace(CONFIG, decoder=LuongConfig(size=6), attention=SoftConfig(score=DotConfig())),
    "scaled dot": dataclasses.replace(
        CONFIG, decoder=LuongConfig(size=6), attention=SoftConfig(score=ScaledDotConfig())
    ),
}
SHAPES["marginal"] = dataclasses.replace(CONFIG, attention=MarginalConfig(score=ConcatConfig(size=7)))
FUSED = "_FeedingGruBackward"


def outputs_and_gradients(model: Seq2Seq, *, fast: bool) -> tuple[DecoderOutput, dict[str, Tensor]]:
    """Every output takes part in the gradient, with different weights everywhere."""
    model.decoder.fast = fast
    model.zero_grad()
    output = model(SOURCE, TARGET, 2)
    total = model.loss(output, TARGET).loss
    for number, tensor in enumerate(
        (output.features, output.weights, output.state.layers[0].hidden, output.state.feed)
    ):
        weight = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(number), dtype=torch.float64)
        total = total + (tensor.double() * weight).sum()
    total.backward()
    return output, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def origin(model: Seq2Seq) -> str:
    """What made the attention weights."""
    weights = model(SOURCE, TARGET, 2).weights
    return weights.grad_fn.next_functions[0][0].name() if weights.grad_fn.name() == "UnsqueezeBackward0" else ""


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_equals_the_loop(config: Seq2SeqConfig, dtype: torch.dtype) -> None:
    """In float32 it has products of its own."""
    model = sharp(config, dtype, 4.0 if dtype == torch.float64 else 1.0)
    near = {"rtol": 1e-9, "atol": 1e-10} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 2e-5}
    assert origin(model) == FUSED
    plain, expected = outputs_and_gradients(model, fast=False)
    assert origin(model) != FUSED
    fused, gradients = outputs_and_gradients(model, fast=True)
    pairs = [(getattr(fused, part), getattr(plain, part)) for part in ("features", "weights")]
    pairs += [(fused.state.layers[0].hidden, plain.state.layers[0].hidden), (fused.state.feed, plain.state.feed)]
    if model.decoder.attention.latent:
        pairs.append((fused.queries, plain.queries))
    for one, other in pairs:
        torch.testing.assert_close(one, other, **near)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], **near, msg=name)
        assert gradient.abs().max() > 1e-6, f"{name}: nothing flows"


@pytest.mark.parametrize("name", ["concat", "general"])
def test_steps_in_several_blocks_equal_the_loop(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = in_small_blocks(monkeypatch, fast_luong)
    test_equals_the_loop(SHAPES[name], torch.float64)
    assert seen == [3, 2, 2]


@pytest.mark.parametrize(
    "decoder",
    [LuongConfig(size=4, layers=2), LuongConfig(size=4, cell="lstm"), LuongConfig(size=4, input_feeding=False)],
    ids=["two layers", "lstm", "no feeding"],
)
def test_what_it_cannot_compute_takes_the_loop(decoder: LuongConfig) -> None:
    assert origin(sharp(dataclasses.replace(CONFIG, decoder=decoder))) != FUSED


@pytest.mark.parametrize("attention", [CONFIG.attention, MarginalConfig()], ids=["soft", "marginal"])
@pytest.mark.parametrize("words", [0, 3, 1000])
def test_without_feeding_some_words_at_a_time(
    attention: AttentionConfig, words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One word (for which there is no room), three of seven, and all: the same values and gradients."""
    model = sharp(dataclasses.replace(CONFIG, attention=attention))
    pairs = SOURCE.ids.numel() * model.decoder.attention.elements_per_pair
    monkeypatch.setattr(attention_parts, "MOST_ENERGIES", words * pairs)
    config = dataclasses.replace(CONFIG, decoder=LuongConfig(size=4, input_feeding=False), attention=attention)
    results = []
    for fast in (False, True):
        model = sharp(config)
        model.decoder.fast = fast
        output = model(SOURCE, TARGET, 2)
        weight = torch.randn(output.weights.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        (model.loss(output, TARGET).loss + (output.weights * weight).sum()).backward()
        results.append([output.features, output.weights, *(parameter.grad for parameter in model.parameters())])
    for plain, parted in zip(*results, strict=True):
        torch.testing.assert_close(parted, plain, rtol=1e-10, atol=1e-12)


def test_only_a_score_with_energies_to_keep_is_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for a number a pair: enough for the general score, not for the additive one."""
    monkeypatch.setattr(attention_parts, "MOST_ENERGIES", SOURCE.ids.numel() * TARGET.ids.shape[1])
    parted: list[str] = []
    original = attention_parts.checkpoint
    for name, score in (("additive", AdditiveConfig(size=3)), ("general", GeneralConfig())):

        def spy(*arguments: Any, name: str = name, **options: Any) -> Any:
            parted.append(name)
            return original(*arguments, **options)

        monkeypatch.setattr(attention_parts, "checkpoint", spy)
        decoder = LuongConfig(size=4, input_feeding=False)
        sharp(dataclasses.replace(CONFIG, decoder=decoder, attention=SoftConfig(score=score)))(SOURCE, TARGET, 2)
    assert set(parted) == {"additive"}


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_of_products_are_in_one_piece(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """oneDNN multiplies by a part of a matrix a hundred times slower than by a matrix, or by one that is transposed."""
    seen: list[bool] = []
    original = fast_luong.linear

    def spy(rows: Tensor, weight: Tensor, plus: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
        seen.append(weight.is_contiguous() or weight.t().is_contiguous())
        return original(rows, weight, plus, out=out)

    for module in (fast_luong, gru):
        monkeypatch.setattr(module, "linear", spy)
    model = sharp(SHAPES[shape], torch.float32)
    model.loss(model(SOURCE, TARGET, 2), TARGET).loss.backward()
    assert all(seen) and len(seen) > 3 * TARGET.ids.shape[1]


@pytest.mark.costly
@pytest.mark.parametrize("score", [AdditiveConfig(size=3), GeneralConfig()], ids=["additive", "general"])
def test_gradcheck(score: ScoreConfig) -> None:
    torch.manual_seed(4)
    attention = SoftConfig(score=score).build(4, 6).double()
    cell = ContextCell("gru", input_size=5, context_size=3, size=4).double()
    lengths = torch.tensor([5, 2, 4])
    mask = length_mask(lengths, 5)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    def function(
        projected: Tensor, values: Tensor, hidden: Tensor, feed: Tensor, W_c: Tensor, *_: Tensor
    ) -> tuple[Tensor, ...]:
        values = values * mask.unsqueeze(2)
        memory = SourceMemory(values=values, mask=mask, lengths=lengths, states=(CellState(hidden),))
        return fused_feeding_unroll(
            attention,
            cell,
            W_c,
            projected=projected,
            prepared=attention.prepare(memory),
            hidden=hidden,
            feed=feed,
        )

    used = [*attention.parameters(), *cell.C.parameters(), *cell.U.parameters()]
    inputs = (drawn(3, 3, 12), drawn(3, 5, 6), drawn(3, 4), drawn(3, 3), drawn(3, 10))
    assert torch.autograd.gradcheck(function, (*inputs, *used))


def test_bf16_is_as_close_to_float32_as_the_loops() -> None:
    model = sharp(dataclasses.replace(CONFIG, decoder=LuongConfig(size=64)), torch.float32, scale=1.0)
    _, exact = outputs_and_gradients(model, fast=False)
    errors = {}
    for fast in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output, gradients = outputs_and_gradients(model, fast=fast)
        errors[fast] = sum((gradients[name] - exact[name]).norm() / exact[name].norm() for name in exact)
        assert output.state.layers[0].hidden.dtype == output.state.feed.dtype == output.weights.dtype == torch.float32
        assert output.features.dtype == torch.bfloat16
    assert errors[True] < 1.5 * errors[False]
    assert errors[False] > 0.01, "bf16 was in use"


def test_there_is_no_second_derivative() -> None:
    model = sharp(CONFIG)
    output = model(SOURCE, TARGET, 2)
    weight = model.decoder.W_c.weight
    (gradient,) = torch.autograd.grad(output.features.square().sum(), weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()

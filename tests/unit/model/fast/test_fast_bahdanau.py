"""The fused recurrence against the plain loop: values, gradients, precision and memory."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from fused_models import SOURCE, TARGET, in_small_blocks, kept_bytes, rows, sharp
from torch import Tensor

from nmt.model.attention.coverage import LinguisticCoverageConfig
from nmt.model.attention.location import LocationConfig
from nmt.model.attention.multi_head import MultiHeadAdditiveConfig
from nmt.model.attention.scores import AdditiveConfig, DotConfig, GeneralConfig, ScaledDotConfig, ScoreConfig
from nmt.model.attention.soft import SoftConfig
from nmt.model.attention.sparse import SparsemaxConfig
from nmt.model.cells import ContextCell
from nmt.model.decoder.bahdanau import BahdanauConfig
from nmt.model.decoder.base import DecoderConfig
from nmt.model.decoder.luong import LuongConfig
from nmt.model.decoder.output import DecoderOutput
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.fast import attention_parts
from nmt.model.fast import bahdanau as fast_bahdanau
from nmt.model.fast.bahdanau import fused_unroll
from nmt.model.fast.scores import AdditiveSteps, complement, exponential, fusible, step_keys
from nmt.model.memory import SourceMemory
from nmt.model.readout.deep_output import DeepOutputConfig
from nmt.model.seq2seq import EmbeddingConfig, Seq2Seq, Seq2SeqConfig

CONFIG = Seq2SeqConfig(
    embedding=EmbeddingConfig(size=5),
    encoder=RnnEncoderConfig(size=3),
    decoder=BahdanauConfig(size=4),
    attention=SoftConfig(score=AdditiveConfig(size=7)),
)
SHAPES = {
    "one layer": CONFIG,
    "two layers": dataclasses.replace(CONFIG, decoder=BahdanauConfig(size=4, layers=2)),
    "previous state": dataclasses.replace(
        CONFIG, decoder=BahdanauConfig(size=4, readout=DeepOutputConfig(state="previous"))
    ),
    "general": dataclasses.replace(CONFIG, attention=SoftConfig(score=GeneralConfig())),
    "general, given scale": dataclasses.replace(CONFIG, attention=SoftConfig(score=GeneralConfig(scale=0.7))),
    "dot": dataclasses.replace(CONFIG, decoder=BahdanauConfig(size=6), attention=SoftConfig(score=DotConfig())),
    "scaled dot": dataclasses.replace(
        CONFIG, decoder=BahdanauConfig(size=6), attention=SoftConfig(score=ScaledDotConfig())
    ),
}


def outputs_and_gradients(model: Seq2Seq, *, fast: bool) -> tuple[DecoderOutput, dict[str, Tensor]]:
    """Every output takes part in the gradient, with different weights everywhere."""
    model.decoder.fast = fast
    model.zero_grad()
    output = model(SOURCE, TARGET, 2)
    total = model.loss(output, TARGET).loss
    for number, tensor in enumerate(
        (output.features, output.weights, *(state.hidden for state in output.state.layers))
    ):
        weight = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(number), dtype=torch.float64)
        total = total + (tensor.double() * weight).sum()
    total.backward()
    return output, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_equals_the_loop(config: Seq2SeqConfig, dtype: torch.dtype) -> None:
    """In float32 it has products of its own."""
    model = sharp(config, dtype, 4.0 if dtype == torch.float64 else 1.0)
    near = {"rtol": 1e-9, "atol": 1e-10} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 2e-5}
    assert fusible(model.decoder.attention, model.decoder.recurrent)
    plain, expected = outputs_and_gradients(model, fast=False)
    fused, gradients = outputs_and_gradients(model, fast=True)
    assert plain.weights.grad_fn.name() != fused.weights.grad_fn.name(), "two paths"
    for part in ("features", "weights"):
        torch.testing.assert_close(getattr(fused, part), getattr(plain, part), **near)
    for left, right in zip(fused.state.layers, plain.state.layers, strict=True):
        torch.testing.assert_close(left.hidden, right.hidden, **near)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], **near, msg=name)
        assert gradient.abs().max() > 1e-6, f"{name}: nothing flows"


@pytest.mark.parametrize("name", ["one layer", "general"])
def test_steps_in_several_blocks_equal_the_loop(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = in_small_blocks(monkeypatch, fast_bahdanau)
    test_equals_the_loop(SHAPES[name], torch.float64)
    assert seen == [3, 2, 2]


def test_what_it_cannot_compute_takes_the_loop() -> None:
    attention, cell = CONFIG.attention.build(4, 6), ContextCell("gru", input_size=5, context_size=6, size=4)
    assert fusible(attention, cell)
    assert not fusible(attention, ContextCell("lstm", input_size=5, context_size=6, size=4))
    assert not fusible(attention, ContextCell("gru", input_size=5, context_size=6, size=4, transition=1))
    gated = ContextCell("gru", input_size=5, context_size=6, size=4, context_gate="both")
    assert not fusible(attention, gated)
    for other in (
        SoftConfig(score=LocationConfig()),
        SoftConfig(score=MultiHeadAdditiveConfig(heads=2)),
        SoftConfig(coverage=LinguisticCoverageConfig()),
        SparsemaxConfig(),
    ):
        assert not fusible(other.build(4, 6), cell)

    class Other(type(attention)):
        """A subclass may compute something else."""

    assert not fusible(Other(attention.score, context_size=6), cell)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_a_model_of_16_bits_takes_the_loop(config: Seq2SeqConfig, dtype: torch.dtype) -> None:
    model = sharp(config, dtype, 1.0)
    plain, expected = outputs_and_gradients(model, fast=False)
    usual, gradients = outputs_and_gradients(model, fast=True)
    assert torch.equal(plain.features, usual.features)
    assert all(torch.equal(gradients[name], gradient) for name, gradient in expected.items())


def test_autocast_leaves_float64_alone() -> None:
    model = sharp(CONFIG, torch.float64, 1.0)
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found.append(model.loss(model(SOURCE, TARGET, 2), TARGET).loss)
    assert found[1].dtype == torch.float64
    assert torch.equal(*found)


def pieces(batch: int = 3, steps: int = 4, score: ScoreConfig = CONFIG.attention.score) -> tuple:
    torch.manual_seed(4)
    attention, cell = (
        SoftConfig(score=score).build(4, 6).double(),
        ContextCell("gru", input_size=5, context_size=6, size=4),
    )
    lengths = torch.tensor([5, 2, 4])
    mask = torch.arange(5) < lengths.unsqueeze(1)
    values = torch.randn(batch, 5, 6, dtype=torch.float64) * mask.unsqueeze(2)
    projected = torch.randn(batch, steps, 12, dtype=torch.float64, requires_grad=True)
    hidden = torch.randn(batch, 4, dtype=torch.float64, requires_grad=True)
    return attention, cell.double(), projected, values.requires_grad_(), mask, lengths, hidden


@pytest.mark.costly
@pytest.mark.parametrize("score", [CONFIG.attention.score, GeneralConfig()], ids=["additive", "general"])
def test_gradcheck(score: ScoreConfig) -> None:
    attention, cell, projected, values, mask, lengths, hidden = pieces(score=score)
    names = [name for name, _ in (*attention.named_parameters(), *cell.named_parameters())]

    def function(projected: Tensor, values: Tensor, hidden: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        prepared = attention.prepare(SourceMemory(values=values, mask=mask, lengths=lengths, states=(State(hidden),)))
        return fused_unroll(attention, cell, projected, prepared, hidden)

    used = [p for n, p in (*attention.named_parameters(), *cell.named_parameters()) if not n.startswith("W.")]
    assert len(used) == len(names) - 2
    assert torch.autograd.gradcheck(function, (projected, values, hidden, *used))


@dataclasses.dataclass
class State:
    """Stands for the encoder's last state, which this attention does not read."""

    hidden: Tensor


def test_large_queries_and_keys_saturate_as_tanh_does() -> None:
    attention, cell, projected, values, mask, lengths, hidden = pieces()
    with torch.no_grad():
        attention.score.W_a.weight *= 20.0
        attention.score.U_a.weight *= 20.0
    prepared = attention.prepare(SourceMemory(values=values, mask=mask, lengths=lengths, states=(State(hidden),)))
    query = attention.score.W_a(hidden)
    assert prepared.keys.abs().max() > 20 < query.abs().max() < 40
    for dtype in (torch.float64, torch.float32):
        attention, cell = attention.to(dtype), cell.to(dtype)
        converted = dataclasses.replace(prepared, keys=prepared.keys.to(dtype), values=prepared.values.to(dtype))
        _, contexts, weights = fused_unroll(attention, cell, projected[:, :1].to(dtype), converted, hidden.to(dtype))
        expected = attention.attend(hidden.to(dtype), converted, None)
        torch.testing.assert_close(weights[:, 0], expected.weights.squeeze(1))
        torch.testing.assert_close(contexts[:, 0], expected.context)
        assert torch.isfinite(torch.autograd.grad(contexts.sum() + weights.square().sum(), projected)[0]).all()


def test_no_product_of_exponentials_is_undefined() -> None:
    keys = torch.tensor([60.0, -60.0, 30.0, -30.0, 1e4, -1e4, 0.3, -1e-3])
    queries = torch.tensor([-60.0, 60.0, -30.0, 29.0, 5.0, 1.0, 0.4, 1e-3])
    rest = complement(exponential(keys).view(1, 1, -1), exponential(queries).view(1, 1, -1)).flatten()
    torch.testing.assert_close(1.0 - 2.0 * rest, torch.tanh(keys + queries), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 60.0])
def test_energies_and_gradients_of_large_keys(scale: float) -> None:
    """Queries and keys of 60 and more, of which some cancel: energies and gradients are those of tanh."""
    torch.manual_seed(1)
    keys = (torch.randn(2, 3, 4) * scale).requires_grad_()
    query = (torch.randn(2, 4) - keys[:, 0].detach()).requires_grad_()
    v_a = torch.randn(1, 4, requires_grad=True)
    expected = (torch.tanh(query.unsqueeze(1) + keys) @ v_a.squeeze(0)) - v_a.sum()
    towards = torch.randn(2, 3)
    plain = torch.autograd.grad((expected * towards).sum() + (v_a.sum() * towards).sum(), (keys, query, v_a))
    with torch.no_grad():
        steps = AdditiveSteps(step_keys(keys, v_a), v_a.squeeze(0))
        torch.testing.assert_close(steps.energies(query), expected, rtol=1e-5, atol=1e-5)
        # The softmax's gradient sums to zero, which is what the energies' common part relies on.
        grad_query = steps.backward(query, towards)
        grad_keys, grad_v_a = steps.gradients()
    assert grad_v_a is not None
    for found, wanted in zip((grad_keys, grad_query, grad_v_a + towards.sum()), plain, strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_bf16_is_as_close_to_float32_as_the_loops() -> None:
    model = sharp(dataclasses.replace(CONFIG, decoder=BahdanauConfig(size=64)), torch.float32, scale=1.0)
    _, exact = outputs_and_gradients(model, fast=False)
    errors = {}
    for fast in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output, gradients = outputs_and_gradients(model, fast=fast)
        errors[fast] = sum((gradients[name] - exact[name]).norm() / exact[name].norm() for name in exact)
        assert output.state.layers[0].hidden.dtype == output.weights.dtype == torch.float32
    assert errors[True] < 1.5 * errors[False]
    assert errors[False] > 0.01, "bf16 was in use"


def test_there_is_no_second_derivative() -> None:
    attention, cell, projected, values, mask, lengths, hidden = pieces()
    prepared = attention.prepare(SourceMemory(values=values, mask=mask, lengths=lengths, states=(State(hidden),)))
    hiddens, _, _ = fused_unroll(attention, cell, projected, prepared, hidden)
    (gradient,) = torch.autograd.grad(hiddens.square().sum(), projected, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    "decoder",
    [BahdanauConfig(size=32), LuongConfig(size=32), LuongConfig(size=32, input_feeding=False)],
    ids=["bahdanau", "luong", "luong without feeding"],
)
def test_energies_are_not_kept(decoder: DecoderConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_parts, "MOST_ENERGIES", 3 * 4 * 200 * 32)
    model = sharp(dataclasses.replace(CONFIG, decoder=decoder), torch.float32)
    source, target = rows(*[200] * 4, seed=0), rows(*[20] * 4, seed=1)
    prepared, state = model.start(model.encode(source))
    embedded = model.embed_target(target.ids)
    energies, kept = 4 * 20 * 200 * 7 * 4, {}
    for fast in (False, True):
        model.fast = fast
        with kept_bytes() as counted:
            output = model.decoder.unroll(embedded, prepared, state)
        kept[fast] = counted()
        del output
    assert kept[False] > energies > kept[True]


@pytest.mark.parametrize("length", [14, 200])
def test_a_whole_batch_keeps_at_most_half(length: int) -> None:
    """Encoder, decoder, readout and loss together, in the proportions of the reference model."""
    config = Seq2SeqConfig(
        embedding=EmbeddingConfig(size=16),
        encoder=RnnEncoderConfig(size=16),
        decoder=BahdanauConfig(size=32, readout=DeepOutputConfig(activation="tanh", size=32)),
        attention=SoftConfig(score=AdditiveConfig(size=32)),
    )
    torch.manual_seed(1)
    model = config.build(500, 500)
    source, target = rows(*[length] * 40, seed=0), rows(*[14] * 40, seed=1)
    kept = {}
    for fast in (False, True):
        model.fast = fast
        with kept_bytes() as counted:
            loss = model.loss(model(source, target, 2), target, smoothing=0.1).loss
        kept[fast] = counted()
        del loss
    assert kept[True] <= kept[False] / 2

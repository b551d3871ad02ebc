"""The fused bidirectional GRU against ``nn.GRU`` over packed rows: values, gradients, precision."""

from __future__ import annotations

import pytest
import torch
from fused_models import in_small_blocks
from torch import Tensor, nn

from nmt.core.tensors import length_mask
from nmt.model.cells import run_packed
from nmt.model.dropout import DropoutConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.fast import bidirectional_gru as fast_bidirectional_gru
from nmt.model.fast.bidirectional_gru import bidirectional_gru, fusible
from nmt.model.fast.onednn import uses_onednn

LENGTHS = torch.tensor([3, 6, 1, 4])
MASK = length_mask(LENGTHS, 6)


def sharp(size: int = 4, dtype: torch.dtype = torch.float64) -> nn.GRU:
    torch.manual_seed(1)
    layer = nn.GRU(5, size, batch_first=True, bidirectional=True).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


def embeddings(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(4, 6, 5, dtype=dtype, generator=torch.Generator().manual_seed(0)).requires_grad_()


def weighted(*outputs: Tensor) -> Tensor:
    """Every output takes part in the gradient, with different weights everywhere."""
    parts = [
        (one.double() * torch.randn(one.shape, generator=torch.Generator().manual_seed(n), dtype=torch.float64)).sum()
        for n, one in enumerate(outputs)
    ]
    return torch.stack(parts).sum()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("alone", [None, "outputs", "last"])
def test_equals_packed_rows(alone: str | None, dtype: torch.dtype) -> None:
    """Also where only the outputs, or only the last states, carry a gradient; in float32 with products of its own."""
    layer, inputs = sharp(dtype=dtype), embeddings(dtype)
    near = {"rtol": 1e-10, "atol": 1e-12} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 2e-5}
    outputs, last = bidirectional_gru(layer, inputs, MASK)
    expected, state = run_packed(layer, inputs, LENGTHS)
    torch.testing.assert_close(outputs, expected, **near)
    torch.testing.assert_close(last, state.hidden, **near)
    of = [inputs, *layer.parameters()]
    used = slice(0 if alone != "last" else 1, 2 if alone != "outputs" else 1)
    fused = torch.autograd.grad(weighted(*(outputs, last)[used]), of)
    plain = torch.autograd.grad(weighted(*(expected, state.hidden)[used]), of)
    for name, one, other in zip(("inputs", *(n for n, _ in layer.named_parameters())), fused, plain, strict=True):
        torch.testing.assert_close(one, other, **near, msg=name)
        assert one.abs().max() > 1e-3, f"{name}: nothing flows"


def test_steps_in_several_blocks_equal_packed_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = in_small_blocks(monkeypatch, fast_bidirectional_gru)
    test_equals_packed_rows(None, torch.float64)
    assert seen == [3, 3]


def test_gradcheck() -> None:
    layer = sharp(size=2)

    def function(inputs: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
        return bidirectional_gru(layer, inputs, MASK)

    assert torch.autograd.gradcheck(function, (embeddings(), *layer.parameters()))


def test_what_it_cannot_compute_takes_the_plain_way() -> None:
    layer, inputs = sharp(dtype=torch.float32), embeddings(torch.float32)
    encoder = RnnEncoderConfig(size=3).build(5, DropoutConfig())
    names = []
    assert fusible(layer, inputs) is uses_onednn(inputs)
    assert not fusible(layer, inputs.double()), "slow products"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert fusible(layer, inputs)
        assert not fusible(nn.LSTM(5, 4, bidirectional=True), inputs)
        assert not fusible(layer, inputs.to("meta")), "another device"
        with torch.no_grad():
            assert not fusible(layer, inputs), "no gradient"
        for fast in (True, False):
            encoder.fast = fast
            names.append(type(encoder(inputs, LENGTHS).states[0].hidden.grad_fn).__name__)
    assert names[0] == "_PairedGruBackward" != names[1]


def test_the_gradient_can_be_asked_for_twice() -> None:
    inputs = embeddings()
    loss = weighted(*bidirectional_gru(sharp(), inputs, MASK))
    first = torch.autograd.grad(loss, inputs, retain_graph=True)[0].clone()
    assert torch.equal(first, torch.autograd.grad(loss, inputs)[0])


def test_a_gradient_from_above_is_not_written_to() -> None:
    """Of one sentence a transposed view is contiguous as it is."""
    layer = sharp()
    outputs = bidirectional_gru(layer, embeddings()[:1], MASK[:1])
    towards = [torch.ones_like(output) for output in outputs]
    torch.autograd.grad(outputs, list(layer.parameters()), towards)
    assert all(bool((each == 1.0).all()) for each in towards)


def test_there_is_no_second_derivative() -> None:
    inputs = embeddings()
    outputs, _ = bidirectional_gru(sharp(), inputs, MASK)
    (gradient,) = torch.autograd.grad(outputs.square().sum(), inputs, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_bf16_is_as_close_to_float32_as_packed_rows_are() -> None:
    torch.manual_seed(1)
    encoder = RnnEncoderConfig(size=48).build(5, DropoutConfig())
    of, results = [*encoder.parameters()], {}
    for fast, low in ((False, False), (False, True), (True, True)):
        encoder.fast = fast
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
            memory = encoder(embeddings(torch.float32), LENGTHS)
        assert memory.values.dtype == memory.states[0].hidden.dtype == torch.float32
        results[fast, low] = torch.autograd.grad(weighted(memory.values, memory.states[0].hidden), of)
    exact = results.pop((False, False))
    plain, fused = (
        sum(float((one - other).norm() / other.norm()) for one, other in zip(rough, exact, strict=True))
        for rough in results.values()
    )
    assert fused < 1.5 * plain
    assert plain > 0.005, "bf16 was in use"

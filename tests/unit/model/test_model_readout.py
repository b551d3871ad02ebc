"""Deep output, and the fused cross-entropy against torch's and plain loops."""

from __future__ import annotations

import math

import pytest
import reference_model
import torch
from model_sweep import close
from torch import nn
from torch.nn import functional

from nmt.core.config.ranges import problems_of
from nmt.model.fast import cross_entropy
from nmt.model.readout.deep_output import DeepOutput, DeepOutputConfig
from nmt.model.readout.output_layer import OutputLayer


def draw(*shape, seed=0, grad=False):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_(grad)


def output_layer(size=4, vocabulary=6, dtype=torch.float64):
    layer = OutputLayer(size, vocabulary)
    with torch.no_grad():
        layer.weight.copy_(draw(vocabulary, size, seed=1))
        layer.bias.copy_(draw(vocabulary, seed=2))
    return layer.to(dtype)


def test_maxout_by_hand():
    readout = DeepOutput(DeepOutputConfig(activation="maxout", size=2), state_size=1, embedding_size=1, context_size=1)
    with torch.no_grad():
        readout.U_o.weight.copy_(torch.tensor([[1.0], [0.0], [2.0], [-1.0]]))
        readout.U_o.bias.copy_(torch.tensor([0.0, 0.5, 0.0, 0.0]))
        readout.V_o.weight.copy_(torch.tensor([[0.0], [1.0], [0.0], [1.0]]))
        readout.C_o.weight.copy_(torch.tensor([[-1.0], [0.0], [-1.0], [0.0]]))
    # s = 1, E y = 2, c = 3: (1 - 3, 2 + 0.5, 2 - 3, -1 + 2) = (-2, 2.5, -1, 1); of neighbours the larger: (2.5, 1).
    features = readout(torch.tensor([[1.0]]), torch.tensor([[2.0]]), torch.tensor([[3.0]]))
    close(features, torch.tensor([[2.5, 1.0]]))


@pytest.mark.parametrize("activation", ["maxout", "tanh"])
@pytest.mark.parametrize("leading", [(3,), (2, 5)])
def test_deep_output_equals_plain_loops(activation, leading):
    readout = DeepOutput(
        DeepOutputConfig(activation=activation, size=3), state_size=2, embedding_size=4, context_size=5
    )
    readout = readout.double()
    with torch.no_grad():
        for seed, parameter in enumerate(readout.parameters()):
            parameter.copy_(draw(*parameter.shape, seed=seed))
    state, embedded, context = draw(*leading, 2), draw(*leading, 4, seed=1), draw(*leading, 5, seed=2)
    features = readout(state, embedded, context)
    assert features.shape == (*leading, 3)
    rows = zip(
        *(tensor.flatten(0, -2).tolist() for tensor in (state, embedded, context, features)),
        strict=True,
    )
    for s, e, c, feature in rows:
        combined = reference_model.add(
            reference_model.product(readout.U_o.weight.tolist(), s),
            readout.U_o.bias.tolist(),
            reference_model.product(readout.V_o.weight.tolist(), e),
            reference_model.product(readout.C_o.weight.tolist(), c),
        )
        expected = reference_model.maxout(combined) if activation == "maxout" else reference_model.tanh(combined)
        assert feature == pytest.approx(expected)


def test_the_readout_is_as_large_as_the_embeddings_unless_told():
    assert DeepOutput(DeepOutputConfig(), state_size=2, embedding_size=7, context_size=3).size == 7
    assert list(problems_of(DeepOutputConfig(size=0))) == [("size", "must be at least 1, but is 0")]


def test_cross_entropy_by_hand():
    layer = OutputLayer(1, 2).double()
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([math.log(3.0), 0.0]))
    # p = (3/4, 1/4). For targets 0 and 1: nll = -log(3/4) - log(1/4) = log(16/3).
    # With eps = 0.2, q is (0.9, 0.1) or (0.1, 0.9): both together weigh each token 1, so the loss is log(16/3) too.
    # For target 0 alone: -0.9 log(3/4) - 0.1 log(1/4).
    both = layer.token_losses(draw(2, 1), torch.tensor([0, 1]), smoothing=0.2)
    assert float(both.nll) == pytest.approx(math.log(16 / 3))
    assert both.loss.item() == pytest.approx(math.log(16 / 3))
    assert both.tokens == 2
    one = layer.token_losses(draw(1, 1), torch.tensor([0]), smoothing=0.2)
    assert one.loss.item() == pytest.approx(-0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4))
    assert float(one.nll) == pytest.approx(-math.log(3 / 4))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_fused_cross_entropy_equals_torch(monkeypatch, smoothing, chunk):
    """In value and in all three gradients, wherever a chunk ends: 7 rows by 1, by 3, just one chunk, and less."""
    monkeypatch.setattr(cross_entropy, "CHUNK_ROWS", chunk)
    layer = output_layer()
    features, targets = draw(7, 4, grad=True), torch.tensor([0, 5, 2, 2, 1, 4, 0])
    fused = layer.token_losses(features, targets, smoothing=smoothing)
    logits = layer(features)
    plain = functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum")
    close(fused.loss, plain, 1e-12)
    close(fused.nll, functional.cross_entropy(logits, targets, reduction="sum"), 1e-12)
    expected = sum(
        reference_model.smoothed_cross_entropy(row, target, smoothing)
        for row, target in zip(logits.tolist(), targets.tolist(), strict=True)
    )
    assert fused.loss.item() == pytest.approx(expected, abs=1e-12)
    inputs = [features, layer.weight, layer.bias]
    # Scaled, as by the number of tokens.
    for one, other in zip(
        torch.autograd.grad(fused.loss * 0.3, inputs), torch.autograd.grad(plain * 0.3, inputs), strict=True
    ):
        close(one, other, 1e-12)


@pytest.mark.parametrize("consistency", [0.0, 3.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_plain_way_is_torch_own_and_gives_the_same(dtype, consistency):
    layer = output_layer(dtype=dtype)
    features = draw(6, 4).to(dtype).requires_grad_()
    targets, found = torch.tensor([0, 0, 5, 5, 2, 2]), []
    for fast in (True, False):
        layer.fast = fast
        losses = layer.token_losses(features, targets, smoothing=0.1, consistency=consistency)
        assert ("Fused" in losses.loss.grad_fn.name()) is fast
        assert not losses.nll.requires_grad
        gradients = torch.autograd.grad(losses.loss, [features, layer.weight, layer.bias])
        found.append([losses.loss, losses.nll, losses.token_nll, *gradients])
    for one, other in zip(*found, strict=True):
        close(one, other, 1e-12 if dtype == torch.float64 else 1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradients_of_the_fused_cross_entropy(monkeypatch, smoothing):
    monkeypatch.setattr(cross_entropy, "CHUNK_ROWS", 2)
    targets = torch.tensor([0, 3, 1, 3, 2])

    def loss(features, weight, bias):
        return cross_entropy._FusedCrossEntropy.apply(features, weight, bias, targets, smoothing, 0.0)[0]

    assert torch.autograd.gradcheck(
        loss, (draw(5, 3, grad=True), draw(4, 3, seed=1, grad=True), draw(4, seed=2, grad=True))
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [2, 4, 100])
def test_the_divergence_of_twins_equals_torch(monkeypatch, smoothing, chunk):
    """In value and in all three gradients: three pairs by one, by two and all at once."""
    monkeypatch.setattr(cross_entropy, "CHUNK_ROWS", chunk)
    layer = output_layer()
    features, targets = draw(6, 4, grad=True), torch.tensor([0, 0, 5, 5, 2, 2])
    fused = layer.token_losses(features, targets, smoothing=smoothing, consistency=3.0)
    logits = layer(features)
    first, second = torch.log_softmax(logits, dim=1).view(3, 2, 6).unbind(1)
    there, back = (
        functional.kl_div(other, one, reduction="sum", log_target=True)
        for one, other in ((first, second), (second, first))
    )
    plain = functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum")
    plain = plain + 3.0 * (there + back) / 2.0
    close(fused.loss, plain, 1e-12)
    close(fused.nll, functional.cross_entropy(logits, targets, reduction="sum"), 1e-12)
    inputs = [features, layer.weight, layer.bias]
    for one, other in zip(torch.autograd.grad(fused.loss, inputs), torch.autograd.grad(plain, inputs), strict=True):
        close(one, other, 1e-12)


def test_chunks_never_part_twins():
    assert cross_entropy.CHUNK_ROWS % 2 == 0


def test_only_the_loss_carries_a_gradient():
    layer = output_layer()
    result = layer.token_losses(draw(3, 4, grad=True), torch.tensor([1, 2, 3]))
    assert result.loss.requires_grad
    assert not result.nll.requires_grad
    with torch.no_grad():
        assert not layer.token_losses(draw(3, 4), torch.tensor([1, 2, 3])).loss.requires_grad


def test_a_second_derivative_is_refused_rather_than_wrong():
    layer = output_layer()
    features = draw(3, 4, grad=True)
    # The square gives the backward pass a gradient that depends on the features itself.
    loss = layer.token_losses(features, torch.tensor([1, 2, 3])).loss ** 2
    (gradient,) = torch.autograd.grad(loss, features, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_frozen_parts_get_no_gradient_and_change_nothing():
    layer = output_layer()
    layer.weight.requires_grad_(False)
    features = draw(3, 4, grad=True)
    layer.token_losses(features, torch.tensor([1, 2, 3])).loss.backward()
    assert layer.weight.grad is None
    logits = layer(features)
    expected = torch.autograd.grad(functional.cross_entropy(logits, torch.tensor([1, 2, 3]), reduction="sum"), features)
    close(features.grad, expected[0])


def test_no_rows_give_no_loss():
    layer = output_layer()
    result = layer.token_losses(draw(0, 4, grad=True), torch.zeros(0, dtype=torch.int64))
    assert result.loss.item() == 0.0
    result.loss.backward()
    assert bool((layer.weight.grad == 0).all())


def test_logits_of_any_size_give_a_finite_loss():
    layer = output_layer(dtype=torch.float32)
    features = (draw(3, 4).float() * 1e4).requires_grad_()
    result = layer.token_losses(features, torch.tensor([1, 2, 3]), smoothing=0.1)
    result.loss.backward()
    assert all(bool(tensor.isfinite().all()) for tensor in (result.loss, features.grad, layer.weight.grad))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_fused_cross_entropy_under_autocast_is_close_to_float32(smoothing):
    layer = output_layer(size=32, vocabulary=50, dtype=torch.float32)
    targets = torch.randint(0, 50, (40,), generator=torch.Generator().manual_seed(3))
    results = []
    for enabled in (False, True):
        layer.zero_grad()
        features = (draw(40, 32, seed=4).float() * 0.3).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            result = layer.token_losses(features, targets, smoothing=smoothing)
        assert result.loss.dtype == torch.float32
        result.loss.backward()
        assert features.grad.dtype == layer.weight.grad.dtype == layer.bias.grad.dtype == torch.float32
        results.append((result.loss.detach(), result.nll, features.grad, layer.weight.grad, layer.bias.grad))
    for exact, rough in zip(*results, strict=True):
        # bf16 keeps 8 bits: a product is good to about 2 ** -8, a sum of many to the size of the largest part of it.
        assert float((exact - rough).norm() / exact.norm()) < 0.01
        assert not torch.equal(exact, rough)


def test_autocast_rounds_no_part_of_a_smoothed_loss():
    """Only factors of the logits are rounded: here to what they are already, so that the loss stays what it is."""
    layer = output_layer(size=64, vocabulary=600, dtype=torch.float32)
    with torch.no_grad():
        layer.weight.copy_(layer.weight.bfloat16().float())
    features = (draw(300, 64, seed=4) * 0.3 + 0.2).bfloat16().float()
    targets = torch.randint(0, 600, (300,), generator=torch.Generator().manual_seed(3))
    shares = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            result = layer.token_losses(features, targets, smoothing=0.5)
        # sum of eps (log Z - mean of the logits), which is all but log Z - l_y.
        shares.append((result.loss - 0.5 * result.nll).item())
    assert shares[1] == pytest.approx(shares[0], rel=5e-5)


def test_the_tied_weight_is_the_embedding_itself():
    embedding = nn.Embedding(6, 4)
    layer = OutputLayer(4, 6, tied=embedding.weight)
    assert layer.weight is embedding.weight
    assert bool((OutputLayer(4, 6).bias == 0).all())

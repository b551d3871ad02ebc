"""Sparsemax and 1.5-entmax: by hand, by bisection, and by their derivatives."""

from __future__ import annotations

import pytest
import reference_model
import torch
from model_sweep import close

from nmt.core.tensors import length_mask
from nmt.model.attention.sparse import masked_entmax15, masked_sparsemax

FUNCTIONS = {"sparsemax": masked_sparsemax, "entmax15": masked_entmax15}
every_function = pytest.mark.parametrize("name", FUNCTIONS)


def double(rows):
    return torch.tensor(rows, dtype=torch.float64)


def everything(scores):
    return torch.ones_like(scores, dtype=torch.bool)


def test_sparsemax_by_hand():
    scores = double([[1.0, 0.6, -0.2], [0.0, 0.0, 0.0], [5.0, 3.5, 2.0]])
    # 1, 0.6, -0.2: with two, tau = (1.6 - 1) / 2 = 0.3 and 0.6 > 0.3; with three (1.4 - 1) / 3 = 0.133 > -0.2: two.
    # All alike: tau = -1/3, a third each. 5, 3.5: tau of one is 4 and 3.5 < 4, so the first takes all.
    close(masked_sparsemax(scores, everything(scores)), double([[0.7, 0.3, 0.0], [1 / 3] * 3, [1.0, 0.0, 0.0]]))


def test_entmax_by_hand():
    scores = double([[1.2, 0.8, -4.0], [0.0, 0.0, 0.0], [4.0, 0.0, 0.0]])
    # Halves 0.6 and 0.4: (0.6 - t)^2 + (0.4 - t)^2 = 1 gives t^2 - t + 0.26 = 0.5, t = 0.5 - sqrt(0.49) = -0.2, so that
    # the weights are 0.8^2 = 0.64 and 0.6^2 = 0.36; the third, -2, lies below t.
    # All alike: a third each. Halves 2 and 0, 0: t of the first alone is 1 > 0: it takes all.
    expected = double([[0.64, 0.36, 0.0], [1 / 3] * 3, [1.0, 0.0, 0.0]])
    close(masked_entmax15(scores, everything(scores)), expected)


@every_function
@pytest.mark.parametrize("spread", [0.3, 1.0, 4.0])
def test_weights_equal_bisection(name, spread):
    scores = spread * torch.randn(40, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    lengths = torch.arange(40) % 7 + 1
    mask = length_mask(lengths, 7)
    weights = FUNCTIONS[name](torch.where(mask, scores, torch.full_like(scores, 1e4)), mask)
    for row, length in enumerate(lengths.tolist()):
        expected = getattr(reference_model, name)(scores[row, :length].tolist())
        close(weights[row, :length], double(expected))
        assert bool((weights[row, length:] == 0).all())
    assert spread < 1.0 or bool(((weights == 0) & mask).any()), "nothing was sparse"


@every_function
def test_backward_equals_finite_differences(name):
    scores = torch.randn(6, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64).requires_grad_()
    mask = length_mask(torch.tensor([5, 4, 3, 5, 1, 2]), 5)
    assert torch.autograd.gradcheck(lambda given: FUNCTIONS[name](given, mask), (scores,))


@every_function
def test_scores_far_apart_in_float32(name):
    scores = torch.tensor([[3e38, -3e38, 0.0], [-3e38, -3e38, -3e38], [1e6, 1e6, 7.0], [4.0, 4.0, 4.0]])
    mask = torch.tensor([[True] * 3, [True, True, False], [True] * 3, [False] * 3])
    weights = FUNCTIONS[name](scores, mask)
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    close(weights, expected, 1e-6)


@every_function
def test_ties_share_alike(name):
    weights = FUNCTIONS[name](double([[2.0, 2.0, 2.0, -9.0]]), everything(double([[0.0] * 4])))
    close(weights, double([[1 / 3, 1 / 3, 1 / 3, 0.0]]))


def test_a_second_derivative_is_refused():
    scores = double([[0.3, 0.1]]).requires_grad_()
    first = torch.autograd.grad(masked_sparsemax(scores, everything(scores))[0, 0], scores, create_graph=True)[0]
    with pytest.raises(RuntimeError):
        first.sum().backward()

"""Logits rounded to bf16, of which the best are computed again."""

from __future__ import annotations

import copy
from typing import Literal

import pytest
import torch
from model_sweep import BOS, SOURCES, close, combinations, ragged, sharp_model

from nmt.core.errors import CheckpointError
from nmt.model.model_stepper import ModelStepper
from nmt.model.readout.mixture import MixtureOutputLayer
from nmt.model.readout.output_layer import OutputLayer
from nmt.search.allowed_tokens import Symbols
from nmt.search.search import search
from nmt.search.search_config import SearchConfig

SENTENCES, WIDTH, PIECES, SIZE = 5, 3, 500, 64


def rounding_layer(*, laid_out: bool = True) -> tuple[OutputLayer, torch.Tensor]:
    """A layer, and features whose logits reach 60, where neighbours in bf16 are 0.25 apart."""
    torch.manual_seed(5)
    layer = OutputLayer(SIZE, PIECES)
    with torch.no_grad():
        layer.weight.normal_()
        layer.bias.normal_()
    layer.prepack(torch.bfloat16)
    for product in (layer.prepacked, layer.rounding):
        assert product is not None
        if not laid_out:
            product.reordered = None
    return layer, 3.0 * torch.randn(SENTENCES * WIDTH, SIZE)


@pytest.mark.parametrize("laid_out", [True, False])
def test_refined_ones_are_those_of_float32(laid_out: bool) -> None:
    layer, features = rounding_layer(laid_out=laid_out)
    with torch.inference_mode():
        found = layer.rounded_logits(features)
        exact = torch.log_softmax(layer(features), 1).view(SENTENCES, -1)
    rough = found.log_probs.view(SENTENCES, -1)
    assert float((rough - exact).abs().max()) > 0.1
    best = rough.topk(9, dim=1).indices
    best = torch.cat([best, best[:, :1]], 1)  # a filler
    real = torch.ones_like(best, dtype=torch.bool)
    real[:, -1] = False
    refined = found.refine(best // PIECES, best % PIECES, real, torch.tensor([], dtype=torch.int64))
    close(refined[:, :-1], exact.gather(1, best[:, :-1]), 2e-3)
    # Several continuations of one hypothesis correct its normaliser together.
    assert any(len(set(row)) < 8 for row in (best[:, :-1] // PIECES).tolist())


def test_only_a_softmax_in_bf16_is_rounded() -> None:
    kinds = [(MixtureOutputLayer, torch.bfloat16), (OutputLayer, torch.float32)]
    for kind, dtype in kinds:
        layer = kind(SIZE, PIECES)
        layer.prepack(dtype)
        assert not layer.rounds
    with pytest.raises(ValueError, match="only after prepack"):
        layer.rounded_logits(torch.randn(2, SIZE))
    expected = MixtureOutputLayer(SIZE, PIECES, in_search=False)
    expected.prepack(torch.bfloat16)
    assert expected.rounds
    expected.prepack(torch.float32)
    assert not expected.rounds


@pytest.mark.parametrize("best_is", ["ranked", "not allowed"])
def test_a_probable_piece_corrects_the_normaliser_where_it_may_not_come(best_is: str) -> None:
    layer, features = rounding_layer()
    with torch.inference_mode():
        found = layer.rounded_logits(features[:SENTENCES])
        exact = torch.log_softmax(layer(features[:SENTENCES]), 1)
    best = exact.topk(6, dim=1).indices
    always = torch.cat([torch.tensor([0, 1]), best[:, 0]]) if best_is == "not allowed" else torch.tensor([0, 1])
    asked = best[:, 1:] if best_is == "not allowed" else best
    parents, real = torch.zeros_like(asked), torch.ones_like(asked, dtype=torch.bool)
    refined = found.refine(parents, asked, real, always.unique())
    close(refined, exact.gather(1, asked), 2e-3)
    assert bool((refined <= 0).all())
    left_out = found.refine(parents[:, 1:], best[:, 1:][:, : asked.shape[1] - 1], real[:, 1:], always[:2])
    assert float((left_out - exact.gather(1, best[:, 1 : asked.shape[1]])).abs().max()) > 5e-3, "it is worth something"


class _Exact:
    """A stepper without its rough steps."""

    def __init__(self, stepper: ModelStepper) -> None:
        self.vocabulary_size, self.start, self.mask = stepper.vocabulary_size, stepper.start, stepper.mask
        self.step = stepper.step


@pytest.mark.parametrize("strategy", ["greedy", "beam"])
def test_weights_that_are_no_numbers_are_told(strategy: Literal["greedy", "beam"]) -> None:
    model = copy.deepcopy(sharp_model(combinations()[0].config)).float()
    with torch.no_grad():
        model.output.bias.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="NaN"):
        search(
            ModelStepper(model, precision="bf16"),
            ragged(SOURCES),
            SearchConfig(strategy=strategy),
            Symbols(BOS, 2, (0,)),
        )


@pytest.mark.parametrize(
    "config",
    [
        SearchConfig(strategy="greedy"),
        SearchConfig(beam_size=4, n_best=3),
        SearchConfig(beam_size=2, min_length=5, max_length_ratio=0.0, max_length_offset=6),
        SearchConfig(beam_size=2, max_length_ratio=0.0, max_length_offset=2),
        SearchConfig(strategy="greedy", max_length_ratio=0.0, max_length_offset=2),
        SearchConfig(strategy="greedy", min_length=5, max_length_ratio=0.0, max_length_offset=6),
    ],
)
def test_search_in_bf16_finds_what_it_finds_with_exact_logits(config: SearchConfig) -> None:
    model = copy.deepcopy(sharp_model(combinations()[0].config)).float()
    with torch.no_grad():
        model.output.bias.add_(40.0)  # rounds the logits, and changes no probability
    stepper = ModelStepper(model, precision="bf16")
    symbols = Symbols(BOS, 2, (0,))
    first, second = (search(each, ragged(SOURCES), config, symbols) for each in (stepper, _Exact(stepper)))
    step = stepper.rough_step(torch.tensor([BOS] * len(SOURCES)), *stepper.start(ragged(SOURCES)))
    assert step.refine is not None
    for one, other in zip(first, second, strict=True):
        assert [each.tokens for each in one] == [each.tokens for each in other]
        for each, expected in zip(one, other, strict=True):
            assert each.score == pytest.approx(expected.score, abs=5e-3)
            assert sum(each.token_log_probs) == pytest.approx(each.log_prob)

"""Models of every kind on a GPU: values, gradients and translations are those of the CPU."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from model_sweep import (
    BOS,
    EOS,
    PAD,
    SOURCES,
    TARGETS,
    VOCABULARY,
    Combination,
    close,
    combinations,
    ragged,
    sharp_model,
    tensors,
)
from torch import Tensor, nn

from nmt.core.machine.device import autocast, full_float32
from nmt.model.cells import run_packed, run_rnn
from nmt.model.memory import CellState
from nmt.model.model_stepper import ModelStepper
from nmt.model.saliency import attention_times_gradient, gradient_times_input, shifted_attention
from nmt.model.seq2seq import Seq2Seq
from nmt.search.allowed_tokens import Symbols
from nmt.search.hypothesis import Hypothesis
from nmt.search.search import search
from nmt.search.search_config import SearchConfig

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
CPU = torch.device("cpu")
# The plain ones come first, and the rest is in no order: every choice is among these, if not every two together.
some = pytest.mark.parametrize("combination", combinations()[::4], ids=lambda one: one.name)
SEARCHES = (
    SearchConfig(strategy="greedy", min_length=3, max_length_ratio=2.0),
    SearchConfig(beam_size=4, n_best=2, min_length=3, max_length_ratio=2.0),
    SearchConfig(strategy="sampling", min_length=3, max_length_ratio=2.0, top_k=3, top_p=0.9),
)


def on(model: Seq2Seq, device: torch.device, dtype: torch.dtype = torch.float64) -> Seq2Seq:
    """A copy of a model elsewhere, in training mode: cuDNN has gradients in no other."""
    return copy.deepcopy(model).to(dtype).to(device).train()


def update(model: Seq2Seq, device: torch.device, precision: Any = "fp32") -> dict[str, Tensor]:
    """What a model gives and the gradients of its loss, on the CPU."""
    source, target = ragged(SOURCES).to(device), ragged(TARGETS).to(device)
    torch.manual_seed(1)  # for an attention that draws
    with autocast(device, precision):
        output = model(source, target, BOS)
        loss = model.loss(output, target, smoothing=0.1).loss
    loss.backward()
    found = dict(tensors(replace(output, state=None, source=None))) | {"loss": loss}
    found |= {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    return {name: each.detach().cpu() for name, each in found.items()}


@some
def test_an_update_is_that_of_the_cpu(gpu: torch.device, combination: Combination) -> None:
    if combination.config.attention.samples:
        pytest.skip("other positions are drawn on another device")
    model = sharp_model(combination.config)
    expected = update(on(model, CPU), CPU)
    for fast in (True, False):
        tried = on(model, gpu)
        tried.fast = fast
        found = update(tried, gpu)
        assert found.keys() == expected.keys()
        for name, each in expected.items():
            close(found[name], each, 1e-7)


@some
def test_bf16_rounds_products_alone(gpu: torch.device, combination: Combination) -> None:
    torch.manual_seed(5)
    model = combination.config.build(VOCABULARY, VOCABULARY)
    full, low = (update(on(model, gpu, torch.float32), gpu, precision) for precision in ("fp32", "bf16"))
    assert low["loss"].dtype == torch.float32
    assert low["loss"].item() == pytest.approx(full["loss"].item(), rel=0.02)
    for name, each in low.items():
        assert bool(each.isfinite().all()), name
        assert each.dtype != torch.float16, name
    with autocast(gpu, "bf16"):
        placed = on(model, gpu, torch.float32)
        prepared, state = placed.start(placed.encode(ragged(SOURCES).to(gpu)))
    assert {each.dtype for _, each in tensors((prepared.values, state.layers))} == {torch.float32}


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_recurrent_layers_are_not_rounded(gpu: torch.device, kind: type[nn.GRU | nn.LSTM]) -> None:
    both, one = kind(4, 5, batch_first=True, bidirectional=True).to(gpu), kind(4, 5, batch_first=True).to(gpu)
    inputs, lengths = torch.randn(3, 6, 4, device=gpu), torch.tensor([6, 2, 4], device=gpu)
    state = CellState(*(torch.randn(3, 5, device=gpu) for _ in range(1 + (kind is nn.LSTM))))

    def run() -> list[Tensor]:
        return [each for _, each in tensors((run_packed(both, inputs, lengths), run_rnn(one, inputs, state)))]

    expected = run()
    with autocast(gpu, "bf16"):
        found = run()
    assert {each.dtype for each in found} == {torch.float32}
    for one_found, one_expected in zip(found, expected, strict=True):
        close(one_found.cpu(), one_expected.cpu(), 1e-6)


@some
def test_search_finds_what_it_finds_on_the_cpu(gpu: torch.device, combination: Combination) -> None:
    penalty = 0.0 if combination.attention == "none" else 0.3
    for config in SEARCHES:
        options = replace(config, coverage_penalty=penalty if config.strategy == "beam" else 0.0)
        here, there = (searched(combination, options, device) for device in (CPU, gpu))
        for one, other in zip(here, there, strict=True):
            assert [each.tokens for each in other] == [each.tokens for each in one]
            assert [each.score for each in other] == pytest.approx([each.score for each in one], abs=1e-5)


def searched(combination: Combination, config: SearchConfig, device: torch.device) -> list[list[Hypothesis]]:
    placed, source = on(sharp_model(combination.config), device).eval(), ragged(SOURCES).to(device)
    with torch.inference_mode(), full_float32(device):
        return search(ModelStepper(placed), source, config, Symbols(BOS, EOS, (PAD, BOS)), line_keys=[1, 2, 3, 4])


@some
def test_saliency_is_that_of_the_cpu(gpu: torch.device, combination: Combination) -> None:
    if combination.config.attention.samples:
        pytest.skip("other positions are drawn on another device")
    ways = [gradient_times_input]
    if combination.attention != "none":
        ways += [shifted_attention, attention_times_gradient]
    for way in ways:
        here, there = (salient(way, combination, device) for device in (CPU, gpu))
        close(there, here, 1e-7)


def salient(way: Callable[..., Tensor], combination: Combination, device: torch.device) -> Tensor:
    model = on(sharp_model(combination.config), device).eval()
    with full_float32(device):
        return way(model, ragged(SOURCES).to(device), ragged(TARGETS).to(device), bos_id=BOS).cpu()

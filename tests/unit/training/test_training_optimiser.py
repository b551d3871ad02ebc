"""Optimisers: what decays, and how their state is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nmt.core import config
from nmt.core.errors import CheckpointError, ConfigError
from nmt.model.weights import read_tensors
from nmt.training.optimisation.optimiser import OptimiserConfig, load_optimiser_tensors, optimiser_tensors

CONFIGS = [
    OptimiserConfig(type="adam", weight_decay=0.1),
    OptimiserConfig(type="adamw", weight_decay=0.1, betas=(0.8, 0.9)),
    OptimiserConfig(type="sgd"),
    OptimiserConfig(type="sgd", momentum=0.9, weight_decay=0.1),
    OptimiserConfig(type="adadelta", learning_rate=1.0),
]


class Tied(nn.Module):
    """A module with a tied matrix, a norm, and a parameter that gets no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.norm = nn.LayerNorm(3)
        self.output = nn.Linear(3, 5)
        self.output.weight = self.embedding.weight
        self.unused = nn.Parameter(torch.ones(2, 2))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.output(self.norm(self.embedding(ids))).logsumexp(-1).sum()


def model(seed: int = 0) -> Tied:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Tied()


def steps(optimiser: torch.optim.Optimizer, module: Tied, count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        module(torch.tensor([number % 5, 1])).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


@pytest.mark.parametrize("chosen", CONFIGS, ids=lambda chosen: f"{chosen.type}-{chosen.momentum}")
def test_the_state_survives_a_file(chosen: OptimiserConfig, tmp_path: Path) -> None:
    whole, halves = model(), model()
    optimiser = chosen.build(whole)
    steps(optimiser, whole, 6)

    first = chosen.build(halves)
    steps(first, halves, 3)
    # A file without tensors is none: a plain SGD has nothing to remember.
    save_file({**optimiser_tensors(first, halves), "random/cpu": torch.zeros(1)}, tmp_path / "o.safetensors")
    tensors = read_tensors(tmp_path / "o.safetensors")
    del tensors["random/cpu"]
    names = {name.rpartition("/")[0] for name in tensors}
    remembers = chosen.type != "sgd" or chosen.momentum > 0
    assert names == ({"embedding.weight", "norm.weight", "norm.bias", "output.bias"} if remembers else set())

    second = chosen.build(halves)
    load_optimiser_tensors(second, halves, tensors, "o.safetensors")
    steps(second, halves, 3, first=3)
    for (name, one), other in zip(whole.named_parameters(), halves.parameters(), strict=True):
        assert torch.equal(one, other), name


def test_loaded_tensors_are_copies() -> None:
    module = model()
    optimiser = OptimiserConfig().build(module)
    steps(optimiser, module, 1)
    tensors = {name: tensor.clone() for name, tensor in optimiser_tensors(optimiser, module).items()}
    kept = {name: tensor.clone() for name, tensor in tensors.items()}
    again = OptimiserConfig().build(module)
    load_optimiser_tensors(again, module, tensors, "o")
    steps(again, module, 1)
    assert all(torch.equal(tensors[name], kept[name]) for name in kept)


def test_only_matrices_decay_and_a_tied_one_once() -> None:
    module = model()
    optimiser = OptimiserConfig(type="sgd", learning_rate=0.5, weight_decay=0.1).build(module)
    decay = {id(each): group["weight_decay"] for group in optimiser.param_groups for each in group["params"]}
    assert len(decay) == sum(len(group["params"]) for group in optimiser.param_groups) == 5
    assert {name: decay[id(each)] for name, each in module.named_parameters()} == {
        "embedding.weight": 0.1,
        "unused": 0.1,
        "norm.weight": 0.0,
        "norm.bias": 0.0,
        "output.bias": 0.0,
    }
    before = {name: each.detach().clone() for name, each in module.named_parameters()}
    for each in module.parameters():
        each.grad = torch.zeros_like(each)
    optimiser.step()
    for name, each in module.named_parameters():
        # w - lr * decay * w = 0.95 w
        assert torch.allclose(each, before[name] * (0.95 if each.dim() > 1 else 1.0)), name


@pytest.mark.parametrize(
    ("chosen", "settings"),
    [
        (OptimiserConfig(type="adam"), {"eps": 1e-8, "betas": (0.9, 0.999)}),
        (OptimiserConfig(type="adamw", epsilon=1e-6, betas=(0.5, 0.7)), {"eps": 1e-6, "betas": (0.5, 0.7)}),
        (OptimiserConfig(type="sgd", momentum=0.3), {"momentum": 0.3}),
        (OptimiserConfig(type="adadelta"), {"eps": 1e-6, "rho": 0.95}),
        (OptimiserConfig(type="adadelta", rho=0.9, learning_rate=2.0), {"rho": 0.9, "lr": 2.0}),
    ],
)
def test_settings_reach_torch(chosen: OptimiserConfig, settings: dict[str, object]) -> None:
    for group in chosen.build(model()).param_groups:
        assert {name: group[name] for name in settings} == settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"elsewhere/exp_avg": torch.zeros(5, 3)}, "elsewhere/exp_avg"),
        ({"norm.bias/exp_avg": torch.zeros(4)}, "norm.bias/exp_avg"),
        ({"norm.bias/exp_avg": torch.zeros(())}, "norm.bias/exp_avg"),
        ({"norm.bias/step": torch.zeros(3)}, "norm.bias/step"),
        ({"norm.bias/momentum_buffer": torch.zeros(3)}, "momentum_buffer"),
        ({"norm.bias/exp_avg_sq": None}, "'norm.bias' has no exp_avg_sq"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(change: dict[str, torch.Tensor | None], message: str) -> None:
    module = model()
    optimiser = OptimiserConfig().build(module)
    steps(optimiser, module, 1)
    tensors = {**optimiser_tensors(optimiser, module), **change}
    tensors = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with pytest.raises(CheckpointError, match=message):
        load_optimiser_tensors(OptimiserConfig().build(module), module, tensors, "file")


def test_the_state_of_another_optimiser_is_refused() -> None:
    module = model()
    optimiser = OptimiserConfig(type="adam").build(module)
    steps(optimiser, module, 1)
    tensors = optimiser_tensors(optimiser, module)
    with pytest.raises(CheckpointError, match="Adadelta"):
        load_optimiser_tensors(OptimiserConfig(type="adadelta").build(module), module, tensors, "file")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"betas": [0.9]}, "betas"),
        ({"betas": [0.9, 1.0]}, "betas"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"momentum": 1.0}, "momentum"),
        ({"rho": -0.1}, "rho"),
    ],
)
def test_impossible_values_are_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_mapping(OptimiserConfig, fields, name="optimiser")
    assert [problem.path for problem in caught.value.problems] == [field]

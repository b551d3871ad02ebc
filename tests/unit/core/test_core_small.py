"""Errors, registry, seeding and tensors."""

from __future__ import annotations

import random
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy
import pytest
import torch
from torch import Tensor

from nmt.core.errors import CheckpointError, ConfigError, DataError, NmtError, Problem, TrainingError
from nmt.core.registry import Registry, nearest
from nmt.core.seeding import derive_seed, seed_everything
from nmt.core.tensors import length_mask, masked_softmax, remaining_sum, running_sum, select_rows, tanh_


class TestErrors:
    def test_one_problem_is_one_line(self) -> None:
        error = ConfigError([Problem("model.size", "must be positive", 3)], "recipe.yaml")
        assert str(error) == "recipe.yaml: line 3: model.size must be positive"

    def test_several_problems_are_counted_and_listed(self) -> None:
        error = ConfigError([Problem("a", "is bad", 1), Problem("", "is odd")], "x")
        assert str(error) == "x: 2 problems\n  line 1: a is bad\n  is odd"

    def test_plain_message(self) -> None:
        error = ConfigError("must be given")
        assert str(error) == "must be given"
        assert error.problems == (Problem("", "must be given"),)

    def test_exit_status(self) -> None:
        assert ConfigError("x").exit_status == 2
        assert [kind.exit_status for kind in (NmtError, DataError, CheckpointError, TrainingError)] == [1] * 4
        assert all(issubclass(kind, NmtError) for kind in (ConfigError, DataError, CheckpointError, TrainingError))


class TestRegistry:
    def test_names_and_classes(self) -> None:
        class Thing:
            registry: ClassVar[Registry[Any]] = Registry("thing", default="a")

        registry = Thing.registry

        @registry.register("a")
        @dataclass
        class A(Thing):
            pass

        @registry.register("b")
        @dataclass
        class B(A):
            pass

        assert registry.names() == ("a", "b")
        assert registry.find("a") is A
        assert registry.find("c") is None
        assert registry.name_of(B) == "b"  # exactly the class, not its base
        with pytest.raises(KeyError):
            registry.name_of(int)
        with pytest.raises(ValueError, match="thing 'a' is registered twice"):
            registry.register("a")(int)
        assert registry.find("a") is A

    def test_what_is_no_config_of_the_family_is_refused(self) -> None:
        @dataclass
        class Thing(ABC):
            registry: ClassVar[Registry[Any]] = Registry("thing")

            @abstractmethod
            def build(self) -> None: ...

            @abstractmethod
            def check(self) -> None: ...

        @dataclass
        class Stranger:
            pass

        class Bare(Thing):
            def build(self) -> None: ...

            def check(self) -> None: ...

        @dataclass
        class Half(Thing):
            pass

        for cls, problem in (
            (Stranger, "Stranger must inherit from the class whose registry this is"),
            (Bare, "Bare must be a dataclass"),
            (Half, "Half must define build, check"),
        ):
            with pytest.raises(ValueError, match=f"thing 'a': {problem}"):
                Thing.registry.register("a")(cls)
        assert not Thing.registry.names()

    def test_nearest(self) -> None:
        assert nearest("additiv", ["dot", "additive", "general"]) == "additive"
        assert nearest("zzz", ["dot", "additive"]) is None
        assert nearest("x", []) is None


class TestSeeding:
    def test_depends_on_every_part_and_on_their_order(self) -> None:
        seeds = [
            derive_seed(1),
            derive_seed(2),
            derive_seed(1, "order"),
            derive_seed(1, "order", 0),
            derive_seed(1, "order", 1),
            derive_seed(1, 1, "order"),
            derive_seed(1, "order1"),
            derive_seed(11, "order"),
            derive_seed(1, 1, 2),
            derive_seed(1, 12),
        ]
        assert len(set(seeds)) == len(seeds)
        assert all(0 <= seed < 2**63 for seed in seeds)

    @pytest.mark.slow
    def test_the_same_in_every_process(self) -> None:
        program = "from nmt.core.seeding import derive_seed; print(derive_seed(7, 'order', 3))"
        command = [sys.executable, "-c", program]
        output = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "5"})
        assert int(output.stdout) == derive_seed(7, "order", 3)

    def test_every_generator_is_seeded(self) -> None:
        def draw() -> tuple[float, float, float]:
            return random.random(), float(numpy.random.random()), float(torch.rand(()))

        seed_everything(2**40 + 1)
        first = draw()
        second = draw()
        seed_everything(2**40 + 1)
        assert draw() == first
        assert all(a != b for a, b in zip(first, second, strict=True))


class TestTensors:
    @pytest.mark.parametrize("deterministic", [False, True])
    def test_running_sum(self, deterministic: bool) -> None:
        torch.use_deterministic_algorithms(deterministic)
        try:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                sums = running_sum(torch.tensor([[1.0, 2.0, 400.5], [0.5, -1.0, 8.0]]))
        finally:
            torch.use_deterministic_algorithms(False)
        assert sums.tolist() == [[1.0, 3.0, 403.5], [0.5, -0.5, 7.5]]

    def test_remaining_sum(self) -> None:
        sums = remaining_sum(torch.tensor([[1.0, 2.0, 400.5], [0.5, -1.0, 8.0]]))
        assert sums.tolist() == [[403.5, 402.5, 400.5], [7.5, 7.0, 8.0]]

    def test_length_mask(self) -> None:
        mask = length_mask(torch.tensor([2, 0, 3]), 3)
        assert mask.tolist() == [[True, True, False], [False, False, False], [True, True, True]]
        assert mask.dtype == torch.bool

    def test_masked_softmax_by_hand(self) -> None:
        # exp(0) : exp(ln 3) = 1 : 3; the masked 100 has no say.
        scores = torch.tensor([[0.0, float(numpy.log(3)), 100.0]])
        weights = masked_softmax(scores, torch.tensor([[True, True, False]]))
        torch.testing.assert_close(weights, torch.tensor([[0.25, 0.75, 0.0]]))
        assert weights[0, 2].item() == 0.0

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
    def test_masked_softmax_of_extremes(self, dtype: torch.dtype) -> None:
        largest = torch.finfo(dtype).max
        scores = torch.tensor([[largest, 0.0], [-largest / 2, largest], [5.0, 5.0]], dtype=dtype, requires_grad=True)
        mask = torch.tensor([[True, True], [True, False], [False, False]])
        weights = masked_softmax(scores, mask)
        assert weights.tolist() == [[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
        assert weights.dtype == dtype
        weights.sum().backward()
        assert scores.grad is not None
        assert torch.isfinite(scores.grad).all()
        assert (scores.grad[~mask] == 0).all()

    def test_masked_softmax_broadcasts_the_mask(self) -> None:
        scores = torch.randn(2, 3, 4)
        mask = torch.tensor([[True, True, False, False], [True, True, True, True]]).unsqueeze(1)
        weights = masked_softmax(scores, mask)
        for row, size in ((0, 2), (1, 4)):
            torch.testing.assert_close(weights[row, :, :size], torch.softmax(scores[row, :, :size], -1))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_tanh_is_tanh_to_the_last_digit_of_one(self, dtype: torch.dtype) -> None:
        x = torch.tensor([0.0, 1e-3, -0.5, 2.0, -30.0, 1e30, -torch.inf, torch.nan], dtype=dtype)
        expected = torch.tanh(x)
        assert tanh_(x) is x
        torch.testing.assert_close(x, expected, rtol=0.0, atol=2 * torch.finfo(dtype).eps, equal_nan=True)

    def test_select_rows_reorders_every_tensor_of_a_tree(self) -> None:
        @dataclass(frozen=True, slots=True)
        class Inner:
            hidden: Tensor
            name: str

        @dataclass(frozen=True, slots=True)
        class State:
            layers: tuple[Inner, ...]
            history: list[Tensor]
            step: Tensor
            coverage: Tensor | None
            index: int

        hidden, history = torch.arange(6.0).view(3, 2), torch.tensor([10, 20, 30])
        state = State((Inner(hidden, "a"), Inner(-hidden, "b")), [history], torch.tensor(7), None, 4)
        chosen = select_rows(state, torch.tensor([2, 0, 0, 1]))
        assert chosen.layers[0].hidden.tolist() == [[4, 5], [0, 1], [0, 1], [2, 3]]
        assert chosen.layers[1].hidden.tolist() == [[-4, -5], [0, -1], [0, -1], [-2, -3]]
        assert chosen.layers[1].name == "b"
        assert [item.tolist() for item in chosen.history] == [[30, 10, 10, 20]]
        assert (chosen.step.item(), chosen.coverage, chosen.index) == (7, None, 4)
        assert state.history[0] is history  # what was given stays as it was
        assert history.tolist() == [10, 20, 30]

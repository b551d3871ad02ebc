"""Devices without float64, such as mps: nothing that runs on the device asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import build, make_recipe, train
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nmt.core.machine.device import takes_fast_paths
from nmt.training.checkpoints.checkpoint import RANDOM_CUDA, RANDOM_MPS, random_tensors, restore_random


class NoFloat64(TorchDispatchMode):
    """Refuses float64 as mps does, here on a CPU."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for each in tree_leaves((args, kwargs, found)):
            if isinstance(each, torch.Tensor) and each.dtype == torch.float64:
                raise TypeError(f"{func}: the device has no float64")
        return found


def test_the_refusal_works() -> None:
    with pytest.raises(TypeError, match="no float64"), NoFloat64():
        torch.zeros(2).double()


@pytest.mark.costly
@pytest.mark.parametrize(
    "search",
    [
        "{strategy: greedy}",
        "{strategy: beam, beam_size: 2, coverage_penalty: 0.2}",
        "{strategy: sampling, top_k: 5, top_p: 0.9}",
    ],
)
@pytest.mark.parametrize(
    "model",
    [
        "model.attention=soft",
        "model.attention={type: local-p}",
        "model.decoder={type: luong, size: 12}",
    ],
)
def test_training_and_validation_need_no_float64(corpus: Path, tmp_path: Path, search: str, model: str) -> None:
    recipe = make_recipe(
        corpus,
        "training.max_steps=2",
        "training.validation_interval=1",
        "training.fast_paths=false",
        "training.terms=[{type: lexical-guidance}]",
        f"training.validation.search={search}",
        model,
    )
    trainer = build(recipe, tmp_path / "run")
    with NoFloat64():
        trainer.run()
    assert trainer.state.step == 2 and trainer.state.kept


def test_fast_paths_which_may_take_float64_are_not_taken_there(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert takes_fast_paths(torch.device("cpu")) and takes_fast_paths(torch.device("cuda"))
    assert not takes_fast_paths(torch.device("mps"))
    monkeypatch.setattr("nmt.assembly.takes_fast_paths", lambda device: device.type != "cpu")
    monkeypatch.setattr("nmt.translation.model_files.bundle.takes_fast_paths", lambda device: device.type != "cpu")
    done = train(make_recipe(corpus, "training.max_steps=1"), tmp_path / "run")
    assert not done.trainer.model.fast
    from nmt.translation.model_files.bundle import Bundle

    assert not Bundle.load(done.folder.path, device="cpu", fast_paths=True).model.fast


def test_random_states_of_mps_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    state, put = torch.arange(4, dtype=torch.uint8), list[torch.Tensor]()
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: state)
    monkeypatch.setattr(torch.mps, "set_rng_state", put.append)
    found = random_tensors(torch.device("mps"))
    assert found[RANDOM_MPS] is state
    restore_random(found, torch.device("mps"), "memory")
    assert put == [state]


def test_random_states_are_those_of_the_gpu_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    state, put, second = torch.arange(4, dtype=torch.uint8), list[Any](), torch.device("cuda:1")
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: state if device == second else None)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *given: put.append(given))
    found = random_tensors(second)
    assert found[RANDOM_CUDA] is state
    restore_random(found, second, "memory")
    assert put == [(state, second)]

"""Weights into a model and out of it."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch
from model_sweep import combinations
from safetensors.torch import save_file

from nmt.core.errors import CheckpointError
from nmt.model.seq2seq import EmbeddingConfig
from nmt.model.weights import load_model_tensors, model_tensors, read_tensors, with_new_rows, write_tensors

CONFIG = next(each.config for each in combinations() if not each.config.lexical)  # whose output has one table of pieces


def build(config=CONFIG, seed=0):
    torch.manual_seed(seed)
    return config.build(9, 9)


@pytest.mark.parametrize("tied", ["none", "target", "all"])
def test_weights_come_back_from_a_file(tmp_path, tied):
    config = replace(CONFIG, embedding=EmbeddingConfig(size=4, tied=tied))
    one, other = build(config), build(config, seed=1)
    save_file(model_tensors(one), tmp_path / "model.safetensors")
    load_model_tensors(other, read_tensors(tmp_path / "model.safetensors"), "here")
    for (name, parameter), loaded in zip(one.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(parameter, loaded), name
    names = model_tensors(one)
    assert ("output.weight" in names) == (tied == "none")
    assert ("target_embedding.weight" in names) == (tied != "all")


def test_everything_that_does_not_fit_is_listed():
    model = build()
    before = {name: tensor.clone() for name, tensor in model_tensors(model).items()}
    tensors = {name: torch.ones_like(tensor) for name, tensor in before.items()}
    del tensors["output.bias"]
    tensors["decoder.unknown"] = torch.zeros(1)
    tensors["source_embedding.weight"] = torch.zeros(3, 4)
    with pytest.raises(CheckpointError) as caught:
        load_model_tensors(model, tensors, "runs/one/model.safetensors")
    assert str(caught.value).splitlines() == [
        "runs/one/model.safetensors: the weights do not fit the model of this recipe",
        "  output.bias is missing",
        "  decoder.unknown is not a part of this model",
        "  source_embedding.weight must have shape (9, 4), but has (3, 4)",
    ]
    # And nothing was loaded by halves.
    for name, tensor in model_tensors(model).items():
        assert torch.equal(tensor, before[name]), name


def test_a_long_list_is_cut():
    model = build()
    with pytest.raises(CheckpointError, match=rf"and {len(model_tensors(model)) - 10} more"):
        load_model_tensors(model, {}, "here")


def test_a_parameter_that_is_not_contiguous_is_loaded_all_the_same():
    model = torch.nn.Linear(3, 2)
    model.weight = torch.nn.Parameter(torch.zeros(3, 2).t())
    load_model_tensors(model, {"weight": torch.ones(2, 3), "bias": torch.ones(2)}, "here")
    assert bool((model.weight == 1).all())


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.safetensors: there is no such file"):
        read_tensors(tmp_path / "none.safetensors")
    damaged = tmp_path / "model.safetensors"
    damaged.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{not json")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: cannot be read"):
        read_tensors(damaged)
    save_file(model_tensors(build()), damaged)
    damaged.write_bytes(damaged.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: cannot be read"):
        read_tensors(damaged)


def test_a_file_of_weights_can_be_read_by_whoever_may_read_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        write_tensors({"a": torch.ones(2)}, tmp_path / "a.safetensors")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o640
    assert read_tensors(tmp_path / "a.safetensors")["a"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("tied", ["none", "target", "all"])
def test_rows_of_new_pieces_lie_around_the_others(tied):
    config = replace(CONFIG, embedding=EmbeddingConfig(size=4, tied=tied))
    torch.manual_seed(0)
    small, large = config.build(9, 9), config.build(12, 12)
    before = model_tensors(small)
    assert (
        small.piece_rows
        == {
            "none": {"source_embedding.weight", "target_embedding.weight", "output.weight", "output.bias"},
            "target": {"source_embedding.weight", "target_embedding.weight", "output.bias"},
            "all": {"source_embedding.weight", "output.bias"},
        }[tied]
    )
    with torch.no_grad():
        for tensor in before.values():
            tensor.normal_(3.0, 2.0)
    grown = with_new_rows(before, large, large.piece_rows, torch.Generator().manual_seed(1))
    load_model_tensors(large, grown, "here")
    for name, tensor in model_tensors(large).items():
        old = before[name]
        if name not in large.piece_rows:
            assert torch.equal(tensor, old), name
            continue
        assert tensor.shape == (12, *old.shape[1:]) and torch.equal(tensor[:9], old), name
        away = (tensor[9:] - old.mean(0)).abs() / old.std(0, correction=0)
        assert (away < 0.5).all() and (away > 0).all(), "a tenth of the deviation"
        assert len({tuple(row.flatten().tolist()) for row in tensor[9:]}) == 3, "no two alike"
    again = with_new_rows(before, large, large.piece_rows, torch.Generator().manual_seed(1))
    assert all(torch.equal(again[name], tensor) for name, tensor in grown.items())


def test_only_rows_of_pieces_grow():
    small, large = CONFIG.build(9, 9), CONFIG.build(12, 12)
    name = next(name for name in model_tensors(small) if name.startswith("encoder") and "weight" in name)
    before = {**model_tensors(small), name: model_tensors(small)[name][:-1]}
    with pytest.raises(CheckpointError, match=rf"{name} must have shape"):
        load_model_tensors(large, with_new_rows(before, large, large.piece_rows, torch.Generator()), "here")

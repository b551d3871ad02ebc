"""A run with a model that Marian has: sharpened random weights and biases, pad and bos as unlikely as in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tiny_run import CHECKPOINT, make_run

from nmt.core.storage.run_folder import MODEL, RunFolder
from nmt.model.single_bias import clear_second_biases
from nmt.model.weights import load_model_tensors, model_tensors
from nmt.search.search_config import SearchConfig
from nmt.translation.model_files.bundle import Bundle

FITS: dict[str, Any] = {
    "embedding": {"size": 24},
    "encoder": {"size": 16},
    "bridge": "mean",
    "decoder": {"type": "conditional", "size": 16},
    "gru_biases": "one",
}


def make_marian_run(path: Path, *, tied: str = "none", seed: int = 4) -> Path:
    """Write the run folder; with a joint vocabulary if embeddings of both sides are tied."""
    model = FITS | {"embedding": {"size": 24, "tied": tied}}
    search = SearchConfig(length_penalty=0.0, max_length_ratio=3.0)
    run = make_run(path, model=model, joint=tied == "all", eagerness=2.0, seed=seed, search=search)
    weights = RunFolder(run).checkpoints / CHECKPOINT / MODEL
    tensors = load_file(weights)
    draw = torch.Generator().manual_seed(1)
    for name, tensor in tensors.items():
        if "bias" in name and name != "output.bias":
            tensors[name] = torch.randn(tensor.shape, generator=draw)
    bundle = Bundle.load(run, device="cpu")
    target = bundle.vocabularies.target
    tensors["output.bias"][[target.pad_id, target.bos_id]] = -60.0
    load_model_tensors(bundle.model, tensors, str(weights))
    clear_second_biases(bundle.model)
    save_file({name: tensor.clone() for name, tensor in model_tensors(bundle.model).items()}, weights)
    return run

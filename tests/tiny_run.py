"""A run folder as training leaves it, without training: a tiny model with sharpened random weights.

Random weights times four make a model whose translations differ from line to line and are not empty.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file

import nmt.model  # noqa: F401
from nmt.core import config
from nmt.core.storage.run_folder import MODEL, RunFolder
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.model.weights import model_tensors
from nmt.search.search_config import SearchConfig
from nmt.text.normalisation import NormalisationConfig
from nmt.text.subword import SubwordConfig
from nmt.text.training import train_subword
from nmt.text.vocabularies import Vocabularies

CHECKPOINT = "step-00000500"
PLACEHOLDER = "<num>"
MODEL_CONFIG: dict[str, Any] = {
    "embedding": {"size": 12},
    "encoder": {"size": 12},
    "decoder": {"size": 12},
    "dropout": {"embedding": 0.5, "layers": 0.5, "readout": 0.5},
}
# Random models seldom end by themselves, even with eos made likelier; so their length is bounded.
SEARCH = SearchConfig(beam_size=3, max_length_ratio=1.0, max_length_offset=4, min_length=2)


@dataclass(frozen=True)
class Make:
    """What a tiny run is made of; ``eagerness`` is added to the logit of eos, ``tags`` are those of its corpora."""

    seed: int = 3
    eagerness: float = 22.0
    words: str = "abcdefghij"
    joint: bool = True
    size: int = 60
    model: dict[str, Any] = field(default_factory=lambda: MODEL_CONFIG)
    search: SearchConfig = SEARCH
    lowercase: bool = False
    byte_fallback: bool = False
    tags: tuple[str, ...] = ()
    sections: dict[str, Any] = field(default_factory=dict)


def sentences(count: int, *, seed: int = 0, letters: str = "abcdefghij", longest: int = 9) -> list[str]:
    """Make lines of words that the vocabulary was trained on."""
    generator = random.Random(seed)
    lexicon = ["".join(generator.choices(letters, k=generator.randint(1, 5))) for _ in range(150)]
    return [" ".join(generator.choices(lexicon, k=generator.randint(1, longest))) for _ in range(count)]


def make_run(path: Path, make: Make | None = None, **changes: Any) -> Path:
    """Write a run folder.

    Args:
        path: where.
        make: what it is made of.
        changes: what differs from ``make``.
    """
    make = replace(make or Make(), **changes)
    folder = RunFolder(path)
    path.mkdir(parents=True)
    vocabularies = _vocabularies(folder.vocabulary, make)
    vocabularies.save(folder.vocabulary)
    model_config = config.from_mapping(Seq2SeqConfig, make.model, name="model")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(make.seed)
        model = model_config.build(vocabularies.source.size, vocabularies.target.size)
    checkpoint = folder.checkpoints / CHECKPOINT
    checkpoint.mkdir(parents=True)
    weights = {name: (tensor * 4).clone() for name, tensor in model_tensors(model).items()}
    weights["output.bias"][vocabularies.target.eos_id] += make.eagerness
    save_file(weights, checkpoint / MODEL)
    folder.best.write_text(json.dumps({"checkpoint": CHECKPOINT, "metric": "bleu", "value": 1.0}))
    recipe = {
        "name": "tiny",
        "seed": make.seed,
        "data": {
            "root": str(path),
            "source_language": "mul" if make.tags else "xx",
            "target_language": "mul" if make.tags else "yy",
            "normalisation": config.to_mapping(NormalisationConfig(lowercase=make.lowercase)),
            **({"train": [{"source": "x", "target": "y", "tag": tag} for tag in make.tags]} if make.tags else {}),
        },
        "model": config.to_mapping(model_config),
        "training": {"max_steps": 500},
        "search": config.to_mapping(make.search),
        **make.sections,
    }
    folder.recipe.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def _vocabularies(folder: Path, make: Make) -> Vocabularies:
    subword = SubwordConfig(size=make.size, user_symbols=(PLACEHOLDER, *make.tags), byte_fallback=make.byte_fallback)
    if make.byte_fallback:
        subword = replace(subword, size=make.size + 256)
    lines = sentences(400, letters=make.words)

    def train(name: str, text: Sequence[str]) -> Any:
        return train_subword(text, subword, output=folder / f"{name}.model", name=name)

    if make.joint:
        joint = train("joint", lines)
        return Vocabularies(joint, joint)
    target = sentences(400, seed=1, letters=make.words.upper())
    return Vocabularies(train("source", lines), train("target", target))

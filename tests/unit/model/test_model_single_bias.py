"""One bias in the candidate of a GRU: zero where the other one would be, and still so after training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_training import build, make_recipe, write_corpus

from nmt.core import config
from nmt.core.errors import Problem
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.model.weights import model_tensors

SIZE = 6
CANDIDATE = slice(2 * SIZE, 3 * SIZE)
HELD = {
    "conditional": ("first.U.bias", "second.C.bias"),
    "bahdanau": ("recurrent.U.bias",),
}


def held_by(model: dict[str, torch.Tensor], decoder: str) -> dict[str, torch.Tensor]:
    names = {f"encoder.layers.0.bias_hh_l0{end}" for end in ("", "_reverse")}
    names |= {f"decoder.{name}" for name in HELD.get(decoder, ())}
    names |= {name for name in model if name.startswith("decoder.upper") and "bias_hh" in name}
    return {name: model[name] for name in names if name in model}


def sizes(decoder: str, biases: str) -> dict[str, Any]:
    return {
        "embedding": {"size": 5},
        "encoder": {"size": SIZE},
        "decoder": {"type": decoder, "size": SIZE, "layers": 2},
        "gru_biases": biases,
        "initialisation": {"scheme": "luong"},  # draws biases too
    }


@pytest.mark.parametrize("decoder", ["conditional", "bahdanau"])
def test_the_second_bias_is_zero(decoder: str) -> None:
    one = model_tensors(config.from_mapping(Seq2SeqConfig, sizes(decoder, "one"), name="m").build(9, 9))
    two = model_tensors(config.from_mapping(Seq2SeqConfig, sizes(decoder, "two"), name="m").build(9, 9))
    held = held_by(one, decoder)
    assert len(held) >= 4
    for name, bias in held.items():
        assert not bias[CANDIDATE].any() and bias[: 2 * SIZE].all()
        assert two[name][CANDIDATE].all()
    zeros = sum(int((tensor == 0).sum()) for name, tensor in one.items() if name != "output.bias")
    assert zeros == SIZE * len(held)


@pytest.mark.parametrize(
    ("encoder", "decoder", "told"),
    [
        ("{type: transformer}", "lstm", True),
        ("{cell: lstm}", "ln-gru", True),
        ("{type: convolutional}", "gru", False),
        ("{cell: gru}", "lstm", False),
    ],
)
def test_one_bias_where_no_cell_is_a_gru_is_told(encoder: str, decoder: str, told: bool) -> None:
    text = f"{{encoder: {encoder}, decoder: {{cell: {decoder}}}, gru_biases: one}}"
    notes: list[Problem] = []
    config.load(Seq2SeqConfig, text, name="m", notes=notes)
    assert ("gru_biases" in {note.path for note in notes}) == told


def test_training_resuming_and_another_model_leave_it_at_zero(tmp_path: Any) -> None:
    root = write_corpus(tmp_path)
    model = ["model.encoder.size=6", "model.decoder={type: conditional, size: 6}", "model.encoder.layers=1"]
    once = make_recipe(root, *model, "model.gru_biases=two", "training.max_steps=3")
    build(once, tmp_path / "two").run()
    begun = [*model, "model.gru_biases=one", f"training.init_from={tmp_path / 'two'}"]
    first = build(make_recipe(root, *begun, "training.max_steps=4"), tmp_path / "run")
    first.run()
    second = build(make_recipe(root, *begun, "training.max_steps=8"), tmp_path / "run", resume=True)
    before = {name: tensor.clone() for name, tensor in model_tensors(second.model).items()}
    second.run()
    for name, bias in held_by(model_tensors(second.model), "conditional").items():
        assert not bias[CANDIDATE].any()
        assert not torch.equal(bias[: 2 * SIZE], before[name][: 2 * SIZE])

"""The whole model equals plain loops, sentence by sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from model_sweep import (
    BOS,
    BRIDGES,
    ENCODER_SIZE,
    PAD,
    SOURCES,
    TARGETS,
    choices,
    close,
    combinations,
    describe,
    every_combination,
    ragged,
    sharp_model,
    variants,
)
from reference_model import ReferenceModel

from nmt.data.batch import Tokens
from nmt.model.encoder.rnn import RnnEncoderConfig

REFERENCED = {
    "decoder": {"bahdanau", "conditional", "luong"},
    "attention": {"none", "soft", "sparsemax", "entmax-1.5", "local-m", "local-p", "hard", "marginal"},
    "attention.score": {
        "additive",
        "concat",
        "dot",
        "scaled-dot",
        "general",
        "location",
        "multi-head-additive",
        "multi-head-dot",
    },
    "attention.coverage": {"linguistic", "neural", "location-aware"},
}


@every_combination
def test_logits_and_weights_equal_the_reference(combination):
    config = combination.config
    if not isinstance(config.encoder, RnnEncoderConfig):  # the only one that the reference knows
        config = replace(config, encoder=RnnEncoderConfig(size=ENCODER_SIZE))
    chosen = dict(each for name in ("decoder", "attention") for each in choices(getattr(config, name), name))
    unknown = [place for place, known in REFERENCED.items() if place in chosen and chosen[place] not in known]
    if unknown:
        pytest.skip(f"the reference does not know its {', '.join(unknown)}")
    compare(config)


@pytest.mark.parametrize("encoder", list(variants(RnnEncoderConfig)), ids=describe)
@pytest.mark.parametrize("bridge", BRIDGES)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_every_encoder_and_bridge_equal_the_reference(encoder, bridge, cell):
    config = combinations()[0].config
    encoder = replace(encoder, size=ENCODER_SIZE, layers=2)
    # Three decoder layers over two encoder layers: the topmost has no encoder layer at its height.
    compare(replace(config, encoder=encoder, bridge=bridge, decoder=replace(config.decoder, cell=cell, layers=3)))


def compare(config):
    model = sharp_model(config)
    reference = ReferenceModel(model, config)
    output = model(ragged(SOURCES), Tokens.pad(TARGETS, PAD), BOS)
    logits = model.output(output.features)
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        steps = reference.decode(reference.encode(source), [BOS, *target[:-1]])
        for position, step in enumerate(steps):
            close(logits[row, position], torch.tensor(step.logits, dtype=torch.float64))
            weights = output.weights[row, position]
            if step.weights:
                close(weights[:, : len(source)], torch.tensor(step.weights, dtype=torch.float64))
            else:
                assert weights.shape[0] == 0

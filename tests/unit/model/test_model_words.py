"""Words beside a file: one memory of both, in which every row is its own, and padding is last."""

from __future__ import annotations

import numpy
import pytest
import torch
from model_sweep import BOS, TARGETS, VOCABULARY

from nmt.data.batch import Dense, Tokens
from nmt.model.attention.none import NoAttentionConfig
from nmt.model.bridge import conflict
from nmt.model.decoder.luong import LuongConfig
from nmt.model.encoder.projected import ProjectedEncoderConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.model_stepper import ModelStepper
from nmt.model.seq2seq import EmbeddingConfig, Seq2Seq, Seq2SeqConfig

CONFIG = Seq2SeqConfig(
    embedding=EmbeddingConfig(size=6),
    encoder=ProjectedEncoderConfig(size=8),
    words=RnnEncoderConfig(size=4),  # states have the size of annotations
    decoder=LuongConfig(size=7),
)
QUESTIONS = [[5, 6, 3, 2], [4, 2], [3, 5, 2]]
LENGTHS = (2, 5, 1)


def rows(seed: int = 1) -> list[numpy.ndarray]:
    drawn = numpy.random.default_rng(seed)
    return [drawn.normal(size=(length, 3)).astype(numpy.float32) for length in LENGTHS]


def batch(features: list[numpy.ndarray], questions: list[list[int]] = QUESTIONS) -> Dense:
    return Dense.pad(features, None, Tokens.pad(questions, 0))


def alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-5)


def build(config: Seq2SeqConfig = CONFIG) -> Seq2Seq:
    torch.manual_seed(4)
    model = config.build(VOCABULARY, VOCABULARY, 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return model.eval()


@torch.no_grad()
def test_a_row_has_its_file_then_its_words_then_padding() -> None:
    model = build()
    memory = model.encode(batch(rows()))
    assert memory.lengths.tolist() == [6, 7, 4] == memory.mask.sum(1).tolist()
    assert memory.mask.tolist() == [[place < length for place in range(9)] for length in (6, 7, 4)]
    assert not memory.values[~memory.mask].any()
    for row, (features, question) in enumerate(zip(rows(), QUESTIONS, strict=True)):
        alone = model.encode(batch([features], [question]))
        assert alike(memory.values[row : row + 1, : alone.values.shape[1]], alone.values)
        assert alike(memory.states[0].hidden[row], alone.states[0].hidden[0])
        other = model.encode(batch([features], [[*question[:-1], 6, 2]]))
        assert alike(other.values[0, : len(features)], alone.values[0, : len(features)]), "the file is read by itself"


@torch.no_grad()
def test_file_and_words_both_decide_what_is_written_and_the_bridge_reads_the_words() -> None:
    target = Tokens.pad(TARGETS[:3], 0)
    for attention in ({}, {"attention": NoAttentionConfig()}):
        model = build(
            Seq2SeqConfig(
                **{name: getattr(CONFIG, name) for name in ("embedding", "encoder", "words", "decoder")}, **attention
            )
        )
        found = model(batch(rows()), target, BOS).features
        assert not alike(found, model(batch(rows(2)), target, BOS).features)
        assert not alike(found, model(batch(rows(), [[6, 2], *QUESTIONS[1:]]), target, BOS).features)
        assert model.bridge.kind == "first-backward"
    assert conflict("first-backward", model.encoder) and not conflict("first-backward", model.words or model.encoder)


@torch.no_grad()
def test_search_takes_the_same_steps_packed_and_plain() -> None:
    model = build()
    assert model.words is not None
    model.fast = False
    assert not model.words.encoder.fast
    plain = ModelStepper(model)
    model.fast = True
    assert model.words.encoder.fast
    packed = ModelStepper(model)
    assert packed.model.words is not None and packed.model.words.encoder.prepacked
    steps = []
    for stepper in (plain, packed):
        prepared, state = stepper.start(batch(rows()))
        assert stepper.mask(batch(rows()), prepared).sum(1).tolist() == [6, 7, 4]
        steps.append(stepper.step(torch.full((3,), BOS), prepared, state))
    assert torch.allclose(steps[0].log_probs, steps[1].log_probs, atol=1e-5)
    assert steps[0].weights is not None and steps[1].weights is not None
    assert torch.allclose(steps[0].weights, steps[1].weights, atol=1e-5)


def test_both_kinds_learn() -> None:
    model = build().train()
    target = Tokens.pad(TARGETS[:3], 0)
    output = model(batch(rows()), target, BOS)
    model.loss(output, target).loss.backward()
    silent = [name for name, each in model.named_parameters() if each.grad is None or not each.grad.any()]
    assert not silent, silent
    with pytest.raises(ValueError, match="sources of this model are features"):
        Seq2SeqConfig(encoder=ProjectedEncoderConfig(size=8)).build(None, 9, 3).embed_source(torch.zeros(1, 1).long())

"""A kept stepper searches with the weights of now, whoever changed them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nmt.data.batch import Tokens
from nmt.model.decoder.bahdanau import BahdanauConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.fast.fingerprint import Fingerprint
from nmt.model.fast.prepacked import prepack
from nmt.model.model_stepper import ModelStepper
from nmt.model.seq2seq import EmbeddingConfig, Seq2Seq, Seq2SeqConfig

PAD, BOS, EOS = 0, 1, 2
SOURCE = Tokens.pad([[3, 5, 7, EOS], [4, 6, 3, 9, EOS]], PAD)
TARGET = Tokens.pad([[5, 3, EOS], [9, 4, 6, EOS]], PAD)


def build(tied: str = "none", vocabulary: int = 300) -> Seq2Seq:
    """Large enough that its output layer is not looked at whole."""
    torch.manual_seed(1)
    config = Seq2SeqConfig(
        embedding=EmbeddingConfig(size=64, tied=tied),
        encoder=RnnEncoderConfig(size=40),
        decoder=BahdanauConfig(size=80),
    )
    return config.build(vocabulary, vocabulary).eval()


def first_step(stepper: ModelStepper) -> Tensor:
    prepared, state = stepper.start(SOURCE)
    return stepper.step(torch.full((2,), BOS), prepared, state).log_probs


def knows(kept: ModelStepper, model: Seq2Seq) -> bool:
    return torch.equal(first_step(kept), first_step(ModelStepper(model)))


def updates(model: Seq2Seq, optimiser: torch.optim.Optimizer) -> None:
    for _ in range(3):
        optimiser.zero_grad()
        model.loss(model(SOURCE, TARGET, BOS), TARGET).loss.backward()
        optimiser.step()


OPTIMISERS: dict[str, Callable[[list[nn.Parameter]], torch.optim.Optimizer]] = {
    "fused AdamW": lambda weights: torch.optim.AdamW(weights, lr=1e-6, fused=True),
    "fused Adam": lambda weights: torch.optim.Adam(weights, lr=1e-6, fused=True),
    "fused SGD": lambda weights: torch.optim.SGD(weights, lr=1e-4, fused=True),
    "fused Adagrad": lambda weights: torch.optim.Adagrad(weights, lr=1e-6, fused=True),
    "AdamW": lambda weights: torch.optim.AdamW(weights, lr=1e-6),
    "SGD": lambda weights: torch.optim.SGD(weights, lr=1e-4),
    "Adadelta": lambda weights: torch.optim.Adadelta(weights, lr=1e-2),
}


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("part", ["", "decoder.attention.score", "encoder", "output.bias", "decoder.readout.C_o"])
def test_updates_of_the_whole_model_or_of_a_part_are_seen(name: str, part: str) -> None:
    model = build()
    kept = ModelStepper(model)
    before = first_step(kept)
    model.train()
    updates(model, OPTIMISERS[name]([weight for path, weight in model.named_parameters() if path.startswith(part)]))
    model.eval()
    assert knows(kept, model)
    assert not torch.equal(first_step(kept), before)


def _row(model: Seq2Seq) -> None:
    model.output.weight.data[277] += 0.01


def _column(model: Seq2Seq) -> None:
    model.decoder.recurrent.U.weight.data[:, 41] += 0.01


def _average(model: Seq2Seq) -> None:
    for weight, other in zip(model.parameters(), build(vocabulary=300).parameters(), strict=True):
        weight.data.lerp_(2.0 * other.data, 1e-4)


def _load(model: Seq2Seq) -> None:
    model.load_state_dict({name: 1.01 * weight for name, weight in model.state_dict().items()})


def _assign(model: Seq2Seq) -> None:
    model.load_state_dict({name: 1.01 * weight for name, weight in model.state_dict().items()}, assign=True)


def _replace(model: Seq2Seq) -> None:
    model.output.weight = nn.Parameter(model.output.weight.detach() * 1.01)


def _swap(model: Seq2Seq) -> None:
    torch.utils.swap_tensors(model.output.weight, nn.Parameter(model.output.weight.detach() * 1.01))


def _move(model: Seq2Seq) -> None:
    model.output.weight.data = model.output.weight.data * 1.01


@pytest.mark.parametrize("change", [_row, _column, _average, _load, _assign, _replace, _move])
@pytest.mark.parametrize("tied", ["none", "target", "all"])
def test_weights_written_by_hand_are_seen(change: Callable[[Seq2Seq], None], tied: str) -> None:
    model = build(tied)
    if change is _average and tied != "none":
        pytest.skip("one way of averaging is enough")
    kept = ModelStepper(model)
    before = first_step(kept)
    change(model)
    assert knows(kept, model)
    assert not torch.equal(first_step(kept), before)


@pytest.mark.parametrize("place", [(0, 0), (277, 33), (299, 63)])
def test_a_single_number_is_seen_when_asked(place: tuple[int, int]) -> None:
    model = build()
    kept = ModelStepper(model)
    bits = model.output.weight.data.view(torch.int32)
    bits[place] += 1  # the last digit
    kept.refresh()
    assert knows(kept, model)


def test_nothing_is_packed_again_where_nothing_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build()
    kept = ModelStepper(model)
    prepacked = kept.model
    first_step(kept)
    kept.refresh()
    assert kept.model is prepacked
    # A table that is only looked up is not copied, and so is always that of now.
    model.source_embedding.weight.data[3:8] += 1.0
    kept.refresh()
    assert kept.model is prepacked
    assert knows(kept, model)
    slow = build()
    slow.fast = False
    monkeypatch.setattr(Fingerprint, "holds", lambda *_, **__: pytest.fail("the plain model needs no fingerprint"))
    first_step(ModelStepper(slow))


def test_buffers_are_those_of_the_model() -> None:
    model = build()
    model.encoder.register_buffer("scale", torch.ones(3))
    prepacked = prepack(model)
    assert prepacked.encoder.scale is model.encoder.scale
    kept = ModelStepper(model)
    model.encoder.scale = torch.zeros(3)
    first_step(kept)
    assert kept.model.encoder.scale is model.encoder.scale


@pytest.mark.parametrize("shape", [(3, 5), (1, 7), (9,), (), (2, 3, 4), (0, 4)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_weights_of_any_shape_are_known_by_every_number(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    model = build(vocabulary=20)
    model.encoder.own = nn.Parameter(torch.randn(shape).to(dtype))
    known = Fingerprint(model)
    assert known.holds(model, every=True)
    numbers = model.encoder.own.data.view(-1)
    for index in range(numbers.numel()):
        before = numbers[index].clone()
        numbers[index] += 1.0
        assert not known.holds(model, every=True)
        numbers[index] = before
        assert known.holds(model, every=True)

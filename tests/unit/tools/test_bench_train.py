"""What the benchmark of training trains on, and how it compares."""

from __future__ import annotations

import argparse

import pytest
import torch
from torch import nn

from nmt.model.seq2seq import Seq2SeqConfig
from tools import bench_train
from tools.bench_train import Route, Way, drawn_batches, ratios
from tools.compare_precisions import compared
from tools.running import status_of


def options(**changes: int) -> argparse.Namespace:
    given = {"tokens": 300, "target_length": 10, "source_length": 30, "vocabulary": 50, "batches": 2}
    return argparse.Namespace(**given | changes)


def test_batches_are_nearly_full_and_of_the_lengths_asked_for() -> None:
    short, long = drawn_batches(options(), torch.device("cpu"))
    for batch in (short, long):
        assert 200 < batch.target.ids.numel() <= 300
        assert 2.0 < float(batch.source.lengths.sum() / batch.target.lengths.sum()) < 3.5
        assert batch.source.ids.max() < 50
    assert short.target.ids.shape[1] < long.target.ids.shape[1]


def test_the_model_is_the_reference_and_overrides_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    found = bench_train.parsed(["encoder.size=128", "--routes", "plain", "fast", "--tokens", "64"])
    assert (found.config.encoder.size, found.config.decoder.size, found.config.decoder.readout.size) == (128, 512, 512)
    assert status_of(lambda: bench_train.main(["decoder=luonq"])) == 1
    assert "luong" in capsys.readouterr().err
    for option in ("--tokens", "--batches", "--rounds", "--target-length"):
        with pytest.raises(SystemExit):
            bench_train.parsed([option, "0"])
        assert f"{option}: must be at least 1, but is 0" in capsys.readouterr().err


@pytest.mark.parametrize(("route", "fast"), [("plain", False), ("loop", False), ("fast", True)])
def test_every_way_trains(route: Route, fast: bool) -> None:
    settings = ["encoder.size=3", "decoder.size=4", "decoder.readout.size=4", "embedding.size=3", "--vocabulary", "50"]
    found = bench_train.parsed([*settings, "--tokens", "60", "--target-length", "6"])
    way = bench_train.built(found, torch.device("cpu"), "fp32", route)
    assert way.model.fast is fast
    (batch, *_) = drawn_batches(found, torch.device("cpu"))
    before = [parameter.detach().clone() for parameter in way.model.parameters()]
    way.update(batch, torch.device("cpu"))
    assert all(not torch.equal(one, other) for one, other in zip(before, way.model.parameters(), strict=True))


def test_ratios_pair_what_ran_in_turns() -> None:
    model = Seq2SeqConfig().build(5, 5)
    optimiser = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    one = Way("fp32", "plain", model, optimiser, [4.0, 8.0, 2.0], 100.0)
    other = Way("bf16", "fast", model, optimiser, [2.0, 2.0, 1.0], 25.0)
    # 2, 4 and 2 times as fast: the median is 2, where the medians' own ratio is too; 25 MiB are a quarter of 100.
    assert ratios([one, other]) == {"speed bf16 fast / fp32 plain": 2.0, "memory bf16 fast / fp32 plain": 0.25}


def test_precisions_compared_by_hand() -> None:
    # Means 2 and 3; both groups have the variance 2. A difference of means over two seeds deviates by
    # sqrt(2) * sqrt(2 / 2), so that 1 is 0.71 deviations of it.
    found = compared({"fp32": [[1.0], [3.0]], "bf16": [[2.0], [4.0]]})
    assert found["fp32"] == [2.0]
    assert found["bf16"] == [3.0]
    assert found["difference"] == [1.0]
    assert found["deviation"] == [pytest.approx(2**0.5, abs=1e-4)]
    assert found["largest_in_deviations"] == 0.71

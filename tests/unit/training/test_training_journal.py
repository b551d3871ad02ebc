"""What training writes down of its updates: means over a window, and a line for the progress bar."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from nmt.core.storage.run_folder import RunFolder
from nmt.training.checkpoints.run_state import RunState, Window
from nmt.training.records.journal import Journal
from nmt.training.records.metrics_log import MetricsLog


def recorded(tmp_path: Path, state: RunState) -> tuple[dict[str, Any], str]:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    line = Journal(log, RunFolder(tmp_path), "bleu").updates(state, learning_rate=0.002, epoch=1.25)
    (record,) = log.records()
    return record, line


def test_losses_are_means_of_a_token_and_norms_of_an_update(tmp_path: Path) -> None:
    window = Window(
        loss=30.0, nll=24.0, tokens=12, gradient_norm=6.0, updates=4, seconds=2.0, waiting=0.5, terms={"coverage": 3.0}
    )
    record, line = recorded(tmp_path, RunState(step=40, tokens=500, seconds=9.0, skipped=1, window=window))
    expected = {"kind": "train", "step": 40, "epoch": 1.25, "loss": 2.5, "nll": 2.0, "terms": {"coverage": 0.25}}
    expected |= {"learning_rate": 0.002, "gradient_norm": 1.5, "tokens": 500, "tokens_per_second": 6.0}
    assert record == {**expected, "waiting": 0.25, "seconds": 9.0, "skipped": 1}
    assert line == (
        "loss 2.500, lr 2.00e-03, 6 tokens/s, epoch 1.25, 1 updates skipped, 25% of the time waiting for batches"
    )


def test_a_window_in_which_every_update_was_skipped_has_no_loss(tmp_path: Path) -> None:
    record, line = recorded(tmp_path, RunState(step=3, skipped=3, window=Window(seconds=1.0)))
    assert record["loss"] is None
    assert record["nll"] is None
    assert record["gradient_norm"] == 0.0
    assert math.isfinite(record["tokens_per_second"])
    assert line.startswith("loss -, ")
    assert "terms" not in record
    assert line.endswith("3 updates skipped")


@pytest.mark.parametrize(("waiting", "told"), [(0.03, False), (0.031, True)])
def test_waiting_is_told_where_it_matters(tmp_path: Path, waiting: float, told: bool) -> None:
    _, line = recorded(tmp_path, RunState(window=Window(tokens=10, updates=1, seconds=1.0, waiting=waiting)))
    assert ("waiting for batches" in line) is told

"""What nmt-train says of GPUs that it does not use."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
import torch
from tiny_training import make_recipe

from nmt.cli import train


@pytest.mark.parametrize(("count", "device", "told"), [(8, "auto", True), (1, "auto", False), (8, "cuda:3", False)])
def test_several_gpus_are_offered_with_the_line_that_uses_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, count: int, device: str, told: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(sys, "argv", ["nmt-train", "my recipe.yaml", "seed=2"])
    with caplog.at_level(logging.INFO, "nmt"):
        train._tell_of_other_gpus(make_recipe(Path("corpus"), f"training.device={device}"))
    line = "torchrun --nproc-per-node 8 -m nmt.cli.train 'my recipe.yaml' seed=2"
    assert (line in caplog.text) == told and bool(caplog.records) == told

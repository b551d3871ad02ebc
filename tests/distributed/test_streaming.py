"""A streamed corpus in several processes: each reads its own part, and goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ranks import Ranks
from tiny_training import assert_same_tensors

from nmt.core.storage.run_folder import MODEL, OPTIMISER, checkpoint_path, read_json

STEPS = 6


def test_a_resumed_stream_is_the_uninterrupted_one(
    ranks: Ranks, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "set").mkdir()
    sides = [(corpus / f"train.{side}").read_text(encoding="utf-8").splitlines() for side in ("xx", "yy")]
    for part in range(2):
        rows = [json.dumps({"xx": source, "yy": target}) for source, target in zip(*sides, strict=True)][part:60:2]
        (tmp_path / "set" / f"train-{part}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    hub = f"{{type: hub, name: {tmp_path}/set, source: xx, target: yy, streaming: true}}"
    recipe = [str(corpus / "recipe.yaml"), f"data.train=[{hub}]", "data.window=12", "data.subword.max_lines=100"]
    recipe += [f"training.max_steps={STEPS}", "training.validation_interval=3"]
    whole, run = tmp_path / "whole", tmp_path / "run"
    ended = ranks.run(2, "train", arguments=[*recipe, "--output", str(whole)])
    assert ended.statuses == [0, 0], ended.output
    ranks.run(2, "train", arguments=[*recipe, "--output", str(run)], faults=[[1, "stopped", 3]])
    # It is resumed with a validation, and a checkpoint of the same update.
    ranks.run(2, "train", arguments=["--resume", "--output", str(run)], faults=[[1, "stopped", 4]])
    streams = read_json(checkpoint_path(run / "checkpoints", 4) / "state.json")["position"]["streams"]
    assert len(streams) == 2 and streams[0] != streams[1], "the place of each process"
    one = ranks.run(0, "train", arguments=["--resume", "--output", str(run)])
    assert "is read by as many processes as before, 2, but there are 1" in one.output
    ended = ranks.run(2, "train", arguments=["--resume", "--output", str(run)])
    assert ended.statuses == [0, 0] and "resumed at update 4" in ended.outputs[0], ended.output
    for name in (MODEL, OPTIMISER):
        assert_same_tensors(*(checkpoint_path(each / "checkpoints", STEPS) / name for each in (whole, run)))

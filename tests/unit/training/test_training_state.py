"""The run state in JSON, and the lines of metrics.jsonl."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from nmt.core.errors import CheckpointError
from nmt.data.loader import Position
from nmt.training.checkpoints.run_state import Kept, Origin, RunState, Window
from nmt.training.optimisation.schedule import Plateau
from nmt.training.records.metrics_log import MetricsLog

STATE = RunState(
    step=7,
    position=Position(epoch=2, examples=31),
    tokens=1234,
    seconds=0.1 + 0.2,
    skipped=3,
    skipped_in_a_row=1,
    kept=(Kept(5, 1 / 3), Kept(3, -2.5)),
    waited=1,
    plateau=Plateau(share=0.25, waited=2),
    window=Window(loss=1e-17, nll=2.5, tokens=9, gradient_norm=0.7, updates=2, seconds=0.1, waiting=0.02),
    finished="all 7 updates are made",
    validation_due=True,
    origin=Origin(pairs=200, corpus="c", validation=None, vocabulary="v", sections={"model": {"size": 3}}),
)
ORIGIN = dataclasses.asdict(STATE.origin)  # type: ignore[type-var]


@pytest.mark.parametrize("state", [STATE, RunState()])
def test_round_trip_through_json(state: RunState) -> None:
    assert RunState.from_mapping(json.loads(json.dumps(state.to_mapping())), "state.json") == state


def changed(**fields: Any) -> dict[str, Any]:
    mapping: dict[str, Any] = json.loads(json.dumps(STATE.to_mapping())) | fields
    return {key: value for key, value in mapping.items() if value is not ...}


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"average_of": [1, 2]},
        changed(format=...),
        changed(format=4),
        changed(format=0),
        changed(validation_due=1),
        changed(origin={}),
        changed(origin={**ORIGIN, "corpus": 3}),
        changed(origin={**ORIGIN, "other": ""}),
        changed(step=...),
        changed(step="7"),
        changed(step=7.5),
        changed(step=-1),
        changed(step=True),
        changed(position=...),
        changed(position=[2, 31]),
        changed(position={"epoch": 2}),
        changed(position={"epoch": "2", "examples": 31}),
        changed(kept=...),
        changed(kept=3),
        changed(kept=[[5, 0.5]]),
        changed(kept=[{"step": 5, "value": "good"}]),
        changed(kept=[{"step": 5, "value": 0.5, "then": 0.5}]),
        changed(kept=[{"step": 5, "value": 0.5, "then": ["good"]}]),
        changed(plateau={"share": 1.0, "waited": 0, "factor": 2}),
        changed(seconds=None),
        changed(learning_rate=0.1),
        changed(finished=5),
    ],
)
def test_foreign_content_is_refused(mapping: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=r"^state\.json: "):
        RunState.from_mapping(mapping, "state.json")


def test_a_state_of_format_1_is_read() -> None:
    old = changed(format=1, window=..., origin=..., validation_due=...)
    state = RunState.from_mapping(old, "state.json")
    assert state == dataclasses.replace(STATE, window=Window(), origin=None, validation_due=False)


def test_a_state_from_before_waiting_was_measured_is_read() -> None:
    mapping = STATE.to_mapping()
    del mapping["window"]["waiting"]
    state = RunState.from_mapping(mapping, "state.json")
    assert state.window == dataclasses.replace(STATE.window, waiting=0.0)


def test_what_a_run_began_with_is_compared_by_content() -> None:
    origin = Origin(pairs=9, corpus="c", validation="v", vocabulary="p", sections={"model": {"size": 3, "a": {"b": 1}}})

    def changes(**fields: Any) -> str:
        return "; ".join(origin.changes(dataclasses.replace(origin, **fields)))

    assert changes() == ""
    assert changes(corpus="d") == "the training text is not the one the run began with"
    assert "(9 pairs then, 8 now)" in changes(corpus="d", pairs=8)
    # Another vocabulary encodes every text otherwise, so that is all there is to say.
    assert changes(vocabulary="q", corpus="d", validation="w") == "the vocabulary is not the one the run began with"
    assert "the validation text" in changes(validation="w")
    assert changes(validation=None) == ""
    assert "'model'" in changes(sections={"model": {"size": 3, "a": {"b": 2}}})
    newer = {"size": 3, "a": {"b": 1, "added": 0}, "added": True}
    assert changes(sections={"model": newer, "more": 1}) == "", "what a newer version added is no change"


@pytest.fixture
def log(tmp_path: Path) -> MetricsLog:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for step in (1, 2, 3):
        log.append({"kind": "train", "step": step, "note": "é\u2028\x85 "})
    return log


def test_records_are_one_a_line(log: MetricsLog) -> None:
    assert [record["step"] for record in log.records()] == [1, 2, 3]
    assert log.records()[0]["note"] == "é\u2028\x85 "
    assert log.path.read_bytes().count(b"\n") == 3


def test_no_file_has_no_records(tmp_path: Path) -> None:
    assert MetricsLog(tmp_path / "metrics.jsonl").records() == []


@pytest.mark.parametrize("half", [b'{"kind": "tr', b'{"note": "\xc3', b"4", b"\n\n"])
def test_a_half_written_last_line_is_left_out_and_cut(log: MetricsLog, half: bytes) -> None:
    with log.path.open("ab") as file:
        file.write(half)
    assert [record["step"] for record in log.records()] == [1, 2, 3]
    log.cut_after(2)
    assert [record["step"] for record in log.records()] == [1, 2]
    log.append({"kind": "train", "step": 3})
    assert [json.loads(line)["step"] for line in log.path.read_bytes().split(b"\n")[:-1]] == [1, 2, 3]


def test_cutting_leaves_the_lines_before_as_they_were(log: MetricsLog) -> None:
    before = log.path.read_bytes()
    log.cut_after(3)
    assert log.path.read_bytes() == before
    assert [path.name for path in log.path.parent.iterdir()] == ["metrics.jsonl"]

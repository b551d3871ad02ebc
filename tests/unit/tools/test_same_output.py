"""Translations depend neither on batches nor on windows: what `tools/same_output.py` sees on 10,000 lines."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_run import SEARCH, sentences

from nmt.translation.output.rendering import Plan
from tools import same_output
from tools.same_output import WAYS, Way, compared


@pytest.mark.slow
def test_batches_and_windows_change_nothing(tiny_run: Path) -> None:
    plan = Plan(runs=(tiny_run,), device="cpu", search=replace(SEARCH, n_best=2))
    ways = [way for way in WAYS if way.processes == 1]
    assert len(ways) > 3
    for way, difference in compared(plan, ["", *sentences(150, seed=8)], ways):
        assert (difference.ties, difference.others) == (0, 0), way.name


def test_differences_are_told_from_ties(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = {
        "first": [("a", -1.0), ("b", -2.0), ("c", -3.0)],
        "tie": [("x", -1.00001), ("b", -2.0), ("c", -3.0)],
        "other": [("a", -1.0), ("x", -2.1), ("c", -3.0000001)],
    }
    monkeypatch.setattr(same_output, "translated", lambda plan, lines, way: found[way.name])
    seen = dict(compared(Plan(runs=(tmp_path,)), ["1", "2", "3"], [Way(name) for name in found]))
    assert [(each.ties, each.others) for each in seen.values()] == [(0, 0), (1, 0), (0, 1)]

"""What the benchmark of several processes compares, and what it works out on paper."""

from __future__ import annotations

import json

import pytest

from tools import bench_scale
from tools.bench_scale import exchange_seconds, ratios, shares, tables


def test_ratios_are_of_turns_that_were_close_in_time() -> None:
    # Tokens and seconds of each turn; in the second the machine was busy for all.
    turns = {
        "one": [(10.0, 1.0), (10.0, 4.0)],
        "flat": [(20.0, 1.1), (20.0, 4.4)],
        "exchange": [(0.0, 0.1), (0.0, 0.4)],
    }
    assert ratios(turns) == {"speed flat / one": pytest.approx(1.818), "share of the exchange in flat": 0.091}


def test_on_paper_an_exchange_sends_every_number_about_twice() -> None:
    seconds = exchange_seconds(6e6, "1 Gbit/s", 64)
    assert seconds == pytest.approx(2 * 4 * 6e6 / 125e6, rel=0.05)
    end, hidden = shares(6e6, "1 Gbit/s", 64, 0.1)
    assert end == pytest.approx(0.1 / (0.1 + seconds)) and end < hidden < 1
    assert shares(6e6, "NVLink, 300 GB/s", 8, 1.0)[1] == 1.0, "all of it is hidden"
    first, *_ = tables()
    assert first.startswith("6 M parameters, 8 GPUs") and "| 1 Gbit/s, 337 ms |" in first


@pytest.mark.slow
def test_every_way_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["encoder.size=8", "decoder.size=8", "embedding.size=8"]
    assert bench_scale.main(["--rounds", "1", "--updates", "1", "--tokens", "64", "--model", *small]) == 0
    *lines, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["way"] for line in lines] == list(bench_scale.WAYS)
    assert all(line["tokens_per_second"] > 0 for line in lines[:-1])
    assert last["ratios"]["share of the exchange in flat"] > 0

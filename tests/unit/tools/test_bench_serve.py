"""`tools/bench_serve.py` measures a real server against in-process translation, in turns."""

import json
from pathlib import Path

import pytest
from tiny_run import sentences

from nmt.core.errors import NmtError
from tools.bench_serve import Server, main, summary


def test_ratios_are_of_medians() -> None:
    rates = {"server": [8.0, 10.0, 30.0], "direct": [10.0, 20.0, 30.0]}
    latencies = {"server": [0.02, 0.03, 0.5], "direct": [0.02, 0.02, 0.1]}
    found = summary(rates, latencies)
    assert (found["throughput_ratio"], found["alone_p50_ratio"]) == (0.8, 1.5)
    assert (found["server_sentences_per_second"], found["direct_sentences_per_second"]) == (10.0, 20.0)
    assert (found["server_p50_ms"], found["direct_p50_ms"]) == (30.0, 20.0)
    assert found["server_p99_ms"] == pytest.approx(490.6, abs=0.1)


@pytest.mark.slow
def test_a_server_is_measured_against_translation_in_process(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in"
    source.write_text("".join(f"{line}\n" for line in sentences(12)), encoding="utf-8")
    settings = ["--clients", "4", "--alone", "3", "--rounds", "1", "--threads", "1", "--beam-size", "2"]
    assert main([str(tiny_run), str(source), *settings]) == 0
    about, *rounds, found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert about["lines"] == 12
    assert [each["of"] for each in rounds] == ["server", "direct"]
    for each in rounds:
        assert found[f"{each['of']}_sentences_per_second"] == pytest.approx(each["sentences_per_second"], abs=0.06)
    assert found["throughput_ratio"] > 0 < found["alone_p50_ratio"]


@pytest.mark.slow
def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(NmtError, match=r"does not start: .*nowhere"):
        Server(tmp_path / "nowhere", 1)

"""`tools/bench_translate.py` measures what it says it does."""

import json
from pathlib import Path

import pytest
from tiny_run import sentences

from tools import bench_translate
from tools.bench_translate import Turn, Way, joined, main, repeated
from tools.running import status_of


class Fake:
    """Takes half the time in the second way; a turn in which the machine was busy must not count."""

    def __init__(self, run: Path, way: Way, lines: list[str]) -> None:
        self.way, self.lines = way, lines
        self.turns = 0

    def __enter__(self) -> "Fake":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def turn(self) -> list[Turn]:
        self.turns += 1
        seconds = {1: 50.0, 2: 1.0, 3: 9.0, 4: 1.0}[self.turns] * (2.0 if self.way.name == "plain" else 1.0)
        texts = [line if self.way.fast else line + "!" for line in self.lines]
        return [Turn(seconds, 3 * seconds, 100.0, texts)]


@pytest.mark.costly
@pytest.mark.parametrize(("clock", "seconds"), [("cpu", 2.0), ("wall", 6.0)])
def test_ratios_are_of_medians_without_the_first_turn(
    clock: str,
    seconds: float,
    tiny_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / "in"
    source.write_text("".join(f"{line}\n" for line in sentences(6, seed=4)), encoding="utf-8")
    monkeypatch.setattr(bench_translate, "Runner", Fake)
    monkeypatch.setattr(bench_translate, "gemm_peak", lambda: 10.0)
    settings = ["--lines", "4", "--rounds", "3", "--groups", "beam5", "--clock", clock]
    assert main([str(tiny_run), str(source), "--reference", str(source), *settings]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    _, plain, fast, low, ratios = records
    assert (plain["seconds"], fast["seconds"]) == (seconds, seconds / 2)
    assert plain["sentences_per_second"] == pytest.approx(4 / seconds, abs=0.1)
    assert ratios["ratios"] == {"plain": 1.0, "fast": 2.0, "fast, bf16": 2.0}
    assert (fast["bleu"], fast["lines_unlike_the_first_way"], low["way"]["precision"]) == (100.0, 4, "bf16")
    assert plain["gflop_per_sentence"] == fast["gflop_per_sentence"]
    assert plain["gemm_share"] == pytest.approx(plain["gflop_per_sentence"] * 4 / seconds / 10.0, abs=0.01)


def test_what_cannot_be_measured_is_said(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    source.touch()
    for given, words in (
        ([tmp_path / "none", source], "must have a line or more"),
        ([tiny_run, tmp_path / "none"], "there is no such file"),
    ):
        assert status_of(lambda given=given: main([str(each) for each in given])) == 1
        assert words in capsys.readouterr().err
    source.write_text("a\n")
    assert status_of(lambda: main([str(tmp_path / "run"), str(source)])) == 1
    assert f"{tmp_path / 'run'}: " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(tiny_run), str(source), "--rounds", "0"])
    assert "--rounds: must be at least 1, but is 0" in capsys.readouterr().err


def test_shares_are_put_in_order_again() -> None:
    lines = [str(number) for number in range(7)]
    assert joined([lines[first::3] for first in range(3)]) == lines
    assert repeated(["a b", ""], 2) == ["a b a b", " "]


@pytest.mark.slow
def test_processes_translate_their_share(tiny_run: Path) -> None:
    lines = sentences(5, seed=2)
    with bench_translate.Runner(tiny_run, Way("two", beam=2, processes=2), lines) as two:
        turns = two.turn()
    with bench_translate.Runner(tiny_run, Way("one", beam=2), lines) as one:
        assert joined([turn.texts for turn in turns]) == one.turn()[0].texts
    assert all(turn.cpu > 0 and turn.peak_mib > 10 for turn in turns)

"""What `tools/compare_little_data.py` does itself, with a JoeyNMT that pretends: time, results, table and curve."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_training import write_corpus

from nmt.core.errors import ConfigError
from nmt.core.storage.files import read_text_lines
from tools import compare_little_data
from tools.compare_little_data import Comparison, apply, budget, compare, main
from tools.peers.environments import PeerError, surroundings
from tools.peers.little_data import RECURRENT, TRANSFORMER
from tools.peers.little_data_scores import OWN, TITLES, curve, table
from tools.running import run_limited

ROOT = Path(__file__).resolve().parents[3]
LANGUAGES = ("xx", "yy")
# Training has no end and notes each start; translating copies, after training only.
PRETENDER = f"""#!{sys.executable}
import pathlib, sys, time
mode, configuration, *rest = sys.argv[3:]
run = pathlib.Path(configuration).with_suffix("")
if mode == "train":
    run.mkdir()
    (run / "best.ckpt").touch()
    with run.with_suffix(".starts").open("a") as starts:
        starts.write("started\\n")
    while True:
        pass
if not (run / "best.ckpt").exists():
    sys.exit("there is no model")
pathlib.Path(rest[1]).write_text(sys.stdin.read())
"""


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    for pairs in (40, 80):
        write_corpus(tmp_path / "slices" / str(pairs))
    pretender = tmp_path / "joeynmt"
    pretender.write_text(PRETENDER)
    pretender.chmod(0o755)
    (tmp_path / "out").mkdir()
    corpus = write_corpus(tmp_path / "corpus")
    return Comparison(
        slices=tmp_path / "slices",
        sets={"validation": corpus / "validation"},
        languages=LANGUAGES,
        folder=tmp_path / "out",
        joeynmt=pretender,
        pieces=40,
    )


def test_a_process_ends_when_its_time_of_the_processor_is_over(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "print('at work', flush=True)\nwhile True: pass"]
    ended = run_limited(words, environment=surroundings(1), log=tmp_path / "log", seconds=1.9)
    assert ended.by_limit
    assert 0.9 < ended.seconds < 5
    assert (tmp_path / "log").read_text() == "at work\n"


def test_a_process_that_ends_itself_tells_its_status_and_reads_what_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("one\n")
    words = [sys.executable, "-c", "import sys; print(sys.stdin.read() + 'two'); sys.exit(3)"]
    for text, said in ((tmp_path / "text", "one\ntwo\n"), (None, "two\n")):
        ended = run_limited(words, environment=surroundings(1), log=tmp_path / "log", seconds=100, text=text)
        assert (ended.status, ended.by_limit) == (3, False)
        assert (tmp_path / "log").read_text() == said
    # That its time is over does not count as its own: a limit of the surroundings may end it too.
    killed = run_limited(
        [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], environment=os.environ, log=tmp_path / "log"
    )
    assert (killed.status, killed.by_limit) == (-9, False)


def test_budgets_are_read() -> None:
    assert budget("5000=4") == (5000, 4.0)
    assert budget("100=0.5") == (100, 0.5)
    for wrong in ("5000", "5000=", "=4", "0=4", "5000=0", "5000=-1", "5000=nan", "5000=inf", "many=4"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"such as 5000=4, but is {wrong}"):
            budget(wrong)


def test_what_is_done_is_kept_and_not_done_again(
    comparison: Comparison, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (comparison.folder / f"40-{TRANSFORMER}").mkdir()  # of a training that was interrupted
    for name in ("validation", "test"):
        shutil.copy(tmp_path / "corpus" / f"{name}.xx", tmp_path / "corpus" / f"{name}.yy")
    budgets = [(40, 1 / 60), (80, 1 / 60)]
    results = compare(comparison, budgets, [TRANSFORMER])
    assert json.loads((comparison.folder / "results.json").read_text()) == results
    assert [(found["pairs"], found["system"]) for found in results.values()] == [(40, TRANSFORMER), (80, TRANSFORMER)]
    assert all(0.9 < found["seconds"] < 10 for found in results.values())
    own = results[f"40-{TRANSFORMER}"]["scores"]["validation"]
    assert own["seconds"] >= 0
    assert (own["bleu"], own["chrf"]) == (100, 100)  # each translation is compared with its own reference
    assert own["bleu_signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|")
    assert len(capsys.readouterr().out.splitlines()) == 2

    with_test = Comparison(**{**vars(comparison), "sets": {**comparison.sets, "test": tmp_path / "corpus" / "test"}})
    again = compare(with_test, budgets, [TRANSFORMER])
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["run"], line["set"]) for line in said] == [(f"{n}-{TRANSFORMER}", "test") for n in (40, 80)]
    assert again[f"40-{TRANSFORMER}"]["scores"]["validation"] == own
    assert (comparison.folder / f"40-{TRANSFORMER}.starts").read_text() == "started\n"
    with pytest.raises(ConfigError, match=r"80-joeynmt-transformer was trained for 0\.0166667 minutes, not for 2;"):
        compare(comparison, [(80, 2.0)], [TRANSFORMER])


def test_a_set_among_the_results_stays_as_it_is(comparison: Comparison) -> None:
    for side in (comparison.folder / f"validation.{language}" for language in LANGUAGES):
        side.write_text("one more\none\n")
    sets = {"validation": comparison.folder / "validation"}
    sorted_ = Comparison(**{**vars(comparison), "sets": sets}).by_length("validation")
    for language in LANGUAGES:
        assert (comparison.folder / f"validation.{language}").read_text() == "one more\none\n"
        assert sorted_.with_name(f"validation.{language}").read_text() == "one\none more\n"


def test_joeynmt_is_given_the_pieces_of_the_slice_in_its_own_order(comparison: Comparison, tmp_path: Path) -> None:
    changed = Comparison(**{**vars(comparison), "changes": ["training.batch_size=7", "model.encoder.dropout=0.25"]})
    for system in (TRANSFORMER, RECURRENT):
        changed.train(40, system, 1 / 60)
        values = yaml.safe_load((comparison.folder / f"40-{system}.yaml").read_text())
        data = values["data"]
        assert data["train"] == str(tmp_path / "slices" / "40" / "train")
        dev = list(zip(*(read_text_lines(Path(f"{data['dev']}.{language}")) for language in LANGUAGES), strict=True))
        given = (read_text_lines(tmp_path / "corpus" / f"validation.{language}") for language in LANGUAGES)
        assert sorted(dev) == sorted(zip(*given, strict=True))
        assert [len(source) for source, _ in dev] == sorted(len(source) for source, _ in dev)
        assert (data["src"]["lang"], data["trg"]["lang"]) == LANGUAGES
        pieces = list(read_text_lines(Path(data["src"]["voc_file"])))
        assert pieces[:4] == ["<unk>", "<pad>", "<s>", "</s>"]
        assert len(pieces) == len(set(pieces)) == 40
        assert Path(data["trg"]["tokenizer_cfg"]["model_file"]).is_file()
        assert (values["training"]["batch_size"], values["model"]["encoder"]["dropout"]) == (7, 0.25)
        assert values["model"]["decoder"]["dropout"] < 0.25
        assert values["testing"]["beam_size"] == 5
        kind = "transformer" if system == TRANSFORMER else "recurrent"
        assert {values["model"][part]["type"] for part in ("encoder", "decoder")} == {kind}


@pytest.mark.parametrize("change", ["training", "nothing.batch_size=3", "name.of=3"])
def test_a_change_must_be_of_the_configuration(change: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{change}: must be a value of JoeyNMT's configuration")):
        apply({"name": "one", "training": {"batch_size": 1}}, change)


def test_a_training_that_fails_is_told_with_its_last_words(comparison: Comparison) -> None:
    (comparison.folder.parent / "joeynmt").write_text("#!/bin/sh\necho out of luck >&2\nexit 3\n")
    with pytest.raises(PeerError, match=r"the training of 40-joeynmt-rnn ended with status 3; .*\nout of luck"):
        compare(comparison, [(40, 1.0)], [RECURRENT])
    assert not (comparison.folder / "results.json").exists()


def result(pairs: int, system: str, value: float, minutes: float = 4.0, set_: str = "validation") -> dict[str, Any]:
    scores = {set_: {"bleu": value, "chrf": value + 10}}
    return {"pairs": pairs, "system": system, "minutes": minutes, "scores": scores}


RESULTS: Mapping[str, Any] = {
    "a": result(40_000, OWN, 30.126, 9.5),
    "b": result(5_000, RECURRENT, 5.0),
    "c": result(5_000, OWN, 12.5),
    "d": result(10_000, OWN, 20.0, set_="test"),
}


def test_the_table_has_a_row_for_each_size_and_columns_of_the_systems_that_have_scores() -> None:
    assert table(RESULTS, "validation").splitlines() == [
        "| pairs | minutes | nmt: BLEU | nmt: chrF2 | JoeyNMT, RNN: BLEU | JoeyNMT, RNN: chrF2 |",
        "|---|---|---|---|---|---|",
        "| 5,000 | 4 | 12.50 | 22.50 | 5.00 | 15.00 |",
        "| 40,000 | 9.5 | 30.13 | 40.13 |  |  |",
    ]


def test_the_curve_has_a_line_for_each_system_over_the_pairs() -> None:
    figure = curve(RESULTS, "validation")
    (axes,) = figure.axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn == {TITLES[OWN]: [[5_000, 12.5], [40_000, 30.126]], TITLES[RECURRENT]: [[5_000, 5.0]]}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(drawn)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["5,000", "40,000"]
    assert axes.get_ylabel() == "BLEU, validation"


def test_the_command_writes_table_and_curve_and_tells_mistakes_in_a_line(
    comparison: Comparison, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = comparison.folder.parent
    monkeypatch.setattr(compare_little_data, "python_of", lambda peer, _: folder / peer.name)
    words = [str(folder / "slices"), "--validation", str(folder / "corpus" / "validation"), "--languages", *LANGUAGES]
    words += ["--folder", str(folder / "new" / "out"), "--systems", TRANSFORMER, "--pieces", "40"]
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert capsys.readouterr().err.endswith("error: JoeyNMT needs --environments, where it is installed\n")
    words += ["--environments", str(folder), "--budgets", "40=0.02"]
    assert main([*words, "90=1"]) == 1
    assert str(folder / "slices" / "90" / "train.xx") in capsys.readouterr().err
    assert main(words) == 0
    written = (folder / "new" / "out" / "table.md").read_text()
    assert capsys.readouterr().out.endswith(written)
    assert re.fullmatch(r"\| 40 \| 0\.02 \| \d+\.\d\d \| \d+\.\d\d \|", written.splitlines()[-1])
    assert (folder / "new" / "out" / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_this_toolkit_counts_the_time_of_the_processor_from_its_start(comparison: Comparison, tmp_path: Path) -> None:
    train, dev = comparison.slices / "40" / "train", comparison.sets["validation"]
    words = [sys.executable, ROOT / "tools" / "peers" / "train_nmt.py", "--output", tmp_path / "run"]
    words += ["--source", *comparison.files(train)[:1], "--target", *comparison.files(train)[1:]]
    words += ["--validation", *comparison.files(dev), "test=null", "alignment=null", "training.max_minutes=0.01"]
    words += ["training.threads=1", "training.tune_search=false"]
    environment = surroundings(1) | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # Its start alone takes longer than that, and one update shorter.
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert set(steps) == {1}
    lines, ended = Comparison(**{**vars(comparison), "folder": named(tmp_path / "run", "40-nmt")}).translate(
        40, OWN, "validation"
    )
    assert len(lines) == len(list(read_text_lines(comparison.files(dev)[0])))
    assert ended.seconds > 0


def named(run: Path, name: str) -> Path:
    """The folder of a run, after it is given another name."""
    run.rename(run.with_name(name))
    return run.parent

"""The list of variants, and the table that is made of their runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from registered import ours

from nmt.core import config
from nmt.core.errors import NmtError
from nmt.model.attention.base import AttentionConfig, ScoreConfig
from nmt.model.decoder.base import DecoderConfig
from nmt.model.weights import read_tensors
from nmt.recipe import load_recipe
from nmt.training.objective.base import ObjectiveConfig, TermConfig
from tools import attention_zoo as zoo
from tools.attention_zoo import GENERATED, MULTI30K, Row, Suite, Variant

GLIMPSES = Path(__file__).resolve().parents[3] / "recipes" / "glimpses"

ROW = Row(
    name="a",
    decoder="luong",
    bleu=12.345,
    signature="nrefs:1",
    perplexity=2.5,
    aer=None,
    entropy=0.5,
    tokens_per_second=1234.5,
    minutes=2.25,
    parameters=1000,
)


EVERY = [(suite, variant) for suite in (GENERATED, MULTI30K) for variant in zoo.read_variants(suite.variants)]


@pytest.mark.parametrize(("suite", "variant"), EVERY, ids=[f"{suite.name}-{variant.name}" for suite, variant in EVERY])
def test_every_variant_parses_and_builds(suite: Suite, variant: Variant) -> None:
    recipe = load_recipe(suite.recipe, variant.overrides)
    assert recipe.model.build(40, 40).decoder.attention is not None
    assert zoo.decoder_of(variant) == recipe.model.decoder.registry.name_of(type(recipe.model.decoder))
    assert ("model.attention=none" in variant.overrides) == (recipe.model.attention.row_sum == "no weights")


def test_the_list_leaves_no_alignment_function_and_no_score_out() -> None:
    variants = zoo.read_variants(GENERATED.variants)
    assert len({variant.name for variant in variants}) == len(variants)
    attentions = [load_recipe(GENERATED.recipe, variant.overrides).model.attention for variant in variants]
    glimpses = [
        load_recipe(GLIMPSES / "glimpses.yaml", variant.overrides).model.attention
        for variant in zoo.read_variants(GLIMPSES / "variants.txt")
    ]
    every = {AttentionConfig.registry.find(name) for name in ours(AttentionConfig)}
    assert {type(one) for one in attentions} == {one for one in every if not one.needs_grid}
    assert {type(one) for one in glimpses} >= {one for one in every if one.needs_grid}
    scores = {type(one.score) for one in attentions if hasattr(one, "score")}
    # Concat is the additive score by another name.
    assert scores == {ScoreConfig.registry.find(name) for name in ours(ScoreConfig) if name != "concat"}
    recipes = [load_recipe(GENERATED.recipe, variant.overrides) for variant in variants]
    gates = {getattr(recipe.model.decoder, "context_gate", "none") for recipe in recipes}
    assert gates == {"none", "source", "target", "both"}
    coverages = {str(one.coverage) for one in attentions if getattr(one, "coverage", None)}
    assert len(coverages) == 4, "linguistic with fertility and without, neural, location-aware"
    decoders = {DecoderConfig.registry.name_of(type(recipe.model.decoder)) for recipe in recipes}
    assert decoders == set(ours(DecoderConfig))
    assert sum(bool(getattr(one, "sentinel", False)) for one in attentions) == 2, "in both decoders that have one"
    objectives = {ObjectiveConfig.registry.name_of(type(one.training.objective_for(one.model))) for one in recipes}
    assert objectives == set(ours(ObjectiveConfig))
    terms = {TermConfig.registry.name_of(type(term)) for recipe in recipes for term in recipe.training.terms}
    # Lexical guidance is for aligning, not a kind of attention.
    assert terms == set(ours(TermConfig)) - {"lexical-guidance"}
    shown = [json.dumps(config.to_mapping(load_recipe(GENERATED.recipe, variant.overrides))) for variant in variants]
    assert len(set(shown)) == len(shown), "two variants are the same"


def test_a_line_of_the_list(tmp_path: Path) -> None:
    path = tmp_path / "variants.txt"
    path.write_text("# a comment\n\nplain\nother   a.b={type: x, c: 3} d=e f=[{g: h, i: j}]\n")
    other = Variant("other", ("a.b={type: x, c: 3}", "d=e", "f=[{g: h, i: j}]"))
    assert zoo.read_variants(path) == [Variant("plain", ()), other]


def test_the_six_of_multi30k_are_variants_of_the_generated_corpus_too() -> None:
    assert len(zoo.read_variants(MULTI30K.variants)) == 6
    assert set(zoo.read_variants(MULTI30K.variants)) <= set(zoo.read_variants(GENERATED.variants))


def test_the_table_goes_between_its_marks_however_often(tmp_path: Path) -> None:
    path, marks = tmp_path / "README.md", GENERATED.marks
    path.write_text(f"before\n{marks[0]}\nold\n{marks[1]}\nafter\n")
    for _ in range(2):
        zoo.write_table(path, marks, [ROW, replace(ROW, name="b")], ["b", "a"])
    lines = path.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert lines.count(marks[0]) == lines.count(marks[1]) == 1
    assert lines[-4:-2] == [f"| {name} | luong | 12.35 | 2.500 | - | 0.50 | 1,234 | 2.2 | 1,000 |" for name in "ba"]
    assert "old" not in lines
    assert "BLEU signature: `nrefs:1`" in lines
    path.write_text(f"no end\n{marks[0]}\n")
    with pytest.raises(SystemExit, match="must hold the line"):
        zoo.write_table(path, marks, [ROW], ["a"])
    assert path.read_text() == f"no end\n{marks[0]}\n"
    new = tmp_path / "new.md"
    for suite in (GENERATED, MULTI30K):
        zoo.write_table(new, suite.marks, [ROW], ["a"])
    shown = [line for line in new.read_text().splitlines() if line.startswith("<!--")]
    assert shown == [*GENERATED.marks, *MULTI30K.marks]


def test_rows_of_variants_that_were_not_run_stay(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    names = ["a", "b", "c"]
    zoo.write_table(path, GENERATED.marks, [replace(ROW, name=name) for name in ("a", "c", "gone")], [*names, "gone"])
    zoo.write_table(path, GENERATED.marks, [replace(ROW, name="b"), replace(ROW, name="c", bleu=99.0)], names)
    rows = [line.split(" | ")[:3] for line in path.read_text().splitlines() if line.startswith("| ")][1:]
    assert rows == [["| a", "luong", "12.35"], ["| b", "luong", "12.35"], ["| c", "luong", "99.00"]]
    assert path.read_text().count("BLEU signature: `nrefs:1`") == 1


def test_only_the_standard_zoo_is_written_into_the_readme(
    tmp_path: Path, trainings: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(zoo, "generate", lambda corpus: None)
    monkeypatch.setattr(zoo, "done", lambda output, variant: variant.name == "hard")
    monkeypatch.setattr(zoo, "summarise", lambda variant, path: ROW)
    monkeypatch.setattr(zoo, "write_table", lambda path, *rest: written.append(path))
    for words in ([], ["training.max_steps=3"], ["--output", "other"], ["--output", "other", "--table", "x.md"]):
        assert zoo.main(["hard", *words]) == 0
    assert written == [zoo.README, Path("attention-zoo/table.md"), Path("other/table.md"), Path("x.md")]
    monkeypatch.setattr(zoo, "done", lambda output, variant: False)
    assert zoo.main(["hard"]) == 0
    assert len(written) == 4, "nothing came out, nothing is written"


def test_tokens_and_seconds_are_those_of_all_windows() -> None:
    # 100 tokens in 1 second, 300 in 6.
    windows = [{"tokens": 100, "tokens_per_second": 100.0}, {"tokens": 400, "tokens_per_second": 50.0}]
    assert zoo.trained(windows) == (400, pytest.approx(7.0))
    assert zoo.trained(windows[1:], 100) == (300, pytest.approx(6.0))


def test_a_row_comes_from_the_checkpoint_that_validated_best(tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "one"))
    best = json.loads((run / "best.json").read_text())
    step = int(best["checkpoint"].removeprefix("step-"))
    (run / "best.json").write_text(json.dumps({**best, "step": step}))
    records = [
        {"kind": "train", "step": step, "tokens": 50, "tokens_per_second": 25.0},
        {"kind": "validation", "step": step, "perplexity": 3.0},
        {"kind": "validation", "step": 20, "perplexity": 4.0},
        {"kind": "average", "step": step, "perplexity": 5.0},
    ]
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    (run / "test.json").write_text(json.dumps({"scores": [{"name": "BLEU", "value": 40.0, "signature": "s"}]}))
    variant = Variant("one", ("model.decoder.type=luong",))
    assert not zoo.done(tmp_path, variant)
    assert zoo.done(tmp_path, Variant("one", ("model.attention=none",)))
    (run / "alignment.json").write_text(json.dumps({"aer": 0.25, "entropy": 1.5}))
    assert zoo.done(tmp_path, variant)
    row = zoo.summarise(variant, run)
    count = sum(
        tensor.numel()
        for tensor in read_tensors(run / "checkpoints" / best["checkpoint"] / "model.safetensors").values()
    )
    assert row == Row("one", "luong", 40.0, "s", 3.0, 0.25, 1.5, 25.0, 2.0 / 60.0, count)
    (run / "speed.json").write_text(json.dumps({"tokens_per_second": 100.0}))
    row = zoo.summarise(variant, run)
    assert (row.tokens_per_second, row.minutes) == (100.0, 0.5 / 60.0), "50 tokens at the speed that was measured"


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of every training that is asked for, which fails if its name is ``bad``."""
    called: list[list[str]] = []

    def run(words: list[str], *, check: bool, stdout: Any, stderr: Any) -> subprocess.CompletedProcess[str]:
        assert not check and stdout is stderr
        called.append(words[1:])
        stdout.write("what it says\n")
        return subprocess.CompletedProcess(words, int("name=bad" in words))

    monkeypatch.setattr(subprocess, "run", run)
    return called


def test_finished_runs_are_left_and_begun_ones_go_on(tmp_path: Path, trainings: list[list[str]]) -> None:
    variant, run = Variant("x", ("a=b",)), tmp_path / "runs" / "x"
    assert zoo.train_variant(GENERATED, variant, run, ["c=d"]) == 0
    assert trainings == [["--output", str(run), str(GENERATED.recipe), "name=x", "a=b", "c=d"]]
    run.mkdir()
    (run / "recipe.yaml").write_text("")
    zoo.train_variant(GENERATED, variant, run, ["c=d"])
    assert trainings[1:] == [["--output", str(run), "--resume"]]
    said = (tmp_path / "runs" / "x.log").read_text().splitlines()
    assert [line.partition(" ")[0] for line in said] == ["$", "what", "$", "what"], "a log is added to"
    for name in ("test.json", "alignment.json"):
        (run / name).write_text("{}")
    zoo.train_variant(GENERATED, variant, run, [])
    assert len(trainings) == 2


def test_only_a_whole_training_alone_is_marked_as_one(tmp_path: Path, trainings: list[list[str]]) -> None:
    for name, alone, recipe, marked in (("x", True, 0, 1), ("x", False, 0, 0), ("x", True, 1, 0), ("bad", True, 0, 0)):
        run = tmp_path / f"{alone}{recipe}" / name
        run.mkdir(parents=True)
        if recipe:
            (run / "recipe.yaml").touch()
        zoo.train_variant(GENERATED, Variant(name, ()), run, [], alone=alone)
        assert (run / "alone").exists() == bool(marked)
    assert len(trainings) == 4


def test_a_run_of_another_recipe_is_no_run_of_this_one(tmp_path: Path, trainings: list[list[str]]) -> None:
    (variant,) = [each for each in zoo.read_variants(GENERATED.variants) if each.name == "local-m"]
    run = tmp_path / "local-m"
    run.mkdir()
    elsewhere = ["data.root=/elsewhere", "training.threads=7"]

    def begin(*overrides: str) -> None:
        recipe = load_recipe(GENERATED.recipe, [f"name={variant.name}", *variant.overrides, *overrides])
        (run / "recipe.yaml").write_text(json.dumps(config.to_mapping(recipe)))

    begin(*elsewhere)
    assert zoo.stale_in(GENERATED, variant, run, ()) == ""
    assert zoo.stale_in(GENERATED, variant, tmp_path / "none", ()) == ""
    begin(*elsewhere, "model.attention.window=4", "training.max_epochs=2")
    assert zoo.stale_in(GENERATED, variant, run, ()).startswith("its model, training differ; remove the folder")
    begin("training.max_epochs=2")
    (tmp_path / "corpus").mkdir()
    where = ["--output", str(tmp_path), "--table", str(tmp_path / "t.md"), f"data.root={tmp_path / 'corpus'}"]
    with pytest.raises(NmtError, match=re.escape(f"{run}: its training differ")):
        zoo.main([*where, "local-m"])
    assert not trainings


def test_a_variant_that_fails_is_told_and_the_others_are_trained(
    tmp_path: Path, trainings: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = [(GENERATED, Variant(name, ()), tmp_path / name, ["e=f"]) for name in ("one", "bad", "two")]
    assert zoo.train_all(wanted, 2) == ["bad"]
    assert not list(tmp_path.rglob("alone"))
    assert {words[3] for words in trainings} == {"name=one", "name=bad", "name=two"}
    said = capsys.readouterr().err
    assert f"bad: failed; {tmp_path / 'bad.log'} says why" in said
    assert "one: trained" in said and "two: trained" in said


def test_speed_is_that_of_a_few_updates_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        called.append(words[1:])
        folder = Path(words[2])
        folder.mkdir()
        # The first 20 updates warm up; then 10 tokens a window at 5, 10, 10 and 10 a second.
        speeds = (1.0, 1.0, 5.0, 10.0, 10.0, 10.0)
        windows = [{"kind": "train", "tokens": 10 * n, "tokens_per_second": v} for n, v in enumerate(speeds, 1)]
        (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(window)}\n" for window in windows))
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(subprocess, "run", run)
    path = tmp_path / "x"
    path.mkdir()
    assert zoo.measure_speed(GENERATED, Variant("x", ("a=b",)), path, ["c=d"]) == 0
    assert json.loads((path / "speed.json").read_text()) == {"tokens_per_second": pytest.approx(8.0)}
    assert called[0][2:5] == [str(GENERATED.recipe), "a=b", "c=d"]
    assert "training.max_steps=60" in called[0]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["x", "x.log"], "what they learnt is gone"
    recipe = load_recipe(GENERATED.recipe, called[0][5:])
    assert recipe.training.max_steps == 60 and recipe.test is None


def test_only_what_was_trained_beside_others_is_measured_anew(
    tmp_path: Path, trainings: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Here a training fails, which leaves the others to be measured."""
    cores = os.cpu_count() or 1
    wanted = []
    for name in ("bad", "alone", "beside", "unfinished"):
        run = tmp_path / name
        run.mkdir()
        if name == "alone":
            (run / "alone").touch()
        for part in () if name == "unfinished" else ("test.json", "alignment.json"):
            (run / part).write_text("{}")
        wanted.append((GENERATED, Variant(name, ()), run, [f"name={name}"]))
    with pytest.raises(FileNotFoundError):  # the training that does not fail leaves nothing here
        zoo.measure_all(wanted)
    names = [next(word for word in words if word.startswith("name=")) for words in trainings]
    assert names == ["name=bad", "name=beside"]
    assert all(f"training.threads={cores}" in words for words in trainings)
    assert f"bad: its speed was not measured; {tmp_path / 'bad.log'} says why" in capsys.readouterr().err


@pytest.mark.slow
def test_mistakes_are_told_in_a_line(tmp_path: Path) -> None:
    """A wrong value beside a run that is there, which is compared with the recipe before anything is trained."""
    run = tmp_path / "runs" / "hard"
    run.mkdir(parents=True)
    (run / "recipe.yaml").write_text(json.dumps(config.to_mapping(load_recipe(GENERATED.recipe))))
    (tmp_path / "train.de").touch()
    words = ["hard", "--output", tmp_path / "runs", f"data.root={tmp_path}", "training.max_epochs=soon"]
    done = subprocess.run([sys.executable, zoo.__file__, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("attention_zoo.py: error: ") and "max_epochs" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_command_trains_both_lists(
    tmp_path: Path, trainings: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "table.md"
    monkeypatch.chdir(tmp_path)
    corpus = tmp_path / "quickstart" / "corpus"
    corpus.mkdir(parents=True)
    (corpus / "train.de").touch()
    arguments = ["--output", str(tmp_path / "zoo"), "--table", str(table), "--multi30k", "DIR", "--jobs", "3"]
    assert zoo.main([*arguments, "hard", "local-p", "training.max_steps=5"]) == 0
    ran = {words[1]: words[2:] for words in trainings}
    assert set(ran) == {str(tmp_path / "zoo" / name) for name in ("hard", "local-p", "multi30k/hard")}
    real = ran[str(tmp_path / "zoo" / "multi30k" / "hard")]
    assert real[0] == str(MULTI30K.recipe) and "data.root=DIR" in real
    assert real[-2:] == [f"training.threads={max((os.cpu_count() or 1) // 3, 1)}", "training.max_steps=5"]
    assert "data.root=DIR" not in ran[str(tmp_path / "zoo" / "local-p")]
    with pytest.raises(SystemExit):
        zoo.main(["hard", "--jobs", "0"])


def test_the_corpus_is_generated_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[Any]] = []

    def run(words: list[Any], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(words)
        return subprocess.CompletedProcess(words, int((tmp_path / "full").exists()))

    monkeypatch.setattr(subprocess, "run", run)
    for _ in range(2):
        zoo.generate(tmp_path)
        (tmp_path / "train.de").touch()
    assert [words[1:] for words in commands] == [[zoo.ROOT / "tools" / "generate_corpus.py", tmp_path, "--seed", "1"]]
    (tmp_path / "train.de").unlink()
    (tmp_path / "full").touch()
    with pytest.raises(SystemExit, match="1"):
        zoo.generate(tmp_path)


def test_a_variant_that_is_in_no_list_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        zoo.main(["lokal-p"])
    assert "no such variant: lokal-p; choose from" in capsys.readouterr().err

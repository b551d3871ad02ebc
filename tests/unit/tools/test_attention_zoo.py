"""The list of variants, and the table that is made of their runs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from nmt.core import config
from nmt.model.attention.base import AttentionConfig, ScoreConfig
from nmt.model.weights import read_tensors
from nmt.recipe import load_recipe
from tools import attention_zoo as zoo
from tools.attention_zoo import BEGIN, END, RECIPE, VARIANTS, Row, Variant

ROW = Row(
    name="a",
    decoder="luong",
    bleu=12.345,
    signature="nrefs:1",
    perplexity=2.5,
    aer=None,
    entropy=0.5,
    tokens_per_second=1234.5,
    parameters=1000,
)


@pytest.mark.parametrize("variant", zoo.read_variants(VARIANTS), ids=lambda variant: variant.name)
def test_every_variant_parses_and_builds(variant: Variant) -> None:
    recipe = load_recipe(RECIPE, variant.overrides)
    assert recipe.model.build(40, 40).decoder.attention is not None
    assert zoo.decoder_of(variant) == recipe.model.decoder.registry.name_of(type(recipe.model.decoder))
    assert ("model.attention=none" in variant.overrides) == (recipe.model.attention.row_sum == "no weights")


def test_the_list_leaves_no_alignment_function_and_no_score_out() -> None:
    variants = zoo.read_variants(VARIANTS)
    assert len({variant.name for variant in variants}) == len(variants)
    attentions = [load_recipe(RECIPE, variant.overrides).model.attention for variant in variants]
    assert {type(one) for one in attentions} == {
        AttentionConfig.registry.find(name) for name in AttentionConfig.registry.names()
    }
    scores = {type(one.score) for one in attentions if hasattr(one, "score")}
    # Concat is the additive score by another name.
    assert scores == {ScoreConfig.registry.find(name) for name in ScoreConfig.registry.names() if name != "concat"}
    shown = [json.dumps(config.to_mapping(load_recipe(RECIPE, variant.overrides))) for variant in variants]
    assert len(set(shown)) == len(shown), "two variants are the same"


def test_a_line_of_the_list(tmp_path: Path) -> None:
    path = tmp_path / "variants.txt"
    path.write_text("# a comment\n\nplain\nother   a.b={type: x, c: 3} d=e f=[{g: h, i: j}]\n")
    other = Variant("other", ("a.b={type: x, c: 3}", "d=e", "f=[{g: h, i: j}]"))
    assert zoo.read_variants(path) == [Variant("plain", ()), other]


def test_the_table_goes_between_its_markers_however_often(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        zoo.write_table(path, [ROW, ROW])
    lines = path.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert lines.count(BEGIN) == lines.count(END) == 1
    assert lines.count("| a | luong | 12.35 | 2.500 |  | 0.50 | 1,234 | 1,000 |") == 2
    assert "old" not in lines
    assert "BLEU signature: `nrefs:1`" in lines
    path.write_text("no markers\n")
    with pytest.raises(SystemExit, match="must hold the lines"):
        zoo.write_table(path, [ROW])
    zoo.write_table(tmp_path / "new.md", [ROW])
    assert (tmp_path / "new.md").read_text().startswith(BEGIN)


def test_speed_is_tokens_over_seconds_of_all_windows() -> None:
    # 100 tokens in 1 second, 300 in 6: 400 in 7.
    windows = [{"tokens": 100, "tokens_per_second": 100.0}, {"tokens": 400, "tokens_per_second": 50.0}]
    assert zoo.speed(windows) == pytest.approx(400 / 7)


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
    assert row == Row("one", "luong", 40.0, "s", 3.0, 0.25, 1.5, 25.0, count)


def test_finished_runs_are_left_and_begun_ones_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def run(words: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        called.append(words[1:])
        return subprocess.CompletedProcess(words, int(check))

    monkeypatch.setattr(subprocess, "run", run)
    variant = Variant("x", ("a=b",))
    zoo.train(variant, tmp_path / "x", ["c=d"])
    assert called == [["--output", str(tmp_path / "x"), str(RECIPE), "name=x", "a=b", "c=d"]]
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "recipe.yaml").write_text("")
    zoo.train(variant, tmp_path / "x", ["c=d"])
    assert called[1:] == [["--output", str(tmp_path / "x"), "--resume"]]
    for name in ("test.json", "alignment.json"):
        (tmp_path / "x" / name).write_text("{}")
    zoo.train(variant, tmp_path / "x", [])
    assert len(called) == 2

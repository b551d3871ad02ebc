"""What is chosen on the first verses, and what is left alone when the command is called again."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.alignment.links import Links
from nmt.recipe import load_recipe
from tools import bible, bible_corpus
from tools.bible import RECIPES, ROUNDS, Direction


def links(*rows: str) -> list[Links]:
    return [Links(frozenset((int(a), int(b)) for a, b in (one.split("-") for one in row.split()))) for row in rows]


@pytest.mark.parametrize("directions", ROUNDS)
def test_the_recipes_are_each_others_reverse(directions: tuple[Direction, ...]) -> None:
    recipes = [load_recipe(direction.recipe) for direction in directions]
    for at, (recipe, direction) in enumerate(zip(recipes, directions, strict=True)):
        assert (recipe.data.source_language, recipe.data.target_language) == (direction.source, direction.target)
        (corpus,) = recipe.data.train
        assert (corpus.source, corpus.target) == (f"all.{direction.source}", f"all.{direction.target}")
        agreed = f"agreed.{direction.source}-{direction.target}.align"
        assert corpus.alignment == (agreed if direction.after else None), "no manual links are given"
        assert recipe.training.init_from == (f"bible/{ROUNDS[0][at].name}" if direction.after else None)
    forward, backward = (replace(each.training, init_from=None) for each in recipes)
    assert recipes[0].model == recipes[1].model and forward == backward


def test_scores_of_both_directions_and_of_each_symmetrisation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bible_corpus, "TUNED", 1)
    # Verse 1: the one direction has 0-0, right, and 1-0, wrong; the other 0-0 and 1-1, both right.
    # Verse 2: the one has 0-0, right; the other nothing.
    rows = bible.score(1, links("0-0 1-0", "0-0"), links("0-0 1-1", ""), links("0-0 1-1", "0-0"))
    table = {row.name: row.scores for row in rows}
    assert [row.name for row in rows[:2]] == ["grc-en", "en-grc"]
    # 1 - 2 * 1 / (2 + 2), 1 - 2 * 1 / (1 + 1), 1 - 2 * 2 / (3 + 3)
    assert [table["grc-en"][part].aer for part in ("tune", "rest", "all")] == pytest.approx([0.5, 0.0, 1 / 3])
    assert [table["en-grc"][part].aer for part in ("tune", "rest", "all")] == pytest.approx([0.0, 1.0, 1 / 5])
    # 0-0 is in both; the union has 0-0, 1-0 and 1-1: 1 - 2 * 2 / (3 + 2).
    assert table["intersection"]["tune"].aer == pytest.approx(1 - 2 / 3)
    assert table["union"]["tune"].aer == pytest.approx(1 / 5)
    assert str(rows[0]) == "| 1 | grc-en | 0.500 (0.500, 0.500) | 0.000 (1.000, 1.000) | 0.333 (0.667, 0.667) |"


def test_what_is_best_on_the_first_verses_is_chosen_whatever_it_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bible_corpus, "TUNED", 1)
    # The backward links are right in verse 1 and miss everything after it, where the forward links are right.
    rows = bible.score(1, links("0-1", "0-0", "0-0"), links("0-0", "", ""), links("0-0", "0-0", "0-0"))
    assert bible.chosen(rows).name == "en-grc"
    assert bible.chosen(rows).scores["all"].aer > rows[0].scores["all"].aer
    later = bible.score(2, links("0-1", "0-0", "0-0"), links("0-1", "", ""), links("0-0", "0-0", "0-0"))
    assert bible.chosen(later + rows).turn == 1


def test_a_finished_run_is_left_and_a_begun_one_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(bible, "call", lambda words: called.append([str(word) for word in words[1:]]))
    direction = Direction("grc-en", "grc", "en")
    run = tmp_path / "grc-en"
    bible.train(direction, tmp_path, ["a=b"])
    assert called == [["--output", str(run), str(RECIPES / "grc-en.yaml"), "a=b"]]
    bible.train(direction, tmp_path, ["a=b"])
    assert len(called) == 1
    (tmp_path / "grc-en.finished").unlink()
    run.mkdir()
    (run / "recipe.yaml").write_text("")
    bible.train(direction, tmp_path, ["a=b"])
    assert called[1:] == [["--output", str(run), "--resume"]]


@pytest.mark.parametrize("turn", range(1, len(ROUNDS)))
@pytest.mark.parametrize("way", [0, 1])
def test_a_round_begins_from_the_one_before(
    turn: int, way: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(bible, "call", lambda words: called.append([str(word) for word in words[3:]]))
    bible.train(ROUNDS[turn][way], tmp_path, ["a=b"])
    recipe, before = RECIPES / f"{ROUNDS[0][way].name}-2.yaml", tmp_path / ROUNDS[turn - 1][way].name
    assert called == [[str(recipe), f"training.init_from={before}", "a=b"]]


def test_what_both_agree_on_is_written_as_either_direction_counts(tmp_path: Path) -> None:
    # In verse 1 both have 0-0; 1-2 is of one of them alone, and neither of its words has another link.
    forward, backward = links("0-0 1-2", ""), links("0-0", "0-1")
    bible.teach(tmp_path, forward, backward)
    paths = [tmp_path / f"agreed.{name}.align" for name in ("grc-en", "en-grc")]
    assert [path.read_text() for path in paths] == ["0-0 1-2\n0-1\n", "0-0 2-1\n1-0\n"]
    times = [path.stat().st_mtime_ns for path in paths]
    bible.teach(tmp_path, forward, backward)
    assert [path.stat().st_mtime_ns for path in paths] == times, "what is the same is not written again"


@pytest.mark.slow
def test_a_run_that_fails_is_not_finished(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        bible.train(Direction("no-recipe", "a", "b"), tmp_path, [])
    assert caught.value.code == 2 and not (tmp_path / "no-recipe.finished").exists()


def test_links_are_made_again_only_for_a_newer_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def aligned(words: list[str | Path]) -> None:
        called.append([str(word) for word in words[1:]])
        (tmp_path / "en-grc.partial").write_text("0-0\n")

    monkeypatch.setattr(bible, "call", aligned)
    direction = Direction("en-grc", "en", "grc")
    (tmp_path / "en-grc").mkdir()
    best = tmp_path / "en-grc" / "best.json"
    best.write_text("{}")
    path = bible.align(direction, tmp_path)
    assert path.read_text() == "0-0\n" and path == bible.align(direction, tmp_path)
    assert len(called) == 1
    corpus = tmp_path / "corpus"
    assert called[0][:3] == [str(tmp_path / "en-grc"), str(corpus / "all.en"), str(corpus / "all.grc")]
    os.utime(path, ns=(0, best.stat().st_mtime_ns - 1))
    bible.align(direction, tmp_path)
    assert len(called) == 2


def test_a_corpus_that_is_there_is_not_got_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(bible_corpus, "main", lambda words: called.append(words) or len(called))
    assert not bible.prepare(tmp_path, None)
    assert not bible.prepare(tmp_path, tmp_path / "a.whl")
    assert called == [[str(tmp_path)], [str(tmp_path), "--package", str(tmp_path / "a.whl")]]
    (tmp_path / "verses.txt").write_text("")
    assert bible.prepare(tmp_path, None) and len(called) == 2


def test_the_summary_names_seed_time_and_choice(tmp_path: Path) -> None:
    for direction in (one for directions in ROUNDS for one in directions):
        run = tmp_path / direction.name
        run.mkdir()
        records = [{"kind": "train", "step": step, "seconds": 2.0 * step} for step in (50, 100)]
        text = "".join(f"{json.dumps(record)}\n" for record in [*records, {"kind": "end"}])
        (run / "metrics.jsonl").write_text(text)
        (run / "versions.json").write_text('{"seed": 3}')
    rows = bible.score(1, links("0-0"), links("0-0"), links("0-0"))
    summary = bible.summarise(rows, tmp_path)
    assert summary["chosen"] == {"round": 1, "links": "grc-en"}
    assert summary["aer"] == {
        "tune": 0.0,
        "rest": 0.0,
        "all": 0.0,
    }
    assert summary["runs"]["en-grc"] == {"seed": 3, "updates": 100, "seconds": 200.0}
    assert [row["all"]["links"] for row in summary["scores"] if row["links"] == "union"] == [1]


def test_the_row_that_is_chosen_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bible_corpus, "TUNED", 1)
    monkeypatch.setattr(bible, "_run", lambda _: {})
    rows = bible.score(1, links("0-1", "0-0"), links("0-0", ""), links("0-0", "0-0"))
    bible.show(rows, bible.summarise(rows, tmp_path), tmp_path)
    marked = [line for line in capsys.readouterr().out.splitlines() if "**" in line]
    assert [line.partition(" | 0.")[0] for line in marked] == ["| 1 | **en-grc** (chosen)"]

"""nmt-train without a recipe: two text files, sensible defaults, parts held out, the recipe written down."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from tiny_run import MODEL_CONFIG, make_run
from tiny_training import write_corpus

from nmt import experiment, plain_text
from nmt.cli.check import main as check
from nmt.cli.evaluate import main as evaluate
from nmt.cli.train import main
from nmt.core import config
from nmt.core.errors import CheckpointError, ConfigError, DataError
from nmt.core.storage.run_folder import RunFolder
from nmt.plain_text import recipe_for_files, root_now
from nmt.recipe import load_recipe
from nmt.text.vocabularies import Vocabularies

PAIRS = 150
TINY = ("model.embedding.size=8", "model.encoder.size=8", "model.decoder.size=8", "training.max_epochs=1")
PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = write_corpus(tmp_path_factory.mktemp("text"), train=PAIRS)
    return root / "train.xx", root / "train.yy"


@pytest.fixture(scope="module")
def run(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "mine"
    source, target = map(str, files)
    options = ["--source", source, "--target", target, "--output", str(path), *TINY, "training.device=cpu", "--quiet"]
    assert main(options) == 0
    return path


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_parts_are_held_out_and_pairs_stay_together(run: Path, files: tuple[Path, Path]) -> None:
    parts = {
        part: list(zip(*(lines(run / "data" / f"{part}.{side}") for side in ("source", "target")), strict=True))
        for part in PARTS
    }
    assert {part: len(pairs) for part, pairs in parts.items()} == {"train": PAIRS - 20, "validation": 10, "test": 10}
    whole = list(zip(*map(lines, files), strict=True))
    assert sorted(pair for pairs in parts.values() for pair in pairs) == sorted(whole)
    sources = [{source for source, _ in pairs} for pairs in parts.values()]
    assert not sources[0] & sources[1] and not sources[0] & sources[2] and not sources[1] & sources[2]


def test_the_run_is_tested_on_what_was_held_out(run: Path) -> None:
    assert json.loads((run / "test.json").read_text())["sentences"] == 10
    counts = json.loads((run / "corpus.json").read_text())
    assert counts["training"]["lines"] == PAIRS - 20 and counts["validation"]["lines"] == 10


def test_the_recipe_is_written_down_and_can_be_used_again(run: Path, tmp_path: Path) -> None:
    recipe = load_recipe(run / "recipe.yaml")
    assert recipe.data.root == str(run / "data") and recipe.model.decoder.size == 8
    assert main([str(run / "recipe.yaml"), "--output", str(tmp_path / "other"), "--quiet"]) == 0
    first, second = (json.loads((path / "test.json").read_text())["scores"] for path in (run, tmp_path / "other"))
    assert first == second


@pytest.mark.parametrize("old", ["nothing", "another run"])
def test_a_run_that_was_moved_goes_on(
    run: Path, files: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], old: str
) -> None:
    first, moved = tmp_path / "first", tmp_path / "moved"
    shutil.copytree(run, moved)
    text = (moved / "recipe.yaml").read_text()
    (moved / "recipe.yaml").write_text(text.replace(str(run), str(first)))
    if old == "another run":
        shutil.copytree(run, first)
        for path in (first / "data").iterdir():
            path.write_text("another\n")
    assert main(["--output", str(moved), "--resume", "--dry-run", "--quiet"]) == 0
    assert main(["--output", str(moved), "--resume", "training.max_epochs=2", "--quiet"]) == 0
    assert load_recipe(moved / "recipe.yaml").data.root == str(moved / "data")
    assert len((moved / "metrics.jsonl").read_text().splitlines()) > len(
        (run / "metrics.jsonl").read_text().splitlines()
    )
    (moved / "recipe.yaml").write_text(text.replace(str(run), str(first)))
    capfd.readouterr()
    assert evaluate([str(moved), "--device", "cpu", "--quiet"]) == 0
    assert "BLEU" in capfd.readouterr().out
    other = ["--output", str(moved), "--resume", f"data.root={tmp_path}/gone/data", "training.max_epochs=3"]
    assert main(other) == 1, "a root that is given is taken"
    assert f"{tmp_path}/gone/data/test.source: there is no such file" in capfd.readouterr().err


def test_a_root_outside_of_the_run_stays(run: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for root in (tmp_path / "data", tmp_path / "text"):
        assert root_now(str(root), RunFolder(run)) == str(root)
    assert root_now(str(tmp_path / "gone" / "data"), RunFolder(tmp_path)) == str(tmp_path / "gone" / "data")
    assert root_now(str(tmp_path / "gone" / "data"), RunFolder(run)) == str(run / "data")


def test_a_wrong_override_leaves_nothing_behind(
    files: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--source", str(files[0]), "--target", str(files[1]), "--output", str(tmp_path / "run")]
    assert main([*options, "model.embeding.size=8"]) == 2
    assert "did you mean `model.embedding`" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_dry_run_of_files(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--source", str(files[0]), "--target", str(files[1]), "--dry-run", *TINY]
    assert main([*options, "--output", "mine"]) == main(options) == 0, "no folder needs to be named"
    assert f"pairs: {PAIRS - 20} in" in capfd.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_failed_is_begun_anew(
    files: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    options = ["--source", str(files[0]), "--target", str(files[1]), "--output", str(run), *TINY, "training.device=cpu"]
    assert main([*options, "data.subword.size=5000"]) == 1
    assert "data.subword.size must be at most" in capfd.readouterr().err
    assert (run / "data" / "train.source").exists() and (run / "recipe.yaml").exists()
    assert main([*options, "--quiet"]) == 0
    (run / "best.json").unlink()
    assert main([*options, "--quiet"]) == 1, "and one that did not fail is kept"


def left_by_a_kill(path: Path) -> None:
    """A file as it lies there when its writer is killed; see ``atomic_write``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f".{path.name}.0123abcd.part{path.suffix}").write_text("half")


@pytest.mark.parametrize("part", [f"{part}.{side}" for part in PARTS for side in ("source", "target")])
def test_a_disk_that_is_full_while_the_parts_are_written(
    files: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    part: str,
) -> None:
    run = tmp_path / "run"
    options = ["--source", str(files[0]), "--target", str(files[1]), "--output", str(run), "--quiet"]
    write = plain_text.write_lines

    def full(path: Path, lines: Iterable[str]) -> None:
        if path.name == part:
            left_by_a_kill(path)
            raise OSError(28, "No space left on device", str(path))
        write(path, lines)

    monkeypatch.setattr(plain_text, "write_lines", full)
    assert main(options) == 1
    assert f"{run}/data/{part}: cannot write the parts: No space left on device" in capfd.readouterr().err
    assert main(["--output", str(run), "--resume"]) == 1
    assert "has no run to resume; start one without --resume" in capfd.readouterr().err
    monkeypatch.undo()
    with experiment.claimed(run, resume=False):
        assert [path.name for path in sorted((run / "data").glob(".*"))] == []
    if part == "validation.source":
        assert main([*options, *TINY, "training.device=cpu"]) == 0


@pytest.mark.parametrize(
    "names",
    [
        ["versions.json"],
        ["recipe.yaml"],
        ["corpus.json"],
        ["recipe.yaml", "versions.json"],
        ["vocabulary/joint.model", "data/train.source", "data/test.target"],
    ],
)
def test_what_a_kill_left_half_written_is_in_nobodys_way(tmp_path: Path, names: list[str]) -> None:
    run = tmp_path / "run"
    for name in names:
        left_by_a_kill(run / name)
    if len({*(path.name for path in run.iterdir())} & {"vocabulary", "data"}):
        (run / "versions.json").write_text("{}")
    with experiment.claimed(run, resume=False):
        assert {path.name for path in run.rglob("*") if path.is_file()} <= {"in-use.lock", "versions.json"}


@pytest.mark.parametrize("name", ["notes.txt", "data/notes.txt", "checkpoints/notes"])
def test_what_somebody_else_left_half_written_stays(tmp_path: Path, name: str) -> None:
    left_by_a_kill(tmp_path / name)
    (tmp_path / "versions.json").write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CheckpointError, match="is not empty"), experiment.claimed(tmp_path, resume=False):
        pass
    assert sorted(tmp_path.rglob("*")) == before


def test_parts_of_ones_own_are_not_overwritten(files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for part in PARTS:
        (tmp_path / "data" / f"{part}.source").write_text("mine\n")
    assert main(["--source", str(files[0]), "--target", str(files[1]), "--output", str(tmp_path), "--quiet"]) == 1
    assert {path.read_text() for path in (tmp_path / "data").iterdir()} == {"mine\n"}


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_what_a_shell_gives_for_a_command(
    files: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    try:
        options = ["--source", f"/dev/fd/{read}", "--target", str(files[1]), "--output", str(tmp_path / "run")]
        assert main([*options, "--quiet"]) == 1
    finally:
        os.close(read)
        os.close(write)
    message = f"error: /dev/fd/{read}: must be a regular file, because it is read more than once"
    assert capfd.readouterr().err.startswith(message)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("given", [("validation",), ("test",), ("validation", "test")])
def test_parts_that_are_given_are_not_held_out(
    files: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], given: tuple[str, ...]
) -> None:
    run = tmp_path / "run"
    options = ["--source", str(files[0]), "--target", str(files[1]), "--output", str(run), *TINY, "training.device=cpu"]
    for part in given:
        options += [f"--{part}", *(str(files[0].parent / f"{part}.{suffix}") for suffix in ("xx", "yy"))]
    assert main(options) == 0
    kept = PAIRS - 10 * (2 - len(given))
    told = capfd.readouterr().err
    assert f"{kept} pairs to train on, {12 if 'validation' in given else 10} to validate on" in told
    assert told.count("(held out)") == 2 - len(given)
    assert len(lines(run / "data" / "train.source")) == kept
    for part in ("validation", "test"):
        for side, suffix in (("source", "xx"), ("target", "yy")):
            assert (lines(run / "data" / f"{part}.{side}") == lines(files[0].parent / f"{part}.{suffix}")) == (
                part in given
            )
    assert json.loads((run / "test.json").read_text())["sentences"] == (12 if "test" in given else 10)
    shutil.move(run, tmp_path / "moved")  # what was given lies in the folder too
    assert evaluate([str(tmp_path / "moved"), "--device", "cpu", "--quiet"]) == 0


def test_synthetic_pairs_are_trained_on_with_a_tag(
    files: tuple[Path, Path], run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root, other = files[0].parent, tmp_path / "run"
    added = [str(root / f"test.{suffix}") for suffix in ("xx", "yy")]
    options = ["--source", str(files[0]), "--target", str(files[1]), "--synthetic", *added, "--output", str(other)]
    assert main([*options, *TINY, "training.device=cpu"]) == 0
    count = len(lines(root / "test.xx"))
    assert (
        f"{PAIRS - 20} pairs to train on, {count} synthetic ones, 10 to validate on (held out)"
        in capfd.readouterr().err
    )
    for part in ("train", "validation", "test"):
        for side in ("source", "target"):
            assert lines(other / "data" / f"{part}.{side}") == lines(run / "data" / f"{part}.{side}")
    assert lines(other / "data" / "synthetic.source") == lines(root / "test.xx"), "without tags"
    recipe = load_recipe(other / "recipe.yaml")
    assert [corpus.tag for corpus in recipe.data.train] == [None, "<bt>"]
    assert json.loads((other / "corpus.json").read_text())["training"]["lines"] == PAIRS - 20 + count
    assert "<bt>" in Vocabularies.load(other / "vocabulary").source.symbols
    shutil.move(other, tmp_path / "moved")
    assert main(["--output", str(tmp_path / "moved"), "--resume", "training.max_epochs=2", "--quiet"]) == 0
    capfd.readouterr()
    assert check([*options[:-2], "--json"]) in (0, 3)
    assert [each["pairs"] for each in json.loads(capfd.readouterr().out)["corpora"]] == [PAIRS, count]
    assert main(["my.yaml", "--synthetic", *added]) == 2
    assert "--synthetic needs --source and --target" in capfd.readouterr().err
    for command, given in ((main, options), (check, options[:-2])):
        assert command([*given, "data.train=[{source: a, target: b}]"]) == 2
        assert "--synthetic cannot be given where an override sets data.train" in capfd.readouterr().err


@pytest.mark.parametrize("nothing", [False, True])
def test_parts_that_overrides_give_are_not_held_out(files: tuple[Path, Path], tmp_path: Path, nothing: bool) -> None:
    root = files[0].parent
    corpora = {part: f"{{source: {root}/{part}.xx, target: {root}/{part}.yy}}" for part in ("validation", "test")}
    overrides = [f"data.validation={corpora['validation']}", f"test.corpus={corpora['test']}"]
    if nothing:
        overrides = ["data.validation=null", "test=null"]
    run = tmp_path / "run"
    recipe = recipe_for_files(files, run / "data", overrides)
    assert {path.name for path in (run / "data").iterdir()} == {"train.source", "train.target"}
    assert lines(run / "data" / "train.source") == lines(files[0])
    assert (recipe.data.validation is None, recipe.test is None) == (nothing, nothing)
    gone = str(tmp_path / "gone" / "data")
    assert root_now(gone, RunFolder(run)) == str(run / "data"), "a run that was moved has its training part"


def test_overrides_are_read_over_the_model_that_is_begun_from(files: tuple[Path, Path], tmp_path: Path) -> None:
    begun = make_run(tmp_path / "begun", model={**MODEL_CONFIG, "decoder": {"type": "luong", "size": 12}})
    of_luong = [f"training.init_from={begun}", "model.decoder.input_feeding=true"]
    recipe = recipe_for_files(files, tmp_path / "new", of_luong)
    assert config.to_mapping(recipe.model)["decoder"]["type"] == "luong"
    none = recipe_for_files(files, tmp_path / "none", ["training.init_from=null"])
    assert (none.model.embedding.tied, none.data.subword.algorithm) == ("all", "bpe"), "the defaults of two files"


def test_few_pairs_are_enough_where_nothing_is_held_out(tmp_path: Path) -> None:
    root = write_corpus(tmp_path / "text", train=8)
    parts = {part: (root / f"{part}.xx", root / f"{part}.yy") for part in PARTS}
    recipe_for_files(parts["train"], tmp_path / "data", [], validation=parts["validation"], test=parts["test"])
    assert len(lines(tmp_path / "data" / "train.target")) == 8


def test_too_few_pairs(tmp_path: Path) -> None:
    root = write_corpus(tmp_path / "text", train=39)
    with pytest.raises(DataError, match="must have at least 40 pairs to hold parts out of, but have 39"):
        recipe_for_files((root / "train.xx", root / "train.yy"), tmp_path / "data", [])
    assert not (tmp_path / "data").exists()


def test_the_vocabulary_of_a_tiny_corpus_can_be_trained(run: Path) -> None:
    assert 30 < load_recipe(run / "recipe.yaml").data.subword.size < 60
    assert (RunFolder(run).vocabulary / "joint.model").exists()


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["model.decoder=luong", "training.schedule={type: cosine}", "seed=7", "model.dropout.word=0.1"],
        ["data.validation=null", "training.max_minutes=3", "alignment=null", "name='yes # no'"],
        ["data.train.0.weight=2", "search.beam_size=4", "test=null"],
        ["training.init_from={begun}"],
    ],
)
def test_a_suggestion_is_the_recipe_that_training_takes(
    files: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], overrides: list[str]
) -> None:
    run = tmp_path / "run"
    given = [each.format(begun=make_run(tmp_path / "begun")) if "{begun}" in each else each for each in overrides]
    options = ["--source", str(files[0]), "--target", str(files[1]), "--output", str(run), *given]
    assert main([*options, "--suggest", "--quiet"]) == 0
    text = capfd.readouterr().out
    suggested = tmp_path / "suggested.yaml"
    suggested.write_text(text)
    assert load_recipe(suggested) == recipe_for_files(files, run / "data", given)
    leaves = [line for line in text.splitlines() if not line.endswith(":")]
    assert all(" # " in line for line in leaves)
    assert text.count("# as given") == len(given) - sum(each.startswith("data.train.0") for each in given)


def test_a_suggestion_can_be_trained_in_the_same_folder(
    files: tuple[Path, Path], run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    new, suggested = tmp_path / "new", tmp_path / "suggested.yaml"
    options = ["--source", str(files[0]), "--target", str(files[1]), *TINY, "training.device=cpu", "--quiet"]
    assert main([*options, "--output", str(new), "--suggest"]) == 0
    suggested.write_text(capfd.readouterr().out)
    assert not (new / "checkpoints").exists()
    assert main([str(suggested), "--output", str(new), "--quiet"]) == 0
    assert (
        json.loads((new / "test.json").read_text())["scores"] == json.loads((run / "test.json").read_text())["scores"]
    )
    assert lines(new / "data" / "train.source") == lines(run / "data" / "train.source")


@pytest.mark.parametrize(
    "beside", [["a.yaml"], ["--output", "run", "--resume"], ["--source", "a", "--target", "b", "--dry-run"]]
)
def test_a_suggestion_needs_text_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], beside: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--suggest", *beside]) == 2
    assert "--suggest needs --source and --target" in capfd.readouterr().err


def test_validation_is_by_chrf_where_few_pairs_are_held_out(run: Path) -> None:
    recipe = load_recipe(run / "recipe.yaml")
    assert (recipe.training.validation.select, recipe.training.tune_search) == ("chrf", True)
    assert (run / "search.json").exists()


@pytest.mark.parametrize(
    ("overrides", "objective"),
    [
        ([], {"type": "likelihood", "consistency": 2.0}),
        (["model.dropout.embedding=0"], {"type": "likelihood", "consistency": 2.0}),
        (["model.dropout.embedding=0", "model.dropout.readout=0"], None),
        (["training.max_minutes=5"], None),
        (["training.max_minutes=null"], {"type": "likelihood", "consistency": 2.0}),
        (["model.attention.type=hard"], None),
        (["model.attention.type=hard", "training.objective.type=reinforce"], {"type": "reinforce"}),
        (["training.objective.type=likelihood", "training.max_minutes=5"], {"type": "likelihood", "consistency": 0.0}),
        (["training.objective=null"], None),
    ],
)
def test_both_readings_of_a_pair_are_compared_where_that_is_possible(
    files: tuple[Path, Path], tmp_path: Path, overrides: list[str], objective: dict[str, object] | None
) -> None:
    recipe = config.to_mapping(recipe_for_files(files, tmp_path / "new", overrides))
    found = recipe["training"]["objective"]
    assert found == objective or (objective is not None and found is not None and objective.items() <= found.items())


def test_a_wrong_objective_is_told(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="consistancy"):
        recipe_for_files(files, tmp_path / "new", ["training.objective.consistancy=1"])

"""Whatever is wrong with what nmt-train is given ends in one clear message, the right status, and no traceback."""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_training import recipe_text, write_corpus

from nmt import experiment
from nmt.cli.train import main
from nmt.core.errors import DataError
from nmt.core.storage.lock import folder_lock
from nmt.model.seq2seq import Seq2Seq
from nmt.text.vocabularies import Vocabularies

Failure = Callable[..., str]
SHORT = ("training.max_steps=2", "training.validation_interval=2")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_corpus(tmp_path_factory.mktemp("corpus"), train=60)
    (root / "recipe.yaml").write_text(recipe_text(root), encoding="utf-8")
    return root


@pytest.fixture
def fails(capfd: pytest.CaptureFixture[str]) -> Failure:
    def run(*arguments: object, status: int) -> str:
        assert main([*map(str, arguments), "--quiet"]) == status
        output = capfd.readouterr()
        assert output.out == ""
        assert "Traceback" not in output.err
        lines = [line for line in output.err.splitlines() if not line.startswith("warning: ")]
        assert lines[0].startswith("error: ") and all(line.startswith("  ") for line in lines[1:]), output.err
        return output.err

    return run


def test_no_recipe_at_all(fails: Failure) -> None:
    assert "a recipe must be given, or --source and --target" in fails(status=2)
    assert "a recipe must be given" in fails("--resume", status=2)
    assert "a recipe must be given" in fails("seed=3", "--output", "x", status=2)
    assert "there is no file lr=5e-3/gone.yaml" in fails("lr=5e-3/gone.yaml", "seed=3", status=2)


def test_a_recipe_with_an_equals_sign_in_its_path(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "lr=0.005" / "recipe.yaml"
    path.parent.mkdir()
    path.write_text((root / "recipe.yaml").read_text())
    assert main(["seed=3", str(path), "--dry-run", "--quiet"]) == 0


def test_both_a_recipe_and_files(fails: Failure, root: Path) -> None:
    files = ("--source", root / "train.xx", "--target", root / "train.yy")
    assert "not both" in fails(root / "recipe.yaml", *files, status=2)
    assert "must be given together" in fails(*files[:2], status=2)
    assert "--output must be given" in fails(*files, status=2)
    assert "leave out --source and --target" in fails(*files, "--output", root, "--resume", status=2)
    for name, field in (("--validation", "data.validation"), ("--test", "test.corpus")):
        message = fails(root / "recipe.yaml", name, *files[1::2], status=2)
        assert f"{name} needs --source and --target; with a recipe, give {field}.source=" in message
        message = fails(*files, name, *files[1::2], f"{field}={{source: x, target: y}}", "--dry-run", status=2)
        assert f"{name} cannot be given where an override sets {field}" in message


def test_two_recipes(fails: Failure, root: Path) -> None:
    message = fails(root / "recipe.yaml", "other.yaml", status=2)
    assert "only one recipe can be given, but there are 2" in message and "other.yaml" in message
    assert "without blanks" not in message


@pytest.mark.parametrize("torn", [["seed", "=3"], ["seed=", "3"], ["seed", "=", "3"]])
def test_blanks_around_the_sign(fails: Failure, root: Path, torn: list[str]) -> None:
    assert "must be given as a.b=c, without blanks around the `=`" in fails(root / "recipe.yaml", *torn, status=2)
    if torn[-1] == "=3":
        assert "without blanks around the `=`" in fails("--output", root, "--resume", *torn, status=2)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("data: [unclosed", ["not readable as YAML", "line"]),
        ("just words", ["mapping"]),
        ("", ["must"]),
        ("\x00\x01", ["YAML"]),
        ("data: {train: []}\ntrainin: {}\n", ["trainin", "did you mean", "data.train", "training must be given"]),
    ],
)
def test_a_recipe_that_is_none(fails: Failure, tmp_path: Path, text: str, parts: list[str]) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    message = fails(tmp_path / "bad.yaml", "--output", tmp_path / "run", status=2)
    assert str(tmp_path / "bad.yaml") in message
    for part in parts:
        assert part in message
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_is_not_there(fails: Failure, root: Path, tmp_path: Path) -> None:
    message = fails(root / "recip.yaml", "--output", tmp_path / "run", status=2)
    assert "no such file" in message and "did you mean" in message
    assert not (tmp_path / "run").exists()


def test_an_override_that_is_wrong(fails: Failure, root: Path, tmp_path: Path) -> None:
    message = fails(root / "recipe.yaml", "training.max_step=5", "seed=many", "--output", tmp_path / "run", status=2)
    assert "training.max_steps" in message and "seed must be" in message
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_not_there(fails: Failure, root: Path, tmp_path: Path) -> None:
    message = fails(root / "recipe.yaml", "data.train.0.source=train.zz", "--output", tmp_path / "run", status=1)
    assert f"{root}/train.zz" in message and "no such file" in message
    message = fails("--source", root / "none", "--target", root / "train.yy", "--output", tmp_path / "two", status=1)
    assert "no such file" in message
    assert not (tmp_path / "two").exists()


@pytest.fixture
def changed(root: Path, tmp_path: Path) -> Callable[..., tuple[object, ...]]:
    """Write a corpus of one's own and give the arguments to train on it."""

    def write(source: bytes, target: bytes) -> tuple[object, ...]:
        folder = tmp_path / "data"
        folder.mkdir()
        (folder / "train.xx").write_bytes(source)
        (folder / "train.yy").write_bytes(target)
        options = ("data.validation=null", f"data.root={folder}", f"data.cache={folder}/cache")
        return (root / "recipe.yaml", *options, "--output", tmp_path / "run")

    return write


def test_an_empty_corpus(fails: Failure, changed: Callable[..., tuple[object, ...]]) -> None:
    assert "must hold at least one sentence pair, but is empty" in fails(*changed(b"", b""), status=1)


def test_a_corpus_of_blank_lines(fails: Failure, changed: Callable[..., tuple[object, ...]]) -> None:
    message = fails(*changed(b"\n\n", b"\n\n"), status=1)
    assert "the joint text of train.xx and train.yy is empty" in message


def test_sides_of_different_length(fails: Failure, changed: Callable[..., tuple[object, ...]]) -> None:
    message = fails(*changed(b"a\nb\nc\n", b"a\nb\n"), status=1)
    assert "train.xx has 3 lines" in message and "train.yy has 2" in message


def test_bytes_that_are_no_text(fails: Failure, changed: Callable[..., tuple[object, ...]]) -> None:
    message = fails(*changed(b"a\nb\xff\n", b"a\nb\n"), status=1)
    assert "train.xx: line 2, byte 2: must be UTF-8, but has 0xff" in message


def test_nothing_left_after_the_filters(fails: Failure, root: Path, tmp_path: Path) -> None:
    options = ("data.filters.min_length=90", "data.filters.max_length=100")
    message = fails(root / "recipe.yaml", *options, "--output", tmp_path / "run", status=1)
    assert "none of the 60 pairs is left after the filters (dropped: too_short 60)" in message


def test_a_vocabulary_larger_than_the_text_gives(fails: Failure, root: Path, tmp_path: Path) -> None:
    message = fails(root / "recipe.yaml", "data.subword.size=5000", "--output", tmp_path / "run", status=1)
    assert "data.subword.size must be at most" in message and "but is 5000" in message
    assert "the joint text of train.xx and train.yy" in message
    # The way out: the same command with another size.
    assert main([str(root / "recipe.yaml"), *SHORT, "--output", str(tmp_path / "run"), "--quiet"]) == 0
    assert "size: 70" in (tmp_path / "run" / "recipe.yaml").read_text()


def test_a_start_that_failed_with_a_vocabulary_is_begun_anew(fails: Failure, root: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = (root / "recipe.yaml", *SHORT, "data.cache=null", "--output", run)
    fails(*options, "data.filters={min_length: 90, max_length: 100}", status=1)
    assert {path.name for path in run.iterdir()} == {"recipe.yaml", "versions.json", "vocabulary", "cache"}
    with folder_lock(run):
        assert "is in use by process" in fails(*options, status=1)
    assert main([*map(str, options), "data.subword.size=60", "--quiet"]) == 0
    assert Vocabularies.load(run / "vocabulary").source.size == 60


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "metrics.jsonl",
        "best.json",
        "checkpoints/step-00000002/state.json",
        "vocabulary/mine.model",
        "data/train.xx",
    ],
)
def test_a_folder_with_anything_else_is_left_alone(fails: Failure, root: Path, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    fails(root / "recipe.yaml", "data.subword.size=5000", "--output", run, status=1)
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    message = fails(root / "recipe.yaml", *SHORT, "--output", run, status=1)
    assert f"{run}: is not empty; continue the run in it with --resume, or choose another --output" in message
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_recipe_of_ones_own_is_not_overwritten(fails: Failure, root: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    text = (root / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(text)
    assert "is not empty" in fails(run / "recipe.yaml", *SHORT, "--output", run, status=1)
    assert (run / "recipe.yaml").read_text() == text


LAST_STAGE = {
    "test.corpus": ["test={corpus: {source: none.xx, target: test.yy}}"],
    "alignment.corpus": ["alignment={corpus: {source: test.xx, target: none.yy}}"],
    "alignment.gold": ["alignment={corpus: {source: test.xx, target: test.yy}, gold: none.gold}"],
    "training.validation.gold": ["training.validation.gold=none.gold"],
}


@pytest.mark.parametrize("field", LAST_STAGE)
@pytest.mark.parametrize("dry", [True, False])
def test_what_is_needed_last_is_looked_at_first(
    fails: Failure, root: Path, tmp_path: Path, field: str, dry: bool
) -> None:
    where = ("--dry-run",) if dry else ("--output", tmp_path / "run")
    message = fails(root / "recipe.yaml", *LAST_STAGE[field], *where, status=1)
    assert message.startswith(f"error: {field}: {root}/none.") and "there is no such" in message
    assert not (tmp_path / "run" / "vocabulary").exists(), "before any work"


def test_files_of_the_last_stage_that_do_not_fit(fails: Failure, root: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("a\n")
    message = fails(
        root / "recipe.yaml", f"test={{corpus: {{source: test.xx, target: {short}}}}}", "--dry-run", status=1
    )
    assert f"test.corpus: {root}/test.xx has 12 lines, but {short} has 1" in message
    short.write_text("\n" * 12)
    corpus = "corpus: {source: test.xx, target: test.yy}"
    message = fails(root / "recipe.yaml", f"alignment={{{corpus}, gold: {short}}}", "--dry-run", status=1)
    assert f"alignment.gold: {short}: the gold alignment has no links" in message


def test_a_failure_after_training_says_that_the_model_is_there(
    fails: Failure, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"

    def gone(*_arguments: object, **_keywords: object) -> None:
        raise DataError("test.xx: there is no such file")

    monkeypatch.setattr(experiment, "evaluate", gone)
    test = "test={corpus: {source: test.xx, target: test.yy}}"
    message = fails(root / "recipe.yaml", *SHORT, test, "--output", run, status=1)
    assert f"warning: the model in {run} is finished" in message
    assert f"continue with: nmt-train --output {run} --resume" in message
    monkeypatch.undo()
    again = ["--output", str(run), "--resume", "test.corpus.source=validation.xx", "test.corpus.target=validation.yy"]
    assert main([*again, "--quiet"]) == 0
    assert "test: BLEU" in capfd.readouterr().out


def test_scores_that_cannot_be_made_are_told_before_training(fails: Failure, root: Path, tmp_path: Path) -> None:
    test = "test={corpus: {source: validation.xx, target: validation.yy}, moses: german}"
    message = fails(root / "recipe.yaml", test, "--output", tmp_path / "run", status=2)
    assert "test: moses must be a language" in message and "did you mean de?" in message
    if importlib.util.find_spec("MeCab") is None:
        japanese = "training.validation.tokenize=ja-mecab"
        message = fails(root / "recipe.yaml", japanese, "--dry-run", status=1)
        assert "training.validation: the tokenizer ja-mecab needs packages" in message
        assert 'pip install "sacrebleu[ja]"' in message


def test_alignments_that_are_asked_for_and_not_given(fails: Failure, root: Path, tmp_path: Path) -> None:
    message = fails(root / "recipe.yaml", "training.terms=[guided-alignment]", "--output", tmp_path / "run", status=2)
    assert "data.train.0.alignment must be given, because training.terms has guided-alignment" in message
    other = "data.train=[{type: tsv, files: a.tsv, source: xx, target: yy}]"
    message = fails(root / "recipe.yaml", other, "training.terms=[guided-alignment]", "--dry-run", status=2)
    assert "data.train.0.type must be text, the only kind with alignments" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ("0-0\n" * 61, "has 61 lines, but its corpus has 60 sentence pairs"),
        ("\n" * 59, "has 59 lines, but its corpus has 60 sentence pairs"),
        ("\n" * 7 + "0-99\n" + "\n" * 52, "line 8: link 0-99 is out of range: the source has"),
        ("0:0\n" + "\n" * 59, "line 1, field 1: a link must be SOURCE-TARGET"),
    ],
)
def test_alignments_that_do_not_fit(fails: Failure, root: Path, tmp_path: Path, links: str, message: str) -> None:
    (tmp_path / "bad.align").write_text(links)
    options = ("training.terms=[guided-alignment]", f"data.train.0.alignment={tmp_path}/bad.align")
    found = fails(root / "recipe.yaml", *options, "--output", tmp_path / "run", status=1)
    assert f"{tmp_path}/bad.align" in found and message in found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["model.attention=marginal"], "model.attention.type must not be marginal in the bahdanau decoder"),
        (["model.attention=hard", "training.objective=likelihood"], "training.objective must be reinforce"),
        (["training.objective=variational"], "training.objective must not be variational"),
    ],
)
def test_what_is_not_defined(fails: Failure, root: Path, tmp_path: Path, options: list[str], message: str) -> None:
    assert message in fails(root / "recipe.yaml", *options, "--output", tmp_path / "run", status=2)


def test_a_device_that_is_not_there(fails: Failure, root: Path, tmp_path: Path) -> None:
    # Before corpora are read: preparing a large one takes long.
    options = (root / "recipe.yaml", "training.device=gpu", "data.train.0.source=none")
    assert "training.device must be" in fails(*options, "--output", tmp_path / "run", status=2)
    assert "training.device must be" in fails(*options, "--dry-run", status=2)


def test_a_loss_that_is_not_a_number(
    fails: Failure, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = Seq2Seq.loss

    def broken(self: Seq2Seq, *arguments: object, **options: object) -> object:
        found = loss(self, *arguments, **options)  # type: ignore[arg-type]
        return type(found)(found.loss * float("nan"), found.nll, found.tokens) if self.training else found

    monkeypatch.setattr(Seq2Seq, "loss", broken)
    options = ("training.max_steps=50", "data.validation=null", "--output", tmp_path / "run")
    message = fails(root / "recipe.yaml", *options, status=1)
    assert "not finite in 20 updates in a row; there is no checkpoint yet" in message
    assert "Lower training.optimiser.learning_rate" in message and "lower training.clip_norm" in message
    other = fails(root / "recipe.yaml", *options[:-1], tmp_path / "other", "training.clip_norm=0", status=1)
    assert "lower training.clip_norm" not in other and "clip by training.clip_norm=1" in other


@pytest.mark.parametrize(
    ("corpus", "field"),
    [
        ("{source: [], target: [train.yy]}", "source"),
        ("{source: train.xx, target: ''}", "target"),
        ("{source: train.xx, target: train.yy, alignment: []}", "alignment"),
        ("{type: json, files: []}", "files"),
        ("{type: tsv, files: []}", "files"),
    ],
)
def test_a_corpus_that_names_no_file(fails: Failure, root: Path, corpus: str, field: str) -> None:
    message = fails(root / "recipe.yaml", f"data.train=[{corpus}]", "--dry-run", status=2)
    assert f"data.train.0.{field} must name at least one file, but is empty" in message


def test_a_folder_that_is_not_empty(fails: Failure, root: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    message = fails(root / "recipe.yaml", "--output", tmp_path, status=1)
    assert f"{tmp_path}: is not empty; choose another --output" in message
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    message = fails(root / "recipe.yaml", "--output", tmp_path / "notes.txt", status=1)
    assert "must be a folder, but is a file" in message
    assert "has no run to resume" in fails("--output", tmp_path, "--resume", status=1)
    (tmp_path / "recipe.yaml").write_text("{}")
    assert "continue the run in it with --resume" in fails(root / "recipe.yaml", "--output", tmp_path, status=1)


def test_an_output_that_cannot_be_made(fails: Failure, root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = fails(root / "recipe.yaml", "--output", tmp_path / "file" / "run", status=1)
    assert "cannot write into the run folder" in message and "Not a directory" in message


def limited(size: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command where no file can become larger than so many bytes, as on a disk that is full."""
    return subprocess.run(
        [sys.executable, "-m", "nmt.cli.train", *map(str, arguments), "--quiet"],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


@pytest.mark.parametrize(
    ("size", "what"), [(400_000, "cannot save a checkpoint"), (100, "cannot write into the run folder")]
)
def test_no_space_left(root: Path, tmp_path: Path, size: int, what: str) -> None:
    run = tmp_path / "run"
    options = ("training.checkpoint_interval=1", "model.embedding={size: 2000}", "data.validation=null")
    result = limited(size, root / "recipe.yaml", *options, "--output", run)
    assert result.returncode == 1, result.stderr
    assert result.stdout == "" and "Traceback" not in result.stderr
    assert (
        result.stderr.splitlines()[-1].startswith("error: ")
        and what in result.stderr
        and "File too large" in result.stderr
    )
    assert str(tmp_path) in result.stderr
    left = [path for path in run.rglob("*") if path.name.startswith(".") or ".part" in path.name]
    assert left == []

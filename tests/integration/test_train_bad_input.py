"""Whatever is wrong with what nmt-train is given ends in one clear message, the right status, and no traceback."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_training import recipe_text, write_corpus

from nmt.cli.train import main
from nmt.model.seq2seq import Seq2Seq

Failure = Callable[..., str]


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


def test_both_a_recipe_and_files(fails: Failure, root: Path) -> None:
    files = ("--source", root / "train.xx", "--target", root / "train.yy")
    assert "not both" in fails(root / "recipe.yaml", *files, status=2)
    assert "must be given together" in fails(*files[:2], status=2)
    assert "--output must be given" in fails(*files, status=2)
    assert "leave --source and --target out" in fails(*files, "--output", root, "--resume", status=2)


def test_two_recipes(fails: Failure, root: Path) -> None:
    message = fails(root / "recipe.yaml", "other.yaml", status=2)
    assert "there must be one recipe, but there are 2" in message and "other.yaml" in message


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
    assert "subword.size must be at most" in message and "but is 5000" in message
    # The run has nothing in it that could go on: the way out is named.
    again = fails(root / "recipe.yaml", "--output", tmp_path / "run", status=1)
    assert "is not empty" in again and "choose another --output" in again


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
    assert "training.device must be" in fails(
        root / "recipe.yaml", "training.device=tpu", "--output", tmp_path / "run", status=2
    )


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
    assert "Lower training.optimiser.learning_rate" in message


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
    assert result.stderr.startswith("error: ") and what in result.stderr and "File too large" in result.stderr
    assert str(tmp_path) in result.stderr
    left = [path for path in run.rglob("*") if path.name.startswith(".") or ".part" in path.name]
    assert left == []

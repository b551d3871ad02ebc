"""The command: its files, its report, its mistakes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.generate_corpus import main

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "generate_corpus.py"
SMALL = ["--train", "60", "--validation", "20", "--test", "30"]


def read(folder, name):
    return (folder / name).read_bytes().decode("utf-8").splitlines()


def test_it_runs_from_anywhere_and_writes_nine_files(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "corpus", *SMALL], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    )
    folder = tmp_path / "corpus"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{part}.{suffix}" for part in ("test", "train", "validation") for suffix in ("align", "de", "en")
    ]
    assert [len(read(folder, f"{part}.align")) for part in ("train", "validation", "test")] == [60, 20, 30]
    assert "oracle AER" in done.stdout
    assert "crossing" in done.stdout
    assert b"\r" not in (folder / "train.de").read_bytes()


def test_parts_share_no_source(tmp_path):
    assert main([str(tmp_path), "--train", "600", "--validation", "200", "--test", "200"]) == 0
    parts = [set(read(tmp_path, f"{part}.de")) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [600, 200, 200]
    assert len(set.union(*parts)) == 1000


def test_links_of_the_files_fit_their_lines(tmp_path):
    main([str(tmp_path), *SMALL])
    for german, english, links in zip(
        *(read(tmp_path, f"train.{suffix}") for suffix in ("de", "en", "align")), strict=True
    ):
        for link in links.split():
            i, j = map(int, link.split("-"))
            assert i < len(german.split())
            assert j < len(english.split())


def test_test_part_does_not_depend_on_the_size_of_the_training_part(tmp_path):
    main([str(tmp_path / "a"), *SMALL])
    main([str(tmp_path / "b"), *SMALL[2:], "--train", "10"])
    assert read(tmp_path / "a", "test.de") == read(tmp_path / "b", "test.de")


def test_it_can_be_run_again(tmp_path):
    main([str(tmp_path), *SMALL])
    first = (tmp_path / "train.de").read_bytes()
    main([str(tmp_path), *SMALL])
    assert (tmp_path / "train.de").read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--min-words", "3"], "5 <= min <= max <= 40"),
        (["--min-words", "20", "--max-words", "10"], "min <= max"),
        (["--train", "-1"], "0 or more"),
    ],
)
def test_wrong_arguments(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path), *arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_file_in_the_way_is_one_clear_message(tmp_path, capsys):
    (tmp_path / "taken").write_text("x")
    assert main([str(tmp_path / "taken")]) == 1
    assert "taken" in capsys.readouterr().err


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--min-words 20" in capsys.readouterr().out

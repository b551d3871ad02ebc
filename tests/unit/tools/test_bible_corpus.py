"""The verses that a package gives, and what is said of a file that is none."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tools import bible_corpus
from tools.bible_corpus import LINKS, SOURCE, TARGET, PackageError, Verse, read_verses

GREEK = [("n40001001001", "λόγος"), ("n40001001002", "ἦν"), ("n40001002001", "φῶς"), ("n40001003001", "ἀμήν")]
ENGLISH = [
    ("40001001001", "40001001", "The"),
    ("40001001002", "40001001", "Word"),
    ("40001001003", "40001001", '"'),
    ("40001002001", "40001002", "Light"),
    ("40001003001", "40001003", "Amen"),
]
RECORDS = [
    {"source": ["n40001001001"], "target": ["40001001001", "40001001002"]},
    {"source": ["n40001002001"], "target": ["40001002001", "40001001003"]},  # the second one is in another verse
]


def package(path: Path, records: object = RECORDS) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(SOURCE, "id\ttext\n" + "".join(f"{number}\t{text}\n" for number, text in GREEK))
        rows = "".join(f"{number}\t{verse}\t{text}\n" for number, verse, text in ENGLISH)
        archive.writestr(TARGET, "id\tsource_verse\ttext\n" + rows)
        archive.writestr(LINKS, json.dumps({"records": records}))
    return path


def test_verses_with_a_link_are_read_in_order(tmp_path: Path) -> None:
    assert read_verses(package(tmp_path / "a.whl")) == [
        Verse("40001001", ("λόγος", "ἦν"), ("The", "Word", '"'), frozenset({(0, 0), (0, 1)})),
        Verse("40001002", ("φῶς",), ("Light",), frozenset({(0, 0)})),
    ]


def test_the_command_writes_lines_that_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bible_corpus, "TUNED", 1)
    output = tmp_path / "corpus"
    assert bible_corpus.main([str(output), "--package", str(package(tmp_path / "a.whl"))]) == 0
    assert (output / "all.grc").read_text(encoding="utf-8") == "λόγος ἦν\nφῶς\n"
    assert (output / "all.en").read_text(encoding="utf-8") == 'The Word "\nLight\n'
    assert (output / "all.align").read_text() == "0-0 0-1\n0-0\n"
    assert (output / "tune.align").read_text() == "0-0 0-1\n"
    assert (output / "rest.en").read_text() == "Light\n"
    assert (output / "verses.txt").read_text() == "40001001\n40001002\n"


@pytest.mark.parametrize("content", [b"", b"no zip at all", None])
def test_another_file_is_refused_by_name(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "b.whl"
    if content is None:
        package(path, records={"source": 1})
    else:
        path.write_bytes(content)
    with pytest.raises(PackageError, match=r"b\.whl: not the package bible-alignments"):
        read_verses(path)
    assert bible_corpus.main([str(tmp_path / "out"), "--package", str(path)]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_a_package_that_is_there_is_not_got_again(tmp_path: Path) -> None:
    there = package(tmp_path / "bible_alignments-0.4.2-py3-none-any.whl")
    assert bible_corpus.download(tmp_path) == there

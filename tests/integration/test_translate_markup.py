"""Markup that nmt-translate carries from source to translation, as a person asks for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from test_translate_command import Streams, as_bytes
from tiny_run import MODEL_CONFIG, PLACEHOLDER, SEARCH, make_run, sentences

import nmt

PLAIN = sentences(6, seed=9, longest=6)
MARKED = [
    *(f"<b>{line.split()[0]}</b> &amp; <i k='1'>{' '.join(line.split()[1:])}</i><x/>" for line in PLAIN),
    *("", "<br/>", "<!-- c -->ab<g> cd</g>."),
]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Streams:
    return Streams(monkeypatch, capfdbinary)


def text_of(line: str) -> str:
    return "".join(ElementTree.fromstring(f"<r>{line}</r>").itertext())


@pytest.fixture(scope="module")
def wanted(tiny_run: Path) -> list[str]:
    translator = nmt.Translator.load(tiny_run)
    found = []
    for line in MARKED:
        document = nmt.read_markup(line, "xml")
        found.append(document.restored([each.best for each in translator.translate(document.texts)]))
    return found


def test_tags_come_with_the_translation(command: Streams, tiny_run: Path, wanted: list[str]) -> None:
    plain = [text_of(line) for line in MARKED]
    assert command(tiny_run, "--markup", "xml", given=as_bytes(MARKED)) == as_bytes(wanted)
    assert [text_of(line).split() for line in wanted] == [
        line.split() for line in command(tiny_run, given=as_bytes(plain)).decode().split("\n")[:-1]
    ]
    assert wanted[7] == "<br/>"


@pytest.mark.parametrize("more", [("--window", 2), ("--processes", 2, "--window", 3)])
def test_in_windows_and_processes(
    command: Streams, tiny_run: Path, wanted: list[str], more: tuple[object, ...]
) -> None:
    assert command(tiny_run, "--markup", "xml", *more, given=as_bytes(MARKED)) == as_bytes(wanted)


def test_every_hypothesis_and_its_plain_text(command: Streams, tiny_run: Path) -> None:
    options = [tiny_run, "--markup", "xml", "--n-best", 3]
    records = [json.loads(line) for line in command(*options, "--format", "jsonl", given=as_bytes(MARKED)).splitlines()]
    rows = [
        line.split("\t") for line in command(*options, "--format", "tsv", given=as_bytes(MARKED)).decode().splitlines()
    ]
    texts = [each["text"] for record in records for each in record["hypotheses"]]
    assert [row[4] for row in rows] == texts
    assert len(texts) > len(MARKED)
    for record, line in zip(records, MARKED, strict=True):
        assert record["source"] == text_of(line)
        for each in record["hypotheses"]:
            assert text_of(each["text"]).split() == each["plain"].split()
            assert [each["plain"][begin:end] for begin, end in each["spans"]] == each["plain"].split()


def test_resumed_sharded_and_by_json_lines(command: Streams, tiny_run: Path, wanted: list[str], tmp_path: Path) -> None:
    given, output = tmp_path / "in.xml", tmp_path / "out.xml"
    options = [tiny_run, "--markup", "xml", "--input", given, "--output", output, "--window", 3]
    given.write_bytes(as_bytes([*MARKED[:5], "<b>"]))
    command(*options, "--resume", status=1)
    assert f"{given}: line 6: must be well-formed XML, but <b> at character 1 is not closed" in command.errors
    given.write_bytes(as_bytes(MARKED))
    command(*options, "--resume")
    assert output.read_bytes() == as_bytes(wanted)
    output.unlink()
    for shard in (1, 2):
        command(*options, "--shard", f"{shard}/2")
    command("--join", output)
    assert output.read_bytes() == as_bytes(wanted)
    given.write_bytes(as_bytes([json.dumps({"text": line, "id": n}) for n, line in enumerate([*MARKED, "</b>"])]))
    out = command(
        tiny_run, "--markup", "xml", "--input", given, "--input-format", "jsonl", "--errors", "replace", status=1
    )
    assert out == as_bytes([*wanted, ""])
    assert "line 10 is left untranslated: must be well-formed XML" in command.errors


def test_with_what_is_asked_of_a_line(command: Streams, tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "prefix").write_bytes(as_bytes(["gh ij "] * len(MARKED)))
    (tmp_path / "terms").write_bytes(as_bytes([f"{PLAIN[0].split()[0]}\tab"]))
    options = ["--prefix", tmp_path / "prefix", "--glossary", tmp_path / "terms", "--max-length-offset", 20]
    lines = command(tiny_run, "--markup", "xml", *options, given=as_bytes(MARKED)).decode().split("\n")
    assert text_of(lines[0]).startswith("gh ij ")
    assert "ab" in text_of(lines[0]).split()


def test_long_lines_and_placeholders(tiny_run: Path) -> None:
    copying = nmt.CopyConfig(placeholders=(nmt.Placeholder.parse(f"{PLACEHOLDER}=[0-9]+"),))
    translator = nmt.Translator.load(tiny_run, max_pieces=8, copying=copying, search=replace(SEARCH, min_length=4))
    line = f"<a>{PLAIN[0]}. {PLAIN[1]}.</a> <b>12 {PLAIN[2]}.</b> {PLAIN[3]} 345."
    document = nmt.read_markup(line, "xml")
    (translation,) = translator.translate(document.texts)
    assert translation.parts > 2
    restored = document.restored([translation.best])
    assert text_of(restored).split() == translation.text.split()
    assert [each.tag for each in ElementTree.fromstring(f"<r>{restored}</r>")] == ["a", "b"]


def test_a_page_of_html(command: Streams, tiny_run: Path, tmp_path: Path) -> None:
    page = f"<html><body>\n<h1>{PLAIN[0]}</h1>\n<p>{PLAIN[1]}<p>ab <b>cd</b>\nef<br>{PLAIN[2]}\n<pre>x  y</pre></body>"
    texts = [PLAIN[0], PLAIN[1], "ab cd ef", PLAIN[2]]
    found = command(tiny_run, given=as_bytes(texts)).decode().split("\n")[:-1]
    given, output = tmp_path / "a.html", tmp_path / "b.html"
    given.write_text(page)
    command(tiny_run, "--markup", "html", "--input", given, "--output", output, "--window", 2)
    written = output.read_text()
    assert nmt.read_markup(written, "html").texts == found
    assert written.startswith(f"<html><body>\n<h1>{found[0]}</h1>\n<p>{found[1]}<p>")
    assert written.endswith(f"<br>{found[3]}\n<pre>x  y</pre></body>\n")
    given.write_text("<hr>")
    command(tiny_run, "--markup", "html", "--input", given, "--output", output)
    assert output.read_text() == "<hr>\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["xml", "--interactive"], "--interactive reads plain text: leave --markup out"),
        (["html", "--format", "tsv", "--resume", "--output", "x"], "leave out --resume, --format tsv"),
        (["html", "--input-format", "jsonl"], "leave out --input-format jsonl"),
    ],
)
def test_what_does_not_go_with_markup(command: Streams, tiny_run: Path, options: list[object], message: str) -> None:
    command(tiny_run, "--markup", *options, status=2)
    assert message in command.errors


def test_a_model_without_attention_is_refused(command: Streams, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", model={**MODEL_CONFIG, "attention": "none"})
    command(run, "--markup", "xml", given=b"a\n", status=2)
    assert "--markup has nothing to place tags by" in command.errors

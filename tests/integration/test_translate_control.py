"""Control over what nmt-translate decodes, as a person asks for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_translate_command import Streams, as_bytes
from tiny_run import sentences

import nmt
from nmt.cli.translate import main

LINES = ["", *sentences(5, seed=9, longest=5), "ab"]
PREFIXES = ["", "ab", "", "cd e", "", "", "gh "]
CONSTRAINTS = ["", "", "ab\tcd ef", "gh", "", "", ""]
AVOID = ["", "", "", "", "", "a\tb", ""]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Streams:
    return Streams(monkeypatch, capfdbinary)


@pytest.fixture
def asked(tmp_path: Path) -> list[object]:
    options: list[object] = []
    for name, lines in (("prefix", PREFIXES), ("constraints", CONSTRAINTS), ("avoid", AVOID)):
        (tmp_path / name).write_bytes(as_bytes(lines))
        options += [f"--{name}", tmp_path / name]
    return [*options, "--max-length-offset", 20]


@pytest.fixture(scope="module")
def wanted(tiny_run: Path) -> list[str]:
    from dataclasses import replace

    translator = nmt.Translator.load(tiny_run)
    translator.search = replace(translator.search, max_length_offset=20)
    requests = [
        nmt.Request(text, prefix=prefix, constraints=tuple(filter(None, must.split("\t"))), avoid=tuple(avoid.split()))
        for text, prefix, must, avoid in zip(LINES, PREFIXES, CONSTRAINTS, AVOID, strict=True)
    ]
    return [translation.text for translation in translator.translate(requests)]


@pytest.mark.parametrize("more", [(), ("--window", 2), ("--processes", 2, "--window", 3)])
def test_files_beside_the_input(
    command: Streams, tiny_run: Path, asked: list[object], wanted: list[str], more: tuple[object, ...]
) -> None:
    assert command(tiny_run, *asked, *more, given=as_bytes(LINES)) == as_bytes(wanted)
    assert wanted[1].startswith("ab")
    assert wanted[6].startswith("gh ")


def test_inputs_one_after_another_are_counted_on(
    command: Streams, tiny_run: Path, asked: list[object], wanted: list[str], tmp_path: Path
) -> None:
    parts = [tmp_path / "one.xx", tmp_path / "two.xx"]
    for path, lines in zip(parts, (LINES[:3], LINES[3:]), strict=True):
        path.write_bytes(as_bytes(lines))
    assert command(tiny_run, *asked, "--input", *parts) == as_bytes(wanted)


def test_an_output_is_resumed_with_what_was_asked(
    command: Streams, tiny_run: Path, asked: list[object], wanted: list[str], tmp_path: Path
) -> None:
    output, given = tmp_path / "out", tmp_path / "in"
    given.write_bytes(as_bytes(LINES[:4]) + b"\xff\n")
    whole = [tiny_run, *asked, "--input", given, "--output", output, "--window", 2, "--resume"]
    command(*whole, status=1)
    given.write_bytes(as_bytes(LINES))
    (tmp_path / "prefix").write_bytes(as_bytes(["", "another", *PREFIXES[2:]]))
    command(*whole, status=1)
    assert "are translations of another input" in command.errors
    (tmp_path / "prefix").write_bytes(as_bytes(PREFIXES))
    command(*whole)
    assert output.read_bytes() == as_bytes(wanted)


@pytest.mark.parametrize(("count", "message"), [(3, "has only 3"), (9, "but has more")])
def test_files_of_another_length_are_refused(
    command: Streams, tiny_run: Path, tmp_path: Path, count: int, message: str
) -> None:
    (tmp_path / "prefix").write_bytes(as_bytes([""] * count))
    command(tiny_run, "--prefix", tmp_path / "prefix", given=as_bytes(LINES), status=1)
    assert f"{tmp_path / 'prefix'}: must have a line for each line of the input" in command.errors
    assert message in command.errors


def test_a_line_of_which_too_much_is_asked_is_named(command: Streams, tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "constraints").write_bytes(as_bytes(["", "☃", "", "", "", "", ""]))
    out = command(tiny_run, "--constraints", tmp_path / "constraints", given=as_bytes(LINES), status=1)
    assert out.split(b"\n")[1] == b""
    assert "line 2 is left untranslated: the vocabulary cannot spell '☃' in '☃'" in command.errors
    assert "lines left untranslated; their translations are empty: 1 (lines 2)" in command.errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--interactive"], "--interactive does not go with --prefix"),
        (["--shard", "1/2", "--input", "a", "--output", "b"], "--shard reads one file: leave --prefix out"),
    ],
)
def test_what_goes_with_no_files_beside_is_refused(
    tiny_run: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main([str(tiny_run), "--prefix", "p", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", ["constraints", "glossary"])
def test_phrases_that_must_occur_need_a_beam(command: Streams, tiny_run: Path, tmp_path: Path, option: str) -> None:
    (tmp_path / option).write_bytes(b"ab\tcd\n")
    command(tiny_run, f"--{option}", tmp_path / option, "--strategy", "greedy", given=b"ab\n", status=2)
    assert f"--strategy must be beam for --{option}, but is greedy" in command.errors


def test_json_lines_in_and_out(command: Streams, tiny_run: Path, wanted: list[str], tmp_path: Path) -> None:
    fields = [
        {"text": text, "prefix": prefix, "constraints": must.split("\t") if must else [], "avoid": avoid.split()}
        for text, prefix, must, avoid in zip(LINES, PREFIXES, CONSTRAINTS, AVOID, strict=True)
    ]
    lines = [json.dumps({**each, "search": {"max_length_offset": 20}, "id": n}) for n, each in enumerate(fields)]
    given, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    given.write_bytes(as_bytes([*lines, "{"]))
    whole = [tiny_run, "--input-format", "jsonl", "--format", "jsonl", "--input", given, "--output", output, "--resume"]
    command(*whole, "--window", 3, status=1)
    assert f"{given}: line 8: must be a JSON object" in command.errors
    given.write_bytes(as_bytes(lines))
    command(*whole, "--window", 3)
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [record["hypotheses"][0]["text"] for record in records] == wanted
    assert [record["id"] for record in records] == list(range(7))
    given.write_bytes(as_bytes([*lines, "{"]))
    out = command(tiny_run, "--input-format", "jsonl", "--errors", "replace", "--input", given, status=1)
    assert out == as_bytes([*wanted, ""])
    assert "line 8 is left untranslated: must be a JSON object" in command.errors
    command(tiny_run, "--input-format", "jsonl", "--prefix", given, status=2)
    assert "--input-format jsonl has these in its lines: leave --prefix out" in command.errors


def test_a_glossary_is_used_in_the_lines_that_have_its_terms(command: Streams, tiny_run: Path, tmp_path: Path) -> None:
    word = LINES[1].split()[0]
    (tmp_path / "terms.tsv").write_text(f"{word.upper()}\tgh ij\n")
    options = [tiny_run, "--glossary", tmp_path / "terms.tsv"]
    free = command(tiny_run, given=as_bytes(LINES)).decode().split("\n")
    assert command(*options, given=as_bytes(LINES)).decode().split("\n") == free
    found = command(*options, "--glossary-ignore-case", given=as_bytes(LINES)).decode().split("\n")
    assert " gh ij " in f" {found[1]} "
    assert " gh ij " not in f" {free[1]} "
    assert found[6] == free[6]

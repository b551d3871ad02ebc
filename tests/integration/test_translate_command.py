"""nmt-translate as a person calls it."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from report_entries import entries_in
from tiny_run import MODEL_CONFIG, PLACEHOLDER, SEARCH, make_run, sentences

import nmt
from nmt.cli.translate import main
from nmt.core.logging import Progress
from nmt.core.storage.compression import by_name
from nmt.core.storage.files import read_text_lines
from nmt.data.batch import Tokens
from nmt.model.model_stepper import ModelStepper
from nmt.search.forced import force

LINES = ["", *sentences(12, seed=9), "   ", *sentences(3, seed=5), "ab\u2028cd\x85ef\rgh"]


class Streams:
    """Standard input and output of a command called in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        self._monkeypatch = monkeypatch
        self._captured = capfdbinary
        self.errors = ""

    def __call__(self, *arguments: object, given: bytes = b"", status: int = 0) -> bytes:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        result = main([str(argument) for argument in arguments])
        sys.stdout.flush()
        captured = self._captured.readouterr()
        self.errors = captured.err.decode()
        assert result == status, self.errors
        assert "Traceback" not in self.errors
        return captured.out


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Streams:
    return Streams(monkeypatch, capfdbinary)


def as_bytes(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.fixture(scope="module")
def wanted(tiny_run: Path) -> list[str]:
    return [translation.text for translation in nmt.Translator.load(tiny_run).translate(LINES)]


def test_standard_input_to_standard_output(command: Streams, tiny_run: Path, wanted: list[str]) -> None:
    assert command(tiny_run, given=as_bytes(LINES)) == as_bytes(wanted)
    assert "translating: 18 sentences" in command.errors
    assert wanted[0] == wanted[13] == ""
    assert command(tiny_run, "--quiet", "--window", 2, "--batch-tokens", 30, given=as_bytes(LINES)) == as_bytes(wanted)
    assert command.errors.count("\n") <= 1  # of the translations that were cut


def test_a_last_line_without_its_end_and_no_lines_at_all(command: Streams, tiny_run: Path, wanted: list[str]) -> None:
    assert command(tiny_run, given=as_bytes(LINES)[:-1]) == as_bytes(wanted)
    assert command(tiny_run, given=b"") == b""
    assert command(tiny_run, given=b"\n\n") == b"\n\n"


def test_search_options_change_the_search(command: Streams, tiny_run: Path) -> None:
    given = as_bytes(LINES)
    plain = command(tiny_run, given=given)
    greedy = command(tiny_run, "--strategy", "greedy", given=given)
    assert greedy != plain
    assert command(tiny_run, "--beam-size", 1, given=given) == greedy
    assert command(tiny_run, "--max-length-ratio", 0, "--max-length-offset", 2, given=given) != plain
    sampled = command(tiny_run, "--strategy", "sampling", "--temperature", 9, "--seed", 4, given=given)
    assert sampled == command(
        tiny_run, "--strategy", "sampling", "--temperature", 9, "--seed", 4, "--window", 5, given=given
    )
    assert sampled != command(tiny_run, "--strategy", "sampling", "--temperature", 9, "--seed", 5, given=given)


def test_greedy_gives_one_translation_whatever_the_recipe_says(command: Streams, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", search=replace(SEARCH, n_best=2))
    assert command(run, "--format", "tsv", given=b"ab cd\n").count(b"\n") == 2
    assert command(run, "--strategy", "greedy", "--format", "tsv", given=b"ab cd\n").count(b"\n") == 1


def test_tsv_and_jsonl_with_n_best(command: Streams, tiny_run: Path, wanted: list[str]) -> None:
    rows = command(tiny_run, "--format", "tsv", "--n-best", 3, given=as_bytes(LINES)).decode().split("\n")[:-1]
    fields = [row.split("\t") for row in rows]
    assert {len(row) for row in fields} == {5}
    assert [row[4] for row in fields if row[1] == "1"] == wanted
    assert [int(row[0]) for row in fields if row[1] == "1"] == list(range(1, len(LINES) + 1))
    assert any(row[1] == "2" for row in fields)
    written = command(tiny_run, "--format", "jsonl", "--n-best", 3, "--weights", given=as_bytes(LINES)).decode()
    records = [json.loads(line) for line in written.split("\n")[:-1]]
    assert [record["source"] for record in records] == LINES
    assert [record["hypotheses"][0]["text"] for record in records] == wanted
    best = records[1]["hypotheses"][0]
    assert len(best["weights"]) == len(best["text"].split())
    assert len(best["weights"][0]) == len(LINES[1].split()) + 1
    assert best["alignment"]


def test_files_to_a_folder_and_to_one_file(command: Streams, tiny_run: Path, tmp_path: Path, wanted: list[str]) -> None:
    one, two = tmp_path / "one.xx", tmp_path / "two.xx.gz"
    one.write_bytes(as_bytes(LINES[:5]))
    two.write_bytes(gzip.compress(as_bytes(LINES[5:])))
    assert command(tiny_run, "--input", one, two, "--output-dir", tmp_path / "out" / "deep") == b""
    assert (tmp_path / "out" / "deep" / "one.xx").read_bytes() == as_bytes(wanted[:5])
    assert (tmp_path / "out" / "deep" / "two.xx").read_bytes() == as_bytes(wanted[5:])
    command(tiny_run, "--input", one, two, "--output", tmp_path / "all")
    assert (tmp_path / "all").read_bytes() == as_bytes(wanted)
    assert command(tiny_run, "--input", one) == as_bytes(wanted[:5])
    tsv = command(tiny_run, "--input", one, two, "--format", "tsv").decode().split("\n")
    assert tsv[len(LINES) - 1].startswith(f"{len(LINES)}\t")
    command(tiny_run, "--input", one, two, "--format", "jsonl", "--output-dir", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "two.xx.jsonl").read_text().split("\n")[0])["line"] == 1


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2"])
def test_packed_in_and_packed_out(
    command: Streams, tiny_run: Path, tmp_path: Path, wanted: list[str], suffix: str
) -> None:
    compression = by_name(f"x{suffix}")
    assert compression is not None
    given, output, links = (tmp_path / f"{name}{suffix}" for name in ("given", "output", "links"))
    given.write_bytes(compression.pack(as_bytes(LINES)))
    command(tiny_run, "--input", given, "--output", output, "--alignments", links)
    for path in (output, links):
        assert compression.start.match(path.read_bytes())
    assert list(read_text_lines(output)) == wanted
    assert command(tiny_run, given=given.read_bytes()) == as_bytes(wanted), "standard input may be packed too"
    translations = nmt.Translator.load(tiny_run).translate(LINES)
    assert list(read_text_lines(links)) == [str(each.alignment) for each in translations]
    # A plain name is plain, and a folder's files are named as the text in the inputs.
    command(tiny_run, "--input", given, "--output-dir", tmp_path / "out")
    assert (tmp_path / "out" / "given").read_bytes() == as_bytes(wanted)


def test_a_packed_output_is_resumed(command: Streams, tiny_run: Path, tmp_path: Path, wanted: list[str]) -> None:
    output = tmp_path / "out.gz"
    bad = tmp_path / "bad"
    bad.write_bytes(as_bytes(LINES[:5]) + b"\xff\n")
    command(tiny_run, "--input", bad, "--output", output, status=1)
    assert list(read_text_lines(output)) == wanted[:5]
    bad.write_bytes(as_bytes(LINES))
    command(tiny_run, "--input", bad, "--output", output, "--resume")
    assert gzip.decompress(output.read_bytes()) == as_bytes(wanted)


@pytest.mark.parametrize("errors", ["strict", "replace"])
def test_packed_bytes_are_never_translated(command: Streams, tiny_run: Path, tmp_path: Path, errors: str) -> None:
    assert command(tiny_run, "--errors", errors, given=b"PK\x03\x04rest", status=1) == b""
    assert "standard input: must be a text file in UTF-8, plain or compressed, but is a zip archive" in command.errors
    (tmp_path / "x").write_bytes("ab\n".encode("utf-16"))
    assert command(tiny_run, "--errors", errors, "--input", tmp_path / "x", status=1) == b""
    assert "is text in UTF-16" in command.errors
    # What was sound before the damage is translated.
    assert command(tiny_run, "--errors", errors, given=gzip.compress(b"a\n")[:-4], status=1).count(b"\n") == 1
    assert "standard input: the gzip file is damaged or truncated" in command.errors


def test_a_page_is_not_packed(command: Streams, tiny_run: Path, tmp_path: Path) -> None:
    command(tiny_run, "--html", tmp_path / "page.html.gz", given=b"ab\n", status=1)
    assert "leave out .gz" in command.errors
    command(tiny_run, "--output", tmp_path / "out.zip", given=b"ab\n", status=1)
    assert "out.zip: cannot be compressed as its name says" in command.errors
    assert list(tmp_path.iterdir()) == []


def test_alignments_are_written_beside_the_translations(
    command: Streams, tiny_run: Path, tmp_path: Path, wanted: list[str]
) -> None:
    links = tmp_path / "links"
    assert command(tiny_run, "--alignments", links, "--window", 4, given=as_bytes(LINES)) == as_bytes(wanted)
    bundle = nmt.Bundle.load(tiny_run, device="cpu")
    translations = nmt.Translator([bundle]).translate(LINES)
    assert links.read_text().split("\n")[:-1] == [str(each.alignment) for each in translations]
    assert sum(map(bool, links.read_text().split("\n"))) > 8
    # The beam reorders its hypotheses; forced to write what it found, the model looks where the links say.
    vocabularies = bundle.vocabularies
    for each in translations:
        best = each.best
        if not (best.finished and each.source.pieces.ids):
            continue
        source = Tokens.pad([[*each.source.pieces.ids, vocabularies.source.eos_id]], 0)
        target = Tokens.pad([[*best.hypothesis.tokens, vocabularies.target.eos_id]], 0)
        (forced,) = force(ModelStepper(bundle.model), source, target, bos_id=vocabularies.target.bos_id)
        torch.testing.assert_close(best.hypothesis.weights, forced.weights, atol=1e-3, rtol=1e-3)
    several = tmp_path / "several"
    command(tiny_run, "--alignments", several, "--processes", 2, "--window", 5, given=as_bytes(LINES))
    assert several.read_text() == links.read_text()
    run = make_run(tmp_path / "plain", model={**MODEL_CONFIG, "attention": "none"})
    command(run, "--alignments", links, given=b"ab\n", status=2)
    assert "has no attention (model.attention: none)" in command.errors


def test_plots_are_drawn_for_the_first_lines(command: Streams, tiny_run: Path, tmp_path: Path) -> None:
    plots = tmp_path / "new" / "plots"
    command(tiny_run, "--plots", plots, "--plot-count", 2, "--plot-format", "svg", given=as_bytes(LINES))
    assert sorted(path.name for path in plots.iterdir()) == [
        "line-000002-edges.svg",
        "line-000002-heatmap.svg",
        "line-000003-edges.svg",
        "line-000003-heatmap.svg",
    ]


def test_interactive_shows_the_translation_and_the_attention(
    command: Streams, tiny_run: Path, wanted: list[str]
) -> None:
    shown = command(tiny_run, "--interactive", given=as_bytes(LINES[:3])).decode()
    assert f"{wanted[1]}\n   score " in shown
    assert "█" in shown
    many = command(tiny_run, "--interactive", "--n-best", 2, given=as_bytes(LINES)).decode()
    assert "2. " in many


def test_placeholders_and_unknown_words_are_copied(command: Streams, tiny_run: Path) -> None:
    given = as_bytes(["ab 12 cd 345", "1 2 3"])
    out = command(tiny_run, "--placeholder", f"{PLACEHOLDER}=[0-9]+", given=given).decode()
    assert any(character.isdigit() for character in out)
    assert command(tiny_run, "--replace-unknown", given=given).count(b"\n") == 2


def test_an_ensemble(command: Streams, tiny_run: Path, tmp_path: Path, wanted: list[str]) -> None:
    other = make_run(tmp_path / "other", seed=4)
    assert command(tiny_run, tiny_run, given=as_bytes(LINES)) == as_bytes(wanted)
    assert command(tiny_run, other, given=as_bytes(LINES)) != as_bytes(wanted)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["{run}x"], 1, "no such run folder; did you mean"),
        (["{run}", "--input", "{tmp}/none.txt"], 1, "no such file"),
        (["{run}", "--output", "{tmp}/no/where.txt"], 1, "the folder"),
        (["{run}", "--output", "{tmp}"], 1, "cannot write the translations"),
        (["{run}", "--input", "{tmp}/a.txt", "--output", "{tmp}/a.txt"], 2, "would be overwritten"),
        (["{run}", "--input", "{tmp}/a.txt", "--output-dir", "{tmp}"], 2, "would be overwritten"),
        (["{run}", "--input", "{tmp}/a.txt", "{tmp}/b/a.txt", "--output-dir", "{tmp}/o"], 2, "two inputs would both"),
        (["{run}", "--output-dir", "{tmp}/o"], 2, "--output-dir needs --input"),
        (["{run}", "--weights"], 2, "--weights needs --format jsonl"),
        (["{run}", "--n-best", "2"], 2, "--n-best needs --format tsv or jsonl"),
        (["{run}", "--n-best", "9", "--format", "tsv"], 2, "--n-best must be at most beam_size (3), but is 9"),
        (["{run}", "--top-k", "3"], 2, "--top-k needs --strategy sampling, but the strategy is beam"),
        (["{run}", "--strategy", "greedy", "--beam-size", "4"], 2, "--beam-size needs --strategy beam"),
        (["{run}", "--strategy", "sampling", "--top-p", "2"], 2, "--top-p must be above 0 and at most 1"),
        (["{run}", "--device", "cuda:77"], 2, "device must be"),
        (["{run}", "--checkpoint", "nope"], 1, "has no checkpoint 'nope'"),
        (["{run}", "--window", "0"], 2, "--window must be at least 1"),
        (["{run}", "--batch-tokens", "0"], 2, "--batch-tokens must be at least 1"),
        (["{run}", "--threads", "0"], 2, "--threads must be at least 1"),
        (["{run}", "--processes", "0"], 2, "--processes must be at least 1"),
        (["{run}", "--max-pieces", "0"], 2, "--max-pieces must be at least 1"),
        (["{run}", "--processes", "2", "--plots", "{tmp}/p"], 2, "--plots needs --processes 1"),
        (["{run}", "--processes", "2", "--threads", "2"], 2, "--threads needs --processes 1"),
        (["{run}", "--resume"], 2, "--resume needs --output or --output-dir"),
        (["{run}", "--resume", "--output", "/dev/null"], 2, "/dev/null: is not a regular file, and cannot be resumed"),
        (["{run}", "--placeholder", "<url>=x"], 2, "must be one piece of the vocabulary"),
        (["{run}", "--interactive", "--plots", "{tmp}/p"], 2, "--interactive reads and writes the terminal"),
        (["{run}", "--interactive", "--html", "{tmp}/p"], 2, "--interactive reads and writes the terminal"),
        (["{run}", "--html", "{tmp}/no/p.html"], 1, "cannot write the report; the folder"),
        (
            ["{run}", "--html", "{tmp}/a.txt", "--input", "{tmp}/a.txt"],
            2,
            "a.txt: is an input and would be overwritten",
        ),
        (
            ["{run}x", "--output", "{tmp}/h", "--html", "{tmp}/h"],
            2,
            "--output and --html must be two files, but both are",
        ),
        (["{run}x", "--alignments", "{tmp}/h", "--html", "{tmp}/h"], 2, "--alignments and --html must be two files"),
        (["{run}x", "--output", "{tmp}/h", "--alignments", "{tmp}/h"], 2, "--output and --alignments must be two"),
        (
            ["{run}x", "--input", "{tmp}/a.txt", "--output-dir", "{tmp}/o", "--html", "{tmp}/o/a.txt"],
            2,
            "--output-dir and --html must be two files, but both are",
        ),
        (["{run}", "--html", "{tmp}/h", "--resume", "--output", "{tmp}/o"], 2, "leave out --resume"),
        (["{run}", "--trees", "1-5"], 2, "--trees needs --html"),
        (["{run}", "--html", "{tmp}/h", "--trees", "5-1"], 2, "--trees must be numbers of lines, from 1, such as 1-10"),
        (["{run}", "--html", "{tmp}/h", "--trees", "0"], 2, "but is '0'"),
        (
            ["{run}", "--html", "{tmp}/h", "--trees", "1", "--strategy", "greedy"],
            2,
            "--strategy must be beam for --trees",
        ),
    ],
)
def test_mistakes_end_in_one_message(
    command: Streams, tiny_run: Path, tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    (tmp_path / "a.txt").write_text("ab\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.txt").write_text("ab\n")
    filled = [argument.format(run=tiny_run, tmp=tmp_path) for argument in arguments]
    assert command(*filled, given=b"ab\n", status=status) == b""
    assert message in command.errors
    assert len(command.errors.strip().split("\n")) == 1
    assert (tmp_path / "a.txt").read_text() == "ab\n"


def test_bytes_that_are_not_utf8_are_named_and_what_was_finished_stays(
    command: Streams, tiny_run: Path, wanted: list[str]
) -> None:
    given = as_bytes(LINES[:4]) + b"ab\xff\n"
    out = command(tiny_run, "--window", 2, given=given, status=1)
    assert out == as_bytes(wanted[:4])
    assert "standard input: line 5, byte 3: must be UTF-8, but has 0xff" in command.errors


def test_bytes_that_are_not_utf8_can_be_replaced(command: Streams, tiny_run: Path) -> None:
    given = b"ab cd\nef\xff\xfegh\n\xc3\ncd\n"
    wanted = [
        each.text for each in nmt.Translator.load(tiny_run).translate(["ab cd", "ef\ufffd\ufffdgh", "\ufffd", "cd"])
    ]
    assert command(tiny_run, "--errors", "replace", given=given) == as_bytes(wanted)
    assert "standard input: 2 lines had bytes that are not UTF-8 (the first is line 2)" in command.errors


def test_a_bad_line_takes_no_other_of_its_window_with_it(command: Streams, tiny_run: Path, wanted: list[str]) -> None:
    out = command(tiny_run, given=as_bytes(LINES[:5]) + b"ab\xff\n" + as_bytes(LINES[5:]), status=1)
    assert out == as_bytes(wanted[:5])
    assert "line 6, byte 3" in command.errors


def test_long_lines_are_split_or_reported(command: Streams, tiny_run: Path) -> None:
    line = " ".join(LINES[1:6])
    given = as_bytes(["ab", line, "cd"])
    split = command(tiny_run, "--max-pieces", 12, given=given).decode().split("\n")
    assert "line 2 has" in command.errors
    assert "translated in" in command.errors
    report = (tiny_run, "--max-pieces", 12, "--long-lines", "report")
    reported = command(*report, given=given, status=1).decode().split("\n")
    assert split[0] == reported[0] != ""
    assert split[2] == reported[2] != ""
    assert split[1] != reported[1] == ""
    assert "lines left untranslated; their translations are empty: 1 (lines 2)" in command.errors
    written = command(*report, "--format", "jsonl", given=given, status=1).decode()
    records = [json.loads(record) for record in written.split("\n")[:-1]]
    assert "at most 12" in records[1]["problem"]
    assert "problem" not in records[0]


FORMATS = [(), ("--format", "tsv", "--n-best", 3), ("--format", "jsonl", "--n-best", 2)]


@pytest.mark.parametrize("form", FORMATS, ids=["text", "tsv", "jsonl"])
def test_resuming_gives_the_file_of_an_uninterrupted_run(
    command: Streams, tiny_run: Path, tmp_path: Path, form: tuple[object, ...]
) -> None:
    given, source, output = as_bytes(LINES), tmp_path / "in", tmp_path / "out"
    whole = command(tiny_run, *form, "--window", 4, given=given)
    source.write_bytes(as_bytes(LINES[:8]) + b"\xff" + as_bytes(LINES[8:]))
    arguments = (tiny_run, *form, "--window", 4, "--input", source, "--output", output, "--resume")
    command(*arguments, status=1)
    assert whole.startswith(output.read_bytes())
    with output.open("ab") as file:
        file.write(b"half a li")
    source.write_bytes(given)
    assert command(*arguments) == b""
    assert output.read_bytes() == whole
    assert "has 8 lines; continuing with line 9" in command.errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_of_files_it_is_told_how_far_it_is(
    command: Streams, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nmt.cli.translate.Progress", functools.partial(Progress, interval=0.0))
    source, packed, output = tmp_path / "in", tmp_path / "in.gz", tmp_path / "out"
    source.write_bytes(as_bytes(LINES[:8]) + b"\xff" + as_bytes(LINES[8:]))
    arguments = (tiny_run, "--window", 4, "--input", source, "--output", output, "--resume")
    command(*arguments, status=1)
    assert "translating: 8/18 sentences (44%)" in command.errors
    source.write_bytes(as_bytes(LINES))
    command(*arguments)
    told = [line.partition(",")[0] for line in command.errors.splitlines() if "/18 sentences" in line]
    assert told == [f"translating: {done}/18 sentences ({done / 18:.0%})" for done in (12, 16, 18)]
    assert "translating: 10 sentences in" in command.errors
    command(tiny_run, "--input", source, source)
    assert "translating: 36/36 sentences (100%)" in command.errors
    packed.write_bytes(gzip.compress(as_bytes(LINES)))
    command(tiny_run, "--input", source, packed)
    assert "translating: 36 sentences, " in command.errors


def test_lines_are_not_counted_for_progress_that_nobody_sees(
    command: Streams, tiny_run: Path, tmp_path: Path, wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nmt.cli.translate.count_lines", lambda path: pytest.fail(f"{path} was read to be counted"))
    source = tmp_path / "in"
    source.write_bytes(as_bytes(LINES))
    assert command(tiny_run, "--input", source, "--quiet") == as_bytes(wanted)
    assert "translating:" not in command.errors


def interrupted(command: Streams, *arguments: object, output: Path) -> None:
    """Leave an output of two lines that can be resumed."""
    command(*arguments, "--output", output, given=as_bytes(LINES[:2]) + b"\xff\n", status=1)
    assert output.read_bytes().count(b"\n") == 2


def test_resuming_needs_the_same_input_model_and_settings(command: Streams, tiny_run: Path, tmp_path: Path) -> None:
    output, other = tmp_path / "out", make_run(tmp_path / "other", seed=4)
    interrupted(command, tiny_run, output=output)
    before = output.read_bytes()
    for arguments, given, message in (
        ((tiny_run,), as_bytes(["another", *LINES[1:]]), "translations of another input"),
        ((tiny_run,), as_bytes(LINES[:1]), "the input has only 1; it was another input"),
        ((other,), as_bytes(LINES), "it was started with another model"),
        ((tiny_run, "--beam-size", 2), as_bytes(LINES), "it was started with beam_size 3 (now 2)"),
        ((tiny_run, "--format", "tsv"), as_bytes(LINES), "it was started with format 'text' (now 'tsv')"),
    ):
        command(*arguments, "--output", output, "--resume", given=given, status=1)
        assert message in command.errors
        assert output.read_bytes() == before
    command(tiny_run, "--output", output, given=as_bytes(LINES), status=1)
    assert "out: is unfinished; continue with --resume" in command.errors
    command(tiny_run, "--output", output, "--resume", "--batch-tokens", 30, "--window", 3, given=as_bytes(LINES))
    assert output.read_bytes() == as_bytes([each.text for each in nmt.Translator.load(tiny_run).translate(LINES)])
    command(tiny_run, "--output", output, "--resume", given=as_bytes(LINES), status=1)
    assert "there is no out.resume beside it" in command.errors


def test_resuming_several_files(command: Streams, tiny_run: Path, tmp_path: Path, wanted: list[str]) -> None:
    one, two, three = tmp_path / "one.xx", tmp_path / "two.xx", tmp_path / "three.xx"
    one.write_bytes(as_bytes(LINES[:5]))
    two.write_bytes(as_bytes(LINES[5:8]) + b"\xff\n")
    three.write_bytes(as_bytes(LINES[10:]))
    folder = tmp_path / "out"
    for where in (("--output-dir", folder), ("--output", tmp_path / "all")):
        two.write_bytes(as_bytes(LINES[5:8]) + b"\xff\n")
        command(tiny_run, "--input", one, two, three, *where, "--resume", status=1)
        two.write_bytes(as_bytes(LINES[5:10]))
        command(tiny_run, "--input", one, two, three, *where, "--resume")
    assert (tmp_path / "all").read_bytes() == as_bytes(wanted)
    assert (folder / "one.xx").read_bytes() == as_bytes(wanted[:5])
    assert (folder / "two.xx").read_bytes() == as_bytes(wanted[5:10])
    assert (folder / "three.xx").read_bytes() == as_bytes(wanted[10:])
    assert sorted(path.name for path in folder.iterdir()) == ["one.xx", "three.xx", "two.xx"]


def test_fast_paths_and_precision(command: Streams, tiny_run: Path, tmp_path: Path, wanted: list[str]) -> None:
    given, source, output = as_bytes(LINES), tmp_path / "in", tmp_path / "out"
    assert command(tiny_run, "--no-fast-paths", given=given) == as_bytes(wanted)
    low = command(tiny_run, "--precision", "bf16", given=given)
    assert low.count(b"\n") == given.count(b"\n")
    # Begun in one precision, an output is not finished in the other; whether paths are fast does not matter.
    source.write_bytes(as_bytes(LINES[:5]) + b"\xff\n")
    command(tiny_run, "--input", source, "--output", output, "--resume", status=1)
    source.write_bytes(given)
    command(tiny_run, "--input", source, "--output", output, "--resume", "--precision", "bf16", status=1)
    assert "precision" in command.errors
    command(tiny_run, "--input", source, "--output", output, "--resume", "--no-fast-paths")
    assert output.read_bytes() == as_bytes(wanted)


def test_several_processes_give_what_one_gives(
    command: Streams, tiny_run: Path, tmp_path: Path, wanted: list[str]
) -> None:
    given, source = as_bytes(LINES), tmp_path / "in"
    two = ("--processes", 2, "--window", 3)
    assert command(tiny_run, *two, given=given) == as_bytes(wanted)
    source.write_bytes(given)
    command(tiny_run, *two, "--input", source, source, "--output", tmp_path / "out", "--format", "tsv", "--n-best", 2)
    many = (tmp_path / "out").read_bytes()
    one = ("--processes", 1, "--window", 3)
    assert many == command(tiny_run, *one, "--input", source, source, "--format", "tsv", "--n-best", 2)
    command(tiny_run, *two, given=as_bytes(LINES[:4]) + b"\xff\n", status=1)
    assert "standard input: line 5, byte 1" in command.errors


def run_process(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    parts = [sys.executable, "-m", "nmt.cli.translate", *map(str, arguments)]
    # Whoever runs the tests in the background has SIGINT ignored; the command must not inherit that.
    options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(parts, env=environment, bufsize=0, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.slow
def test_an_open_pipe_is_answered_and_a_reader_that_leaves_ends_it_quietly(tiny_run: Path, wanted: list[str]) -> None:
    pipe = subprocess.PIPE
    with run_process(tiny_run, "--window", 1, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        for line, answer in zip(LINES[:3], wanted[:3], strict=True):
            process.stdin.write(as_bytes([line]))
            process.stdin.flush()
            assert process.stdout.readline() == as_bytes([answer])
        process.stdout.close()
        for _ in range(50):  # until the writer notices
            try:
                process.stdin.write(as_bytes(LINES[:3]))
                process.stdin.flush()
            except BrokenPipeError:
                break
            time.sleep(0.02)
        process.stdin.close()
        assert process.wait(400) == 141
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.slow
def test_interrupting_keeps_what_is_finished(tiny_run: Path, tmp_path: Path, wanted: list[str]) -> None:
    output = tmp_path / "out"
    with run_process(
        tiny_run, "--window", 1, "--output", output, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdin.write(as_bytes(LINES[:2]))
        process.stdin.flush()
        deadline = time.monotonic() + 400
        while not (output.exists() and output.read_bytes().count(b"\n") == 2):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(400) == 130
        assert process.stderr.read().decode().strip().endswith("interrupted")
    assert output.read_bytes() == as_bytes(wanted[:2])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_no_space_left_is_one_message(tiny_run: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = run_process(tiny_run, stdin=subprocess.PIPE, stdout=full, stderr=subprocess.PIPE)
        _, errors = process.communicate(b"ab\n")
    assert process.returncode == 1
    assert b"No space left" in errors
    assert b"Traceback" not in errors


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_a_closed_stream_is_one_message(tiny_run: Path, closed: str) -> None:
    command = f"'{sys.executable}' -m nmt.cli.translate '{tiny_run}' {closed}"
    done = subprocess.run(["sh", "-c", command], input=b"ab\n", capture_output=True, check=False)
    assert done.returncode == 1
    assert b"is closed" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_processes_answer_an_open_pipe_and_end_with_the_command(
    tiny_run: Path, tmp_path: Path, wanted: list[str]
) -> None:
    output, pipe = tmp_path / "out", subprocess.PIPE
    options = ("--processes", 2, "--window", 1, "--quiet")
    with run_process(tiny_run, *options, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        for line, answer in zip(LINES[:3], wanted[:3], strict=True):
            process.stdin.write(as_bytes([line]))
            process.stdin.flush()
            assert process.stdout.readline() == as_bytes([answer])
        process.send_signal(signal.SIGINT)
        assert process.wait(400) == 130
        assert process.stderr.read().decode().strip() == "interrupted"
    with run_process(tiny_run, *options, "--output", output, stdin=pipe, stderr=pipe) as process:
        process.stdin.write(as_bytes(LINES[:2]))
        process.stdin.flush()
        deadline = time.monotonic() + 400
        while not (output.exists() and output.read_bytes().count(b"\n") == 2):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        children = [Path(f"/proc/{child}/cmdline") for child in listed]
        process.kill()
        process.wait()
        process.stdin.close()
        while any(
            Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes()
            for child in children
        ):
            assert time.monotonic() < deadline, "a process outlived the command"
            time.sleep(0.05)
    assert len(children) >= 2


def test_a_page_with_n_best_lists_and_trees(
    command: Streams, tiny_run: Path, wanted: list[str], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    out = command(tiny_run, "--html", page, "--n-best", 3, "--trees", "2-3,18", given=as_bytes(LINES))
    assert out == as_bytes(wanted), "the translations are what they are without a page"
    entries = entries_in(page.read_text(encoding="utf-8"))
    records = [
        json.loads(line)
        for line in command(
            tiny_run, "--format", "jsonl", "--n-best", 3, "--weights", given=as_bytes(LINES)
        ).splitlines()
    ]
    assert [entry["number"] for entry in entries] == [record["line"] for record in records]
    for entry, record in zip(entries, records, strict=True):
        assert len(entry["source"]["words"]) == len(record["source"].split())
        assert len(entry["targets"]) == len(record["hypotheses"])
        for target, hypothesis in zip(entry["targets"], record["hypotheses"], strict=True):
            assert target["words"] == hypothesis["text"].split()
            assert target.get("pieces", []) == hypothesis["pieces"]
            assert target["links"]["links"] == hypothesis["alignment"]
            assert target["measures"]["score"] == pytest.approx(hypothesis["score"], abs=1e-4)
            if hypothesis["weights"]:
                (layer,) = target["layers"]
                assert (layer["name"], layer["words"][:2]) == (
                    "attention",
                    [len(hypothesis["weights"]), len(hypothesis["weights"][0])],
                )
    assert [entry["number"] for entry in entries if "tree" in entry] == [2, 3, 18]
    for entry in entries:
        if "tree" not in entry:
            continue
        tree = entry["tree"]
        for end, target in zip(tree["returned"], entry["targets"], strict=True):
            pieces, place = [], end
            while place >= 0:
                pieces.append(tree["letters"][tree["pieces"][place]])
                place = tree["parents"][place]
            assert [piece for piece in pieces[::-1] if piece] == target["pieces"]


def test_a_page_by_several_processes_and_of_several_files(command: Streams, tiny_run: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(as_bytes(LINES))
    pages = []
    for options in (["--processes", 1], ["--processes", 2, "--window", 5]):
        page = tmp_path / "page.html"
        inputs = ["--input", source, source, "--output", tmp_path / "out.txt"]
        command(tiny_run, "--html", page, "--trees", "20", *inputs, *options)
        pages.append(entries_in(page.read_text(encoding="utf-8")))
    assert len(pages[0]) == 2 * len(LINES)
    assert [entry["number"] for entry in pages[0] if "tree" in entry] == [20]
    for one, other in zip(*pages, strict=True):
        assert one["source"] == other["source"]
        assert [each["words"] for each in one["targets"]] == [each["words"] for each in other["targets"]]
    assert page.read_text(encoding="utf-8").count('"begin":19') == 4


def test_a_page_of_a_model_without_attention(command: Streams, tmp_path: Path) -> None:
    run = make_run(tmp_path / "plain", model={**MODEL_CONFIG, "attention": "none"})
    command(run, "--html", tmp_path / "page.html", given=as_bytes(LINES[:4]))
    entries = entries_in((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert [entry["number"] for entry in entries] == [1, 2, 3, 4]
    assert not any("layers" in target for entry in entries for target in entry["targets"])


def test_a_page_is_whole_or_not_there(command: Streams, tiny_run: Path, tmp_path: Path) -> None:
    command(tiny_run, "--html", tmp_path / "page.html", given=b"ab\n\xff\n", status=1)
    assert list(tmp_path.iterdir()) == []
    command(
        tiny_run,
        "--html",
        tmp_path / "page.html",
        "--long-lines",
        "report",
        "--max-pieces",
        2,
        given=b"ab cd efgh\n",
        status=1,
    )
    (entry,) = entries_in((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert entry["note"].startswith("Not translated: it has ")

"""nmt-translate --shard and --join as a person calls them."""

from __future__ import annotations

import functools
import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_run import PLACEHOLDER, make_run, sentences

from nmt.cli.translate import main
from nmt.core.logging import Progress
from nmt.core.storage.compression import COMPRESSIONS
from nmt.core.storage.files import read_text_lines
from nmt.translation.output.rendering import Rendering

LINES = [
    *("", *sentences(9, seed=9), "   ", "\ufeffab 12 cd 3", "ab\u2028cd\x85ef\rgh", *sentences(6, seed=5)),
    *("7 " * 30, "", "☃ ab\r"),
]
TEXT = "\n".join(LINES).encode()  # the last line has no end
WINDOW = ("--window", 4)


class Command:
    """The command, called in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._captured = capfd
        self.errors = ""

    def __call__(self, *arguments: object, status: int = 0) -> None:
        result = main([str(argument) for argument in arguments])
        captured = self._captured.readouterr()
        self.errors = captured.err
        assert captured.out == ""
        assert result == status, self.errors
        assert "Traceback" not in self.errors

    def shards(self, *arguments: object, count: int) -> None:
        """Translate all shards, the last one first."""
        for number in range(count, 0, -1):
            self(*arguments, "--shard", f"{number}/{count}")


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(capfd)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let translating stop, as by Ctrl-C, after so many windows; 0 lets it go on."""
    translate = Rendering.__call__
    left = 0

    def one(self: Rendering, window: object) -> object:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt(signal.SIGTERM)
        return translate(self, window)  # type: ignore[arg-type]

    def after(windows: int) -> None:
        nonlocal left
        left = windows and windows + 1

    monkeypatch.setattr(Rendering, "__call__", one)
    return after


FORMS: dict[str, tuple[int, tuple[object, ...]]] = {
    "one shard": (1, ()),
    "more shards than windows": (9, ()),
    "tsv": (2, ("--format", "tsv", "--n-best", 3)),
    "jsonl": (2, ("--format", "jsonl", "--n-best", 2, "--weights")),
    "copying": (3, ("--placeholder", f"{PLACEHOLDER}=[0-9]+", "--replace-unknown")),
    "long lines": (3, ("--max-pieces", 9, "--format", "jsonl")),
    "samples": (2, ("--strategy", "sampling", "--temperature", 2, "--n-best", 2, "--format", "tsv", "--seed", 7)),
}


def test_json_lines_with_a_glossary_and_markup(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    words = sentences(9, seed=9)
    given = tmp_path / "in.jsonl"
    given.write_text(
        "".join(f"{json.dumps({'id': n, 'text': f'<b>{text}</b>', 'avoid': ['j']})}\n" for n, text in enumerate(words))
    )
    (tmp_path / "terms").write_text(f"{words[1].split()[0]}\tab cd\n{words[7].split()[0]}\tef\n")
    arguments = (tiny_run, "--input", given, "--input-format", "jsonl", "--glossary", tmp_path / "terms", *WINDOW)
    arguments = (*arguments, "--markup", "xml", "--format", "jsonl", "--max-length-offset", 20)
    command(*arguments, "--output", tmp_path / "whole")
    command.shards(*arguments, "--output", tmp_path / "out", count=3)
    command("--join", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    records = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [record["id"] for record in records] == [*range(9)]
    texts = [record["hypotheses"][0]["text"] for record in records]
    assert " ab cd " in f" {texts[1][3:-4]} "
    assert " ef " in f" {texts[7][3:-4]} "
    (tmp_path / "terms").write_text("ab\tcd\n")
    command(*arguments, "--output", tmp_path / "out", "--shard", "1/3", status=1)
    assert "glossary" in command.errors


@pytest.mark.parametrize(("count", "form"), FORMS.values(), ids=FORMS)
def test_joined_shards_are_the_bytes_of_an_undivided_run(
    command: Command, tiny_run: Path, tmp_path: Path, source: Path, count: int, form: tuple[object, ...]
) -> None:
    arguments = (tiny_run, "--input", source, *WINDOW, *form)
    command(*arguments, "--output", tmp_path / "whole")
    command.shards(*arguments, "--output", tmp_path / "out", count=count)
    assert f"out.shard-1-of-{count}: finished; when all shards are, join them: nmt-translate --join" in command.errors
    command("--join", tmp_path / "out")
    assert f"out: translations of {len(LINES)} lines" in command.errors
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    assert len(list(tmp_path.glob("out.shard-*"))) == 2 * count, "shards and records are kept"
    command("--join", tmp_path / "out", "--remove-shards", "--quiet")
    assert command.errors == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "whole"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_packed_in_and_packed_out(command: Command, tiny_run: Path, tmp_path: Path, source: Path, suffix: str) -> None:
    kind = next(each for each in COMPRESSIONS if each.suffix == suffix)
    packed, output = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    packed.write_bytes(kind.pack(TEXT))
    command(tiny_run, "--input", source, *WINDOW, "--output", tmp_path / "whole")
    command.shards(tiny_run, "--input", packed, *WINDOW, "--output", output, count=3)
    command("--join", output)
    assert kind.start.match(output.read_bytes())
    assert list(read_text_lines(output)) == list(read_text_lines(tmp_path / "whole"))
    # A shard of the unpacked input is one of the same translation.
    command(tiny_run, "--input", source, *WINDOW, "--output", output, "--shard", "3/3")
    assert "all its 6 lines are done" in command.errors
    command("--join", tmp_path / "out", status=1)
    assert f"out: has no shards beside it, such as out.shard-1-of-2; did you mean {output}?" in command.errors


def test_several_processes_and_several_inputs(command: Command, tiny_run: Path, tmp_path: Path, source: Path) -> None:
    other = tmp_path / "other.gz"
    other.write_bytes(gzip.compress(b"".join(f"{line}\n".encode() for line in sentences(10, seed=2))))
    arguments = (tiny_run, "--input", source, other, "--format", "tsv", *WINDOW)
    command(*arguments, "--output-dir", tmp_path / "whole")
    command(*arguments, "--output-dir", tmp_path / "out", "--shard", "1/2")
    command(*arguments, "--output-dir", tmp_path / "out", "--shard", "2/2", "--processes", 2)
    for name in ("in.tsv", "other.tsv"):
        command("--join", tmp_path / "out" / name)
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_no_lines_at_all(command: Command, tiny_run: Path, tmp_path: Path, source: Path) -> None:
    source.write_bytes(b"")
    command.shards(tiny_run, "--input", source, "--output", tmp_path / "out.gz", count=2)
    assert "shard 1/2 has no lines of 0" in command.errors
    command("--join", tmp_path / "out.gz")
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == b""


def test_a_shard_that_was_interrupted_goes_on_by_itself(
    command: Command,
    tiny_run: Path,
    tmp_path: Path,
    source: Path,
    interrupted: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nmt.cli.translate.Progress", functools.partial(Progress, interval=0.0))
    output = tmp_path / "out.jsonl"
    arguments = (tiny_run, "--input", source, "--window", 2, "--format", "jsonl", "--output")
    command(*arguments, tmp_path / "whole")
    command(*arguments, output, "--shard", "1/2")
    interrupted(2)
    command(*arguments, output, "--shard", "2/2", status=143)
    assert "in: shard 2/2 has lines 15 to 22 of 22" in command.errors
    command("--join", output, status=1)
    shard = "out.jsonl.shard-2-of-2"
    assert command.errors == (
        f"error: {output}: cannot be joined\n  {shard}: is unfinished: 4 of 8 lines; run its command again, which "
        "continues it\n"
    )
    assert not output.exists()
    before = (tmp_path / shard).read_bytes()
    with (tmp_path / shard).open("ab") as file:
        file.write(b"half a li")
    interrupted(0)
    command(*arguments, output, "--shard", "2/2")
    assert "4 lines; continuing with line 19" in command.errors
    assert "translating: 6/8 sentences (75%)" in command.errors
    assert "translating: 4 sentences in" in command.errors
    assert (tmp_path / shard).read_bytes().startswith(before)
    command(*arguments, output, "--shard", "2/2", "--resume")
    assert "all its 8 lines are done" in command.errors
    assert "translating: 0 sentences in" in command.errors
    command("--join", output)
    assert output.read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.slow
def test_killing_a_shard_and_starting_its_command_again(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("".join(f"{line}\n" for line in sentences(160, seed=1)))
    arguments = (tiny_run, "--input", tmp_path / "in", "--window", 4, "--strategy", "greedy", "--output")
    call = [sys.executable, "-m", "nmt.cli.translate", *map(str, arguments), "out", "--shard", "2/2"]
    shard = tmp_path / "out.shard-2-of-2"
    with subprocess.Popen(call, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        deadline = time.monotonic() + 400
        while not (shard.exists() and shard.stat().st_size):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    before = shard.read_bytes()
    command.shards(*arguments, tmp_path / "out", count=2)
    assert shard.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    command(*arguments, tmp_path / "whole")
    command("--join", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()


def test_shards_that_cannot_be_joined_are_named(command: Command, tiny_run: Path, tmp_path: Path, source: Path) -> None:
    output, other = tmp_path / "out", make_run(tmp_path / "other", seed=4)

    def shard(number: int, *arguments: object, run: Path = tiny_run, given: Path = source) -> None:
        command(run, "--input", given, *WINDOW, *arguments, "--output", output, "--shard", f"{number}/9")

    for number in (1, 2, 3):
        shard(number)
    shard(4, "--beam-size", 2)
    shard(5, run=other)
    changed = tmp_path / "changed"
    changed.write_bytes(TEXT.replace(b"7", b"8"))
    shard(6, given=changed)
    shutil.copy(tmp_path / "out.shard-1-of-9", tmp_path / "out.shard-7-of-9")
    for file in ("out.shard-1-of-9", "out.shard-1-of-9.resume"):
        shutil.copy(tmp_path / file, tmp_path / file.replace("1", "8"))
    with (tmp_path / "out.shard-3-of-9").open("ab") as file:
        file.write(b"more\n")
    command("--join", output, status=1)
    again = "run its command again"
    assert command.errors.splitlines() == [
        f"error: {output}: cannot be joined",
        *(
            f"  out.shard-{number}-of-9: {problem}"
            for number, problem in (
                (3, f"no longer holds what was written ({{}}); delete it and out.shard-3-of-9.resume, and {again}"),
                (4, "is foreign: it was started with beam_size 2 (the others 3)"),
                (5, "is foreign: it was started with another model"),
                (6, "is foreign: it was started with another input"),
                (7, "was not written by nmt-translate --shard: there is no out.shard-7-of-9.resume"),
                (8, "is foreign: its record is of shard 1/9"),
                (9, "is missing"),
            )
            for size in [(tmp_path / "out.shard-3-of-9").stat().st_size]
            for problem in [problem.format(f"{size} bytes in place of {size - 5}")]
        ),
    ]
    assert not output.exists()
    (tmp_path / "out.shard-2-of-3").touch()
    command("--join", output, status=1)
    assert (
        f"{output}: has shards of several divisions, of 3 (out.shard-1-of-3 ...) and of 9 (out.shard-1-of-9 ...); "
        "move or delete all but one"
    ) in command.errors


def test_a_shard_that_was_edited_is_found_and_what_was_there_stays(
    command: Command, tiny_run: Path, tmp_path: Path, source: Path
) -> None:
    output = tmp_path / "out"
    output.write_text("before\n")
    command.shards(tiny_run, "--input", source, *WINDOW, "--output", output, count=2)
    shard = tmp_path / "out.shard-2-of-2"
    shard.write_bytes(shard.read_bytes().swapcase())
    command("--join", output, "--remove-shards", status=1)
    assert f"{shard}: no longer holds what was written (another checksum)" in command.errors
    assert output.read_text() == "before\n"
    assert len(list(tmp_path.iterdir())) == 6, "nothing is removed, and nothing is left"


def test_a_finished_shard_is_of_its_input_model_and_settings(
    command: Command, tiny_run: Path, tmp_path: Path, source: Path
) -> None:
    output, other = tmp_path / "out", make_run(tmp_path / "other", seed=4)
    command(tiny_run, "--input", source, *WINDOW, "--output", output, "--shard", "2/2")
    before = (tmp_path / "out.shard-2-of-2").read_bytes()
    for run, arguments, message in (
        (other, WINDOW, "it was started with another model"),
        (tiny_run, ("--window", 5), "it was started with window 4 (now 5)"),
        (tiny_run, (*WINDOW, "--format", "tsv"), "it was started with format 'text' (now 'tsv')"),
    ):
        command(run, "--input", source, *arguments, "--output", output, "--shard", "2/2", status=1)
        assert message in command.errors
    source.write_bytes(TEXT + b"\n\n")
    command(tiny_run, "--input", source, *WINDOW, "--output", output, "--shard", "2/2", status=1)
    assert "it was started with another input" in command.errors
    assert (tmp_path / "out.shard-2-of-2").read_bytes() == before
    (tmp_path / "out.shard-2-of-2.resume").unlink()
    command(tiny_run, "--input", source, *WINDOW, "--output", output, "--shard", "2/2", status=1)
    assert "there is no out.shard-2-of-2.resume beside it" in command.errors


def test_bytes_that_are_not_utf8_stop_their_shard_alone(
    command: Command, tiny_run: Path, tmp_path: Path, source: Path
) -> None:
    source.write_bytes(TEXT.replace(b"12 cd", b"\xff cd"))
    arguments = (tiny_run, "--input", source, "--window", 2, "--output", tmp_path / "out")
    command(*arguments, "--shard", "1/3", status=0)
    command(*arguments, "--shard", "3/3", status=0)
    command(*arguments, "--shard", "2/3", status=1)
    assert f"{source}: line 12, byte 7: must be UTF-8, but has 0xff" in command.errors
    command(*arguments, "--shard", "2/3", "--errors", "replace")
    assert "1 lines had bytes that are not UTF-8 (the first is line 12)" in command.errors
    command("--join", tmp_path / "out")
    command(*arguments[:-1], tmp_path / "whole", "--errors", "replace")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()


def test_numbers_of_lines_are_those_of_the_whole_input(
    command: Command, tiny_run: Path, tmp_path: Path, source: Path
) -> None:
    arguments = ("--max-pieces", 9, "--long-lines", "report", "--format", "jsonl", *WINDOW)
    command(tiny_run, "--input", source, *arguments, "--output", tmp_path / "out", "--shard", "2/2", status=1)
    assert "lines left untranslated; their translations are empty: 3 (lines 18, 19, 20)" in command.errors
    records = map(json.loads, (tmp_path / "out.shard-2-of-2").read_text().splitlines())
    assert [(record["line"], record["source"]) for record in records] == list(enumerate(LINES, 1))[16:]


def test_a_full_disk_costs_nothing(tiny_run: Path, tmp_path: Path, source: Path, command: Command) -> None:
    arguments = (tiny_run, "--input", source, "--window", 2, "--format", "jsonl", "--output")
    command(*arguments, tmp_path / "whole")
    command.shards(*arguments, tmp_path / "out", count=2)
    size = (tmp_path / "whole").stat().st_size

    def limited(*parts: object, size: int) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "nmt.cli.translate", "--quiet", *map(str, parts)],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr

    assert f"error: {tmp_path / 'out'}: cannot join the shards: File too large" in limited(
        "--join", tmp_path / "out", "--remove-shards", size=size - 10
    )
    assert not (tmp_path / "out").exists()
    command("--join", tmp_path / "out", "--remove-shards")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    full = limited(*arguments, tmp_path / "full", "--shard", "1/1", size=size - 10)
    assert "cannot write the translations to " in full
    assert "File too large" in full
    command(*arguments, tmp_path / "full", "--shard", "1/1")
    assert "lines; continuing with line" in command.errors
    command("--join", tmp_path / "full")
    assert (tmp_path / "full").read_bytes() == (tmp_path / "whole").read_bytes()


def test_where_there_are_several_gpus_shards_are_recommended(
    command: Command, tiny_run: Path, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.write_bytes(b"ab\n")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    files = ("--input", source, "--output", tmp_path / "out")
    told = "start 4 commands with --device cuda:0 --shard 1/4, --device cuda:1 --shard 2/4 and so on"
    for arguments, wanted in (((), True), (("--device", "cpu"), False), (("--shard", "1/4"), False)):
        command(tiny_run, *files, *arguments)
        assert (told in command.errors) == wanted
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    command(tiny_run, *files)
    assert "GPU" not in command.errors


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["{run}", "{in}", "--output", "{tmp}/o", "--shard", "0/4"], 2, "must be I/N with I from 1 to N, such as 3/16"),
        (["{run}", "{in}", "--shard", "1/4"], 2, "--shard needs --input and --output (or --output-dir)"),
        (["{run}", "--output", "{tmp}/o", "--shard", "1/4"], 2, "--shard needs --input and --output"),
        (["{run}", "{in}", "{tmp}/b", "--output", "{tmp}/o", "--shard", "1/4"], 2, "for several give --output-dir"),
        (
            ["{run}", "{in}", "--output", "{tmp}/o", "--shard", "1/4", "--html", "{tmp}/h", "--plots", "{tmp}/p"],
            2,
            "--shard writes translations only; leave out --html, --plots",
        ),
        (
            ["{run}", "{in}", "--output", "{tmp}/o", "--shard", "1/4", "--alignments", "{tmp}/h"],
            2,
            "leave out --alignments",
        ),
        (["{run}", "{in}", "--output", "{tmp}/in", "--shard", "1/1"], 2, "in: is an input and would be overwritten"),
        (
            ["{run}", "{in}.shard-1-of-1", "--output", "{tmp}/in", "--shard", "1/1"],
            2,
            "in.shard-1-of-1: is an input and would be overwritten",
        ),
        (["{run}", "{in}", "--output", "/dev/null", "--shard", "1/1"], 2, "/dev/null: is not a regular file"),
        (
            ["{run}", "{in}", "--output", "{tmp}", "--shard", "1/1"],
            2,
            "is not a regular file, and cannot be written in shards",
        ),
        (["{run}", "{in}", "--output", "{tmp}/no/o", "--shard", "1/1"], 1, "cannot write the translations; the folder"),
        (["{run}", "--input", "/dev/null", "--output", "{tmp}/o", "--shard", "1/1"], 2, "/dev/null: must be a file"),
        (["{run}", "{in}", "--remove-shards"], 2, "--remove-shards needs --join"),
        ([], 2, "name a RUN (a run folder or a model file) to translate with"),
        (
            ["{run}", "--join", "{tmp}/o", "--beam-size", "3", "--format", "tsv"],
            2,
            "--join only reads finished shards; leave out --beam-size, --format, RUN",
        ),
        (["--join", "{tmp}/o"], 1, "o: has no shards beside it, such as o.shard-1-of-2"),
        (["--join", "{tmp}/no/o"], 1, "cannot read the shards: No such file"),
        (["--join", "{tmp}/x"], 1, "x: is unfinished; continue with --resume, or delete x.resume to start over"),
    ],
)
def test_mistakes_end_in_one_message(
    command: Command, tiny_run: Path, tmp_path: Path, source: Path, arguments: list[str], status: int, message: str
) -> None:
    shutil.copy(source, tmp_path / "in.shard-1-of-1")
    (tmp_path / "x.resume").write_text("{}")
    filled: list[str] = []
    for argument in arguments:
        filled += ["--input"] * argument.startswith("{in}")
        filled.append(argument.format_map({"run": tiny_run, "tmp": tmp_path, "in": source}))
    before = sorted(tmp_path.iterdir())
    command(*filled, status=status)
    assert message in command.errors
    assert len(command.errors.strip().split("\n")) == 1
    assert sorted(tmp_path.iterdir()) == before

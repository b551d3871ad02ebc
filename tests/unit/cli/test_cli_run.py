"""Every end of a command: its message on standard error, its status, and its results on standard output."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from nmt import __version__
from nmt.cli.run import command_parser, run
from nmt.core.errors import ConfigError, DataError
from nmt.core.logging import configure_logging, logger
from nmt.core.own_parts import import_own


def fail_with(error: BaseException) -> int:
    def command() -> None:
        print("finished before")
        raise error

    return run(command)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (DataError("corpus.de: is empty"), 1, "error: corpus.de: is empty"),
        (ConfigError("must be given", "x.yaml"), 2, "error: x.yaml: must be given"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            OSError(28, "No space left on device", "out.txt"),
            1,
            "error: out.txt: No space left on device; free some space",
        ),
        (MemoryError(), 1, "error: out of memory; use smaller batches"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
            1,
            "error: out of memory (",
        ),
    ],
)
def test_one_message(capsys: pytest.CaptureFixture[str], error: BaseException, status: int, message: str) -> None:
    assert fail_with(error) == status
    captured = capsys.readouterr()
    assert captured.out == "finished before\n"
    assert captured.err.startswith(message)
    assert captured.err.count("\n") == 1


def test_a_program_that_calls_a_command_goes_on_with_its_own_logging() -> None:
    def command() -> int:
        configure_logging(verbose=True)
        assert logger.level == logging.DEBUG and len(logger.handlers) == 1
        return 4

    handlers, level = [*logger.handlers], logger.level
    assert run(command) == 4
    assert (logger.handlers, logger.level) == (handlers, level)


def test_torch_out_of_memory(capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    assert fail_with(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")) == 1
    assert "out of memory (CUDA out of memory. Tried to allocate 2 GiB); use smaller" in capsys.readouterr().err


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ValueError("ours"), AssertionError()])
def test_our_own_mistakes_keep_their_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        fail_with(error)


def test_a_mistake_in_an_imported_file_is_told_by_its_line_and_with_details_in_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    file = tmp_path / "own_failing.py"
    file.write_text("def part():\n    return 1 / 0\n")
    import_own(str(file))
    part = sys.modules.pop("own_failing").part

    def command(*, verbose: bool) -> None:
        configure_logging(verbose=verbose)
        part()

    message = f"error: {file}: line 2: ZeroDivisionError: division by zero\n    return 1 / 0\n"
    assert run(lambda: command(verbose=False)) == 2
    assert capsys.readouterr().err == f"{message}    (--verbose shows the traceback)\n"
    assert run(lambda: command(verbose=True)) == 2
    told = capsys.readouterr().err
    assert "Traceback" in told.partition(message)[0] and message in told


def test_commands_find_what_saves_memory_and_leave_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY", "THP_MEM_ALLOC_ENABLE")
    for name in (*names, "DNNL_PRIMITIVE_CACHE_CAPACITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LRU_CACHE_CAPACITY", "7")
    before, during = dict(os.environ), dict[str, str]()
    assert run(lambda: during.update(os.environ)) == 0
    assert [during.get(name) for name in names] == ["32", "7", "1"]
    assert dict(os.environ) == before


def test_status_of_success() -> None:
    assert run(lambda: None) == 0
    assert run(lambda: 3) == 3
    with pytest.raises(SystemExit):
        run(lambda: sys.exit(2))


# Buffered, as for a user: what stands in the buffer when a command ends is the interesting part.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def python(program: str, shell: str = "{python} {file}", **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a program that calls ``run`` through a shell, so that its streams are real."""
    folder = Path(str(options.pop("folder")))
    (folder / "program.py").write_text(textwrap.dedent(program))
    line = shell.format(python=sys.executable, file=folder / "program.py")
    options.setdefault("env", BUFFERED)
    return subprocess.run(["bash", "-c", line], check=False, capture_output=True, timeout=400, **options)


WRITER = """
    import sys
    from nmt.cli.run import run
    def command():
        for number in range({lines}):
            print(number)
    sys.exit(run(command))
"""


@pytest.mark.parametrize("lines", [100_000, 3])  # the closed pipe is met in a write, or only in the last flush
def test_closed_pipe_is_quiet(tmp_path: Path, lines: int) -> None:
    left = tmp_path / "left"
    shell = f"{{python}} {{file}} | (exec 0<&-; touch '{left}'); exit ${{{{PIPESTATUS[0]}}}}"
    wait = f"import os, time\n        while not os.path.exists({str(left)!r}): time.sleep(0.01)"
    program = WRITER.format(lines=lines).replace("def command():", f"def command():\n        {wait}")
    done = python(program, shell, folder=tmp_path)
    assert done.stderr == b""
    assert done.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("lines", [100_000, 3])
def test_no_space_for_the_results(tmp_path: Path, lines: int) -> None:
    done = python(WRITER.format(lines=lines), "{python} {file} > /dev/full", folder=tmp_path)
    assert done.stderr == b"error: No space left on device; free some space or write elsewhere\n"
    assert done.returncode == 1


def test_closed_standard_streams(tmp_path: Path) -> None:
    done = python(WRITER.format(lines=3), "{python} {file} >&- 2>&-", folder=tmp_path)
    assert done.returncode in (0, 1)
    program = """
        import sys
        from nmt.cli.run import run
        from nmt.core.errors import DataError
        def command():
            raise DataError("x")
        sys.exit(run(command))
    """
    assert python(program, "{python} {file} 2>&-", folder=tmp_path).returncode == 1


def test_interrupt(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import signal, sys, time\nfrom nmt.cli.run import run\n"
        # What a shell starts in the background ignores the signal, and so does all that it starts.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def f():\n    print('finished before')\n    print('ready', file=sys.stderr, flush=True)\n    time.sleep(600)\n"
        "sys.exit(run(f))"
    )
    command = [sys.executable, str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=BUFFERED) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=400)
    assert (output, errors, process.returncode) == (b"finished before\n", b"interrupted\n", 130)


def test_utf8_whatever_the_locale(tmp_path: Path) -> None:
    program = """
        import sys
        from nmt.cli.run import run
        from nmt.core.errors import DataError
        def command():
            print(sys.stdin.readline().strip())
            raise DataError("no file \\udcff")
        sys.exit(run(command))
    """
    environment = {
        **BUFFERED,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    }
    done = python(program, folder=tmp_path, input="Übung 🙂\n".encode(), env=environment)
    assert done.stdout.decode() == "Übung 🙂\n"
    assert done.stderr == b"error: no file \\udcff\n"


def test_parser(capsys: pytest.CaptureFixture[str]) -> None:
    parser = command_parser("nmt-x", "Do x.", examples=["nmt-x a  b", "nmt-x c"])
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--help"])
    assert caught.value.code == 0
    assert "examples:\n  nmt-x a  b\n  nmt-x c\n" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        parser.parse_args(["--version"])
    assert capsys.readouterr().out == f"nmt-x {__version__}\n"
    for wrong in (["--quiet", "--verbose"], ["--vers"]):
        with pytest.raises(SystemExit) as caught:
            parser.parse_args(wrong)
        assert caught.value.code == 2
    assert parser.parse_args(["--quiet"]).quiet


def test_help_does_not_wait_for_torch() -> None:
    program = "import sys, nmt.cli.run; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_help_is_wrapped_and_names_several_arguments_as_they_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    parser = command_parser("nmt-x", "Do x. " * 40, examples=["nmt-x a"])
    parser.add_argument("files", nargs="+", metavar="RUN [FILE ...]")
    text = parser.format_help()
    assert max(map(len, text.splitlines())) <= 60
    assert text.split("\n\n")[0].endswith(" RUN [FILE ...]") and "[RUN [FILE" not in text


def test_a_terminal_may_be_narrower_than_any_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1")
    assert "Translate" in command_parser("nmt-x", "Translate some text.", examples=()).format_help()

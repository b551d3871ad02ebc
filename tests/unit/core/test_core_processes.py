"""Several processes give what one gives, in its order; whatever happens to one of them is told."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nmt.core.errors import DataError, NmtError
from nmt.core.machine.processes import AHEAD, Processes, usable_cores

COUNT = 2
NAMES = {"each": "a working process", "advice": "give it less to do"}


def shout(folder: Path) -> Callable[[str], str]:
    """Begin a process; its work does what each word says."""
    (folder / f"begun-{os.getpid()}").touch()

    def work(text: str) -> str:
        for word in text.split():
            if word == "wait":
                time.sleep(0.3)
            elif word == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            elif word == "exit":
                sys.exit(5)
            elif word == "refuse":
                raise DataError(f"{text} is refused")
            elif word == "stumble":
                raise ZeroDivisionError("by mistake")
        return text.upper()

    return work


def fail_to_begin() -> Callable[[str], str]:
    raise NmtError("there is no such run")


def swapping() -> Callable[[bytes], bytes]:
    return bytes.swapcase


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("begun")


@pytest.fixture(scope="module")
def several(begun: Path) -> Iterator[Processes[str, str]]:
    with Processes(functools.partial(shout, begun), COUNT, **NAMES) as running:
        list(running.map(["wait"] * COUNT))  # from here on all have begun
        yield running


def test_results_come_in_the_order_of_the_pieces(several: Processes[str, str], begun: Path) -> None:
    texts = [("wait " if number % 3 == 0 else "") + f"a{number}" for number in range(12)]
    assert list(several.map(texts)) == [text.upper() for text in texts]
    assert list(several.map([])) == []
    assert list(several.map(["b"])) == ["B"]
    names = sorted(path.name for path in begun.iterdir())
    assert len(names) == COUNT, "what is expensive is built once in each"
    assert f"begun-{os.getpid()}" not in names


def test_only_a_few_pieces_are_read_ahead(several: Processes[str, str]) -> None:
    read: list[int] = []

    def endless() -> Iterator[str]:
        for number in range(50):
            read.append(number)
            yield "x"

    results = several.map(endless())
    next(results)
    time.sleep(0.3)
    assert len(read) <= AHEAD * COUNT + 1
    assert len(list(results)) == 49


def test_a_piece_is_answered_while_the_next_is_still_waited_for(several: Processes[str, str]) -> None:
    answered = threading.Event()

    def waiting() -> Iterator[str]:
        yield "first"
        if answered.wait(300):
            yield "second"

    results = several.map(waiting())
    assert next(results) == "FIRST"
    answered.set()
    assert list(results) == ["SECOND"]


def test_what_cannot_be_read_comes_after_what_can(several: Processes[str, str]) -> None:
    def broken() -> Iterator[str]:
        yield "wait a"
        yield "b"
        raise DataError("line 3 is damaged")

    results = several.map(broken())
    assert [next(results), next(results)] == ["WAIT A", "B"]
    with pytest.raises(DataError, match="line 3 is damaged"):
        next(results)


def test_large_pieces_and_results_do_not_block() -> None:
    pieces = [bytes([number]) * 3_000_000 for number in range(5)]
    with Processes(swapping, COUNT, **NAMES) as running:
        assert list(running.map(pieces)) == [bytes.swapcase(piece) for piece in pieces]


def test_an_error_of_a_process_is_that_of_the_command(several: Processes[str, str]) -> None:
    results = several.map(["wait a", "refuse", "b"])
    assert next(results) == "WAIT A"
    with pytest.raises(DataError, match="refuse is refused"):
        next(results)
    with pytest.raises(RuntimeError, match=r"(?s)in a working process:.*ZeroDivisionError: by mistake"):
        list(several.map(["stumble"]))


@pytest.mark.costly
@pytest.mark.parametrize("texts", [("a", "wait wait refuse", "refuse"), ("a", "wait refuse", "wait wait refuse")])
def test_of_two_errors_that_of_the_earlier_piece_is_told(several: Processes[str, str], texts: tuple[str, ...]) -> None:
    results = several.map(texts)
    assert next(results) == "A"
    time.sleep(1.0)  # by now both are known, in either order
    told: list[BaseException] = []

    def ask() -> None:
        try:
            next(results)
        except DataError as error:
            told.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(60)
    assert [str(error) for error in told] == [f"{texts[1]} is refused"], "and nobody waits for ever"


def test_a_process_that_cannot_begin() -> None:
    with Processes(fail_to_begin, 1, **NAMES) as running, pytest.raises(NmtError, match="there is no such run"):
        list(running.map(["a"]))


@pytest.mark.parametrize(("word", "how"), [("die", "was killed by signal 9"), ("exit", "ended with status 5")])
def test_a_process_that_dies_is_told(tmp_path: Path, word: str, how: str) -> None:
    with Processes(functools.partial(shout, tmp_path), COUNT, **NAMES) as running:
        results = running.map(["wait a", word, "b", "c"])
        assert next(results) == "WAIT A"
        told = f"a working process {how}; if the machine ran out of memory, give it less to do"
        with pytest.raises(NmtError, match=told):
            list(results)
    assert not [each for each in begun_in(tmp_path) if is_running(each)]


def test_leaving_ends_processes_that_are_busy(tmp_path: Path) -> None:
    with Processes(functools.partial(shout, tmp_path), 1, **NAMES) as running:
        results = running.map(["a", *["wait " * 1000] * 5])
        next(results)
        began = time.monotonic()
        (process,) = begun_in(tmp_path)
        assert is_running(process)
    assert time.monotonic() - began < 100
    assert not is_running(process)


def test_signals_for_the_program_do_not_end_its_processes(tmp_path: Path) -> None:
    with Processes(functools.partial(shout, tmp_path), 1, **NAMES) as running:
        assert list(running.map(["a"])) == ["A"]
        (process,) = begun_in(tmp_path)
        assert os.getsid(process) != os.getsid(0), "what a terminal sends to all reaches none of them"
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            os.kill(process, number)
        assert list(running.map(["b"])) == ["B"]


def test_the_script_of_a_user_does_not_run_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "print('runs')\n"
        "from nmt.core.machine.processes import Processes\n"
        "from test_core_processes import NAMES, swapping\n"
        "with Processes(swapping, 2, **NAMES) as running:\n"
        "    print(*running.map([b'a', b'b', b'c']))\n"
    )
    places: dict[str, Any] = {"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}
    done = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, **places}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["runs", "b'A' b'B' b'C'"]


def test_a_file_in_the_working_directory_is_not_taken_for_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "socket.py").write_text("raise SystemExit(7)\n")
    monkeypatch.chdir(tmp_path)
    with Processes(swapping, 1, **NAMES) as one:
        assert list(one.map([b"a"])) == [b"A"]


def test_there_is_a_core() -> None:
    assert usable_cores() >= 1


def begun_in(folder: Path) -> list[int]:
    return [int(path.name.removeprefix("begun-")) for path in folder.iterdir()]


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True

"""Several processes give what one gives, in its order; whatever happens to one of them is told."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nmt.core.errors import DataError, NmtError
from nmt.translation.output.pool import AHEAD, Pool

PROCESSES = 2


def shout(folder: Path) -> Callable[[list[str], int], tuple[list[str], int]]:
    """Begin a process; its work does what each line says."""
    (folder / f"begun-{os.getpid()}").touch()

    def work(lines: list[str], first: int) -> tuple[list[str], int]:
        for line in lines:
            if line == "wait":
                time.sleep(0.3)
            elif line == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            elif line == "refuse":
                raise DataError(f"line {first} is refused")
            elif line == "stumble":
                raise ZeroDivisionError("by mistake")
        return [line.upper() for line in lines], first

    return work


def fail_to_begin() -> Callable[[list[str], int], str]:
    raise NmtError("there is no such run")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("begun")


@pytest.fixture(scope="module")
def pool(begun: Path) -> Iterator[Pool[tuple[list[str], int]]]:
    with Pool(functools.partial(shout, begun), PROCESSES) as running:
        yield running


def windows(*texts: str) -> Iterator[tuple[list[str], int]]:
    return ((text.split(), number) for number, text in enumerate(texts))


def test_results_come_in_the_order_of_the_windows(pool: Pool[tuple[list[str], int]], begun: Path) -> None:
    texts = [("wait " if number % 3 == 0 else "") + f"a{number}" for number in range(12)]
    assert list(pool.translate(windows(*texts))) == [(text.upper().split(), n) for n, text in enumerate(texts)]
    assert list(pool.translate(windows())) == []
    assert list(pool.translate(windows("b"))) == [(["B"], 0)]
    assert len(list(begun.iterdir())) == PROCESSES  # the models are loaded once in each


def test_only_a_few_windows_are_read_ahead(pool: Pool[tuple[list[str], int]]) -> None:
    read: list[int] = []

    def endless() -> Iterator[tuple[list[str], int]]:
        for number in range(50):
            read.append(number)
            yield ["x"], number

    results = pool.translate(endless())
    next(results)
    time.sleep(0.3)
    assert len(read) <= AHEAD * PROCESSES + 1
    assert len(list(results)) == 49


def test_a_window_is_answered_while_the_next_is_still_waited_for(pool: Pool[tuple[list[str], int]]) -> None:
    answered = threading.Event()

    def waiting() -> Iterator[tuple[list[str], int]]:
        yield ["first"], 1
        if answered.wait(300):
            yield ["second"], 2

    results = pool.translate(waiting())
    assert next(results) == (["FIRST"], 1)
    answered.set()
    assert list(results) == [(["SECOND"], 2)]


def test_what_cannot_be_read_comes_after_what_can(pool: Pool[tuple[list[str], int]]) -> None:
    def broken() -> Iterator[tuple[list[str], int]]:
        yield ["wait", "a"], 1
        yield ["b"], 2
        raise DataError("line 3 is damaged")

    results = pool.translate(broken())
    assert [next(results), next(results)] == [(["WAIT", "A"], 1), (["B"], 2)]
    with pytest.raises(DataError, match="line 3 is damaged"):
        next(results)


def test_an_error_of_a_process_is_that_of_the_command(pool: Pool[tuple[list[str], int]]) -> None:
    results = pool.translate(windows("wait a", "refuse", "b"))
    assert next(results) == (["WAIT", "A"], 0)
    with pytest.raises(DataError, match="line 1 is refused"):
        next(results)
    with pytest.raises(RuntimeError, match=r"(?s)in a translating process:.*ZeroDivisionError: by mistake"):
        list(pool.translate(windows("stumble")))


@pytest.mark.parametrize("texts", [("a", "wait wait refuse", "refuse"), ("a", "wait refuse", "wait wait refuse")])
def test_of_two_errors_that_of_the_earlier_window_is_told(
    pool: Pool[tuple[list[str], int]], texts: tuple[str, ...]
) -> None:
    list(pool.translate(windows(*["wait"] * PROCESSES)))  # from here on all have begun
    results = pool.translate(windows(*texts))
    assert next(results) == (["A"], 0)
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
    assert [str(error) for error in told] == ["line 1 is refused"], "and nobody waits for ever"


def test_a_process_that_cannot_begin() -> None:
    with Pool(fail_to_begin, 1) as running, pytest.raises(NmtError, match="there is no such run"):
        list(running.translate(windows("a")))


def test_a_process_that_is_killed(tmp_path: Path) -> None:
    with Pool(functools.partial(shout, tmp_path), PROCESSES) as running:
        results = running.translate(windows("wait a", "die", "b", "c"))
        assert next(results) == (["WAIT", "A"], 0)
        with pytest.raises(NmtError, match="was killed by signal 9; if the machine ran out of memory"):
            list(results)
        processes = [process for process, _ in running._workers]
    assert not any(process.is_alive() for process in processes)


def test_leaving_ends_processes_that_are_busy(tmp_path: Path) -> None:
    with Pool(functools.partial(shout, tmp_path), 1) as running:
        results = running.translate(windows("a", *["wait " * 1000] * 5))
        next(results)
        began = time.monotonic()
        process = running._workers[0][0]
    assert time.monotonic() - began < 100
    assert not process.is_alive()

import os
import signal
import sys

import pytest

from nmt.core.errors import NmtError
from nmt.data.workers import in_turn, usable_cores


def squared(number):
    return number * number, os.getpid()


def fails_at_three(number):
    return 1 // (3 - number)


def is_killed(number):
    os.kill(os.getpid(), signal.SIGKILL)


def exits(number):
    sys.exit(5)


@pytest.mark.costly
@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_results_come_in_order_from_several_processes(count):
    results = list(in_turn(squared, range(count), processes=3))
    assert [result for result, _ in results] == [number * number for number in range(count)]
    workers = [process for _, process in results]
    assert len(set(workers)) == min(3, count)
    assert os.getpid() not in workers
    assert workers[3:] == workers[:-3], "each takes every third piece"


def test_one_process_is_this_one():
    assert list(in_turn(squared, iter([5]), processes=1)) == [(25, os.getpid())]


def test_pieces_are_read_when_there_is_room():
    read = []
    results = in_turn(squared, (read.append(number) or number for number in range(100)), processes=2)
    assert next(results)[0] == 0
    assert len(read) <= 3
    results.close()


def test_large_pieces_and_results_do_not_block():
    pieces = [bytes([number]) * 3_000_000 for number in range(5)]
    assert list(in_turn(bytes.swapcase, pieces, processes=2)) == pieces


def test_a_mistake_in_the_work_shows_its_traceback():
    results = in_turn(fails_at_three, range(6), processes=2)
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(RuntimeError, match="fails_at_three"):
        next(results)


@pytest.mark.parametrize(("work", "message"), [(is_killed, "killed by signal 9"), (exits, "ended with status 5")])
def test_a_process_that_died_is_told(work, message):
    with pytest.raises(NmtError, match=message):
        list(in_turn(work, range(4), processes=2))


def test_nothing_is_left_when_reading_fails():
    def pieces():
        yield 1
        raise ValueError("unreadable")

    with pytest.raises(ValueError, match="unreadable"):
        list(in_turn(squared, pieces(), processes=2))


def test_there_is_a_core():
    assert usable_cores() >= 1

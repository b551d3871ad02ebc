"""Signals of a terminal and of schedulers, while a command runs."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from nmt.cli.run import run
from nmt.core.machine.signals import HANGING_UP, SAVING, STOPPING, end_by, handling

pytestmark = pytest.mark.usefixtures("signals_of_a_terminal")

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def test_all_are_there_on_this_system() -> None:
    assert {*STOPPING, *SAVING} == {*ALL} and HANGING_UP == (signal.SIGHUP,)


def test_the_first_process_of_a_container_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """For it no signal has a default action."""
    done: list[object] = []
    monkeypatch.setattr(signal, "raise_signal", lambda number: done.append((number, signal.getsignal(number))))
    monkeypatch.setattr(os, "_exit", done.append)
    end_by(signal.SIGTERM)
    assert done == [(signal.SIGTERM, signal.SIG_DFL), 143]


def test_handlers_come_back_and_an_ignored_hang_up_stays_ignored() -> None:
    seen: list[int] = []
    before = [signal.getsignal(number) for number in ALL]
    with handling(ALL, lambda number, _: seen.append(number)):
        for number in ALL:
            os.kill(os.getpid(), number)
    assert seen == [*ALL] and [signal.getsignal(number) for number in ALL] == before
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with handling(ALL, lambda number, _: seen.append(number)):
            os.kill(os.getpid(), signal.SIGHUP)
        assert seen == [*ALL] and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before[2])


def test_another_thread_leaves_signals_alone() -> None:
    found: list[object] = []
    before = signal.getsignal(signal.SIGHUP)

    def work() -> None:
        with handling(ALL, lambda *_: None):
            found.append(signal.getsignal(signal.SIGHUP))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 129, "hung up"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_command_ends_by_what_asks_it_to(
    number: int, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cleared: list[bool] = []

    def command() -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            cleared.append(True)

    assert run(command) == status and cleared == [True]
    assert capsys.readouterr().err.strip() == message


def test_a_command_is_not_ended_by_what_asks_it_to_save() -> None:
    assert run(lambda: os.kill(os.getpid(), signal.SIGUSR1)) == 0

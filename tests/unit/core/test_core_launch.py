"""What torchrun tells a process, and what is said of it."""

from __future__ import annotations

import pytest

from nmt.core.errors import ConfigError, DataError, LostProcessError
from nmt.core.logging import configure_logging, errors_only, logger, logging_kept
from nmt.core.machine import distributed
from nmt.core.machine.launch import Launch, launch, train_command

VARIABLES = {"RANK": "9", "WORLD_SIZE": "16", "LOCAL_RANK": "1", "MASTER_ADDR": "one", "MASTER_PORT": "7"}


def start(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in {**VARIABLES, **variables}.items():
        monkeypatch.setenv(name, value)


def test_without_its_variables_there_is_no_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert launch() is None and train_command() == "nmt-train"
    for name in VARIABLES:
        start(monkeypatch)
        monkeypatch.delenv(name)
        assert launch() is None, "some schedulers set a few of them"


def test_the_place_of_a_process_and_how_it_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch, LOCAL_WORLD_SIZE="8", GROUP_WORLD_SIZE="2")
    assert launch() == Launch(rank=9, world_size=16, local_rank=1, local_world_size=8, machines=2)
    assert str(launch()) == "process 9 of 16"
    assert train_command() == "torchrun --nnodes 2 --rdzv-endpoint HOST:PORT --nproc-per-node 8 -m nmt.cli.train"
    monkeypatch.setenv("GROUP_WORLD_SIZE", "1")
    assert train_command() == "torchrun --nproc-per-node 8 -m nmt.cli.train"


def test_warnings_name_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_kept():
        configure_logging(quiet=True, process="process 1 of 2")
        logger.warning("it is warm")
        logger.info("it is quiet")
        with errors_only():
            logger.warning("another process says so")
        with errors_only(False):
            logger.warning("it is warmer")
    assert capsys.readouterr().err == "warning: process 1 of 2: it is warm\nwarning: process 1 of 2: it is warmer\n"


def test_errors_name_the_process_and_silent_ones_say_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nmt.cli.run import run

    def fail(error: Exception) -> int:
        def command() -> int:
            raise error

        return run(command)

    start(monkeypatch)
    assert fail(DataError("line 3 is bad")) == 1
    assert fail(LostProcessError()) == 1
    assert fail(LostProcessError("process 2 of 16 has ended without a word")) == 1
    told = "error: process 9 of 16: line 3 is bad\nerror: process 2 of 16 has ended without a word\n"
    assert capsys.readouterr().err == told


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    start(monkeypatch, LOCAL_WORLD_SIZE="4")
    gpu = torch.device("cuda")
    assert distributed.own_device(gpu, "device") == gpu, "this process has joined no others"
    monkeypatch.setattr(distributed, "several", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    for fitting in (gpu, torch.device("cuda:1"), torch.device("cpu")):
        assert distributed.own_device(fitting, "device") == fitting
    with pytest.raises(
        ConfigError, match="device must be auto or cuda where there are several processes, but is cuda:0"
    ):
        distributed.own_device(torch.device("cuda:0"), "device")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="device must be cpu, or torchrun started with --nproc-per-node 2"):
        distributed.own_device(gpu, "device")

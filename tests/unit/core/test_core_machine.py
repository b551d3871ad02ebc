"""Devices, precision, processes and messages."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from nmt.core.errors import ConfigError
from nmt.core.logging import Progress, configure_logging, logger, logging_kept, progress, waiting
from nmt.core.machine.device import (
    Precision,
    _Unrounded,
    autocast,
    full_float32,
    kernels,
    resolve_device,
    resolve_precision,
    warn_of_emulation,
)
from nmt.core.machine.distributed import rank, world_size


class TestDevice:
    def test_auto(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert resolve_device("auto") == torch.device("cpu")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert resolve_device("auto") == torch.device("cuda")

    def test_several(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        assert resolve_device("cuda") == torch.device("cuda")
        assert resolve_device("cuda:1") == torch.device("cuda:1")
        with pytest.raises(ConfigError, match="only 2 cuda devices here, counted from 0; try auto"):
            resolve_device("cuda:2")
        assert resolve_device("cpu") == torch.device("cpu")

    def test_absent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
        with pytest.raises(ConfigError, match=r"^training\.device must be a device .* 'cuda': there is no cuda device"):
            resolve_device("cuda", path="training.device")

    @pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "cuda:1:1", "cuda:²", "meta"])
    def test_unknown(self, name: str) -> None:
        with pytest.raises(ConfigError, match="device must be auto, cpu, cuda"):
            resolve_device(name)

    def test_index_beyond_reason(self) -> None:
        with pytest.raises(ConfigError, match="only one cpu device"):
            resolve_device(f"cpu:{'9' * 5000}")

    def test_precision(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cpu = torch.device("cpu")
        hardware = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        assert resolve_precision("auto", cpu) == ("bf16" if hardware else "fp32")
        assert resolve_precision("bf16", cpu) == "bf16"
        assert resolve_precision("fp32", torch.device("cuda")) == "fp32"

    def test_precision_of_a_gpu_without_bf16(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
        for native in (True, False):
            # Torch counts what it emulates as supported, unless it is told otherwise.
            monkeypatch.setattr(
                torch.cuda, "is_bf16_supported", lambda including_emulation=True, n=native: including_emulation or n
            )
            assert resolve_precision("auto", torch.device("cuda:1")) == ("bf16" if native else "fp32")

    def test_bf16_without_hardware_is_told(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        cases: list[tuple[str, Precision, int]] = [
            ("bf16", "bf16", 0),
            ("fp32", "auto", 0),
            ("fp32", "fp32", 0),
            ("fp32", "bf16", 1),
        ]
        for found, precision, count in cases:
            monkeypatch.setattr("nmt.core.machine.device.resolve_precision", lambda *_, found=found: found)
            caplog.clear()
            warn_of_emulation(precision, torch.device("cuda:1"))
            assert len(caplog.records) == count
        assert caplog.messages == [
            "precision is bf16, which cuda:1 only emulates: slowly, or not at all; auto would choose fp32"
        ]

    def test_autocast(self) -> None:
        cpu, matrix = torch.device("cpu"), torch.ones(2, 2)
        with autocast(cpu, "bf16"):
            assert (matrix @ matrix).dtype == torch.bfloat16
        with autocast(cpu, "fp32"):
            assert (matrix @ matrix).dtype == torch.float32
        with autocast(cpu, "auto"):
            expected = torch.bfloat16 if resolve_precision("auto", cpu) == "bf16" else torch.float32
            assert (matrix @ matrix).dtype == expected

    def test_exact_stays_float32_within_autocast(self) -> None:
        matrix = torch.ones(2, 2)
        with autocast(torch.device("cpu"), "bf16"):
            with full_float32(torch.device("cpu")):
                assert (matrix @ matrix).dtype == torch.float32
            assert (matrix @ matrix).dtype == torch.bfloat16

    def test_rounding_comes_back_with_the_last_of_several_threads(self) -> None:
        unrounded = _Unrounded()
        (matmul, name, off), (recurrent, *_) = unrounded._switches()
        at_first, before = getattr(matmul, name), getattr(recurrent, name)
        setattr(matmul, name, before)
        assert before != off
        try:
            with ThreadPoolExecutor(1) as other:
                unrounded.__enter__()
                other.submit(unrounded.__enter__).result()
                unrounded.__exit__()
                assert getattr(matmul, name) == getattr(recurrent, name) == off
                other.submit(unrounded.__exit__).result()
            assert getattr(matmul, name) == getattr(recurrent, name) == before
        finally:
            setattr(matmul, name, at_first)

    @pytest.mark.slow
    def test_kernels_are_otherwise_for_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)

        def found() -> tuple[object, ...]:
            cudnn, filled = torch.backends.cudnn, torch.utils.deterministic.fill_uninitialized_memory
            flags = (cudnn.deterministic, cudnn.benchmark, filled, os.environ.get("CUBLAS_WORKSPACE_CONFIG"))
            return torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), *flags

        before = found()
        with kernels():
            assert found() == before
        with pytest.raises(ZeroDivisionError), kernels(threads=before[0] + 1, deterministic=True):
            assert found() == (before[0] + 1, True, True, False, False, ":4096:8")
            raise ZeroDivisionError
        assert found() == before
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
        with kernels(deterministic=True):
            assert found()[-1] == ":16:8", "what a user says stays"
        assert found() == (*before[:-1], ":16:8")

    def test_what_others_said_of_rounding_is_nothing_to_a_cpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_Unrounded, "_switches", lambda: pytest.fail("only a GPU rounds"))
        with full_float32(torch.device("cpu")):
            pass


class TestDistributed:
    def test_alone(self) -> None:
        assert (rank(), world_size()) == (0, 1)

    @pytest.mark.slow
    @pytest.mark.distributed
    @pytest.mark.skipif(not torch.distributed.is_available(), reason="needs a torch with distributed")
    def test_two_processes(self, tmp_path: Path) -> None:
        program = (
            "import sys, torch.distributed as d\n"
            "from nmt.core.machine.distributed import *\n"
            "number, store = int(sys.argv[1]), 'file://' + sys.argv[2]\n"
            "d.init_process_group('gloo', init_method=store, rank=number, world_size=2)\n"
            "print(rank(), world_size())\n"
            "d.barrier()\n"  # who leaves first closes the connection that the other is still opening
            "d.destroy_process_group()\n"
            "assert world_size() == 1\n"
        )
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(number), str(tmp_path / "store")], stdout=subprocess.PIPE, text=True
            )
            for number in range(2)
        ]
        assert [process.communicate(timeout=400)[0] for process in processes] == ["0 2\n", "1 2\n"]


@pytest.fixture
def fresh_logger() -> Iterator[None]:
    with logging_kept():
        yield


@pytest.mark.usefixtures("fresh_logger")
class TestLogging:
    def test_standard_error_only_and_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logging()
        configure_logging()
        logging.getLogger("nmt.data").info("read %d lines", 3)
        logger.warning("odd")
        logger.debug("detail")
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err == "read 3 lines\nwarning: odd\n"

    def test_quiet_and_verbose(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logging(quiet=True)
        logger.info("no")
        assert list(progress([1, 2], "working", unit="items")) == [1, 2]
        logger.error("yes")
        assert capsys.readouterr().err == "error: yes\n"
        configure_logging(verbose=True)
        logger.debug("detail")
        assert capsys.readouterr().err == "detail\n"

    def test_lines_where_there_is_no_terminal(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        configure_logging()
        with Progress("translating", unit="sentences", total=400, interval=30) as shown:
            for _ in range(4):
                now += 20.0
                shown.advance(50, note="beam 5")
        captured = capsys.readouterr()
        assert captured.out == ""
        # 50 every 20 s: 2.5 a second; a line at 40 s and at 80 s, when the rest is 200 / 2.5 = 80 s. Two reports are
        # too few to tell how long it will take.
        assert captured.err.splitlines() == [
            "translating: 100/400 sentences (25%), 2.5 sentences/s, beam 5",
            "translating: 200/400 sentences (50%), 2.5 sentences/s, 1:20 left, beam 5",
            "translating: 200 sentences in 80.0 s (2.5 sentences/s), beam 5",
        ]

    def test_time_left_is_that_of_the_work_and_not_of_what_was_passed_on(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        configure_logging()

        def aligned(reached: Callable[[float], None]) -> Iterator[int]:
            nonlocal now
            for batch in range(1, 9):  # all 200 are done in batches, and then passed on together
                now += 15.0
                reached(200 * batch / 8)
            yield from range(200)

        assert list(progress(aligned, "aligning", unit="pairs", total=200)) == list(range(200))
        # 25 of 200 every 15 s: a line every 30 s, of 50, 100 and 150; the first comes before the third batch.
        assert capsys.readouterr().err.splitlines() == [
            "aligning: 50/200 pairs (25%), 1.7 pairs/s",
            "aligning: 100/200 pairs (50%), 1.7 pairs/s, 1:00 left",
            "aligning: 150/200 pairs (75%), 1.7 pairs/s, 0:30 left",
            "aligning: 200/200 pairs (100%), 1.7 pairs/s",
            "aligning: 200 pairs in 120.0 s (1.7 pairs/s)",
        ]

    def test_no_time_left_is_told_after_the_first_item(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        configure_logging()
        with Progress("aligning", unit="pairs", total=200) as shown:
            now += 150.0
            shown.advance()
            shown.advance(199)
        assert "left" not in capsys.readouterr().err
        with Progress("aligning", unit="pairs", total=200, interval=0) as shown:
            for _ in range(5):
                now += 1.0
                shown.advance()
        assert "left" not in capsys.readouterr().err, "five seconds tell nothing"

    def test_what_was_done_before_says_nothing_of_the_time_left(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        configure_logging()
        with Progress("translating", unit="sentences", total=1000, interval=0) as shown:
            shown.skip(600)
            for _ in range(4):
                now += 20.0
                shown.advance(50)
        assert capsys.readouterr().err.splitlines()[2:] == [
            "translating: 750/1000 sentences (75%), 2.5 sentences/s, 1:40 left",
            "translating: 800/1000 sentences (80%), 2.5 sentences/s, 1:20 left",
            "translating: 200 sentences in 80.0 s (2.5 sentences/s)",
        ]

    @pytest.mark.parametrize("counted", [False, True])
    def test_a_bar_moves_during_one_long_step_and_is_gone_at_the_end(
        self, counted: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ours, theirs = pty.openpty()
        configure_logging()
        monkeypatch.setattr("nmt.core.logging.PATIENCE", 0.05)
        monkeypatch.setattr("nmt.core.logging.TICK", 0.01)
        with os.fdopen(theirs, "w") as terminal:
            monkeypatch.setattr(sys, "stderr", terminal)
            said = b""
            work = Progress("thinking", unit="corpora", total=3, passing=True) if counted else waiting("thinking")
            with work:
                while b"00:01" not in said:
                    said += os.read(ours, 1000)
            while not said.endswith(b"\r"):
                said += os.read(ours, 1000)
        os.close(ours)
        frames = [each.strip() for each in said.split(b"\r")]
        assert frames[-2] == b"" and any(b"00:00" in each for each in frames)
        shown = b"thinking:   0%" if counted else b"thinking ... 00:0"
        assert all(each.startswith(shown) for each in frames if each)
        assert capfd.readouterr().err == ""

    def test_quick_work_leaves_nothing_on_a_terminal_but_its_messages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ours, theirs = pty.openpty()
        configure_logging()
        monkeypatch.setattr("nmt.core.logging.PATIENCE", 1000.0)
        with os.fdopen(theirs, "w") as terminal:
            monkeypatch.setattr(sys, "stderr", terminal)
            for each in progress([1, 2], "reading", unit="pairs", passing=True):
                logger.info("read %d", each)
            logger.info("end")
            said = b""
            while b"end\r\n" not in said:
                said += os.read(ours, 1000)
        os.close(ours)
        assert b"reading" not in said and b"read 1" in said

    def test_passes_of_unlike_work_are_weighed(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        configure_logging()
        with Progress("aligning", unit="pairs", total=100, interval=0) as shown:
            quick, slow = shown.passes([1, 19])
            now += 10.0
            quick(100)
            for share in (25, 50, 75):
                now += 47.5
                slow(share)
        assert capsys.readouterr().err.splitlines()[2:4] == [
            "aligning: 52/100 pairs (52%), 0.5 pairs/s, 1:35 left",
            "aligning: 76/100 pairs (76%), 0.5 pairs/s, 0:48 left",
        ]

    def test_no_summary_of_work_that_failed(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logging()

        def fail() -> None:
            with Progress("working", unit="items"):
                raise ValueError

        with pytest.raises(ValueError):
            fail()
        assert capsys.readouterr().err == ""

    def test_items_pass_lazily_and_without_a_length(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logging()
        taken: list[int] = []
        passed = progress((taken.append(i) or i for i in range(3)), "reading", unit="lines")
        assert next(passed) == 0
        assert taken == [0]
        assert list(passed) == [1, 2]
        assert capsys.readouterr().err.startswith("reading: 3 lines in ")

    @pytest.mark.parametrize("size", [(24, 100), (0, 0)])  # (0, 0): a terminal that does not tell
    def test_a_bar_on_a_terminal(self, size: tuple[int, int]) -> None:
        program = (
            "from nmt.core.logging import *\n"
            "configure_logging()\n"
            "with Progress('working', unit='steps', total=3) as shown:\n"
            "    shown.advance(2, note='loss 1.5')\n"
            "    logger.info('between')\n"
            "    shown.advance(1)\n"
            "import nmt.core.logging as module\n"
            "module.LEAST_SECONDS = 0\n"
            "with Progress('timed', unit='steps', total=10) as shown:\n"
            "    for _ in range(4): time.sleep(0.2); shown.advance()\n"
            "print('result')\n"
        )
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, size)
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=theirs, check=True)
            os.close(theirs)
            drawn = terminal.read(100_000).decode()
        assert done.stdout == b"result\n"
        assert "working" in drawn
        # From the third report on; the bar may leave one of them out.
        assert re.search(r"2/10 \[[0-9:]+<\?, ", drawn) and re.search(r"[34]/10 \[[0-9:]+<0:01, ", drawn), drawn
        assert "3/3" in drawn
        assert "loss 1.5" in drawn
        assert "\rbetween\r\n" in drawn  # the bar was wiped for the message
        assert "working: 3 steps in" not in drawn

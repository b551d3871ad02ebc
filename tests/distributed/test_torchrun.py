"""The real torchrun: it starts killed processes again, and passes on a signal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ranks import PATIENCE, wait_for
from tiny_training import records

from nmt.core.storage.run_folder import RunFolder, checkpoint_steps

KILLING = """
import atexit, os, signal, time
from contextlib import suppress
from pathlib import Path
import nmt.cli.run as run
from nmt.training.interruption import Interruption
from nmt.training.trainer import Trainer

def slow(function):
    def call(*arguments):
        result = function(*arguments)
        time.sleep(1)
        return result
    return call

update = Trainer._update

def faulty(self, batches):
    killed = Path(__file__).with_name("killed")
    if self.state.step == 4 and os.environ["RANK"] == "1" and not killed.exists():
        killed.write_text(threads())
        os.kill(os.getpid(), signal.SIGKILL)
    update(self, batches)

Trainer._update = faulty

def threads():
    names = ""
    for each in Path("/proc/self/task").glob("*/comm"):
        with suppress(OSError):  # it has just ended
            names += each.read_text()
    return names

@atexit.register
def note_threads():
    until = time.monotonic() + 10  # one that has ended may be there for a moment
    while "gloo" in threads() and time.monotonic() < until:
        time.sleep(0.1)
    Path(__file__).with_name("threads" + os.environ["RANK"]).write_text(threads())
"""

# Places where torchrun, which stops the others as soon as it sees a dead one, cuts in on its survivor.
LEAVING = "Interruption.__exit__ = slow(Interruption.__exit__)"
TELLING = "run._settle_output = slow(run._settle_output)"


ONE_MACHINE = ("--standalone", "--nproc-per-node", 2)


def two_machines() -> list[tuple[object, ...]]:
    """Options of torchrun on each of two machines with a process; only the first keeps the store."""
    with socket.create_server(("localhost", 0)) as server:
        endpoint = f"localhost:{server.getsockname()[1]}"
    shared = ("--nnodes", 2, "--nproc-per-node", 1, "--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint)
    hosts = ("--local-addr", "localhost", "--rdzv-conf")
    return [(*shared, *hosts, f"is_host={first}") for first in (1, 0)]


def torchrun(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize(("machines", "slow"), [(1, LEAVING), (1, TELLING), (2, "")])
def test_a_killed_process_is_started_again_and_goes_on(corpus: Path, tmp_path: Path, machines: int, slow: str) -> None:
    """Of two machines, torchrun on one counts a restart that began on the other as none."""
    (tmp_path / "killing.py").write_text(KILLING + slow)
    run = tmp_path / "run"
    short = ("training.max_steps=6", "training.validation_interval=3", "training.accumulation=1")
    command = ("-m", "nmt.cli.train", "--import", tmp_path / "killing.py", corpus / "recipe.yaml", *short)
    options = [ONE_MACHINE] if machines == 1 else two_machines()
    started = [torchrun(*each, "--max-restarts", 1, *command, "--output", run) for each in options]
    output = "".join(process.communicate(timeout=PATIENCE)[0] for process in started)
    assert [process.returncode for process in started] == [0] * machines, output
    assert "process 1 of 2 has ended without a word" in output
    assert "resumed at update 4 of 6" in output and output.count("best: bleu") == 1
    assert [line["step"] for line in records(RunFolder(run), "validation")] == [3, 6]
    left = "".join((tmp_path / f"threads{rank}").read_text() for rank in range(2))
    assert "gloo" not in left, "a thread that lives when Python ends may abort it"
    assert "gloo" in (tmp_path / "killed").read_text() or not Path("/proc/self/task").exists()


def test_a_signal_to_torchrun_stops_all_with_a_checkpoint(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    steady = ("training.max_steps=100000", "training.schedule={type: constant}", "training.checkpoint_interval=null")
    command = ("-m", "nmt.cli.train", corpus / "recipe.yaml", *steady, "training.validation_interval=100000")
    process = torchrun(*ONE_MACHINE, "--max-restarts", 3, *command, "--output", run)
    wait_for(lambda: (run / "metrics.jsonl").exists() or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert output.count("SIGTERM: stopping after this update with a checkpoint") == 1, output
    (step,) = checkpoint_steps(run / "checkpoints")
    assert f"stopped at update {step}; continue with: torchrun --nproc-per-node 2 -m nmt.cli.train" in output

"""Processes of one training without the start of any: forked from one that has imported everything.

``Ranks`` starts this file as a program and asks it, by JSON lines, for processes with the variables of torchrun. The
store that torchrun would keep is kept by one more process, so that it outlives every rank. A process runs a function of
``acts.py``, and its output goes to a file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
PATHS = (TESTS.parent, TESTS, TESTS / "foreign")
# Only ends a test that hangs.
PATIENCE = 500.0


@dataclass
class Ended:
    """What has become of the processes, by rank: exit statuses (negative: the signal), what they wrote and returned."""

    statuses: list[int]
    outputs: list[str]
    results: list[Any]

    @property
    def output(self) -> str:
        return "\n".join(self.outputs)


class Ranks:
    """Starts the ranks of trainings.

    Args:
        folder: for output and results.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._errors = (folder / "server").open("wb")
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(map(str, PATHS))},
            text=True,
        )

    def close(self) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()
        self._errors.close()

    def run(
        self,
        count: int,
        act: str,
        *,
        restart: int = 0,
        meanwhile: Callable[[list[int]], None] = lambda pids: None,
        **arguments: Any,
    ) -> Ended:
        """Run an act in every rank, and wait for all.

        Args:
            count: number of ranks; 0 for one process without the variables of torchrun.
            act: name of a function of ``acts.py``.
            restart: which start of the same training this is; the store is kept from the one before.
            meanwhile: called with the process ids.
            arguments: of the act.
        """
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        request = {"ranks": count, "act": act, "restart": restart, "folder": str(folder), "arguments": arguments}
        pids = self._ask(request)
        try:
            meanwhile(pids)
        except BaseException:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            raise
        statuses = self._ask({})
        names = [folder / str(number) for number in range(len(statuses))]
        outputs = [name.read_text(encoding="utf-8", errors="replace") for name in names]
        returned = [Path(f"{name}.json") for name in names]
        results = [json.loads(each.read_text()) if each.exists() else None for each in returned]
        return Ended(statuses, outputs, results)

    def _ask(self, request: dict[str, Any]) -> list[int]:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, (self._folder / "server").read_text()
        found: list[int] = json.loads(answer)
        return found


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it did not come to this"
        time.sleep(0.02)


# ---------------------------------------------------------------- the program


def _fork(work: Callable[[], int | None], output: Path | None = None) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        if output is not None:
            written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(written, 1)
            os.dup2(written, 2)
        status = work() or 0
    except SystemExit as stop:
        status = int(stop.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _keep_store() -> tuple[int, int]:
    """Start a process that keeps a store; return its process id and port."""
    import torch.distributed as distributed

    reading, writing = os.pipe()

    def keep() -> None:
        store = distributed.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
        os.write(writing, f"{store.port}\n".encode())
        while True:
            signal.pause()

    pid = _fork(keep)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        return pid, int(pipe.readline())


def _rank(request: dict[str, Any], number: int, port: int) -> int | None:
    import acts
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    if request["ranks"]:
        count = str(request["ranks"])
        os.environ |= {
            "RANK": str(number),
            "LOCAL_RANK": str(number),
            "WORLD_SIZE": count,
            "LOCAL_WORLD_SIZE": count,
            "MASTER_ADDR": "localhost",
            "MASTER_PORT": str(port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
        }
    result = getattr(acts, request["act"])(**request["arguments"])
    if isinstance(result, int):
        return result
    Path(request["folder"], f"{number}.json").write_text(json.dumps(result))
    return 0


def _serve() -> None:
    import acts  # noqa: F401 - what every process needs is imported once

    keeper, port = 0, 0
    for line in sys.stdin:
        request = json.loads(line)
        if request["restart"] == 0 and request["ranks"]:
            if keeper:
                os.kill(keeper, signal.SIGKILL)
                os.waitpid(keeper, 0)
            keeper, port = _keep_store()
        ranks = range(max(1, request["ranks"]))
        pids = [_fork(partial(_rank, request, each, port), Path(request["folder"], str(each))) for each in ranks]
        print(json.dumps(pids), flush=True)
        sys.stdin.readline()
        statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        print(json.dumps(statuses), flush=True)
    if keeper:
        os.kill(keeper, signal.SIGKILL)


if __name__ == "__main__":
    _serve()

"""Runs the parts of a check one after another, and writes what they print as soon as they print it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nmt.core.storage.files import write_json
from tools.gpu.parts import Part
from tools.measuring import ROOT

# Of what a failed command wrote to standard error.
SHOWN = 2000
# Seconds in which processes may end by themselves.
PATIENCE = 10.0


@dataclass
class Check:
    """A check and what it has found so far.

    Args:
        path: the JSON file, which is written again after every line of a part.
        work: folder of logs.
        context: commit, machine and the like.
        parts: by name of the part: its records, seconds, and error (``None`` if all went well).
    """

    path: Path
    work: Path
    context: dict[str, Any]
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        """Names of the parts that failed."""
        return [name for name, found in self.parts.items() if found["error"] is not None]

    def run(self, part: Part, seconds: float) -> str | None:
        """Run a part for so long at most; return its error, if any."""
        began = time.monotonic()
        commands = [" ".join(words[1:]).replace(f"{ROOT}/", "") for words in part.commands]
        found: dict[str, Any] = {"title": part.title, "commands": commands, "records": [], "error": "not finished"}
        self.parts[part.name] = found
        errors = []
        for words, command in zip(part.commands, commands, strict=True):
            left = seconds - (time.monotonic() - began)
            error = self._run(words, found["records"], self.work / f"{part.name}.log", left)
            if error is not None:
                errors.append(f"{command}: {error}")
        found |= {"seconds": round(time.monotonic() - began, 1), "error": "\n".join(errors) or None}
        self.write()
        return found["error"]

    def write(self) -> None:
        """Write everything found so far."""
        write_json(self.path, {**self.context, "parts": self.parts})

    def _run(self, words: Sequence[str], records: list[Any], log: Path, seconds: float) -> str | None:
        if seconds <= 0:
            return "left out: no time left"
        with log.open("ab") as errors:
            begin = errors.tell()
            process = subprocess.Popen(
                words, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
            )
            stopped = threading.Event()
            watch = threading.Timer(seconds, lambda: (stopped.set(), _end(process)))
            watch.start()
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    with suppress(json.JSONDecodeError):  # it may be cut off
                        if line.startswith("{"):  # a record, unlike what commands tell people
                            records.append(json.loads(line))
                            self.write()
                status = process.wait()
            finally:
                watch.cancel()
                _end(process)
                process.stdout.close()
        if stopped.is_set():
            return f"stopped after {seconds:.0f} seconds"
        if status:
            return f"status {status}: {log.read_bytes()[begin:][-SHOWN:].decode(errors='replace').strip()}"
        return None


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and whatever it has started; torchrun ends its processes itself, if it is asked."""
    for number, seconds in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, PATIENCE)):
        until = time.monotonic() + seconds
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
            while time.monotonic() < until:
                process.poll()  # a process that has ended is there until somebody asks
                os.killpg(process.pid, 0)
                time.sleep(0.05)
    process.wait()

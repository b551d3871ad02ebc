"""What the tools share as programs: counts on command lines, one-line error messages, and trainings."""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nmt.core.errors import NmtError
from nmt.core.storage.run_folder import RunFolder


def count(text: str) -> int:
    """Read a whole number of at least 1, as a ``type`` of ``argparse``."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, but is {value}")
    return value


def status_of(main: Callable[[], int]) -> int:
    """Run a tool, and report an error in one line; return the exit code."""
    name = Path(sys.argv[0]).name
    try:
        return main()
    except NmtError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130


def command(name: str) -> Path:
    """Path of an installed command, in the folder of the Python that runs this."""
    return Path(sys.executable).parent / name


def train(recipe: Path, overrides: Sequence[str], run: Path, *, log: Path | None = None) -> int:
    """Train into a folder, or resume the training in it; return the exit status of ``nmt-train``.

    Args:
        recipe: what to train, unless the folder has a recipe already.
        overrides: ``a.b=c`` over it.
        run: the folder.
        log: file to which the command and its output are appended; by default the output is shown.
    """
    words = [str(command("nmt-train")), "--output", str(run)]
    words += ["--resume"] if RunFolder(run).recipe.exists() else [str(recipe), *overrides]
    if log is None:
        return subprocess.run(words, check=False).returncode
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {shlex.join(words)}\n")
        file.flush()
        return subprocess.run(words, check=False, stdout=file, stderr=file).returncode


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended.

    Args:
        status: of its exit; negative if a signal ended it.
        seconds: of the processor, its own and those of the children that it waited for.
    """

    status: int
    seconds: float

    @property
    def by_limit(self) -> bool:
        """Whether its time was over."""
        return self.status == -signal.SIGXCPU


def run_limited(
    words: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    log: Path,
    seconds: float | None = None,
    text: Path | None = None,
) -> Ended:
    """Run a command until it ends, or has used its time of the processor, which the kernel counts.

    Args:
        words: the command.
        environment: its variables.
        log: file for its output.
        seconds: of the processor at most, in whole ones; by default without a limit. Each child has as many again.
        text: file for its standard input; by default it has none.
    """
    with log.open("wb") as output, Path(text or os.devnull).open("rb") as given:
        process = subprocess.Popen(
            [str(word) for word in words], env=environment, stdin=given, stdout=output, stderr=subprocess.STDOUT
        )
        if seconds is not None:
            most = resource.prlimit(process.pid, resource.RLIMIT_CPU)[1]
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (int(seconds), most))
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # it is waited for already
    return Ended(process.returncode, usage.ru_utime + usage.ru_stime)

"""What a figure needs beside it to mean something: the commit, the machine, and the memory of a process."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def commit() -> str:
    """The commit of this checkout, with ``+`` where files differ from it; empty without git."""
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def machine() -> str:
    """Processor, the cores that this process may use, and those there are."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {usable} of {os.cpu_count()} cores"


def memory() -> dict[str, float]:
    """MiB of this process: the peak, what it holds itself, and what it has mapped of files.

    A kernel that does not tell the last two apart (some sandboxes) counts all as its own.
    """
    status = {}
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if value.endswith("kB"):
            status[name] = int(value.split()[0])
    own = status.get("RssAnon", status["VmRSS"])
    found = {
        # What it was before it ran this program may count in getrusage's.
        "peak_mib": status.get("VmHWM", max(own, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)),
        "own_mib": own,
        "mapped_mib": status.get("RssFile", 0),
    }
    return {name: round(value / 1024, 1) for name, value in found.items()}


def print_line(record: dict[str, Any]) -> None:
    """Print one JSON line, at once."""
    print(json.dumps(record, ensure_ascii=False), flush=True)

"""What a figure needs beside it to mean something: the commit, the machine, and the memory of a process."""

from __future__ import annotations

import json
import os
import platform
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
    """MiB of this process: the peak, what it holds itself, and what it has mapped of files (Linux)."""
    names = {"VmHWM": "peak_mib", "RssAnon": "own_mib", "RssFile": "mapped_mib"}
    found = {}
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name in names:
            found[names[name]] = round(int(value.split()[0]) / 1024, 1)
    return found


def print_line(record: dict[str, Any]) -> None:
    """Print one JSON line, at once."""
    print(json.dumps(record, ensure_ascii=False), flush=True)

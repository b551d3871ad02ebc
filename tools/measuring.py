"""The context of a measurement: the commit, the machine, and the memory of a process."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def commit(root: Path = ROOT) -> str:
    """The commit of a checkout, with ``+`` if files differ from it; empty without git."""
    head = git("rev-parse", "--short", "HEAD", root=root)
    if head is None:
        return ""
    return head.strip() + ("+" if git("status", "--porcelain", "--untracked-files=no", root=root) else "")


def changes(since: str, paths: Sequence[str], root: Path = ROOT) -> list[str] | None:
    """The commits after a given one that changed some paths, a line each, newest first; ``None`` if git cannot tell."""
    found = git("log", "--format=%h %s", f"{since}..HEAD", "--", *paths, root=root)
    return None if found is None else found.splitlines()


def uncommitted(paths: Sequence[str], root: Path = ROOT) -> list[str]:
    """The files among some paths that differ from the commit of a checkout."""
    found = git("status", "--porcelain", "--", *paths, root=root) or ""
    return [line[3:] for line in found.splitlines()]


def git(*words: str, root: Path = ROOT) -> str | None:
    """The output of a git command; ``None`` if there is no git or it fails."""
    try:
        return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def cpu() -> dict[str, str]:
    """The kernel's description of the first processor (Linux); empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def machine() -> str:
    """The processor, the number of cores that this process may use, and the number of all cores."""
    name = cpu().get("model name") or platform.processor() or platform.machine()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {usable} of {os.cpu_count()} cores"


def memory() -> dict[str, float]:
    """MiB of this process: peak, private, and mapped from files.

    A kernel that does not distinguish the last two (some sandboxes) counts all as private.
    """
    status = {}
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if value.endswith("kB"):
            status[name] = int(value.split()[0])
    own = status.get("RssAnon", status["VmRSS"])
    found = {
        # getrusage's peak may include the process before it executed this program.
        "peak_mib": status.get("VmHWM", max(own, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)),
        "own_mib": own,
        "mapped_mib": status.get("RssFile", 0),
    }
    return {name: round(value / 1024, 1) for name, value in found.items()}


def print_line(record: dict[str, Any]) -> None:
    """Print one JSON line, at once."""
    print(json.dumps(record, ensure_ascii=False), flush=True)

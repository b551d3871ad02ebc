"""Faults of trainings: killed, interrupted, out of disk space, damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from nmt.core.storage.run_folder import MODEL, OPTIMISER, STATE, checkpoint_path, checkpoint_steps
from tools.fault_injection.workshop import Fault, Outcome, Process, Workshop


def kill_at_random(workshop: Workshop) -> Outcome:
    """SIGKILL at random moments, repeatedly; every run that reaches its end is compared."""
    failures: list[str] = []
    run, writing, finished = workshop.new_run(), 0, 0
    seconds = workshop.seconds
    kills = 0
    while kills < workshop.kills:
        process = workshop.train(run)
        until = time.monotonic() + workshop.draw.uniform(0, seconds)
        while time.monotonic() < until and not process.ended():
            time.sleep(0.002)
        if process.ended():
            if process.wait() != 0:
                failures.append(process.output().strip()[-300:])
            failures += workshop.finish(run)
            finished += 1
            run = workshop.new_run()
            continue
        process.send(signal.SIGKILL)
        process.wait()
        kills += 1
        writing += any((run / "checkpoints").glob(".*"))
    failures += workshop.finish(run)
    text = f"nothing; `--resume` works ({finished + 1} runs came to their end, {writing} kills fell into a checkpoint)"
    return Outcome(kills, tuple(failures), text)


def kill_at_file_operations(workshop: Workshop) -> Outcome:
    """SIGKILL just before a file in the run folder is opened, renamed or removed, spread over all such moments."""
    counter = workshop.folder / "operations"
    run = workshop.new_run()
    workshop.train(run, before=lambda: _watch(run, 0, counter)).wait()
    total = len(counter.read_bytes())
    failures: list[str] = []
    for number in range(workshop.kills):
        run = workshop.new_run()
        at = 1 + (total - 1) * number // max(1, workshop.kills - 1)
        status = workshop.train(run, before=lambda run=run, at=at: _watch(run, at, counter)).wait()
        if status not in (-signal.SIGKILL, 0):
            failures.append(f"operation {at}: status {status}")
        failures += workshop.finish(run)
    return Outcome(workshop.kills, tuple(failures), f"nothing; `--resume` works (of {total} file operations)")


def _watch(run: Path, fatal: int, counter: Path) -> None:
    """Count file operations in a run folder, one byte each, and end this process before the fatal one."""
    descriptor = os.open(counter, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    seen = 0
    events = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"}

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in events and str(arguments[0]).startswith(str(run)):
            seen += 1
            if seen == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(descriptor, b".")

    sys.addaudithook(hook)


def _signalled(workshop: Workshop, number: signal.Signals) -> Outcome:
    failures: list[str] = []
    for _ in range(workshop.kills):
        run = workshop.new_run()
        process = _under_way(workshop, run)
        time.sleep(workshop.draw.uniform(0, 0.5 * workshop.seconds))
        before = process.ended()
        process.send(number)
        status = process.wait()
        if not before and status != 128 + number:
            failures.append(f"status {status}: {process.output().strip()[-300:]}")
        if status == 128 + number and f"continue with: nmt-train --output {run} --resume" not in process.output():
            failures.append("does not say how to resume")
        failures += workshop.finish(run)
    text = f"a checkpoint, how to resume, status {128 + number}"
    return Outcome(workshop.kills, tuple(failures), text)


def terminate(workshop: Workshop) -> Outcome:
    """SIGTERM at random moments."""
    return _signalled(workshop, signal.SIGTERM)


def interrupt(workshop: Workshop) -> Outcome:
    """Ctrl-C at random moments."""
    return _signalled(workshop, signal.SIGINT)


def interrupt_twice(workshop: Workshop) -> Outcome:
    """Ctrl-C twice: the second does not wait for the checkpoint."""
    failures: list[str] = []
    for _ in range(workshop.kills):
        run = workshop.new_run()
        process = _under_way(workshop, run)
        for _ in range(2):
            if not process.ended():
                process.send(signal.SIGINT)
            time.sleep(0.005)
        status = process.wait()
        if status != 128 + signal.SIGINT or "Traceback" in process.output():
            failures.append(f"status {status}: {process.output().strip()[-300:]}")
        failures += workshop.finish(run)
    return Outcome(workshop.kills, tuple(failures), "`interrupted`, status 130; `--resume` works")


def _under_way(workshop: Workshop, run: Path) -> Process:
    workshop.whole  # noqa: B018 - fills the cache of encoded corpora
    process = workshop.train(run)
    while not (run / "metrics.jsonl").exists() and not process.ended():
        time.sleep(0.002)
    return process


def damage_newest(workshop: Workshop) -> Outcome:
    """Flip a bit of the newest checkpoint, or truncate one of its files; the previous one is used."""
    failures: list[str] = []
    tried = 0
    for name in (MODEL, OPTIMISER, STATE):
        for cut in (False, True):
            tried += 1
            run = workshop.new_run()
            process = _under_way(workshop, run)
            while len(checkpoint_steps(run / "checkpoints")) < 2 and not process.ended():
                time.sleep(0.002)
            process.send(signal.SIGTERM)
            process.wait()
            path = checkpoint_path(run / "checkpoints", checkpoint_steps(run / "checkpoints")[-1]) / name
            content = bytearray(path.read_bytes())
            place = workshop.draw.randrange(len(content))
            content[place] ^= 1 << workshop.draw.randrange(8)
            path.write_bytes(content[:place] if cut else content)
            failures += workshop.finish(run)
            if "the file is damaged" not in (workshop.folder / "log").read_text():
                failures.append(f"{name}: nothing was said")
    return Outcome(tried, tuple(failures), "which file is damaged, and that the previous checkpoint is used")


def second_run(workshop: Workshop) -> Outcome:
    """Start a second training into a folder in use; kill the first; its lock must be released."""
    run = workshop.new_run()
    first = _under_way(workshop, run)
    pid = first.pid
    second = workshop.train(run)
    status = second.wait()
    failures = []
    if status != 1 or f"is in use by process {pid}" not in second.output():
        failures.append(f"status {status}: {second.output().strip()[-300:]}")
    first.send(signal.SIGKILL)
    first.wait()
    failures += workshop.finish(run)
    return Outcome(1, tuple(failures), "who uses the folder (process and machine), status 1")


def full_disk(workshop: Workshop) -> Outcome | None:
    """Train on a small disk that fills up; enlarge it; resume."""
    place = workshop.folder / "small-disk"
    place.mkdir()
    failures: list[str] = []
    sizes = [60 + 20 * number for number in range(workshop.kills)]
    needed = sum(path.stat().st_size for path in workshop.whole.rglob("*") if path.is_file()) // 1024
    full = 0
    for size in sizes:
        if not _mount("-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(place)):
            return None
        try:
            run = place / "run"
            process = workshop.train(run)
            status = process.wait()
            output = process.output()
            full += status != 0
            if status not in (0, 1) or "Traceback" in output or (status == 1 and "No space left" not in output):
                failures.append(f"{size} KiB: status {status}: {output.strip()[-400:]}")
            _mount("-o", f"remount,size={20 * needed + 20_000}k", str(place))
            failures += workshop.finish(run)
        finally:
            subprocess.run(["umount", str(place)], check=True)
    text = f"what could not be written, which checkpoint is kept, status 1 ({full} of {len(sizes)} disks filled up)"
    return Outcome(len(sizes), tuple(failures), text)


def read_only(workshop: Workshop) -> Outcome | None:
    """Make the disk of a run read-only, then writable again."""
    place = workshop.folder / "read-only-disk"
    place.mkdir()
    if not _mount("-t", "tmpfs", "tmpfs", str(place)):
        return None
    failures = []
    try:
        run = place / "run"
        process = _under_way(workshop, run)
        process.send(signal.SIGTERM)
        process.wait()
        if not _mount("-o", "remount,ro", str(place)):
            return None
        process = workshop.train(run)
        status = process.wait()
        if status != 1 or "Read-only file system" not in process.output() or "Traceback" in process.output():
            failures.append(f"status {status}: {process.output().strip()[-300:]}")
        _mount("-o", "remount,rw", str(place))
        failures += workshop.finish(run)
    finally:
        subprocess.run(["umount", str(place)], check=True)
    return Outcome(1, tuple(failures), "that the folder cannot be written, and why; status 1")


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


TRAINING_FAULTS = (
    Fault("kill", "`kill -9` at a random moment of a training", kill_at_random),
    Fault("operations", "`kill -9` just before a file operation of a training", kill_at_file_operations),
    Fault("sigterm", "SIGTERM at a random moment", terminate),
    Fault("ctrl-c", "Ctrl-C at a random moment", interrupt),
    Fault("ctrl-c-twice", "Ctrl-C twice", interrupt_twice),
    Fault("damage", "newest checkpoint with flipped bits or truncated", damage_newest),
    Fault("lock", "two trainings into one folder, the first killed", second_run),
    Fault("full-disk", "a disk that fills up (small tmpfs)", full_disk),
    Fault("read-only", "a folder that became read-only", read_only),
)

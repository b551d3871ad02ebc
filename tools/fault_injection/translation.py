"""Faults of a translation: processes killed while they translate a very large file."""

from __future__ import annotations

from tools.fault_injection.workshop import Fault, Outcome, Workshop
from tools.soak import soak


def _soak(workshop: Workshop) -> Outcome:
    found = soak(workshop.folder / "soak", workshop.lines, kills=min(workshop.kills, 10), processes=2)
    failures = []
    if found.translated != found.lines:
        failures.append(f"{found.lines} lines in, {found.translated} out")
    if found.wrong:
        failures.append(f"{found.wrong} lines are not what the model gives")
    if found.growth >= 0.1:
        failures.append(f"memory grew by {found.growth:.0%}")
    speed = found.lines / found.seconds
    seen = f"nothing; `--resume` works ({found.lines:,} lines, {speed:,.0f} per second, memory {found.growth:+.1%})"
    return Outcome(found.kills, tuple(failures), seen)


TRANSLATION_FAULTS = (Fault("soak", "`kill -9` of `nmt-translate` and its processes at a random line", _soak),)

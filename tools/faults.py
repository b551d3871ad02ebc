"""Inject faults into real trainings and real files, and print a table of the outcomes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.fault_injection.files import FILE_FAULTS
from tools.fault_injection.training import TRAINING_FAULTS
from tools.fault_injection.translation import TRANSLATION_FAULTS
from tools.fault_injection.workshop import Fault, Outcome, Workshop

FAULTS: tuple[Fault, ...] = (*TRAINING_FAULTS, *FILE_FAULTS, *TRANSLATION_FAULTS)


def main(arguments: Sequence[str] | None = None) -> int:
    names = [fault.name for fault in FAULTS]
    parser = argparse.ArgumentParser(prog="tools/faults.py", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="how often to repeat random faults (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=names, metavar="FAULT", help=f"of {', '.join(names)}")
    parser.add_argument("--lines", type=int, default=1_000_000, help="lines to translate under fault (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (%(default)s)")
    parser.add_argument("--folder", type=Path, help="an empty folder to work in (default: a temporary one)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "faults"
        folder.mkdir(parents=True, exist_ok=True)
        workshop = Workshop(folder.resolve(), kills=options.kills, seed=options.seed, lines=options.lines)
        chosen = [fault for fault in FAULTS if options.only is None or fault.name in options.only]
        return report((fault, inflicted(fault, workshop)) for fault in chosen)


def inflicted(fault: Fault, workshop: Workshop) -> Outcome | None:
    """Inject a fault, and report how long it took."""
    began = time.monotonic()
    outcome = fault.inflict(workshop)
    print(f"{fault.name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return outcome


def report(outcomes: object) -> int:
    """Print the table, and any failures below it; return 1 if there are any, otherwise 0."""
    print("| fault | tried | survived | what the user sees |\n|---|---|---|---|", flush=True)
    failures = []
    for fault, outcome in outcomes:  # type: ignore[attr-defined]
        if outcome is None:
            print(f"| {fault.title} | 0 | | not tried: this machine does not allow it |", flush=True)
            continue
        survived = outcome.tried - min(outcome.tried, len(outcome.failures))
        print(f"| {fault.title} | {outcome.tried} | {survived} | {outcome.seen} |", flush=True)
        failures += [f"{fault.name}: {failure}" for failure in outcome.failures]
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

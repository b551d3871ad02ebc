"""Run the tests of GPUs. Prints a JSON line for every test that fails, at once, and one with counts for every file."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections import Counter

import pytest

from tools.measuring import ROOT, git

MARK = "pytest.mark.gpu"


class Reporter:
    """Tells pytest's reports of tests as JSON lines; it is a plugin of pytest."""

    def __init__(self) -> None:
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8")  # pytest captures the standard output
        self._file = ""
        self._counts: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test; a fixture counts only if it fails."""
        file, _, name = report.nodeid.partition("::")
        if file != self._file:
            self._end_file()
            self._file = file
        if report.failed:
            self._print({"failed": f"{file}::{name}", "message": report.longreprtext[-1000:]})
        if report.when == "call" or not report.passed:
            self._counts[report.outcome] += 1

    def pytest_sessionfinish(self) -> None:
        """Tell the counts of the last file."""
        self._end_file()
        self._output.close()

    def _end_file(self) -> None:
        if self._counts:
            self._print({"file": self._file, **{name: self._counts[name] for name in ("passed", "failed", "skipped")}})
        self._counts.clear()

    def _print(self, record: dict[str, object]) -> None:
        print(json.dumps(record), file=self._output, flush=True)


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the quick ones")
    options = parser.parse_args()
    os.chdir(ROOT)
    words = ["-m", "gpu and not slow" if options.quick else "gpu", "-q", "--tb=short", "-n", "0"]
    with contextlib.redirect_stdout(sys.stderr):
        return int(pytest.main([*words, "-p", "no:cacheprovider", "-p", "no:randomly", *files()], [Reporter()]))


def files() -> list[str]:
    """Files with tests of GPUs; without git, all of them."""
    found = git("grep", "-l", MARK, "--", "tests")
    return found.split() if found else ["tests"]


if __name__ == "__main__":
    sys.exit(main())

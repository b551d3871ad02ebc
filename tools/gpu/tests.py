"""Run the tests of GPUs, and print how many passed; one line for each that failed."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from tools.measuring import ROOT, git, print_line

MARK = "pytest.mark.gpu"


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="collect them only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "tests.xml"
        words = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
        words += ["--collect-only"] if options.quick else [f"--junitxml={report}", "--tb=short"]
        done = subprocess.run([*words, *files()], cwd=ROOT, check=False, stdout=sys.stderr)
        if options.quick:
            print_line({"files": len(files()), "collected": done.returncode == 0})
            return done.returncode
        if not report.exists():
            return done.returncode or 1
        suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    for case in suite.iter("testcase"):
        failed = case.find("failure")
        failed = case.find("error") if failed is None else failed
        if failed is not None:
            text = failed.get("message", "")[:500]
            print_line({"failed": f"{case.get('classname')}::{case.get('name')}", "message": text})
    print_line({**counts, "seconds": float(suite.get("time", 0))})
    return done.returncode


def files() -> list[str]:
    """Files with tests of GPUs; without git, all of them."""
    found = git("grep", "-l", MARK, "--", "tests")
    return found.split() if found else ["tests"]


if __name__ == "__main__":
    sys.exit(main())

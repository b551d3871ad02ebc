"""Compare the losses in bf16 and in fp32 on the generated corpus, by ``tools/compare_precisions.py``."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tools.gpu.corpora import generated
from tools.measuring import ROOT
from tools.quickstart import RECIPE


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--updates", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("overrides", nargs="*", metavar="a.b=c")
    options = parser.parse_args()
    words = [
        f"data.root={generated(options.folder, quick=options.quick)}",
        *options.overrides,
        f"training.max_steps={options.updates}",
        f"training.validation_interval={options.updates}",
        f"training.log_interval={max(1, options.updates // 6)}",
        "training.interval_unit=steps",
    ]
    program = [sys.executable, str(ROOT / "tools" / "compare_precisions.py"), str(ROOT / RECIPE)]
    return subprocess.run([*program, *words, "--seeds", "1", "2"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

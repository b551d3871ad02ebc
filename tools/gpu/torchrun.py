"""Train by torchrun with one process, and see that the losses are those of a training without it.

On a GPU the processes exchange gradients by NCCL. Prints a JSON line with both curves.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from nmt.core.errors import NmtError
from nmt.core.storage.run_folder import RunFolder
from nmt.training.records.metrics_log import MetricsLog
from tools.gpu.corpora import generated
from tools.gpu.parts import TINY_TRAINING
from tools.measuring import ROOT, print_line
from tools.quickstart import RECIPE
from tools.running import status_of

TRAIN = ("-m", "nmt.cli.train")
BY_TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1")
SHORT = (
    *TINY_TRAINING,
    "data.subword.size=300",
    "training.max_steps=12",
    "training.log_interval=3",
    "training.validation_interval=12",
    "training.precision=fp32",
    "test=null",
    "alignment=null",
)
# Sums of another order, and what a GPU adds up in no order.
TOLERANCE = 0.01


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    # torchrun gives every process its own GPU, so that an index would be wrong.
    place = "auto" if options.device.startswith("cuda") else options.device
    overrides = (f"data.root={generated(options.folder, quick=True)}", f"training.device={place}", *SHORT)
    alone = losses((), overrides, options.folder / "alone")
    several = losses(BY_TORCHRUN, overrides, options.folder / "torchrun")
    same = len(alone) == len(several) > 0 and all(
        abs(a - b) <= TOLERANCE * abs(a) for a, b in zip(alone, several, strict=True)
    )
    print_line({"alone": alone, "torchrun": several, "same": same})
    return 0 if same else 1


def losses(launcher: tuple[str, ...], overrides: tuple[str, ...], run: Path) -> list[float]:
    """The losses of a training."""
    shutil.rmtree(run, ignore_errors=True)
    words = [sys.executable, *launcher, *TRAIN, str(ROOT / RECIPE), *overrides, "--output", str(run)]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise NmtError(f"{' '.join(words[1:6])} ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
    return [round(each["nll"], 4) for each in MetricsLog(RunFolder(run).metrics).records() if each["kind"] == "train"]


if __name__ == "__main__":
    sys.exit(status_of(main))

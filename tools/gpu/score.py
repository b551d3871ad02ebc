"""Train the quickstart to its end on a device, and compare with the score that the register has of a CPU.

The corpus has the size of Multi30k. Prints a JSON line with scores, seconds and target tokens per second.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from pathlib import Path

from nmt.core.errors import NmtError
from nmt.core.storage.run_folder import RunFolder
from nmt.training.records.metrics_log import MetricsLog
from tools.gpu.corpora import generated
from tools.gpu.parts import TINY_TRAINING
from tools.measuring import ROOT, print_line
from tools.quickstart import RECIPE, summarise, translate_samples
from tools.register.entries import load
from tools.running import status_of, train

QUICK = (*TINY_TRAINING, "data.subword.size=300", "training.max_steps=20", "training.validation_interval=20")


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    corpus, run = generated(options.folder, quick=options.quick), options.folder / "score"
    shutil.rmtree(run, ignore_errors=True)
    overrides = (f"data.root={corpus}", f"training.device={options.device}", *(QUICK if options.quick else ()))
    began = time.monotonic()
    status = train(ROOT / RECIPE, overrides, run, log=options.folder / "score.log")
    if status:
        log = (options.folder / "score.log").read_text(encoding="utf-8").splitlines()
        raise NmtError(f"nmt-train ended with status {status}: {' / '.join(log[-3:])}")
    seconds = time.monotonic() - began
    rates = [
        each["tokens_per_second"] for each in MetricsLog(RunFolder(run).metrics).records() if each["kind"] == "train"
    ]
    found = {**summarise(run, seconds=seconds), "tokens_per_second": round(statistics.median(rates))}
    samples = translate_samples(run, corpus, count=5)  # by nmt-translate, which takes the GPU if there is one
    found["samples_like_references"] = sum(translation == reference for _, translation, reference in samples)
    if not options.quick:
        figure = next(each for each in load(ROOT).figures if each.id == "quickstart")
        known = {value.name: value for value in figure.values}
        found |= {
            "cpu_bleu": known["bleu"].value,
            "within_spread": known["bleu"].agrees(found["bleu"]),
            "cpu_seconds": known["seconds"].value,
        }
    print_line(found)
    return 0 if found.get("within_spread", True) else 1


if __name__ == "__main__":
    sys.exit(status_of(main))

"""`nmt-train`, but `training.max_minutes` limits the time of the processor, from the start of the process."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

from nmt.cli.train import main
from nmt.training import trainer
from nmt.training.trainer import Trainer, TrainingResult

_run = Trainer.run


def run(self: Trainer) -> TrainingResult:
    self.state.seconds = time.process_time()
    return _run(self)


if __name__ == "__main__":
    trainer.time = SimpleNamespace(perf_counter=time.process_time, monotonic=time.monotonic)  # type: ignore[assignment]
    Trainer.run = run  # type: ignore[method-assign]
    sys.exit(main())

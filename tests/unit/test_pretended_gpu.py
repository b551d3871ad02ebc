"""Tests of GPUs on a machine without one: a sample of them on a device that is pretended, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils import backend_registration

TESTS = Path(__file__).parents[1]
SAMPLES = {
    "unit/model/test_model_gpu.py": "recurrent or (gru-1-none and (additive-no or soft-dot-no or marginal-location))",
    "unit/training/test_training_gpu.py": "dry_run or (losses and (variational or own))",
}


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="needs a torch that takes a device written in Python",
)
@pytest.mark.parametrize("file", SAMPLES)
def test_a_sample_runs_on_a_pretended_gpu(file: str) -> None:
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "0",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "pretended_gpu",
        "-m",
        "gpu",
    ]
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*words, "-m", "gpu", "-k", SAMPLES[file], str(TESTS / file)],
        env=os.environ | {"PYTHONPATH": path},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout.splitlines()[-1]

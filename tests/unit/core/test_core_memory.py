"""Memory of the process: what is freed is kept for the next tensors."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import torch
from nmt.core.memory import keep_freed_memory

kept = keep_freed_memory() if sys.argv[1] == "keep" else False
for repetition in range(9):
    if repetition == 6:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(1000, 4000) for _ in range(3)]  # 16 MB each
    del tensors
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str, **environment: str) -> tuple[bool, int]:
    """Page faults of three rounds of 48 MB, after six others."""
    output = subprocess.check_output(
        [sys.executable, "-c", FAULTS, mode], text=True, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}
    )
    kept, count = output.split()
    return kept == "True", int(count)


@pytest.mark.skipif("glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or ""), reason="needs glibc")
def test_freed_memory_is_used_again() -> None:
    plain, (kept, count) = faults("plain"), faults("keep")
    assert kept
    assert count < 100 < plain[1], "three times 48 MB are 35,156 pages of 4 KiB"


def test_what_the_environment_says_holds() -> None:
    assert faults("keep", MALLOC_TRIM_THRESHOLD_="100000")[0] is False

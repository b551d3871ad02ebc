"""Memory of the process: what is freed is kept for the next tensors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# The resident set says it on every kernel; those of some containers count no page faults.
RESIDENT = """
import sys
import torch
from nmt.core.machine.allocator import give_back_freed_memory, keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1])

kept = keep_freed_memory() if sys.argv[1] != "plain" else False
torch.ones(1000).sum()
before = resident()
for repetition in range(12):
    tensors = [torch.ones(1000, 12000) for _ in range(3)]  # 48 MB each
    del tensors
if sys.argv[1] == "give":
    give_back_freed_memory()
print(kept, (resident() - before) * 4096)
"""


def bytes_held(mode: str, **environment: str) -> tuple[bool, int]:
    """Whether memory is kept, and the bytes held after twelve rounds that each made and freed 144 MB."""
    output = subprocess.check_output(
        [sys.executable, "-c", RESIDENT, mode], text=True, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}
    )
    kept, held = output.split()
    return kept == "True", int(held)


needs_glibc = pytest.mark.skipif(
    "glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or "") or not Path("/proc/self/statm").exists(),
    reason="needs glibc and /proc",
)


@pytest.mark.slow
@needs_glibc
def test_freed_memory_is_used_again() -> None:
    plain, (kept, held) = bytes_held("plain"), bytes_held("keep")
    assert kept
    assert plain[1] < 64_000_000, "given back"
    assert held > 130_000_000, "one round's 144 MB are kept"
    assert held < 6 * 144_000_000, "and used by the next, up to what its aligned blocks cannot fill"


@pytest.mark.slow
@needs_glibc
def test_what_is_kept_can_be_given_back() -> None:
    kept, held = bytes_held("give")
    assert kept
    assert held < 64_000_000


@pytest.mark.slow
@needs_glibc
def test_what_the_environment_says_holds() -> None:
    assert bytes_held("keep", MALLOC_TRIM_THRESHOLD_="100000")[0] is False

"""Memory of the process: what is freed is kept for the next tensors, and few of oneDNN's kernels are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.model.fast.onednn import _has_onednn

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")

# The resident set says it on every kernel; those of some containers count no page faults.
RESIDENT = """
import contextlib, sys
import torch
from nmt.core.machine.allocator import give_back_freed_memory, keep_freed_memory, memory_variables

def resident():
    return int(open("/proc/self/statm").read().split()[1])

mode, columns, count = sys.argv[1], *map(int, sys.argv[2:])
with memory_variables() if mode == "huge" else contextlib.nullcontext():
    kept = keep_freed_memory() if mode != "plain" else False
    torch.ones(1000).sum()
    before = resident()
    for repetition in range(12):
        tensors = [torch.ones(1000, columns) for _ in range(count)]
        del tensors
    if mode == "give":
        give_back_freed_memory()
print(kept, (resident() - before) * 4096)
"""

# Products of ever other numbers of rows, as batches have; prints the growth of the memory in use by malloc.
KERNELS = """
import contextlib, sys
import torch
from nmt.core.machine.allocator import memory_variables

def resident():
    return int(open("/proc/self/statm").read().split()[1])

context = memory_variables() if sys.argv[1] == "few" else contextlib.nullcontext()
weight = torch.ones(256, 64)
with context:
    for rows in range(1, 41):
        torch.ops.mkldnn._linear_pointwise(torch.ones(rows, 64), weight, None, "none", [], "")
    before = resident()
    for rows in range(41, 241):
        torch.ops.mkldnn._linear_pointwise(torch.ones(rows, 64), weight, None, "none", [], "")
print((resident() - before) * 4096)
"""


def bytes_held(mode: str, columns: int = 12000, count: int = 3, **environment: str) -> tuple[bool, int]:
    """Whether memory is kept, and the bytes held after twelve rounds that each made and freed 144 MB."""
    command = [sys.executable, "-c", RESIDENT, mode, str(columns), str(count)]
    output = subprocess.check_output(command, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", **environment})
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
@pytest.mark.skipif(
    not HUGE_PAGES.exists() or "[never]" in HUGE_PAGES.read_text(), reason="needs huge pages on request"
)
def test_in_huge_pages_the_largest_tensors_are_not_kept() -> None:
    kept, held = bytes_held("huge")
    assert kept
    assert held < 64_000_000
    assert bytes_held("huge", THP_MEM_ALLOC_ENABLE="0")[1] > 130_000_000, "what the environment says holds"
    assert bytes_held("huge", columns=4000, count=9)[1] > 130_000_000, "smaller ones are kept"


@pytest.mark.slow
@needs_glibc
def test_what_the_environment_says_holds() -> None:
    assert bytes_held("keep", MALLOC_TRIM_THRESHOLD_="100000")[0] is False


def bytes_for_kernels(mode: str, **environment: str) -> int:
    """Growth of the resident memory by the products of 200 shapes."""
    own = {name: value for name, value in os.environ.items() if not name.endswith("_CACHE_CAPACITY")}
    command = [sys.executable, "-c", KERNELS, mode]
    return int(subprocess.check_output(command, text=True, env={**own, "OMP_NUM_THREADS": "1", **environment}))


@pytest.mark.slow
@needs_glibc
@pytest.mark.skipif(not _has_onednn(), reason="needs oneDNN's products")
def test_few_kernels_are_kept() -> None:
    everything, few = bytes_for_kernels("every"), bytes_for_kernels("few")
    assert few < 16_000_000
    assert everything > 3 * few, "kernels of older processors are smaller"
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        assert bytes_for_kernels("few", **{name: "1000"}) > 2 * few, f"{name} holds"

"""How a process uses memory: what it keeps of freed memory and of oneDNN's kernels, and the size of its pages."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Parameter numbers of mallopt, from glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
# The highest threshold that glibc accepts, in bytes.
_MAPPED = 2**25
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
# More than the shapes of the products of one step and of its gradient; what else recurs is soon compiled again.
_KERNELS = "32"
# What oneDNN and the layer between it and torch read at the first product, and torch at the first tensor.
_VARIABLES = {
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": _KERNELS,
    "LRU_CACHE_CAPACITY": _KERNELS,
    "THP_MEM_ALLOC_ENABLE": "1",
}


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for later tensors instead of returning it to the system.

    Every update allocates and frees the same large tensors. By default glibc maps each one again, and the system zeroes
    its pages: a fifth to a third of the training time where measured. With this setting, the process keeps its peak
    memory, and fragmentation grows; call ``give_back_freed_memory`` now and then. Where torch asks for huge pages
    (``memory_variables``) and gets them, mapping is fast, and tensors of 32 MiB and more, whose gaps are the largest,
    are mapped all the same.

    Returns:
        Whether this took effect: on glibc, unless ``MALLOC_TRIM_THRESHOLD_`` or ``MALLOC_MMAP_MAX_`` say otherwise.
    """
    if not _is_glibc() or {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_"} & set(os.environ):
        return False
    library = ctypes.CDLL(None)
    mapped = (_M_MMAP_THRESHOLD, _MAPPED) if _has_huge_pages() else (_M_MMAP_MAX, 0)
    return bool(library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) and library.mallopt(*mapped))


def give_back_freed_memory() -> bool:
    """Return free memory to the system now. Takes a tenth of a second, and slows the next allocations by half a second.

    Returns:
        Whether any memory was returned; only with glibc.
    """
    return _is_glibc() and bool(ctypes.CDLL(None).malloc_trim(0))


@contextmanager
def memory_variables() -> Iterator[None]:
    """Context in which torch and oneDNN find variables that save memory, at the first tensor and product.

    oneDNN compiles a kernel for each shape of a product and keeps 1,024 of them, a hundred KB and more each. Batches
    have ever other shapes, so most never recur; and being spread over the heap, they keep what is freed around them
    from being used again. So few are kept. Large tensors are put into huge pages where the system has them on request:
    they are mapped and read faster. What the environment says holds, by the older name DNNL too. Child processes find
    the same.
    """
    missing = [name for name in _VARIABLES if not {name, name.replace("ONEDNN", "DNNL")} & set(os.environ)]
    os.environ.update({name: _VARIABLES[name] for name in missing})
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


def _has_huge_pages() -> bool:
    try:
        given = "[never]" not in _HUGE_PAGES.read_text(encoding="ascii")
    except OSError:
        return False
    return given and os.environ.get("THP_MEM_ALLOC_ENABLE") == "1"


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, OSError, ValueError):
        return False

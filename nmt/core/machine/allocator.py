"""Whether the C library keeps freed memory."""

from __future__ import annotations

import ctypes
import os

# Parameter numbers of mallopt, from glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for later tensors instead of returning it to the system.

    Every update allocates and frees the same large tensors. By default glibc maps each one again, and the system zeroes
    its pages: a fifth to a third of the training time where measured. With this setting, the process keeps its peak
    memory, and fragmentation grows: 3.7 GB after 3,000 updates of Multi30k, with 1.1 GB in use. Call
    ``give_back_freed_memory`` now and then.

    Returns:
        Whether this took effect: on glibc, unless ``MALLOC_TRIM_THRESHOLD_`` or ``MALLOC_MMAP_MAX_`` say otherwise.
    """
    if not _is_glibc() or {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_"} & set(os.environ):
        return False
    library = ctypes.CDLL(None)
    return bool(library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) and library.mallopt(_M_MMAP_MAX, 0))


def give_back_freed_memory() -> bool:
    """Return free memory to the system now. Takes a tenth of a second, and slows the next allocations by half a second.

    Returns:
        Whether any memory was returned; only with glibc.
    """
    return _is_glibc() and bool(ctypes.CDLL(None).malloc_trim(0))


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, OSError, ValueError):
        return False

"""A lock on a folder, released when its process ends in any way."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from nmt.core.errors import NmtError
from nmt.core.logging import logger

if sys.platform != "win32":
    import fcntl

NAME = "in-use.lock"
_CANNOT_LOCK = (errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP)


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder within the context.

    The operating system releases the lock when the process ends, even if it is killed; a leftover file locks nothing.
    If the system or the file system has no locks, only warns.

    Args:
        folder: it must exist.

    Raises:
        NmtError: another process holds the lock; names that process.
        OSError: the folder is not writable.
    """
    descriptor = _acquire(folder / NAME)
    try:
        yield
    finally:
        if descriptor is not None:
            with contextlib.suppress(OSError):  # before the release, so that nobody waits on a deleted file
                (folder / NAME).unlink()
            os.close(descriptor)


def _acquire(path: Path) -> int | None:
    if sys.platform == "win32":
        return None
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_file_of(descriptor, path):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())
                return descriptor
            os.close(descriptor)  # its holder has just deleted the file
        except OSError as error:
            held = os.read(descriptor, 300).decode("utf-8", errors="replace").split()
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise NmtError(_in_use(path.parent, held)) from None
            if error.errno not in _CANNOT_LOCK:
                raise
            logger.warning("%s: cannot be locked here (%s); see that no other process uses it", path.parent, error)
            return None


def _is_file_of(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _in_use(folder: Path, held: list[str]) -> str:
    who = f"process {held[0]} on {held[1]}" if len(held) == 2 else "another process"
    return f"{folder}: is in use by {who}; wait for it, stop it, or choose another --output"

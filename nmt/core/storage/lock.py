"""Locks on a folder and on an open file, released when their process ends in any way."""

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
    """Hold the lock of an existing folder within the context.

    The operating system releases the lock when the process ends, even if it is killed; a leftover file locks nothing.
    If the system or the file system has no locks, only warns.

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


def try_lock(descriptor: int, what: Path) -> bool:
    """Lock an open file until it is closed, or its process ends; whether no other process holds it.

    If the system or the file system has no locks, only warns.

    Args:
        descriptor: of the file.
        what: what the lock protects, for the warning.

    Raises:
        OSError: the system refused.
    """
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno not in _CANNOT_LOCK:
            raise
        logger.warning("%s: cannot be locked here (%s); make sure that no other process uses it", what, error)
    return True


def _acquire(path: Path) -> int | None:
    if sys.platform == "win32":
        return None
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            locked = try_lock(descriptor, path.parent)
            if not locked:
                held = os.read(descriptor, 300).decode("utf-8", errors="replace").split()
                raise NmtError(_in_use(path.parent, held))
            if _is_file_of(descriptor, path):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder has just deleted the file


def _is_file_of(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _in_use(folder: Path, held: list[str]) -> str:
    who = f"process {held[0]} on {held[1]}" if len(held) == 2 else "another process"
    return f"{folder}: is in use by {who}; wait for it, stop it, or choose another --output"

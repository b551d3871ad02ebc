"""A cache of derived files on disk; the key includes everything that they depend on."""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nmt.core.errors import DataError, NmtError
from nmt.core.storage.checksums import file_checksum
from nmt.core.storage.files import existing_file, os_reason, reporting_os_errors

logger = logging.getLogger(__name__)

FORMAT_VERSION = 3
_MANIFEST = "manifest.json"
# A hidden folder of the cache: an entry that is being built, or a damaged one to be deleted.
_HIDDEN = re.compile(r"\.[a-z]+-[0-9a-f]{24}-\w{8}")
# Several machines and containers may share a cache, so a process id does not identify a builder. The time of the last
# write decides instead: a running build writes often enough, or ends sooner. A build that was suspended for longer
# finds its folder gone when it resumes, and ends with a message, without harm.
_SECONDS_LEFT_ALONE = 24 * 60 * 60


class Cache:
    """A folder of derived data; a changed input has another key, a damaged entry is rebuilt.

    Args:
        directory: the folder; ``None`` for a temporary one, deleted when the process ends.
    """

    def __init__(self, directory: Path | None) -> None:
        if directory is None:
            directory = Path(tempfile.mkdtemp(prefix="nmt-cache-"))
            atexit.register(shutil.rmtree, directory, ignore_errors=True)
        self.directory = directory

    def fetch(
        self, kind: str, identity: Mapping[str, Any], build: Callable[[Path], dict[str, Any]]
    ) -> tuple[Path, dict[str, Any]]:
        """Return the entry of an identity; build it if it is missing or damaged.

        Args:
            kind: kind of data; prefix of the folder's name.
            identity: plain values that determine the content of the entry.
            build: writes the files of the entry into a new folder, and returns plain values to store with them.

        Returns:
            The folder of the entry, and the values stored with it.

        Raises:
            NmtError: the entry cannot be written, or is damaged and cannot be replaced; names its folder.
        """
        text = json.dumps({"format": FORMAT_VERSION, **identity}, sort_keys=True, ensure_ascii=True)
        folder = self.directory / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"
        while folder.is_dir():
            found = _stamp(folder)
            values = _verified(folder)
            if values is not None:
                return folder, values
            self._set_aside(folder, found)
        with reporting_os_errors("keep derived data", folder):
            return folder, self._build(folder, build)

    def _set_aside(self, folder: Path, found: tuple[int, int] | None) -> None:
        """Move a damaged entry aside and delete it, unless another process has replaced it since it was ``found``."""
        aside = self._hidden(folder)
        try:
            if _stamp(folder) != found:
                return
            folder.rename(aside)
        except FileNotFoundError:  # another process has moved it
            return
        except OSError as error:
            raise NmtError(
                f"{folder}: the cached data is damaged and cannot be moved out of the way: {os_reason(error)}; "
                "delete the folder, or name another data.cache"
            ) from error
        if _stamp(aside) != found:  # replaced between check and move: others may be about to read it
            with suppress(OSError):  # a faster process has written the same content there
                aside.rename(folder)
        else:
            logger.warning("%s: the cached data is damaged; building it again", folder)
        shutil.rmtree(aside, ignore_errors=True)

    def _build(self, folder: Path, build: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        self.directory.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=self.directory))
        try:
            self._sweep(building.stat().st_mtime)
            values = build(building)
            files = {path.name: hash_file(path) for path in sorted(building.iterdir())}
            (building / _MANIFEST).write_text(json.dumps({"files": files, "values": values}), encoding="utf-8")
            try:
                building.rename(folder)
            except OSError as error:
                standing = _verified(folder)
                if standing is None:
                    error.filename = error.filename2 = None  # hidden files, already deleted when the message is read
                    raise
                return standing  # another process was faster
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return values

    def _sweep(self, now: float) -> None:
        """Delete incomplete entries of killed processes.

        Args:
            now: time by the clock of the file system, which may be on another machine.
        """
        for path in self.directory.glob(".*"):
            if _HIDDEN.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                with suppress(OSError):  # another process has deleted or finished it, or another user owns it
                    written = max(each.lstat().st_mtime for each in (path, *path.iterdir()))
                    if now - written > _SECONDS_LEFT_ALONE:
                        # If its builder still runs, it must find everything or nothing.
                        gone = path.rename(f"{str(path)[:-8]}{secrets.token_hex(4)}")
                        shutil.rmtree(gone)

    def _hidden(self, folder: Path) -> Path:
        """A new hidden name next to an entry."""
        return self.directory / f".{folder.name}-{secrets.token_hex(4)}"


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal.

    Raises:
        DataError: the file is missing, a folder, or a pipe or device, which may block or can only be read once.
        NmtError: the file is unreadable.
    """
    if not existing_file(path).is_file():
        raise DataError(
            f"{path}: must be a regular file, because it is read more than once, but is a pipe or a device; write what "
            "comes from it to a file first"
        )
    with reporting_os_errors("read it"):
        return file_checksum(path)


def _stamp(folder: Path) -> tuple[int, int] | None:
    """Identity of a folder, unchanged by renaming, that differs from that of its replacement."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns  # the inode number alone may be reused


def _verified(folder: Path) -> dict[str, Any] | None:
    """The values of an entry if its files are intact, or ``None``."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        files, values = manifest["files"], manifest["values"]
        if not all(hash_file(folder / name) == digest for name, digest in files.items()):
            return None
    except Exception:  # an entry with any damage is rebuilt
        return None
    return values if isinstance(values, dict) else None

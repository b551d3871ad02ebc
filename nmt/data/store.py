"""Derived files on disk, under a key made of everything they are derived from."""

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
# A hidden folder of ours: an entry that is being built, or a damaged one on its way out.
_HIDDEN = re.compile(r"\.[a-z]+-[0-9a-f]{24}-\w{8}")
# Several machines and containers may share a cache, where a process id says nothing: another one's, or one of the same
# number. So what counts is when anything was last written: a build that lives writes all the time, or is quicker. One
# that was suspended for longer finds its folder gone when it goes on, and ends with a message; no harm comes of it.
_SECONDS_LEFT_ALONE = 24 * 60 * 60


class Store:
    """A folder of derived data; a changed input has another key, a damaged entry is built again.

    Args:
        directory: where entries live; ``None`` for a temporary folder that goes when the process ends.
    """

    def __init__(self, directory: Path | None) -> None:
        if directory is None:
            directory = Path(tempfile.mkdtemp(prefix="nmt-cache-"))
            atexit.register(shutil.rmtree, directory, ignore_errors=True)
        self.directory = directory

    def fetch(
        self, kind: str, identity: Mapping[str, Any], build: Callable[[Path], dict[str, Any]]
    ) -> tuple[Path, dict[str, Any]]:
        """Return the entry of an identity, building it if it is not there or damaged.

        Args:
            kind: what it is; begins the folder's name.
            identity: plain values that everything in the entry follows from.
            build: writes the files of the entry into a fresh folder and returns plain values to keep with them.

        Returns:
            The folder of the entry and the values kept with it.

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
        """Move a damaged entry out of the way and remove it, unless another process has replaced it meanwhile.

        Args:
            folder: of the entry.
            found: its stamp from before it was found damaged.
        """
        aside = self._hidden(folder)
        try:
            if _stamp(folder) != found:
                return
            folder.rename(aside)
        except FileNotFoundError:  # another process has just moved it
            return
        except OSError as error:
            raise NmtError(
                f"{folder}: the cached data is damaged and cannot be moved out of the way: {os_reason(error)}; "
                "delete the folder, or name another data.cache"
            ) from error
        if _stamp(aside) != found:  # replaced between the look and the move: others may be about to read it
            with suppress(OSError):  # whoever was faster has put the same content there
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
                    error.filename = error.filename2 = None  # hidden ones, which are gone when this is read
                    raise
                return standing  # another process was faster
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return values

    def _sweep(self, now: float) -> None:
        """Remove what killed processes have left half built.

        Args:
            now: the time by the clock of the file system, which may be another machine's.
        """
        for path in self.directory.glob(".*"):
            if _HIDDEN.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                with suppress(OSError):  # another process has just removed or finished it, or it is somebody else's
                    written = max(each.lstat().st_mtime for each in (path, *path.iterdir()))
                    if now - written > _SECONDS_LEFT_ALONE:
                        # Its builder, should it live after all, is to find all of it or nothing.
                        gone = path.rename(f"{str(path)[:-8]}{secrets.token_hex(4)}")
                        shutil.rmtree(gone)

    def _hidden(self, folder: Path) -> Path:
        """A fresh name next to an entry."""
        return self.directory / f".{folder.name}-{secrets.token_hex(4)}"


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal.

    Raises:
        DataError: missing, a folder, or a pipe or device, which waits for ever or is used up when it is read again.
        NmtError: unreadable.
    """
    if not existing_file(path).is_file():
        raise DataError(
            f"{path}: must be a regular file, because it is read more than once, but is a pipe or a device; write what "
            "comes from it to a file first"
        )
    with reporting_os_errors("read it"):
        return file_checksum(path)


def _stamp(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from another one that is put in its place: renaming does not change it."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns  # the number alone may be given again to the next folder


def _verified(folder: Path) -> dict[str, Any] | None:
    """The values of an entry whose files are whole, or ``None``."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        files, values = manifest["files"], manifest["values"]
        if not all(hash_file(folder / name) == digest for name, digest in files.items()):
            return None
    except Exception:  # whatever is wrong with a damaged entry, the answer is to build it again
        return None
    return values if isinstance(values, dict) else None

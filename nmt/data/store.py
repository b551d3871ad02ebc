"""Derived files kept on disk under a key made of everything they follow from."""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nmt.core.files import existing_file, reporting_os_errors

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
_MANIFEST = "manifest.json"


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
        """
        text = json.dumps({"format": FORMAT_VERSION, **identity}, sort_keys=True, ensure_ascii=True)
        folder = self.directory / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"
        if folder.is_dir():
            values = _verified(folder)
            if values is not None:
                return folder, values
            logger.warning("%s: the cached data is damaged; building it again", folder)
            shutil.rmtree(folder, ignore_errors=True)
        with reporting_os_errors("keep derived data"):
            return folder, self._build(folder, build)

    def _build(self, folder: Path, build: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        self.directory.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=self.directory))
        try:
            values = build(building)
            files = {path.name: hash_file(path) for path in sorted(building.iterdir())}
            (building / _MANIFEST).write_text(json.dumps({"files": files, "values": values}), encoding="utf-8")
            try:
                building.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster, with the same content
                    raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return values


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal.

    Raises:
        DataError: missing or a folder.
        NmtError: unreadable.
    """
    with reporting_os_errors("read it"), existing_file(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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

"""Checksums of the files of a folder, stored next to them, to detect damage before use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nmt.core.errors import CheckpointError
from nmt.core.storage.files import os_reason
from nmt.core.storage.git_lfs import what_is_wrong
from nmt.core.storage.run_folder import MODEL, read_json

CHECKSUMS = "checksums.json"


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_checksums(folder: Path) -> None:
    """Write the checksums of all files of a folder."""
    sums = {path.name: file_checksum(path) for path in sorted(folder.iterdir()) if path.name != CHECKSUMS}
    (folder / CHECKSUMS).write_text(json.dumps({"sha256": sums}, indent=1) + "\n", encoding="utf-8")


def verify_checksums(folder: Path, names: Iterable[str]) -> None:
    """Compare the named files of a folder with its checksums; skip a folder without them (of an older version).

    Raises:
        CheckpointError: a file is missing, unreadable or changed.
    """
    if not (folder / CHECKSUMS).exists():
        return
    sums = read_json(folder / CHECKSUMS).get("sha256")
    for name in names:
        path = folder / name
        wanted = sums.get(name) if isinstance(sums, dict) else None
        try:
            found = file_checksum(path)
        except FileNotFoundError as error:
            raise CheckpointError(f"{path}: there is no such file") from error
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read: {os_reason(error)}") from error
        if found != wanted:
            unlike = f"does not match its checksum in {CHECKSUMS}; the file is damaged"
            raise CheckpointError(f"{path}: {what_is_wrong(path, unlike)}")


def origin_of_scores(checkpoint: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the origin that a score file records: checkpoint, checksum of its weights, settings.

    The name alone is ambiguous: a longer training may average its best checkpoints again under the same name.
    """
    return {"checkpoint": checkpoint.name, "weights": file_checksum(checkpoint / MODEL), "asked": dict(asked)}


def scores_are_of(scores: Path, checkpoint: Path, asked: dict[str, Any] | None = None) -> bool:
    """Whether a score file, such as ``test.json``, exists for this checkpoint and these settings (by default any).

    Files of older versions hold no checksum; they are compared by name and settings.

    Raises:
        CheckpointError: the file is damaged.
    """
    if not scores.exists():
        return False
    found = read_json(scores)
    if found.get("checkpoint") != checkpoint.name:
        return False
    before = found.get("asked", asked)
    if asked is not None and not (isinstance(before, dict) and asked | before == asked):
        return False
    return "weights" not in found or found["weights"] == file_checksum(checkpoint / MODEL)

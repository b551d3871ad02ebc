"""Checksums of the files of a folder, stored next to them, so that damage is found before a file is used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nmt.core.errors import CheckpointError
from nmt.core.storage.files import os_reason
from nmt.core.storage.run_folder import MODEL, read_json

CHECKSUMS = "checksums.json"


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_checksums(folder: Path) -> None:
    """Write down the checksums of all files of a folder."""
    sums = {path.name: file_checksum(path) for path in sorted(folder.iterdir()) if path.name != CHECKSUMS}
    (folder / CHECKSUMS).write_text(json.dumps({"sha256": sums}, indent=1) + "\n", encoding="utf-8")


def verify_checksums(folder: Path, names: Iterable[str]) -> None:
    """Compare files with their checksums; a folder of an older version, which has none, is not compared.

    Args:
        folder: where ``write_checksums`` was called.
        names: files that are needed.

    Raises:
        CheckpointError: a file is missing, unreadable or not what was written.
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
            raise CheckpointError(f"{path}: is not what was written there (by {CHECKSUMS}); the file is damaged")


def origin_of_scores(checkpoint: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file of scores says of where they come from: the checkpoint, what its weights are, what was asked.

    The name alone is not enough: a longer training may average its best checkpoints again, under the same name.
    """
    return {"checkpoint": checkpoint.name, "weights": file_checksum(checkpoint / MODEL), "asked": dict(asked)}


def scores_are_of(scores: Path, checkpoint: Path, asked: dict[str, Any] | None = None) -> bool:
    """Whether a file of scores, such as ``test.json``, is there, of this checkpoint, and of what is asked for.

    Files of older versions hold no checksum; they are compared by the name and by what they say was asked.

    Args:
        scores: the file.
        checkpoint: the folder.
        asked: what scores depend on, as plain values; by default whatever was asked for will do.

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

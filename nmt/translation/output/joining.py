"""Joining of the shards of an output: all must be there, finished, unchanged and of one translation."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from nmt.core.errors import CheckpointError, NmtError
from nmt.core.logging import logger, progress
from nmt.core.registry import nearest
from nmt.core.storage.files import atomic_write, reporting_os_errors
from nmt.translation.output.resuming import Reached, differences, forget, read_record, record_path, refuse_unfinished
from nmt.translation.output.shards import LINES, SHARD, Shard, outputs_of_shards, shards_of

MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class _Found:
    """A shard with its record.

    Args:
        shard: which of how many, by the name of its file.
        path: its file.
        identity: what it depends on.
        reached: its progress.
    """

    shard: Shard
    path: Path
    identity: dict[str, Any]
    reached: Reached

    @property
    def common(self) -> dict[str, Any]:
        """The identity that all shards of a translation share."""
        return {key: value for key, value in self.identity.items() if key not in (SHARD, LINES)}


def join(output: Path, *, remove: bool = False) -> None:
    """Join the shards of an output in order, into one file that appears whole or not at all.

    The bytes of the shards follow one another, which is right for every format, compressed ones too.

    Args:
        output: the whole output; its shards lie beside it.
        remove: whether to delete the shards and their records afterwards.

    Raises:
        CheckpointError: shards are missing, unfinished, changed, or not of one translation; all of them are named.
        NmtError: a file cannot be read or written.
    """
    refuse_unfinished(output)
    with reporting_os_errors("read the shards"):
        found = _checked(output)
    with reporting_os_errors("join the shards"), atomic_write(output) as partial, partial.open("wb") as whole:
        for each in progress(found, f"joining {output}", unit="shards"):
            _append(each, whole)
    logger.info("%s: translations of %d lines", output, sum(each.reached.lines for each in found))
    if remove:
        with reporting_os_errors("remove the shards"):
            for each in found:
                each.path.unlink()
                forget(each.path)


def _checked(output: Path) -> list[_Found]:
    """Find all shards of an output, in order."""
    there = shards_of(output)
    counts = sorted({shard.count for shard in there})
    if not counts:
        close = nearest(output.name, outputs_of_shards(output.parent))
        hint = f"; did you mean {output.with_name(close)}?" if close is not None else ""
        raise CheckpointError(f"{output}: has no shards beside it, such as {Shard(1, 2).path(output).name}{hint}")
    if len(counts) > 1:
        several = " and ".join(f"of {count} ({Shard(1, count).path(output).name} ...)" for count in counts)
        raise CheckpointError(f"{output}: has shards of several divisions, {several}; move or delete all but one")
    problems: dict[Shard, str] = {}
    found = []
    for shard in (Shard(number, counts[0]) for number in range(1, counts[0] + 1)):
        try:
            found.append(_read(shard, output, missing=shard not in there))
        except NmtError as error:
            problems[shard] = str(error)
    problems |= _foreign(found)
    if problems:
        told = [f"\n  {shard.path(output).name}: {problem}" for shard, problem in sorted(problems.items())]
        more = f"\n  and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
        raise CheckpointError(f"{output}: cannot be joined{''.join(told[:MOST_TOLD])}{more}")
    return found


def _read(shard: Shard, output: Path, *, missing: bool) -> _Found:
    """Read the record of a shard.

    Raises:
        NmtError: what is wrong with the shard.
    """
    path = shard.path(output)
    record = record_path(path)
    if missing:
        raise CheckpointError("is missing")
    if not record.exists():
        raise CheckpointError(f"was not written by nmt-translate --shard: there is no {record.name}")
    identity, reached = read_record(record)
    lines = identity.get(LINES)
    if identity.get(SHARD) != str(shard):
        raise CheckpointError(f"is foreign: its record is of shard {identity.get(SHARD)}")
    if reached.lines != lines:
        raise CheckpointError(
            f"is unfinished: {reached.lines} of {lines} lines; run its command again, which continues it"
        )
    size = path.stat().st_size
    if size != reached.size:
        raise CheckpointError(_changed(record, f"{size} bytes in place of {reached.size}"))
    return _Found(shard, path, identity, reached)


def _foreign(found: Sequence[_Found]) -> dict[Shard, str]:
    """Say of each shard that is not of the translation of most in what it differs."""
    keys = [json.dumps(each.common, sort_keys=True) for each in found]
    usual: dict[str, Any] = next((json.loads(key) for key, _ in Counter(keys).most_common(1)), {})
    return {
        each.shard: f"is foreign: it was started with {different}"
        for each in found
        if (different := differences(each.common, usual, "the others"))
    }


def _append(found: _Found, whole: IO[bytes]) -> None:
    digest = hashlib.sha256()
    with found.path.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
            whole.write(block)
    if digest.hexdigest() != found.reached.output:
        raise CheckpointError(f"{found.path}: {_changed(record_path(found.path), 'another checksum')}")


def _changed(record: Path, how: str) -> str:
    return f"no longer holds what was written ({how}); delete it and {record.name}, and run its command again"

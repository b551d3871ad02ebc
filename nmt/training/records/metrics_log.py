"""``metrics.jsonl``: one JSON object per line, continued on resumption."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nmt.core.machine.distributed import first_only
from nmt.core.storage.files import atomic_write
from nmt.training.records.events import Events


class MetricsLog:
    """Appends records to a file.

    Args:
        path: the file.
        events: where the same is written for TensorBoard, if wanted.
    """

    def __init__(self, path: Path, events: Events | None = None) -> None:
        self.path = path
        self.events = events

    @first_only
    def append(self, record: dict[str, Any]) -> None:
        """Append one record; it is handed to the operating system when this returns."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        if self.events is not None:
            self.events.add(record)

    def sync(self) -> None:
        """Flush to disk, so that no checkpoint survives a crash that loses earlier records."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())
        if self.events is not None:
            self.events.flush()

    def records(self) -> list[dict[str, Any]]:
        """Every intact record; damaged or truncated ones are left out."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_bytes().split(b"\n"):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):  # not JSON, or truncated inside a character
                continue
            if isinstance(record, dict) and isinstance(record.get("step"), int) and "kind" in record:
                found.append(record)
        return found

    @first_only
    def cut_after(self, step: int) -> None:
        """Drop the records after the update from which a run is resumed; they will be written again."""
        if self.events is not None:
            self.events.cut_after(step)
        kept = [record for record in self.records() if record["step"] <= step]
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in kept)
        if self.path.exists() and self.path.read_bytes() == text.encode("utf-8"):
            return
        with atomic_write(self.path) as partial:
            partial.write_text(text, encoding="utf-8")

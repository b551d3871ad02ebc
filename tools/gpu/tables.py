"""The report of a check as Markdown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# What is the same in every record of a part, and ratios of every two ways, of which there are too many to read.
LEFT_OUT = {"bench", "commit", "machine", "torch", "threads", "ratios"}


def markdown(report: Mapping[str, Any]) -> str:
    """A heading with the context of a report, and a table for every part."""
    facts = next(iter(report["parts"].get("machine", {}).get("records", [])), {})
    shown = facts.get("name", report["machine"])
    lines = [f"## {shown}, commit {report['commit']}"]
    if facts:
        found = (f"{name} {value}" for name, value in facts.items() if name not in {"commit", "machine"})
        lines += ["", f"{', '.join(found)}."]
    for name, part in report["parts"].items():
        if name != "machine" or part["error"] is not None:
            lines += ["", f"### {part['title'][0].upper()}{part['title'][1:]}", "", *_part(part)]
    return "\n".join(lines) + "\n"


def _part(part: Mapping[str, Any]) -> Iterator[str]:
    for command in part["commands"]:
        yield f"`python {command}`"
    for group in _groups(part["records"]):
        if group[0]:
            yield ""
            yield from _table(group)
    if part["error"] is not None:
        yield ""
        yield f"Failed: {part['error'].splitlines()[-1]}"


def _groups(records: Sequence[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Tables of consecutive records with the same keys."""
    plain = ({name: value for name, value in record.items() if name not in LEFT_OUT} for record in records)
    for _, group in itertools.groupby(plain, key=tuple):
        yield list(group)


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"| {' | '.join(name.replace('_', ' ') for name in rows[0])} |"
    yield f"|{'---|' * len(rows[0])}"
    for row in rows:
        yield f"| {' | '.join(_cell(value) for value in row.values())} |"


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_cell, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " ".join(str(value).replace("|", "\\|").split())

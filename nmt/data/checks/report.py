"""The result of checking corpora: their sizes, the findings, and what is drawn of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nmt.data.checks.findings import SEVERITIES, CorpusSummary, Finding, Severity
from nmt.data.checks.portrait import Portrait


@dataclass(slots=True)
class Report:
    """The checked corpora, and the findings.

    Args:
        corpora: sizes of the corpora.
        findings: in order of discovery.
        portraits: what is drawn of the corpora, on request.
        about_pieces: a sentence about the vocabulary of the portraits.
    """

    corpora: list[CorpusSummary] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    portraits: list[Portrait] = field(default_factory=list)
    about_pieces: str = ""

    @property
    def severity(self) -> Severity:
        """The highest severity; ``note`` without findings."""
        return max((each.severity for each in self.findings), key=SEVERITIES.index, default="note")

    def sorted(self) -> Iterator[Finding]:
        """Yield the findings, most severe first."""
        yield from sorted(self.findings, key=lambda each: -SEVERITIES.index(each.severity))

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "severity": self.severity,
            "corpora": [dataclasses.asdict(each) for each in self.corpora],
            "findings": [dataclasses.asdict(each) for each in self.sorted()],
        }

    def __str__(self) -> str:
        counts = [sum(each.severity == severity for each in self.findings) for severity in reversed(SEVERITIES)]
        named = zip(counts, reversed(SEVERITIES), strict=True)
        last = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in named)
        return "\n".join(
            [*map(str, self.corpora), "", *map(str, self.sorted()), "" if self.findings else "sound", last]
        )

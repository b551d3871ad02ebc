"""Findings in corpora, their severity, and advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["note", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("note", "warning", "error")

EXAMPLES = 5  # shown of each finding
_WIDTH = 100  # characters shown of a line


@dataclass(frozen=True, slots=True)
class Example:
    """A pair that illustrates a finding.

    Args:
        line: its line in its file, from 1.
        source: the source line.
        target: the target line.
    """

    line: int
    source: str
    target: str

    def __str__(self) -> str:
        return f"line {self.line}: {_shown(self.source)} ||| {_shown(self.target)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One kind of problem in one corpus.

    Args:
        kind: its machine-readable name, such as ``empty``.
        severity: ``note`` (nothing needs to be done), ``warning`` (look at it) or ``error`` (training fails, or its
            results mean nothing).
        corpus: its name.
        count: affected pairs (or characters, blocks).
        message: the finding in words.
        advice: what to do.
        examples: the first few.
    """

    kind: str
    severity: Severity
    corpus: str
    count: int
    message: str
    advice: str
    examples: tuple[Example, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.severity}: {self.corpus}: {self.message}", f"    {self.advice}"]
        return "\n".join([*lines, *(f"      {example}" for example in self.examples)])

    @property
    def brief(self) -> str:
        """The finding in one line, with the numbers of its first lines."""
        lines = ", ".join(str(example.line) for example in self.examples)
        return f"{self.corpus}: {self.message}" + (f" (lines {lines})" if lines else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSummary:
    """Lengths of one side of a corpus.

    Args:
        words: number of white-space words.
        characters: number of characters.
        distinct: number of distinct characters.
        mean: words per line.
        median: words per line.
        percentile_99: words per line, 99th percentile.
        longest: words of the longest line.
        longest_line: its line number.
    """

    words: int
    characters: int
    distinct: int
    mean: float
    median: float
    percentile_99: float
    longest: int
    longest_line: int

    def __str__(self) -> str:
        return (
            f"{self.words:,} words ({self.mean:.1f} a line, median {self.median:g}, 99% up to {self.percentile_99:g}, "
            f"longest {self.longest:,} in line {self.longest_line}), {self.characters:,} characters "
            f"({self.distinct:,} different)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusSummary:
    """Size of a corpus.

    Args:
        part: ``training``, ``validation`` or ``test``.
        corpus: its name.
        pairs: sentence pairs.
        source: the source side.
        target: the target side.
    """

    part: str
    corpus: str
    pairs: int
    source: SideSummary
    target: SideSummary

    def __str__(self) -> str:
        return f"{self.part}: {self.corpus}: {self.pairs:,} pairs\n    source: {self.source}\n    target: {self.target}"


def share(count: int, of: int) -> str:
    """Format a count and its share."""
    return f"{count:,} of {of:,} pairs ({count / of:.2%})" if of else f"{count:,} pairs"


def examples(lines: Sequence[int], texts: Sequence[tuple[str, str]]) -> tuple[Example, ...]:
    """Make examples of line numbers and pairs."""
    return tuple(Example(line, *pair) for line, pair in zip(lines, texts, strict=True))


def _shown(line: str) -> str:
    """Format a line: control characters visible, length limited."""
    cut = line if len(line) <= _WIDTH else f"{line[:_WIDTH]}..."
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in cut) or "(empty)"

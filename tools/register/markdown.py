"""Find the figures in a Markdown document.

A figure is a number with a decimal point, a whole number (or its word) before a unit of measurement, or any number in
the body of a table that has cells beginning with a number. Code, comments, addresses, versions of three parts, and
numbers of sections, equations and licences do not count.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# A number that is no part of a word, a name such as entmax-1.5, a power or a version.
NUMBER = re.compile(r"(?<![\w.^])(?<![a-z]-)\d+(?:,\d{3})*(?:\.\d+)?(?![\w^]|\.\d|,\d|-[a-z])")
# Times and ratios are also written in letters.
_WORD = re.compile(r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty)\b")
_MORE = rf"\**(?:,? (?:and|to|or|\+) \**(?:{NUMBER.pattern}|{_WORD.pattern})\**)*"
_TIME = r"(?:milli|micro|nano)?seconds?|minutes?|hours?|times"
# 4.0 and 7.6 times; 22 + 31 minutes; 1,500 target tokens per second; but not the 2 of 2 x 256
_UNIT_AHEAD = re.compile(
    rf"{_MORE} ?(?:(?:(?:CPU|processor) )?(?:{_TIME})|ms|s|ns|[KMG]i?B|[GM]FLOP(?:/s)?|x(?! ?\d)|%|BLEU|nats"
    r"|(?:target |source )?(?:tokens|sentences|lines|pairs) (?:a|per) second)(?!\w)"
)
_TIME_AHEAD = re.compile(rf"{_MORE} (?:{_TIME})(?!\w)")
_CITED = re.compile(
    r"(?:\b(?:sections?|equations?|CC-BY|version|Python)|\b(?:sections?|equations?) [\d.]+ (?:and|to)) $"
)
_HIDDEN = re.compile(
    r"^(```|~~~).*?^\1[^\n]*$"  # fenced code
    r"|(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)"
    r"|<!--.*?-->|<[a-zA-Z/][^<>\n]*>|(?<=\])\([^()\s]*\)",
    re.MULTILINE | re.DOTALL,
)
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_TABLE = re.compile(r"^\|.*\n\|[ :|-]+\|\n(?:\|.*(?:\n|\Z))+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """A figure in a text.

    Args:
        text: as it is written.
        begin: its first character.
        end: the one after its last.
        line: from 1.
        heading: the nearest one above; empty above the first.
    """

    text: str
    begin: int
    end: int
    line: int
    heading: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a document.

    Args:
        begin: its first character.
        end: the one after its last.
        heading: the nearest one above it.
        place: which of the tables below that heading, from 1.
        digest: of the numbers of its rows, in their order.
    """

    begin: int
    end: int
    heading: str
    place: int
    digest: str


@dataclass(frozen=True)
class Document:
    """A Markdown text, its figures and its tables.

    Args:
        name: of its file.
        text: what it holds.
    """

    name: str
    text: str
    figures: tuple[Found, ...] = field(init=False)
    tables: tuple[Table, ...] = field(init=False)
    headings: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        shown = _HIDDEN.sub(lambda match: re.sub(r"[^\n]", "`", match[0]), self.text)
        headings = [(match.start(), self.text[slice(*match.span(1))]) for match in _HEADING.finditer(shown)]
        tables: list[Table] = []
        for match in _TABLE.finditer(shown):
            heading = _above(headings, match.start())
            place = sum(table.heading == heading for table in tables) + 1
            tables.append(Table(*match.span(), heading, place, _digest(match[0])))
        found = sorted({*_in_prose(shown), *(span for table in tables for span in _in_table(shown, table))})
        figures = [
            Found(
                self.text[slice(*span)],
                *span,
                self.text.count("\n", 0, span[0]) + 1,
                _above(headings, span[0]),
            )
            for span in found
        ]
        for name, value in (("figures", figures), ("tables", tables), ("headings", [each for _, each in headings])):
            object.__setattr__(self, name, tuple(value))


def _above(headings: list[tuple[int, str]], position: int) -> str:
    return next((name for begin, name in reversed(headings) if begin <= position), "")


def _in_prose(shown: str) -> Iterator[tuple[int, int]]:
    flat = shown.replace("\n", " ")
    for match in NUMBER.finditer(flat):
        decimal = "." in match[0] and not _CITED.search(flat, max(match.start() - 30, 0), match.start())
        if decimal or _UNIT_AHEAD.match(flat, match.end()):
            yield match.span()
    for match in _WORD.finditer(flat):
        if _TIME_AHEAD.match(flat, match.end()):
            yield match.span()


def _in_table(shown: str, table: Table) -> Iterator[tuple[int, int]]:
    rows = _rows(shown[table.begin : table.end])
    if not any(re.match(r"\**\d", cell) for row in rows for cell in row.split("|")[1:]):
        return
    first = shown.index("\n", shown.index("\n", table.begin) + 1) + 1
    for match in NUMBER.finditer(shown, first, table.end):
        cells = shown.count("|", shown.rindex("\n", 0, match.start()) + 1, match.start())
        if cells > 1:  # the first column says what a row is
            yield match.span()


def _rows(table: str) -> list[str]:
    """The rows of the body, without the first bar and the spaces around bars."""
    return [re.sub(r" *\| *", "|", line.strip().strip("|").strip()) for line in table.splitlines()[2:]]


def _digest(table: str) -> str:
    numbers = "\n".join(" ".join(NUMBER.findall(row)) for row in table.splitlines())
    return hashlib.sha256(numbers.encode()).hexdigest()[:12]

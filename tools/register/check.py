"""Compare the documents with the register: every figure of one must be in the other, with the same value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path

from tools.register.entries import FIELD, REGISTER, Place, Register
from tools.register.markdown import Document, Found, Table

_NUMBER = r"(?<!\d)(?<!\d[.,])({})(?!\d|[.,]\d)"
_HOW = (
    f"if it was measured, give it to an entry of {REGISTER} (a value and a quote around it, or `numbers` under its "
    "heading); if it was not, to `not_measured` with the reason"
)


def pattern(quote: str, values: Mapping[str, float] | None) -> re.Pattern[str]:
    """The pattern that matches a quote in a text, with a group for each value.

    Args:
        quote: with ``{name:.2f}`` for values; spaces and line breaks match each other.
        values: by name; ``None`` matches any numbers.
    """
    parts, last = [], 0
    for match in FIELD.finditer(quote):
        parts.append(_literal(quote[last : match.start()]))
        said = r"[\d.,]*\d" if values is None else re.escape(shown(values[match[1]], match[2]))
        parts.append(_NUMBER.format(said))
        last = match.end()
    return re.compile("".join([*parts, _literal(quote[last:])]))


def shown(value: float, form: str | None) -> str:
    """A value as a text shows it; halves are rounded up, as people do."""
    with localcontext(rounding=ROUND_HALF_UP):
        return format(Decimal(f"{value:.9g}"), form or "f")


def _literal(text: str) -> str:
    return r"\s+".join(re.escape(part) for part in re.split(r"\s+", text))


@dataclass
class Comparison:
    """The comparison of one document with the register.

    Args:
        document: the document.
        claimed: its figures that some entry has.
        problems: what is wrong.
    """

    document: Document
    claimed: set[Found] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def wrong(self, message: str, *, line: int | None = None) -> None:
        """Note what is wrong."""
        at = f", line {line}" if line else ""
        self.problems.append(f"{self.document.name}{at}: {message}")

    def claim(self, begin: int, end: int) -> None:
        """Mark the figures in a piece of the text as known."""
        self.claimed |= {found for found in self.document.figures if begin <= found.begin and found.end <= end}

    def quote(self, owner: str, quote: str, values: Mapping[str, float]) -> None:
        """Look for a quote, which must occur once in the document."""
        text = self.document.text
        found = list(pattern(quote, values).finditer(text))
        if len(found) == 1:
            self.claim(*found[0].span())
            return
        if len(found) > 1:
            self.wrong(f"{owner}: {quote!r} stands here {len(found)} times; quote more of the text around it")
            return
        near = pattern(quote, None).search(text)
        if near is None:
            self.wrong(f"{owner}: {quote!r} does not stand here; quote what does, or take the quote out")
            return
        self.claim(*near.span())
        differ = ", ".join(
            f"{name} is {said} here and {shown(values[name], form)} in the register"
            for (name, form), said in zip(FIELD.findall(quote), near.groups(), strict=True)
            if said != shown(values[name], form)
        )
        line = text.count("\n", 0, near.start()) + 1
        self.wrong(f"{owner}: {differ}; `python tools/figures.py record {owner} ...` enters a new one", line=line)

    def table(self, owner: str, place: Place) -> None:
        """Compare a table with its digest."""
        table = find_table(self.document, place)
        if table is None:
            self.wrong(f"{owner}: there is no table {place.table} under {place.under!r}")
            return
        self.claim(table.begin, table.end)
        if table.digest != place.digest:
            self.wrong(
                f"{owner}: the numbers of table {place.table} under {place.under!r} are not those of the register "
                f"(digest {table.digest} here, {place.digest} there); `tools/figures.py record` enters a new one",
                line=self.document.text.count("\n", 0, table.begin) + 1,
            )

    def numbers(self, under: str, wanted: Mapping[str, str]) -> None:
        """Compare the remaining numbers under a heading with those of the entries.

        Args:
            under: the heading.
            wanted: the numbers of each entry.
        """
        if under and under not in self.document.headings:
            self.wrong(f"{', '.join(wanted)}: there is no heading {under!r}")
            return
        left = Counter(number for numbers in wanted.values() for number in numbers.split())
        for found in self.document.figures:
            if found.heading == under and found not in self.claimed and left[found.text]:
                left[found.text] -= 1
                self.claimed.add(found)
        missing = [number for number, count in left.items() for _ in range(count)]
        if missing:
            self.wrong(
                f"{', '.join(wanted)}: {', '.join(missing)} does not stand under {under!r}; take it out of `numbers`"
            )

    def rest(self) -> None:
        """Report the figures that no entry has."""
        for found in self.document.figures:
            if found not in self.claimed:
                line = self.document.text.splitlines()[found.line - 1].strip()
                self.wrong(f"{found.text} is in no entry; {_HOW}: {line}", line=found.line)


def find_table(document: Document, place: Place) -> Table | None:
    """The table that a place refers to."""
    return next((each for each in document.tables if (each.heading, each.place) == (place.under, place.table)), None)


def documents(register: Register, root: Path) -> dict[str, Document]:
    """The documents whose figures must be in the register, by their paths from the root."""
    paths = sorted({path for glob in register.documents for path in root.glob(glob)})
    names = [path.relative_to(root).as_posix() for path in paths]
    return {name: Document(name, path.read_text(encoding="utf-8")) for name, path in zip(names, paths, strict=True)}


def check(register: Register, root: Path) -> list[str]:
    """All differences between the documents and the register, each with file, entry, and what to do."""
    comparisons = {name: Comparison(document) for name, document in documents(register, root).items()}
    owned = list(_owned(register))
    problems = [
        f"{owner}: {place.file} is none of the documents ({', '.join(register.documents)})"
        for owner, place, _ in owned
        if place.file not in comparisons
    ]
    for name, comparison in comparisons.items():
        places = [(owner, place, values) for owner, place, values in owned if place.file == name]
        for owner, place, values in places:
            for quote in place.quotes:
                comparison.quote(owner, quote, values)
            if place.table is not None:
                comparison.table(owner, place)
        # What quotes and tables have left.
        under: dict[str, dict[str, str]] = {}
        for owner, place, _ in places:
            if place.numbers:
                entries = under.setdefault(place.under, {})
                entries[owner] = f"{entries.get(owner, '')} {place.numbers}"
        for heading, wanted in under.items():
            comparison.numbers(heading, wanted)
        comparison.rest()
        problems += comparison.problems
    return problems


def _owned(register: Register) -> Iterator[tuple[str, Place, dict[str, float]]]:
    """Every place, with its entry and the values of that entry."""
    for figure in register.figures:
        values = register.values(figure)
        yield from ((figure.id, place, values) for place in figure.places)
    for number, entry in enumerate(register.not_measured, start=1):
        yield from ((f"not_measured {number}", place, {}) for place in entry.places)
